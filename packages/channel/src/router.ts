import { accept } from '@h2channel/conn'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type {
  Http2ServerRequest,
  Http2ServerResponse,
  Http2Session,
  IncomingHttpHeaders,
  ServerHttp2Stream,
} from 'node:http2'
import type { MatchFunction } from 'path-to-regexp'
import { match } from 'path-to-regexp'

import type { Attachable, Taker } from './attach.ts'
import { attach } from './attach.ts'
import { breakOff, Channel, isOutcome, startDraining } from './channel.ts'
import { contextOf, type HandlerContext, Late } from './context.ts'
import type { ChannelLimits, LimitOptions } from './defaults.ts'
import { checkDelay, checkHook, limitsFrom } from './defaults.ts'
import type { ChannelErrorCode } from './errors.ts'
import { ChannelError } from './errors.ts'
import type { Format } from './formats.ts'
import { formatAccepted, formatNamed, formatsOf, listed } from './formats.ts'
import { announcement, isAnnounced, version } from './protocol.ts'
import { refuse, refuseHttp1 } from './refusals.ts'
import type { Route } from './route.ts'

export type Handler<Path extends string, Client, Server> = (
  channel: Channel<Server, Client>,
  context: HandlerContext<Path>,
) => void | Promise<void>

/** How a route is served. */
export interface HandleOptions<Path extends string = string> {
  /**
   * What to do with a message of a client that the route's schema refuses: end the channel, unless said otherwise. As
   * with a channel's `onInvalid`, `skip` drops the message and goes on. `context` is the handler's, one for each channel.
   */
  readonly onInvalid?: ((error: ChannelError, context: HandlerContext<Path>) => 'close' | 'skip') | undefined
}

export interface RouterOptions {
  /** The limits of each channel. */
  readonly limits?: LimitOptions | undefined
  /**
   * Told of each error that a handler threw. Not of its own channel's end, unless the peer sent what the route does not
   * allow: `INVALID_MESSAGE`, `INVALID_FRAME`, `MESSAGE_TOO_LARGE`, `TRUNCATED_FRAME`; or `onInvalid` threw, or the schema
   * is asynchronous: `INTERNAL`. The default prints it. The peer learns no more than the code.
   */
  readonly onError?: ((error: unknown, context: HandlerContext) => void) | undefined
}

/**
 * Finds the handler of a channel's route. A request whose path is a route's belongs to the router, which answers it: with
 * 200 and a channel, or with
 *
 * - 400 for a path whose percent-encoding is broken,
 * - 405 for HEAD, which has no body to answer with,
 * - 406 when it accepts none of the formats that the server sends,
 * - 415 when it sends none of those that the server takes; they stand in `accept`,
 * - 503 with `retry-after` while the router drains,
 * - 505 when it speaks HTTP/1.
 */
export interface Router {
  /**
   * Serves a route. When the handler returns, its channel is closed: everything sent is delivered first. When it throws,
   * the channel ends with `INTERNAL`.
   *
   * @throws ChannelError `INVALID_ROUTE` when another route with this path is served already, or the client's messages
   *   all have a size over the limit; `INVALID_ARGUMENT` when `onInvalid` is no function.
   */
  handle<Path extends string, C, S>(
    route: Route<Path, C, S>,
    handler: Handler<Path, C, S>,
    options?: HandleOptions<NoInfer<Path>>,
  ): this

  /**
   * Takes the requests for its routes out of what `server` gets; all others reach the server's own listeners as before,
   * whenever those are added. Where it has none, the router answers 404.
   *
   * @returns a function that detaches it again. Open channels go on.
   */
  attach(server: Attachable): () => void

  /**
   * For frameworks, from within a request handler of theirs.
   *
   * @returns whether the request was for one of the routes. If so, it is dealt with, and the response is not to be touched.
   */
  accept(request: Http2ServerRequest | IncomingMessage, response: Http2ServerResponse | ServerResponse): boolean

  /**
   * Lets all channels end, for a process that is about to stop. Both ends of each are told (`channel.draining`), clients
   * get GOAWAY, and requests for new channels 503. What is left at the deadline ends with `GOING_AWAY` at both ends.
   * The connections then close as soon as other requests of theirs are answered, so that `server.close()` comes to its
   * end. Calling it again waits for the same.
   *
   * @returns once all channels are over.
   * @throws ChannelError `INVALID_ARGUMENT` when `timeout` is none.
   *
   * @example
   * ```ts
   * process.once('SIGTERM', async () => {
   *   await router.drain({ timeout: 20_000 })
   *   server.close()
   * })
   * ```
   */
  drain(options?: DrainOptions): Promise<void>
}

export interface DrainOptions {
  /** How long channels may take to end by themselves: 20 s unless said otherwise. Unit: milliseconds. */
  readonly timeout?: number | undefined
}

/**
 * @throws ChannelError `INVALID_ARGUMENT` when a limit is none, or `onError` is no function.
 *
 * @example
 * ```ts
 * const router = createRouter()
 * router.handle(quotes, async (channel, { params }) => {
 *   for await (const { symbols } of channel) await channel.send(await price(params.market, symbols))
 * })
 * router.attach(http2Server)
 * ```
 */
export function createRouter(options: RouterOptions = {}): Router {
  return new RouteTable(options)
}

interface Entry {
  readonly route: Route
  readonly matches: MatchFunction<Record<string, string>>
  readonly receives: readonly Format<unknown>[]
  readonly sends: readonly Format<unknown>[]
  readonly handler: Handler<string, unknown, unknown>
  readonly onInvalid: HandleOptions['onInvalid']
}

interface Match {
  readonly entry: Entry
  readonly params: Record<string, string>
}

type Found = Match | 'nowhere' | 'malformed'

class RouteTable implements Router, Taker {
  readonly #limits: ChannelLimits
  readonly #onError: (error: unknown, context: HandlerContext) => void
  readonly #entries: Entry[] = []
  /** Those that are not over, or whose handlers are not. */
  readonly #channels = new Set<Channel<unknown, unknown>>()
  /** Those that are open, and have asked for a route. */
  readonly #sessions = new Set<Http2Session>()
  #drained: Promise<void> | undefined

  constructor(options: RouterOptions) {
    this.#limits = limitsFrom(options.limits)
    checkHook('onError', options.onError)
    this.#onError = options.onError ?? printError
  }

  handle<Path extends string, C, S>(
    route: Route<Path, C, S>,
    handler: Handler<Path, C, S>,
    options: HandleOptions<NoInfer<Path>> = {},
  ): this {
    if (this.#entries.some((entry) => shapeOf(entry.route.path) === shapeOf(route.path))) {
      throw new ChannelError('INVALID_ROUTE', `there is a handler for ${route.path} already`)
    }
    checkHook('onInvalid', options.onInvalid)
    const receives = formatsOf<unknown>(route.client, route.framing)
    const { maxMessageBytes } = this.#limits
    if (receives.some(({ codec }) => (codec.size ?? 0) > maxMessageBytes)) {
      throw new ChannelError('INVALID_ROUTE', `${route.path} has messages over the limit of ${maxMessageBytes} bytes`)
    }
    this.#entries.push({
      route,
      matches: match(route.path, { sensitive: true, trailing: false }),
      receives,
      sends: formatsOf<unknown>(route.server, route.framing),
      // The table keeps routes of every type in one list; what goes with what was checked at the call.
      handler: handler as Handler<string, unknown, unknown>,
      onInvalid: options.onInvalid,
    })
    return this
  }

  attach(server: Attachable): () => void {
    return attach(server, this)
  }

  accept(request: Http2ServerRequest | IncomingMessage, response: Http2ServerResponse | ServerResponse): boolean {
    if (request.httpVersionMajor < 2) return this.takeRequest(request as IncomingMessage, response as ServerResponse)
    const { stream, headers } = request as Http2ServerRequest
    return this.takeStream(stream, headers)
  }

  takeRequest(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#find(request.url ?? '') === 'nowhere') return false
    refuseHttp1(response, 505, 'a channel needs HTTP/2', { connection: 'close' })
    return true
  }

  takeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    const found = this.#find(headers[':path'] ?? '')
    if (found === 'nowhere') return false
    if (found === 'malformed') refuse(stream, 400, 'the path is not percent-encoded')
    else if (headers[':method'] === 'HEAD') refuse(stream, 405, '', { allow: 'POST' })
    else if (this.#drained !== undefined) refuse(stream, 503, 'the server is about to stop', { 'retry-after': '1' })
    else this.#negotiate(stream, headers, found)
    return true
  }

  #find(target: string): Found {
    const [path = ''] = target.split('?', 1)
    for (const entry of this.#entries) {
      try {
        const found = entry.matches(path)
        if (found !== false) return { entry, params: { ...found.params } }
      } catch {
        return 'malformed'
      }
    }
    return 'nowhere'
  }

  #negotiate(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, { entry, params }: Match): void {
    const takes = listed(entry.receives)
    const receive = formatNamed(entry.receives, headers['content-type'])
    if (receive === undefined) {
      refuse(stream, 415, `${headers['content-type']} is not one of ${takes}`, { accept: takes })
      return
    }
    const send = formatAccepted(entry.sends, headers.accept, receive.framing)
    if (send === undefined) {
      refuse(stream, 406, `${headers.accept} is none of ${listed(entry.sends)}`)
      return
    }
    const control = isAnnounced(headers[announcement]) && receive.framing.control && send.framing.control
    const response = { 'content-type': send.mediaType, ...(control ? { [announcement]: version } : {}) }
    const framing = { send: send.framing, receive: receive.framing }
    accept(stream, headers, { headers: response })
      .then((conn) => {
        const rest = new Late(conn.path)
        const context = contextOf(params, conn, rest)
        const { onInvalid } = entry
        const channel = new Channel<unknown, unknown>(conn, {
          send: send.codec,
          receive: receive.codec,
          framing,
          control,
          limits: this.#limits,
          onInvalid: onInvalid && ((error) => onInvalid(error, context)),
        })
        rest.channel = channel
        this.#note(channel, stream)
        void this.#run(entry, channel, context, rest)
      })
      // Mostly the client left before it was answered. Whoever is still there must not wait for ever.
      .catch(() => refuse(stream, 500, 'the channel could not be opened'))
  }

  #note(channel: Channel<unknown, unknown>, { session }: ServerHttp2Stream): void {
    this.#channels.add(channel)
    if (this.#drained !== undefined) startDraining(channel)
    if (session === undefined || this.#sessions.has(session)) return
    this.#sessions.add(session)
    session.once('close', () => this.#sessions.delete(session))
  }

  async drain({ timeout = drainTimeout }: DrainOptions = {}): Promise<void> {
    checkDelay('timeout', timeout)
    this.#drained ??= this.#drain(timeout)
    await this.#drained
  }

  async #drain(timeout: number): Promise<void> {
    for (const channel of this.#channels) startDraining(channel)
    // Requests that are under way are answered; Node's own `close` would do the same, and then no more.
    for (const session of this.#sessions) if (!session.destroyed) session.goaway()
    const cut = setTimeout(() => {
      for (const channel of this.#channels) {
        breakOff(
          channel,
          new ChannelError('GOING_AWAY', 'the channel was open when the time to drain was up', { side: 'local' }),
        )
      }
    }, timeout)
    // Whoever is added meanwhile, having been accepted before, comes at the end.
    for (const channel of this.#channels) await channel.closed
    clearTimeout(cut)
    // With nothing left to do they would stay open, and with them a server that is closed.
    for (const session of this.#sessions) session.close()
  }

  async #run(entry: Entry, channel: Channel<unknown, unknown>, context: HandlerContext, rest: Late): Promise<void> {
    try {
      await entry.handler(channel, context)
    } catch (error) {
      const isOwnEnd = isOutcome(channel, error) || rest.isReason(error)
      if (!isOwnEnd) {
        breakOff(channel, new ChannelError('INTERNAL', 'the handler failed', { side: 'local', cause: error }))
      }
      // A handler that gives up because its own channel ended has done nothing wrong.
      if (!isOwnEnd || isDefect(error)) this.#tell(error, context)
    }
    // What could not be delivered any more has shown in `closed`.
    await channel.close().catch(() => {})
    this.#channels.delete(channel)
  }

  /** A hook that throws must not end the process, nor keep the channel open. */
  #tell(error: unknown, context: HandlerContext): void {
    try {
      this.#onError(error, context)
    } catch (failure) {
      printError(failure, context)
    }
  }
}

/** How long channels may take to end when a router drains. Unit: milliseconds. */
const drainTimeout = 20_000

/** An end that has to be looked into: the peer sent what the route does not allow, or this side failed by itself. */
function isDefect(error: unknown): boolean {
  if (!(error instanceof ChannelError)) return false
  const codes: readonly ChannelErrorCode[] = [
    'INVALID_MESSAGE',
    'INVALID_FRAME',
    'MESSAGE_TOO_LARGE',
    'TRUNCATED_FRAME',
  ]
  return codes.includes(error.code) || (error.code === 'INTERNAL' && error.side === 'local')
}

/** Paths of the same shape match the same requests. */
function shapeOf(path: string): string {
  return path.replaceAll(/:\w+/g, ':')
}

function printError(error: unknown, context: HandlerContext): void {
  // oxlint-disable-next-line no-console -- an error of the user's own must show unless a hook was given.
  console.error(`h2channel: the handler of ${context.conn.path} failed:`, error)
}

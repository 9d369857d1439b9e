import { accept, widenWindows } from '@h2channel/conn'
import type { Http2Conn } from '@h2channel/conn'
import type { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type {
  Http2SecureServer,
  Http2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2'
import type { MatchFunction } from 'path-to-regexp'
import { match } from 'path-to-regexp'

import { breakOff, Channel, isOutcome } from './channel.ts'
import type { ChannelLimits, LimitOptions } from './defaults.ts'
import { limitsFrom } from './defaults.ts'
import { ChannelError } from './errors.ts'
import type { Format } from './formats.ts'
import { formatAccepted, formatNamed, formatsOf, listed } from './formats.ts'
import { announcement, isAnnounced, version } from './protocol.ts'
import type { PathParams, Route } from './route.ts'

/** What a handler knows of the request beside its channel. */
export interface HandlerContext<Path extends string = string> {
  /** What stands in the path for the route's parameters, decoded. */
  readonly params: PathParams<Path>
  /** The request's headers. */
  readonly headers: IncomingHttpHeaders
  /** The query, without its `?`. */
  readonly query: URLSearchParams
  /** Aborts when the channel is over, however it came to it. */
  readonly signal: AbortSignal
  /** The conn below, with method, path and addresses. To be looked at, not to be used. */
  readonly conn: Http2Conn
}

export type Handler<Path extends string, Client, Server> = (
  channel: Channel<Server, Client>,
  context: HandlerContext<Path>,
) => void | Promise<void>

export interface RouterOptions {
  /** The limits of each channel. */
  readonly limits?: LimitOptions | undefined
  /**
   * Told of each error that a handler threw, other than the one that ended its channel. The default prints it.
   * The peer learns no more than `INTERNAL`.
   */
  readonly onError?: ((error: unknown, context: HandlerContext) => void) | undefined
}

/** A server that a router can be attached to. */
export type Attachable = Http2Server | Http2SecureServer

/**
 * Finds the handler of a channel's route. A request whose path is a route's belongs to the router, which answers it: with
 * 200 and a channel, or with
 *
 * - 400 for a path whose percent-encoding is broken,
 * - 406 when it accepts none of the formats that the server sends,
 * - 415 when it sends none of those that the server takes; they stand in `accept`,
 * - 505 when it speaks HTTP/1.
 */
export interface Router {
  /**
   * Serves a route. When the handler returns, its channel is closed: everything sent is delivered first. When it throws,
   * the channel ends with `INTERNAL`.
   *
   * @throws ChannelError `INVALID_ROUTE` when another route with this path is served already, or the client's messages
   *   all have a size over the limit.
   */
  handle<Path extends string, C, S>(route: Route<Path, C, S>, handler: Handler<Path, C, S>): this

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
}

/**
 * @throws ChannelError `INVALID_ARGUMENT` when a limit is none.
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
}

type Found = { readonly entry: Entry; readonly params: Record<string, string> } | 'nowhere' | 'malformed'

class RouteTable implements Router {
  readonly #limits: ChannelLimits
  readonly #onError: (error: unknown, context: HandlerContext) => void
  readonly #entries: Entry[] = []

  constructor(options: RouterOptions) {
    this.#limits = limitsFrom(options.limits)
    this.#onError = options.onError ?? printError
  }

  handle<Path extends string, C, S>(route: Route<Path, C, S>, handler: Handler<Path, C, S>): this {
    if (this.#entries.some((entry) => shapeOf(entry.route.path) === shapeOf(route.path))) {
      throw new ChannelError('INVALID_ROUTE', `there is a handler for ${route.path} already`)
    }
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
    })
    return this
  }

  attach(server: Attachable): () => void {
    const emitter: EventEmitter = server
    const { emit } = emitter
    let isAttached = true
    const taking = (event: string | symbol, ...values: unknown[]): boolean => {
      if (isAttached && event === 'stream' && this.#takeStream(values)) return true
      if (isAttached && event === 'request' && this.#takeRequest(values)) return true
      // Behind this one may stand the `emit` of another router.
      return emit.call(emitter, event, ...values) || (isAttached && answerNobodys(event, values))
    }
    const onSession = (session: ServerHttp2Session): void => widenWindows(session)
    emitter.emit = taking
    emitter.on('session', onSession)
    return () => {
      isAttached = false
      emitter.off('session', onSession)
      if (emitter.emit === taking) emitter.emit = emit
    }
  }

  accept(request: Http2ServerRequest | IncomingMessage, response: Http2ServerResponse | ServerResponse): boolean {
    if (request.httpVersionMajor < 2) return this.#refuseHttp1(request as IncomingMessage, response as ServerResponse)
    const { stream, headers } = request as Http2ServerRequest
    return this.#serve(stream, headers)
  }

  #takeStream([stream, headers]: readonly unknown[]): boolean {
    return this.#serve(stream as ServerHttp2Stream, headers as IncomingHttpHeaders)
  }

  /** Requests of HTTP/1 come only this way; those of HTTP/2 come as streams first. */
  #takeRequest([request, response]: readonly unknown[]): boolean {
    const { httpVersionMajor } = request as IncomingMessage
    return httpVersionMajor < 2 && this.#refuseHttp1(request as IncomingMessage, response as ServerResponse)
  }

  #refuseHttp1(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#find(request.url ?? '') === 'nowhere') return false
    response.writeHead(505, { 'content-type': 'text/plain', connection: 'close' })
    response.end('a channel needs HTTP/2\n')
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

  /** Answers a request for one of the routes. Returns whether it was one. */
  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    const target = headers[':path'] ?? ''
    const found = this.#find(target)
    if (found === 'nowhere') return false
    if (found === 'malformed') {
      refuse(stream, 400, 'the path is not percent-encoded')
      return true
    }
    const { entry, params } = found
    const receive = formatNamed(entry.receives, headers['content-type'])
    if (receive === undefined) {
      const takes = listed(entry.receives)
      refuse(stream, 415, `${headers['content-type']} is not one of ${takes}`, { accept: takes })
      return true
    }
    const send = formatAccepted(entry.sends, headers.accept, receive.framing)
    if (send === undefined) {
      refuse(stream, 406, `${headers.accept} is none of ${listed(entry.sends)}`)
      return true
    }
    const control = isAnnounced(headers[announcement]) && receive.framing.control && send.framing.control
    const response = { 'content-type': send.mediaType, ...(control ? { [announcement]: version } : {}) }
    accept(stream, headers, { headers: response }).then(
      (conn) => {
        const framing = { send: send.framing, receive: receive.framing }
        const options = { send: send.codec, receive: receive.codec, framing, control, limits: this.#limits }
        const channel = new Channel<unknown, unknown>(conn, options)
        return this.#run(entry, channel, { params, headers, conn, target })
      },
      // The client left before it was answered: there is nobody to tell.
      () => {},
    )
    return true
  }

  async #run(
    entry: Entry,
    channel: Channel<unknown, unknown>,
    request: {
      readonly params: Record<string, string>
      readonly headers: IncomingHttpHeaders
      readonly conn: Http2Conn
      readonly target: string
    },
  ): Promise<void> {
    const { params, headers, conn, target } = request
    const over = new AbortController()
    const query = new URLSearchParams(target.includes('?') ? target.slice(target.indexOf('?')) : '')
    const context = { params, headers, query, conn, signal: over.signal }
    void channel.closed.then((closed) => over.abort(closed.clean ? undefined : closed.error))
    try {
      await entry.handler(channel, context)
    } catch (error) {
      // A handler that gives up because its own channel ended has done nothing wrong.
      if (!isOutcome(channel, error) && !isFrom(over.signal, error)) {
        breakOff(channel, new ChannelError('INTERNAL', 'the handler failed', { side: 'local', cause: error }))
        this.#onError(error, context)
      }
    }
    // What could not be delivered any more has shown in `closed`.
    await channel.close().catch(() => {})
  }
}

/** Answers a request that nobody listens for. Returns whether `event` was one. */
function answerNobodys(event: string | symbol, [source, response]: readonly unknown[]): boolean {
  if (event === 'stream') {
    refuse(source as ServerHttp2Stream, 404, 'no such route')
    return true
  }
  if (event !== 'request') return false
  const notFound = response as ServerResponse
  notFound.writeHead(404, { 'content-type': 'text/plain' }).end('no such route\n')
  return true
}

function refuse(stream: ServerHttp2Stream, status: number, message: string, headers: IncomingHttpHeaders = {}): void {
  if (stream.destroyed || stream.headersSent) return
  stream.on('error', () => {})
  stream.respond({ ':status': status, 'content-type': 'text/plain; charset=utf-8', ...headers })
  stream.end(`${message}\n`)
}

/** Whether `error` is what a wait that `signal` gave up rejects with: its reason, or as Node does with that as the cause. */
function isFrom(signal: AbortSignal, error: unknown): boolean {
  if (!signal.aborted) return false
  return error === signal.reason || (error instanceof Error && error.cause === signal.reason)
}

/** Paths of the same shape match the same requests. */
function shapeOf(path: string): string {
  return path.replaceAll(/:\w+/g, ':')
}

function printError(error: unknown, context: HandlerContext): void {
  // oxlint-disable-next-line no-console -- an error of the user's own must show unless a hook was given.
  console.error(`h2channel: the handler of ${context.conn.path} failed:`, error)
}

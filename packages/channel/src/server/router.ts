import type { IncomingMessage, ServerResponse } from 'node:http'
import type {
  Http2ServerRequest,
  Http2ServerResponse,
  Http2Session,
  IncomingHttpHeaders,
  ServerHttp2Stream,
} from 'node:http2'

import { ChannelError } from '../errors.ts'
import type { ChannelLimits, LimitOptions } from '../options.ts'
import { checkDelay, checkHook, checkLimit, omitUndefined, resolveLimits } from '../options.ts'
import { acceptHeader, createFormats } from '../route/media-types.ts'
import { RouteTree } from '../route/route-tree.ts'
import type { Route } from '../route/route.ts'
import type { Clock } from '../runtime/clock.ts'
import { systemClock } from '../runtime/clock.ts'
import { Admission, routerDefaults } from '../limits/admission.ts'
import type { Authorize } from '../request/authorize.ts'
import type { AgeOptions, Ages, DrainOptions } from '../limits/drain.ts'
import { Drain, resolveAges } from '../limits/drain.ts'
import type { Answer, Handler, HandlerContext } from '../request/handler-context.ts'
import type { PresetHeaders } from '../request/headers.ts'
import { maxHeaderBytes, openingResponses, presetHeaders } from '../request/headers.ts'
import type { Attachable, RequestInterceptor } from './intercept.ts'
import { attach } from './intercept.ts'
import { openRequest } from '../request/open-request.ts'
import type { ErrorContext, RouterState, ServedRoute } from '../request/request.ts'
import { resolveOrigins } from '../request/origins.ts'
import { Links } from '../limits/links.ts'
import type { ResumeOptions, RouteResumeOptions } from '../limits/resume.ts'
import { resolveResume } from '../limits/resume.ts'
import type { QuotaLimits } from '../limits/quota.ts'
import { Quota, resolveQuota } from '../limits/quota.ts'
import { respond, respondHttp1 } from '../request/respond.ts'

/** How a route is served. */
export interface HandleOptions<Path extends string = string, Auth = unknown> extends AgeOptions {
  /** The limits of each of its channels, where they differ from the router's. */
  readonly limits?: LimitOptions | undefined
  /** The limits of all its channels together. */
  readonly total?: QuotaLimits | undefined
  /** Whether, and how, its channels outlive their connections. Default: as the router's. */
  readonly resume?: RouteResumeOptions | boolean | undefined
  /**
   * Decides about a client that does not read, while `send` waits: `wait` keeps waiting, and `close` ends the channel,
   * as with `onSlow` of a channel. `waited` is how long `send` has waited so far, in milliseconds.
   */
  readonly onSlow?: ((waited: number, context: HandlerContext<Path, Auth>) => 'wait' | 'close') | undefined
  /**
   * Decides about a message of a client that the schema of the route rejects: `close` ends the channel, and `skip`
   * drops the message, as with `onInvalid` of a channel. `context` is that of the handler. Default: `close`.
   */
  readonly onInvalid?: ((error: ChannelError, context: HandlerContext<Path, Auth>) => 'close' | 'skip') | undefined
}

/** Options of `createRouter`. */
export interface RouterOptions<Auth = unknown> extends AgeOptions {
  /** Called before a channel is accepted. Default: every client may open channels. */
  readonly authorize?: Authorize<Auth> | undefined
  /** How long `authorize` may take. The answer is 503 then. Default: 10 s. Unit: milliseconds. */
  readonly authorizeTimeout?: number | undefined
  /**
   * The origins whose web pages may open channels, besides the server's own, such as `https://shop.example`: what `new
   * URL(page).origin` returns. Default: none. Requests of other pages are answered with 403, before `authorize` is
   * called. Pages of these origins may read the answers, and may send the cookies that they have for this server. Other
   * programs than browsers are not affected.
   */
  readonly origins?: readonly string[] | undefined
  /**
   * Maximum size of the headers of a request, as HTTP/2 counts it: name, value, and 32 bytes for each. A channel keeps
   * them as long as it is open. The answer to a larger request is 431. The media types of the route are added to the
   * limit. Default: 16,384. Unit: bytes.
   */
  readonly maxHeaderBytes?: number | undefined
  /** The limits of each channel. */
  readonly limits?: LimitOptions | undefined
  /** The limits of all channels together. Default: `routerDefaults.total`. */
  readonly total?: QuotaLimits | undefined
  /**
   * Whether, and how, channels outlive their connections, for clients that ask for it (`resume` of `client.open`): the
   * handler runs on, `send` and `receive` wait, and no message is lost or comes twice. `true` takes the defaults.
   * Default: false.
   */
  readonly resume?: ResumeOptions | boolean | undefined
  /** The limits of all channels of one connection. Default: `routerDefaults.perSession`. */
  readonly perSession?: QuotaLimits | undefined
  /** For tests: the clock of everything but `drain`. Default: the clock of the platform. */
  readonly clock?: Clock | undefined
  /**
   * Called for each error that a handler or `authorize` threw. An error that only says how the handler's own channel
   * ended is not reported, unless it needs attention: the peer sent what the route does not allow (`INVALID_MESSAGE`,
   * `INVALID_FRAME`, `MESSAGE_TOO_LARGE`, `TRUNCATED_FRAME`), or this side failed (`INTERNAL`: `onInvalid` threw, or a
   * schema is asynchronous). Default: prints the error with the route, and says whether the handler or its client
   * failed. The peer learns the code alone.
   */
  readonly onError?: ((error: unknown, context: ErrorContext<Auth>) => void) | undefined
}

/**
 * Routes requests for channels to handlers. The router answers each request whose path matches a route: with 200 and a
 * channel, or with
 *
 * - 400 when a parameter of the path is no percent-encoded UTF-8, or is `.` or `..`,
 * - 403 when it comes from a web page of another origin that is not in `origins`,
 * - 405 for GET, HEAD, OPTIONS and TRACE, which browsers and proxies may send or repeat automatically, and for CONNECT;
 *   but 204 for the preflight (OPTIONS) of a page whose origin is in `origins`,
 * - 406 when it accepts no format in which the server can send,
 * - 415 when its `content-type` is missing or names no format that the server reads, which `accept` lists then; or when
 *   it has a `content-encoding`,
 * - 429 with `retry-after` when its connection has too many channels, and 503 with `retry-after` when the route or the
 *   router has,
 * - 431 when its headers are larger than `maxHeaderBytes`, or its `accept` is longer than 32,768 characters,
 * - 500 when `authorize` fails, or the status of a `Refusal` that it throws,
 * - 503 with `retry-after` while the router drains, or when `authorize` takes too long,
 * - 505 when it uses HTTP/1.
 *
 * @typeParam Auth - what `authorize` returns.
 */
export interface Router<Auth = unknown> {
  /**
   * Serves a route. Of several routes that match a path, the most specific counts, whatever their order: from left to
   * right, a literal segment precedes a parameter.
   *
   * When the handler returns, its channel is closed, after everything sent was delivered. When the
   * handler throws, the channel ends with `INTERNAL`. If it had called `end()` or `close()` before, what was sent until
   * then is delivered all the same.
   *
   * @throws ChannelError `INVALID_ROUTE` when a route with the same path is served already, or every message of the
   *   client has a fixed size over the limit; `INVALID_ARGUMENT` for an invalid limit, or a hook that is not a
   *   function.
   */
  handle<Path extends string, C, S>(
    route: Route<Path, C, S>,
    handler: Handler<Path, C, S, Auth>,
    options?: HandleOptions<NoInfer<Path>, Auth>,
  ): this

  /**
   * Serves a route whose server sends one reply to each message: calls (`client.call`), and channels on which a client
   * sends any number of messages. They are answered in order. The next message is taken when the reply to the one
   * before was accepted, so that a client which does not read its replies is held back.
   *
   * An `answer` that throws, or returns `undefined`, has failed as a handler that throws: the channel ends with
   * `INTERNAL` after the replies before, and `onError` is called. `context.signal` aborts when the caller is gone.
   * While the router drains, messages are answered until the client ends its half, or the deadline comes.
   *
   * @throws ChannelError as {@link handle}.
   *
   * @example
   * ```ts
   * router.answer(prices, async ({ symbol }, { signal }) => ({ price: await priceOf(symbol, signal) }))
   * ```
   */
  answer<Path extends string, C, S>(
    route: Route<Path, C, S>,
    answer: Answer<Path, NoInfer<C>, NoInfer<S>, Auth>,
    options?: HandleOptions<NoInfer<Path>, Auth>,
  ): this

  /**
   * Handles the requests of `server` that match a route. All others reach the server's own listeners as before, also
   * listeners that are added later. Without listeners, the router answers 404.
   *
   * @returns a function that detaches the router. Open channels continue.
   * @throws ChannelError `INVALID_ARGUMENT` when it is attached to `server` already.
   */
  attach(server: Attachable): () => void

  /**
   * Handles a request within the request handler of a framework. Headers that are set on the response are sent with the
   * answer, except headers of a body, such as `content-type`. If HTTP/2 can't send one of them, or they have more than
   * 16 KiB, the answer is 500, and `onError` is called with the reason.
   *
   * @returns whether the request matched a route. Then it is handled, and the response must not be used.
   */
  accept(request: Http2ServerRequest | IncomingMessage, response: Http2ServerResponse | ServerResponse): boolean

  /**
   * Ends all channels, before the process stops. Both ends of each channel are notified (`channel.draining`),
   * connections get GOAWAY, and new requests 503. Channels that are still open at the deadline end with `GOING_AWAY` at
   * both ends. Each connection then closes when its other requests are answered, so that `server.close()` completes.
   * Further calls wait for the same drain.
   *
   * @returns once all channels have ended and their handlers have returned, at the latest a second after the deadline.
   *   Clients that do not read are reset then, and handlers that are still running are not awaited.
   * @throws ChannelError `INVALID_ARGUMENT` for an invalid `timeout`.
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

  /** Number of channels that are open or whose handler is still running. */
  readonly channels: number

  /** Number of channels with `resume` that have lost their connections, and wait for their clients. */
  readonly detached: number
}

/**
 * Creates a router.
 *
 * @throws ChannelError `INVALID_ARGUMENT` for an invalid limit, or a hook that is not a function.
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
export function createRouter<Auth = unknown>(options: RouterOptions<Auth> = {}): Router<Auth> {
  return new RouteTable(options)
}

/** Default of `authorizeTimeout`. Unit: milliseconds. */
const defaultAuthorizeTimeout = 10_000

class RouteTable<Auth> implements Router<Auth>, RequestInterceptor {
  readonly #limits: ChannelLimits
  readonly #ages: Ages
  readonly #maxHeaderBytes: number
  readonly #resume: ResumeOptions | boolean | undefined
  readonly #state: RouterState<Auth>
  readonly #routes: RouteTree<ServedRoute<Auth>> = new RouteTree()

  constructor(options: RouterOptions<Auth>) {
    const { authorize, onError } = options
    const authorizeTimeout = options.authorizeTimeout ?? defaultAuthorizeTimeout
    const clock = options.clock ?? systemClock
    this.#limits = resolveLimits(options.limits)
    this.#ages = resolveAges(options)
    checkHook('authorize', authorize)
    checkHook('onError', onError)
    checkDelay('authorizeTimeout', authorizeTimeout)
    const origins = resolveOrigins(options.origins)
    this.#maxHeaderBytes = options.maxHeaderBytes ?? maxHeaderBytes
    checkLimit('maxHeaderBytes', this.#maxHeaderBytes)
    const admission = new Admission(
      resolveQuota('total', options.total, routerDefaults.total),
      resolveQuota('perSession', options.perSession, routerDefaults.perSession),
      clock,
    )
    const drain = new Drain(admission, clock)
    this.#resume = options.resume
    resolveResume(options.resume, undefined)
    const links = new Links(options.resume, clock)
    this.#state = { admission, drain, links, origins, authorize, authorizeTimeout, onError, clock }
  }

  handle<Path extends string, C, S>(
    route: Route<Path, C, S>,
    handler: Handler<Path, C, S, Auth>,
    options: HandleOptions<NoInfer<Path>, Auth> = {},
  ): this {
    checkHook('onInvalid', options.onInvalid)
    checkHook('onSlow', options.onSlow)
    const receives = createFormats<unknown>(route.client, route.framing)
    const limits = resolveLimits(options.limits ?? this.#limits, this.#limits)
    const { maxMessageBytes } = limits
    if (receives.some(({ codec }) => (codec.size ?? 0) > maxMessageBytes)) {
      throw new ChannelError('INVALID_ROUTE', `${route.path} has messages over the limit of ${maxMessageBytes} bytes`)
    }
    const sends = createFormats<unknown>(route.server, route.framing)
    const offer = acceptHeader(sends)
    const isNew = this.#routes.add(route.path, {
      route,
      receives,
      sends,
      offer,
      responses: openingResponses(sends),
      limits,
      // The layout of a struct has up to 8 KiB, and a request names the layouts of both directions.
      maxHeaderBytes: this.#maxHeaderBytes + acceptHeader(receives).length + offer.length,
      ages: resolveAges({ ...this.#ages, ...omitUndefined(options) }),
      resume: resolveResume(options.resume, this.#resume),
      quota: new Quota(route.path, resolveQuota('total', options.total), this.#state.admission.usages),
      // The table holds routes of all types. Their types were checked by the signature of this method.
      handler: handler as Handler<string, unknown, unknown, Auth>,
      onInvalid: options.onInvalid,
      onSlow: options.onSlow,
    })
    if (!isNew) throw new ChannelError('INVALID_ROUTE', `there is a handler for ${route.path} already`)
    return this
  }

  answer<Path extends string, C, S>(
    route: Route<Path, C, S>,
    answer: Answer<Path, NoInfer<C>, NoInfer<S>, Auth>,
    options?: HandleOptions<NoInfer<Path>, Auth>,
  ): this {
    return this.handle(route, answering(route.path, answer), options)
  }

  attach(server: Attachable): () => void {
    return attach(server, this)
  }

  accept(request: Http2ServerRequest | IncomingMessage, response: Http2ServerResponse | ServerResponse): boolean {
    if (request.httpVersionMajor < 2) return this.onRequest(request as IncomingMessage, response as ServerResponse)
    const { stream, headers } = request as Http2ServerRequest
    // A framework that has answered already gets an error that says so.
    return this.onStream(stream, headers, response.headersSent ? undefined : presetHeaders(response))
  }

  get channels(): number {
    return this.#state.admission.usages.size
  }

  get detached(): number {
    return this.#state.links.detachedCount
  }

  drain(options?: DrainOptions): Promise<void> {
    return this.#state.drain.run(options)
  }

  onSession(session: Http2Session): void {
    this.#state.admission.track(session)
  }

  onRequest(request: IncomingMessage, response: ServerResponse): boolean {
    // A request of a proxy may have the whole URL (RFC 9112, section 3.2.2).
    const target = (request.url ?? '').replace(/^https?:\/\/[^/?]*/i, '')
    if (this.#routes.find(target) === 'not found') return false
    respondHttp1(response, { status: 505, message: 'a channel needs HTTP/2', headers: { connection: 'close' } })
    return true
  }

  onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, preset?: PresetHeaders): boolean {
    const { session } = stream
    // Its connection was lost already.
    if (session === undefined) return false
    const { admission, drain } = this.#state
    admission.track(session)
    if (drain.hasBegun) admission.goAway(session)
    const found = this.#routes.find(headers[':path'] ?? '')
    if (found === 'malformed') {
      respond(stream, { status: 400, message: 'a parameter of the path is invalid', headers: preset?.headers })
    } else if (found !== 'not found')
      openRequest(this.#state, found.value, found.params, stream, session, headers, preset)
    // An idle connection would stay open, and with it a server that is being closed.
    if (drain.isDone) session.close()
    return found !== 'not found'
  }
}

/** The handler that answers each message in order. It takes the next once the reply to the one before was accepted. */
function answering<Path extends string, Client, Server, Auth>(
  path: string,
  answer: Answer<Path, Client, Server, Auth>,
): Handler<Path, Client, Server, Auth> {
  return async (channel, context) => {
    for (let message = await channel.receive(); message !== undefined; message = await channel.receive()) {
      const reply = await answer(message, context)
      // It would leave the client with one reply too few, and later replies would seem to answer other messages.
      if (reply === undefined) throw new TypeError(`the answer of ${path} is undefined, which is no message`)
      await channel.send(reply)
    }
  }
}

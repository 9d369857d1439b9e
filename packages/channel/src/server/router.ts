import { accept, holdUnread, type Http2Conn } from '@h2channel/conn'
import { inspectAs } from '@h2channel/conn/internal'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type {
  Http2ServerRequest,
  Http2ServerResponse,
  Http2Session,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2'
import type { MatchFunction } from 'path-to-regexp'
import { match } from 'path-to-regexp'

import { Admission, countsOf, type Place, routerDefaults } from './admission.ts'
import type { Attachable, Taker } from './intercept.ts'
import { attach } from './intercept.ts'
import { type Authorize, type ChannelRequest, expiryOf, refusalOf } from './authorize.ts'
import { Channel, coreOf } from '../core/channel.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { contextOf, type HandlerContext, isExpired, Late } from './handler-context.ts'
import { excerpt } from '../framing/control-frames.ts'
import type { ChannelLimits, LimitOptions } from '../options.ts'
import { checkDelay, checkHook, checkLimit, givenOf, limitsFrom } from '../options.ts'
import type { OpenRequestEvent } from '../observe/diagnostics.ts'
import { diagnostics, publishingSlow, publishOpening } from '../observe/diagnostics.ts'
import { callHook, printError } from '../observe/hooks.ts'
import type { ChannelErrorCode } from '../errors.ts'
import { ChannelError } from '../errors.ts'
import type { Format } from '../route/media-types.ts'
import {
  contentCoding,
  negotiateFormat,
  formatForContentType,
  createFormats,
  acceptHeader,
} from '../route/media-types.ts'
import { answerHeaders, headerBytes, mostHeaderBytes, ofBodies } from './headers.ts'
import { checkedOrigins, isForeign, preflightAnswer, shareWith } from './origins.ts'
import { platform } from '../runtime/platform.ts'
import { controlHeader, supportsControl, version } from '../route/negotiate.ts'
import { isConnError } from '../core/close-codes.ts'
import { refuse, refuseHttp1 } from './respond.ts'
import type { Route } from '../route/route.ts'
import { Member, Share, type QuotaLimits, shareLimits } from './quota.ts'

export type Handler<Path extends string, Client, Server, Auth = unknown> = (
  channel: Channel<Server, Client>,
  context: HandlerContext<Path, Auth>,
) => void | Promise<void>

/** How long a channel may live. */
export interface AgeOptions {
  /**
   * How old a channel gets: at an age of its own between 80% and all of this, it drains. That spreads channels that live
   * for long over the servers that were added since: its connection gets GOAWAY, so that the next one is opened on
   * another. As old as it likes unless said otherwise. Unit: milliseconds.
   */
  readonly maxAge?: number | undefined
  /** How long it may then take to end by itself, before it ends with `GOING_AWAY`: 20 s unless said otherwise. Unit: milliseconds. */
  readonly maxAgeGrace?: number | undefined
  /**
   * How long before `context.expiresAt` it drains, so that its client can open another with fresh credentials: 20 s by default, but
   * not more than a tenth of what is left when `expiresAt` is set. Unit: milliseconds.
   */
  readonly expiryGrace?: number | undefined
}

/** How a route is served. */
export interface HandleOptions<Path extends string = string, Auth = unknown> extends AgeOptions {
  /** The limits of each of its channels, where they are not the router's. */
  readonly limits?: LimitOptions | undefined
  /** The limits of all its channels together. */
  readonly total?: QuotaLimits | undefined
  /**
   * What to do when a client takes nothing for long, while `send` waits: as a channel's `onSlow`, wait on or `close`. `waited` is for
   * how long, in milliseconds.
   */
  readonly onSlow?: ((waited: number, context: HandlerContext<Path, Auth>) => 'wait' | 'close') | undefined
  /**
   * What to do with a message of a client that the route's schema refuses: end the channel, unless said otherwise. As
   * with a channel's `onInvalid`, `skip` drops the message and goes on. `context` is the handler's, one for each channel.
   */
  readonly onInvalid?: ((error: ChannelError, context: HandlerContext<Path, Auth>) => 'close' | 'skip') | undefined
}

export interface RouterOptions<Auth = unknown> extends AgeOptions {
  /** Asked before a channel is accepted: everybody may open one unless said otherwise. */
  readonly authorize?: Authorize<Auth> | undefined
  /** How long `authorize` may take, before the answer is 503: 10 s unless said otherwise. Unit: milliseconds. */
  readonly authorizeTimeout?: number | undefined
  /**
   * The origins whose web pages may open channels, beside the server's own: `https://shop.example`, as `new URL(page).origin` gives it.
   * None by default. A request of any other page is answered with 403 before `authorize` is asked. A page that is listed may read
   * what it is answered, and may send what cookies it has for this server. Programs that are no browsers are not affected.
   */
  readonly origins?: readonly string[] | undefined
  /**
   * What the headers of a request may take, as HTTP/2 counts them: name, value, and 32 bytes for each. A channel keeps them for as long
   * as it lives. One with more is answered with 431. A route's own media types come on top. 16,384 by default. Unit: bytes.
   */
  readonly maxHeaderBytes?: number | undefined
  /** The limits of each channel. */
  readonly limits?: LimitOptions | undefined
  /** The limits of all channels together. `routerDefaults` has what they are unless said otherwise. */
  readonly total?: QuotaLimits | undefined
  /** The limits of all channels of one connection together. `routerDefaults` has what they are unless said otherwise. */
  readonly perSession?: QuotaLimits | undefined
  /** For tests: where the times come from, but that of `drain`. The platform's clock unless said otherwise. */
  readonly clock?: Clock | undefined
  /**
   * Told of each error that a handler, or `authorize`, threw. Not of its own channel's end, at whichever side, unless the peer sent what the route does not
   * allow: `INVALID_MESSAGE`, `INVALID_FRAME`, `MESSAGE_TOO_LARGE`, `TRUNCATED_FRAME`; or `onInvalid` threw, or the schema
   * is asynchronous: `INTERNAL`. The default prints it, with the
   * route, and says whether the handler or its client has failed. The peer learns no more than the code.
   */
  readonly onError?: ((error: unknown, context: ErrorContext<Auth>) => void) | undefined
}

/** Where an error comes from: the handler's context, or the request that `authorize` was asked about. */
export type ErrorContext<Auth = unknown> = HandlerContext<string, Auth> | ChannelRequest

/**
 * Finds the handler of a channel's route. A request whose path is a route's belongs to the router, which answers it: with
 * 200 and a channel, or with
 *
 * - 400 for a path whose percent-encoding is broken,
 * - 403 when it comes from a web page of another origin, and `origins` doesn't list that,
 * - 405 for GET, HEAD, OPTIONS and TRACE, which a browser or a proxy may send, or repeat, by itself, and CONNECT; but 204 for the
 *   preflight (OPTIONS) of a page whose origin is listed,
 * - 406 when it accepts none of the formats that the server sends,
 * - 415 when it has no `content-type`, or none of those that the server takes, which stand in `accept`; or a `content-encoding`,
 * - 429 when its connection has too many channels, and 503 with `retry-after` when the route has, or the router,
 * - 503 with `retry-after` while the router drains, or when `authorize` takes too long,
 * - what `authorize` refuses it with, or 500 when that fails,
 * - 431 when its headers are over `maxHeaderBytes`,
 * - 505 when it speaks HTTP/1.
 */
/** @typeParam Auth - what `authorize` returns. */
export interface Router<Auth = unknown> {
  /**
   * Serves a route. When the handler returns, its channel is closed: everything sent is delivered first. When it throws,
   * the channel ends with `INTERNAL`, unless the handler had closed it: what `close()`, or `end()`, has taken is delivered all
   * the same.
   *
   * @throws ChannelError `INVALID_ROUTE` when another route with this path is served already, or the client's messages
   *   all have a size over the limit; `INVALID_ARGUMENT` when a hook is no function, or a limit is none.
   */
  handle<Path extends string, C, S>(
    route: Route<Path, C, S>,
    handler: Handler<Path, C, S, Auth>,
    options?: HandleOptions<NoInfer<Path>, Auth>,
  ): this

  /**
   * Takes the requests for its routes out of what `server` gets; all others reach the server's own listeners as before,
   * whenever those are added. Where it has none, the router answers 404.
   *
   * @returns a function that detaches it again. Open channels go on.
   * @throws ChannelError `INVALID_ARGUMENT` when it is attached to `server` already.
   */
  attach(server: Attachable): () => void

  /**
   * For frameworks, from within a request handler of theirs. Headers that the response has already are sent with the answer,
   * but for those that say what the body is, such as `content-type`. Where HTTP/2 can't send one of them, or they take more than
   * 16 KiB, the answer is 500, and `onError` is told which.
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
   * @returns once all channels are over and their handlers have returned; a second after the deadline at the latest, when
   *   clients that do not read are cut off, and handlers that go on without their channel are not waited for.
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

  /** How many channels there are: those that are not over, or whose handlers are not. */
  readonly channels: number
}

export interface DrainOptions {
  /** How long channels may take to end by themselves: 20 s unless said otherwise. Unit: milliseconds. */
  readonly timeout?: number | undefined
}

/**
 * @throws ChannelError `INVALID_ARGUMENT` when a limit is none, or a hook is no function.
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

interface Entry<Auth> {
  readonly route: Route
  readonly matches: MatchFunction<Record<string, string>>
  readonly receives: readonly Format<unknown>[]
  readonly sends: readonly Format<unknown>[]
  readonly limits: ChannelLimits
  /** What a request's headers may take. Unit: bytes. */
  readonly maxHeaderBytes: number
  readonly age: Age | undefined
  readonly expiryGrace: number
  readonly share: Share
  readonly handler: Handler<string, unknown, unknown, Auth>
  readonly onInvalid: HandleOptions<string, Auth>['onInvalid']
  readonly onSlow: HandleOptions<string, Auth>['onSlow']
}

interface Age {
  readonly max: number
  readonly grace: number
}

interface Match<Auth> {
  readonly entry: Entry<Auth>
  readonly params: Record<string, string>
}

/** A request for a channel, and what was agreed on for it. */
interface Opening<Auth> extends Match<Auth> {
  readonly stream: ServerHttp2Stream
  readonly session: Http2Session
  readonly headers: IncomingHttpHeaders
  readonly receive: Format<unknown>
  readonly send: Format<unknown>
  readonly place: Place
  /** For whoever observes it. */
  readonly observed: OpenRequestEvent | undefined
  /** Headers of the answer, whatever that is. */
  readonly prepared: OutgoingHttpHeaders
  /** What `authorize` gives. */
  asked?: Promise<Auth>
}

type Found<Auth> = Match<Auth> | 'nowhere' | 'malformed'

class RouteTable<Auth> implements Router<Auth>, Taker {
  readonly #options: RouterOptions<Auth>
  readonly #clock: Clock
  readonly #authorizeTimeout: number
  readonly #origins: ReadonlySet<string>
  readonly #maxHeaderBytes: number
  readonly #onError: RouterOptions<Auth>['onError']
  readonly #entries: Entry<Auth>[] = []
  readonly #admission: Admission
  /** Requests that are not answered yet. */
  readonly #openings = new Set<Promise<Member | undefined>>()
  /** Those that are being authorized. */
  readonly #asking = new Set<AbortController>()
  #drained: Promise<void> | undefined
  /** For who waits until no channel is there, nor asked for. */
  #onRest: (() => void) | undefined
  #isOver = false

  constructor(options: RouterOptions<Auth>) {
    limitsFrom(options.limits)
    ageOf(options)
    expiryGraceOf(options)
    checkHook('authorize', options.authorize)
    checkHook('onError', options.onError)
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#authorizeTimeout = options.authorizeTimeout ?? authorizeTimeout
    checkDelay('authorizeTimeout', this.#authorizeTimeout)
    this.#origins = checkedOrigins(options.origins)
    this.#maxHeaderBytes = options.maxHeaderBytes ?? mostHeaderBytes
    checkLimit('maxHeaderBytes', this.#maxHeaderBytes)
    this.#onError = options.onError
    this.#admission = new Admission(
      shareLimits('total', options.total, routerDefaults.total),
      shareLimits('perSession', options.perSession, routerDefaults.perSession),
      this.#clock,
    )
  }

  handle<Path extends string, C, S>(
    route: Route<Path, C, S>,
    handler: Handler<Path, C, S, Auth>,
    options: HandleOptions<NoInfer<Path>, Auth> = {},
  ): this {
    if (this.#entries.some((entry) => shapeOf(entry.route.path) === shapeOf(route.path))) {
      throw new ChannelError('INVALID_ROUTE', `there is a handler for ${route.path} already`)
    }
    checkHook('onInvalid', options.onInvalid)
    checkHook('onSlow', options.onSlow)
    const receives = createFormats<unknown>(route.client, route.framing)
    const limits = limitsFrom({ ...givenOf(this.#options.limits), ...givenOf(options.limits) })
    const { maxMessageBytes } = limits
    if (receives.some(({ codec }) => (codec.size ?? 0) > maxMessageBytes)) {
      throw new ChannelError('INVALID_ROUTE', `${route.path} has messages over the limit of ${maxMessageBytes} bytes`)
    }
    const sends = createFormats<unknown>(route.server, route.framing)
    this.#entries.push({
      route,
      matches: match(normal(route.path), { sensitive: true, trailing: false }),
      receives,
      sends,
      limits,
      // A layout of a record takes up to 8 KiB, and a client names those of both directions.
      maxHeaderBytes: this.#maxHeaderBytes + acceptHeader(receives).length + acceptHeader(sends).length,
      age: ageOf({ ...givenOf(this.#options), ...givenOf(options) }),
      expiryGrace: expiryGraceOf({ ...givenOf(this.#options), ...givenOf(options) }),
      share: new Share(route.path, shareLimits('total', options.total), this.#admission.members),
      // The table keeps routes of every type in one list; what goes with what was checked at the call.
      handler: handler as Handler<string, unknown, unknown, Auth>,
      onInvalid: options.onInvalid,
      onSlow: options.onSlow,
    })
    return this
  }

  attach(server: Attachable): () => void {
    return attach(server, this)
  }

  accept(request: Http2ServerRequest | IncomingMessage, response: Http2ServerResponse | ServerResponse): boolean {
    if (request.httpVersionMajor < 2) return this.takeRequest(request as IncomingMessage, response as ServerResponse)
    const { stream, headers } = request as Http2ServerRequest
    // Who has answered already is told so, not what the answer was.
    if (response.headersSent) return this.takeStream(stream, headers)
    const given = Object.entries(response.getHeaders()).filter(([name]) => !own.has(name))
    return this.takeStream(stream, headers, given.length === 0 ? unprepared : preparedOf(Object.fromEntries(given)))
  }

  get channels(): number {
    return this.#admission.members.size
  }

  takeSession(session: Http2Session): void {
    this.#admission.note(session)
  }

  takeRequest(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#find(request.url ?? '') === 'nowhere') return false
    refuseHttp1(response, 505, 'a channel needs HTTP/2', { connection: 'close' })
    return true
  }

  takeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, prepared: Prepared = unprepared): boolean {
    const { session } = stream
    // A stream whose connection is gone already is nobody's.
    if (session === undefined) return false
    this.#admission.note(session)
    if (this.#drained !== undefined) this.#admission.sendAway(session)
    const found = this.#find(headers[':path'] ?? '')
    if (found === 'malformed') {
      const asked = { stream, prepared: prepared.headers, observed: undefined }
      refuseTo(asked, 400, 'the path is not percent-encoded')
    } else if (found !== 'nowhere') this.#open(stream, session, headers, found, prepared)
    // With nothing left to do it would stay open, and with it a server that is closed.
    if (this.#isOver) session.close()
    return found !== 'nowhere'
  }

  #find(target: string): Found<Auth> {
    const [whole = ''] = target.split('?', 1)
    const path = normal(whole)
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

  /** Answers a request with a channel, or with why it gets none. */
  #open(
    stream: ServerHttp2Stream,
    session: Http2Session,
    headers: IncomingHttpHeaders,
    found: Match<Auth>,
    { headers: given, fault }: Prepared,
  ): void {
    const { entry } = found
    const origin = `${headers[':scheme'] ?? 'http'}://${headers[':authority'] ?? headers.host ?? ''}`
    const observed = publishOpening('server', entry.route.path, origin, headers)
    const shared = shareWith(headers, this.#origins)
    const prepared = { ...given, ...shared }
    const request = { stream, observed, prepared }
    // Before anything keeps them, and anybody else looks at them.
    if (headerBytes(headers) > entry.maxHeaderBytes) {
      refuseTo(request, 431, `the headers are over the limit of ${entry.maxHeaderBytes} bytes`)
      return
    }
    if (isForeign(headers, session.encrypted === true, this.#origins)) {
      refuseTo(request, 403, 'pages of other origins may not open a channel here')
      return
    }
    const preflight = shared && preflightAnswer(headers)
    if (preflight !== undefined) {
      refuseTo(request, 204, '', preflight)
      return
    }
    if (opensNothing.has(headers[':method'] ?? '')) {
      refuseTo(request, 405, 'a channel is opened with POST', { allow: 'POST' })
      return
    }
    if (this.#drained !== undefined) {
      refuseForNow(request, stopping)
      return
    }
    if (fault !== undefined) {
      this.#tell(fault, entry, requestOf({ ...found, stream, headers }, gone))
      refuseTo(request, 500, 'the channel could not be opened')
      return
    }
    const { 'content-type': type, accept: wish } = headers
    const coding = contentCoding(headers['content-encoding'])
    if (coding !== undefined) {
      refuseTo(request, 415, `a body with content-encoding ${excerpt(coding)} is not read here`, {
        'accept-encoding': 'identity',
      })
      return
    }
    const takes = acceptHeader(entry.receives)
    // A page of another site can send a body without a type, with the user's cookies, and no browser asks before.
    const receive = type === undefined ? undefined : formatForContentType(entry.receives, type)
    if (receive === undefined) {
      const what = type === undefined ? 'a request without content-type' : excerpt(type)
      refuseTo(request, 415, `${what} is not one of ${takes}`, { accept: takes })
      return
    }
    const send = negotiateFormat(entry.sends, wish, receive.framing)
    if (send === undefined) {
      refuseTo(request, 406, `${excerpt(wish ?? '')} is none of ${acceptHeader(entry.sends)}`)
      return
    }
    const place = this.#admission.enter(session, entry.share)
    if ('status' in place) {
      refuseTo(request, place.status, place.message, { 'retry-after': '1' })
      return
    }
    const opening: Opening<Auth> = { ...found, stream, session, headers, receive, send, place, observed, prepared }
    const opened = this.#admit(opening).catch((error: unknown) => {
      // Mostly the client left before it was answered. Whoever is still there must not wait for ever.
      const isMistake = !isConnError(error) || error.code === 'ALREADY_RESPONDED'
      if (isMistake) this.#tell(error, entry, requestOf(opening, gone))
      refuseTo(request, 500, 'the channel could not be opened')
      return undefined
    })
    this.#openings.add(opened)
    void opened.then((member) => {
      this.#openings.delete(opened)
      if (member === undefined) this.#leave(opening)
      if (this.#openings.size === 0) this.#onRest?.()
    })
  }

  /** Gives the place of a request back that got no channel: not before `authorize` is done with it, or it could be asked without end. */
  #leave({ asked, place }: Opening<Auth>): void {
    const leave = (): void => this.#admission.leave(place.shares)
    if (asked === undefined) leave()
    else void asked.then(leave, leave)
  }

  /** Returns nothing where the request was refused. */
  async #admit(opening: Opening<Auth>): Promise<Member | undefined> {
    const { stream, headers, receive, send, prepared } = opening
    const { authorize } = this.#options
    // Where nobody is asked, nothing is known of it.
    let auth = undefined as Auth
    if (authorize !== undefined) {
      const answer = await this.#authorize(authorize, opening)
      if (answer === undefined) return undefined
      ;({ auth } = answer)
    }
    const control = supportsControl(headers[controlHeader]) && receive.framing.control && send.framing.control
    const response = { ...prepared, 'content-type': send.mediaType, ...(control ? { [controlHeader]: version } : {}) }
    const conn = await accept(stream, headers, { headers: response })
    try {
      return this.#start(opening, conn, auth, control)
    } catch (error) {
      conn.abort(error)
      throw error
    }
  }

  /** Makes the channel, and calls the handler. */
  #start(opening: Opening<Auth>, conn: Http2Conn, auth: Auth, control: boolean): Member {
    const { entry, params, receive, send, observed } = opening
    const rest = new Late(conn.path, this.#clock, entry.expiryGrace)
    const context = contextOf(params, conn, auth, rest)
    const { onInvalid, onSlow } = entry
    const channel: Channel<unknown, unknown> = new Channel<unknown, unknown>(conn, {
      send: send.codec,
      receive: receive.codec,
      framing: { send: send.framing, receive: receive.framing },
      control,
      limits: entry.limits,
      onInvalid: onInvalid && ((error) => onInvalid(error, context)),
      onSlow: publishingSlow(onSlow && ((waited) => onSlow(waited, context)), observed, () => channel),
      name: entry.route.path,
      clock: this.#options.clock,
    })
    const member = this.#include(channel, conn, opening)
    if (observed !== undefined) diagnostics.open.publish({ opening: observed, channel })
    void this.#run(entry, observed, member, context, rest)
    return member
  }

  /** Asks `authorize`. Returns nothing where the request was refused. */
  async #authorize(authorize: Authorize<Auth>, opening: Opening<Auth>): Promise<{ auth: Auth } | undefined> {
    const { entry, stream } = opening
    // A client that leaves meanwhile would end the process otherwise.
    stream.on('error', () => {})
    const leaving = new AbortController()
    this.#asking.add(leaving)
    const leave = (): void => leaving.abort(new ChannelError('PEER_ABORTED', 'the client left'))
    stream.once('close', leave)
    const timer = this.#clock.setTimer(timeOut, this.#authorizeTimeout, leaving)
    // Nobody is known to be let in yet, and what comes counts nowhere before there is a channel.
    const letGo = holdUnread(stream)
    const request = requestOf(opening, leaving.signal)
    try {
      opening.asked = (async () => authorize(request))()
      const auth = await unlessAborted(opening.asked, leaving.signal)
      if (!isExpired(expiryOf(auth))) return { auth }
      refuseTo(opening, 401, 'the credentials have ended')
    } catch (error) {
      if (leaving.signal.aborted) {
        refuseForNow(opening, textOf(leaving.signal.reason))
        return undefined
      }
      const refusal = refusalOf(error)
      if (refusal !== undefined) refuseTo(opening, refusal.status, refusal.message, refusal.headers)
      else {
        refuseTo(opening, 500, 'the channel could not be opened')
        this.#tell(error, entry, request)
      }
    } finally {
      this.#clock.clearTimer(timer)
      this.#asking.delete(leaving)
      stream.off('close', leave)
      letGo()
    }
    return undefined
  }

  /** Makes a channel one of those that there are, with all that is followed of it. */
  #include(channel: Channel<unknown, unknown>, conn: Http2Conn, { entry, session, place }: Opening<Auth>): Member {
    const member = new Member(channel, place.shares, place.session, this.#clock)
    const counts = countsOf(place.shares)
    if (counts.bytes || counts.messages) {
      coreOf(channel).watch({
        memory: counts.bytes ? member : undefined,
        messages: counts.messages ? member : undefined,
      })
    }
    this.#admission.members.add(member)
    // Much may have come before it was accepted, for which it may have to end.
    if (counts.bytes) conn.watchUnread((change) => member.onArrived(change))
    if (entry.age !== undefined) this.#age(member, session, entry.age)
    if (this.#drained !== undefined) coreOf(channel).startDraining()
    return member
  }

  /** Ends a channel in good time, when it has become old. */
  #age({ channel }: Member, session: Http2Session, { max, grace }: Age): void {
    const cut = (): void =>
      coreOf(channel).closeWithError(new ChannelError('GOING_AWAY', 'the channel was too old', { side: 'local' }))
    const drain = (): void => {
      this.#admission.sendAway(session)
      coreOf(channel).startDraining()
      timer = this.#clock.setTimer(cut, grace, undefined)
    }
    // Not always the same, so that channels that came together do not leave together.
    let timer = this.#clock.setTimer(drain, Math.ceil(max * (0.8 + 0.2 * Math.random())), undefined)
    void channel.closed.then(() => this.#clock.clearTimer(timer))
  }

  async drain({ timeout = drainTimeout }: DrainOptions = {}): Promise<void> {
    checkDelay('timeout', timeout)
    this.#drained ??= this.#drain(timeout)
    await this.#drained
  }

  async #drain(timeout: number): Promise<void> {
    const { members } = this.#admission
    if (diagnostics.drain.hasSubscribers) diagnostics.drain.publish({ channels: members.size, timeout })
    for (const { channel } of members) coreOf(channel).startDraining()
    this.#admission.sendAllAway()
    const stop = new ChannelError('GOING_AWAY', stopping, { side: 'local' })
    for (const leaving of this.#asking) leaving.abort(stop)
    const late = new ChannelError('GOING_AWAY', 'the channel was open when the time to drain was up', { side: 'local' })
    const given = new AbortController()
    const cut = (): void => {
      for (const { channel } of members) coreOf(channel).closeWithError(late)
      // One that does not read does not see that either.
      const cutAll = (): void => {
        for (const { channel } of members) coreOf(channel).reset(late)
        // Nor is there any more time for handlers that go on without their channels.
        void Promise.all(Array.from(members, async ({ channel }) => channel.closed)).then(() => {
          given.abort()
          this.#onRest?.()
        })
      }
      timer = platform.setTimeout(cutAll, lastWords, undefined)
    }
    let timer = platform.setTimeout(cut, timeout, undefined)
    while (!given.signal.aborted && (members.size > 0 || this.#openings.size > 0)) {
      await new Promise<void>((resolve) => {
        this.#onRest = resolve
      })
    }
    platform.clearTimeout(timer)
    this.#isOver = true
    // With nothing left to do they would stay open, and with them a server that is closed.
    this.#admission.closeAll()
  }

  // Not the whole opening: what this holds stays for as long as the channel.
  async #run(
    entry: Entry<Auth>,
    observed: OpenRequestEvent | undefined,
    member: Member,
    context: HandlerContext<string, Auth>,
    rest: Late,
  ): Promise<void> {
    const { channel, shares } = member
    try {
      rest.expiresAt = expiryOf(context.auth)
      rest.channel = channel
      if (observed?.runHandler === undefined) await entry.handler(channel, context)
      else await observed.runHandler(async () => entry.handler(channel, context))
    } catch (error) {
      const isOwnEnd = coreOf(channel).isOutcome(error) || rest.isReason(error)
      const failure = new ChannelError('INTERNAL', 'the handler failed', { side: 'local', cause: error })
      const given = isOwnEnd ? undefined : coreOf(channel).onHandlerError(failure)
      // A handler that gives up because its own channel ended, at whichever end, has done nothing wrong.
      if (!isOwnEnd || isDefect(error)) this.#tell(error, entry, context, isOwnEnd)
      await given
    }
    // What could not be delivered any more has shown in `closed`.
    await channel.close().catch(() => {})
    rest.release()
    this.#admission.members.delete(member)
    this.#admission.leave(shares)
    member.leave()
    if (observed !== undefined) diagnostics.close.publish({ opening: observed, channel, closed: await channel.closed })
    if (this.#admission.members.size === 0) this.#onRest?.()
  }

  /** A hook that throws must not end the process, nor keep the channel open. */
  #tell(thrown: unknown, { route }: Entry<Auth>, context: ErrorContext<Auth>, isEnd = false): void {
    if (diagnostics.error.hasSubscribers) diagnostics.error.publish({ route: route.path, error: thrown })
    const onError = this.#onError
    if (onError === undefined) printError(blame(thrown, route.path, context, isEnd), thrown)
    else callHook(`onError failed for ${route.path}`, () => onError(thrown, context))
  }
}

/** Headers of an answer that the router alone can know. */
const own: ReadonlySet<string> = new Set([...ofBodies, 'content-type', controlHeader])

/** Headers that middleware has set on the response: none, where they can't be sent for this fault. */
interface Prepared {
  readonly headers: OutgoingHttpHeaders
  readonly fault?: ChannelError
}

const unprepared: Prepared = { headers: {} }

/** Node would throw for some of them, which is too late when the channel is about to be opened, and end the connection for others. */
function preparedOf(given: OutgoingHttpHeaders): Prepared {
  try {
    return { headers: answerHeaders(given) }
  } catch (cause) {
    const message = `the response was given headers that can't be sent: ${textOf(cause)}`
    return { headers: {}, fault: new ChannelError('INVALID_ARGUMENT', message, { cause }) }
  }
}

const stopping = 'the server is about to stop'

/** A request, and who observes it. */
type Asked = Pick<Opening<unknown>, 'stream' | 'observed' | 'prepared'>

/** Refuses a request for a channel. */
function refuseTo(
  { stream, observed, prepared }: Asked,
  status: number,
  message: string,
  headers: OutgoingHttpHeaders = {},
): void {
  refuse(stream, status, message, { ...prepared, ...headers })
  if (observed !== undefined) diagnostics.refuse.publish({ opening: observed, status, message, error: undefined })
}

/** Refuses with 503: the same may be asked again soon, best of another server. */
function refuseForNow(asked: Asked, message: string): void {
  refuseTo(asked, 503, message, { 'retry-after': '1' })
}

/** Of requests whose clients have left. */
const gone = AbortSignal.abort()

const shownRequest = inspectAs<ChannelRequest>(({ route, params }) => ({ route, params }))

function requestOf<Auth>(
  opening: Pick<Opening<Auth>, 'entry' | 'params' | 'headers' | 'stream'>,
  signal: AbortSignal,
): ChannelRequest {
  const { entry, params, headers, stream } = opening
  const query = new URLSearchParams((headers[':path'] ?? '').split(/\?(.*)/s)[1] ?? '')
  const session = stream.session as ServerHttp2Session | undefined
  const request: ChannelRequest = { route: entry.route.path, params, headers, query, session, signal }
  return Object.defineProperties(request, shownRequest)
}

function timeOut(controller: AbortController): void {
  controller.abort(new ChannelError('TIMEOUT', 'it takes too long to find out who you are'))
}

function textOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : ''
}

/** Waits for `value`, for as long as the signal allows. */
function unlessAborted<T>(value: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = (): void => reject(signal.reason)
    if (signal.aborted) give()
    signal.addEventListener('abort', give, { once: true })
    value.then(resolve, reject)
  })
}

/** How long `authorize` may take unless said otherwise. Unit: milliseconds. */
const authorizeTimeout = 10_000

/** How long the end may take once the time to drain is up: for clients that do not read. Unit: milliseconds. */
const lastWords = 1_000

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
  return normal(path).replaceAll(/:\w+/g, ':')
}

/** How RFC 3986, section 6.2.2, writes a path: `/a%7Eb` is `/a~b`, and `%c3` is `%C3`. Other characters stay encoded: `%2F` is no slash. */
function normal(path: string): string {
  return path.replaceAll(/%[\dA-Fa-f]{2}/g, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
    return /[\w.~-]/.test(character) ? character : encoded.toUpperCase()
  })
}

/**
 * Methods that are safe (RFC 9110, section 9.2.1), so that a browser or a proxy sends and repeats them as it likes, and one that is for
 * tunnels. None of them has a body that means something.
 */
const opensNothing: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT'])

function ageOf({ maxAge, maxAgeGrace = drainTimeout }: AgeOptions): Age | undefined {
  checkDelay('maxAgeGrace', maxAgeGrace)
  if (maxAge === undefined) return undefined
  checkDelay('maxAge', maxAge)
  return { max: maxAge, grace: maxAgeGrace }
}

function expiryGraceOf({ expiryGrace = drainTimeout }: AgeOptions): number {
  checkDelay('expiryGrace', expiryGrace)
  return expiryGrace
}

/** Who has failed. `isEnd` says that the error is how the channel ended. */
function blame(error: unknown, route: string, context: ErrorContext, isEnd: boolean): string {
  if (isEnd && error instanceof ChannelError && error.side === 'remote') {
    return `a client of ${route} sent what the route does not allow`
  }
  return `${'conn' in context ? 'the handler' : 'authorize'} of ${route} failed`
}

import type { Http2Conn } from '@h2channel/conn'
import { accept, holdUnread } from '@h2channel/conn'
import { abortable, inspectAs } from '@h2channel/conn/internal'
import type {
  Http2Session,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2'

import { isConnError } from '../core/close-codes.ts'
import { Channel, coreOf } from '../core/channel.ts'
import type { ChannelErrorCode } from '../errors.ts'
import { ChannelError, textOf } from '../errors.ts'
import { excerpt } from '../framing/control-frames.ts'
import type { OpenRequestEvent } from '../observe/diagnostics.ts'
import { diagnostics, publishingSlow, publishOpening } from '../observe/diagnostics.ts'
import { callHook, printError } from '../observe/hooks.ts'
import type { ChannelLimits } from '../options.ts'
import type { Format } from '../route/media-types.ts'
import { acceptHeader, contentCoding, formatForContentType, negotiateFormat } from '../route/media-types.ts'
import { controlHeader, supportsControl, version } from '../route/negotiate.ts'
import type { Route } from '../route/route.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Admission, Grant } from './admission.ts'
import type { Authorize, ChannelRequest } from './authorize.ts'
import { expiryOf, rejectionOf } from './authorize.ts'
import type { Age, Drain } from './drain.ts'
import { stopping } from './drain.ts'
import type { Handler, HandlerContext } from './handler-context.ts'
import { createContext, isExpired, LazyContext, parseQuery } from './handler-context.ts'
import type { PresetHeaders } from './headers.ts'
import { headerBytes } from './headers.ts'
import { corsHeaders, isForeign, preflightHeaders } from './origins.ts'
import type { ChannelUsage, Quota } from './quota.ts'
import type { Rejection } from './respond.ts'
import { respond, unavailable } from './respond.ts'

/** The source of an error: the context of a handler, or the request that `authorize` was called for. */
export type ErrorContext<Auth = unknown> = HandlerContext<string, Auth> | ChannelRequest

/** A route, and how it is served. */
export interface ServedRoute<Auth> {
  readonly route: Route
  readonly receives: readonly Format<unknown>[]
  readonly sends: readonly Format<unknown>[]
  readonly limits: ChannelLimits
  /** Maximum size of the headers of a request. Unit: bytes. */
  readonly maxHeaderBytes: number
  readonly age: Age | undefined
  readonly expiryGrace: number
  readonly quota: Quota
  readonly handler: Handler<string, unknown, unknown, Auth>
  readonly onInvalid: ((error: ChannelError, context: HandlerContext<string, Auth>) => 'close' | 'skip') | undefined
  readonly onSlow: ((waited: number, context: HandlerContext<string, Auth>) => 'wait' | 'close') | undefined
}

/** A route that matches a request. */
export interface RouteMatch<Auth> {
  readonly served: ServedRoute<Auth>
  readonly params: Record<string, string>
}

/** What the requests of a router share. */
export interface RouterState<Auth> {
  readonly admission: Admission
  readonly drain: Drain
  readonly origins: ReadonlySet<string>
  readonly authorize: Authorize<Auth> | undefined
  /** Unit: milliseconds. */
  readonly authorizeTimeout: number
  readonly onError: ((error: unknown, context: ErrorContext<Auth>) => void) | undefined
  readonly clock: Clock
}

/** The formats that a client and a server agreed on. */
interface Formats {
  readonly receive: Format<unknown>
  readonly send: Format<unknown>
}

/**
 * One request's way to its handler. {@link OpenRequest.open} has all steps, in their order. Something new that must
 * happen before the handler runs is one more step there: a method that returns a {@link Rejection} to end the request,
 * or nothing to let it pass.
 */
export class OpenRequest<Auth> {
  readonly #router: RouterState<Auth>
  readonly #served: ServedRoute<Auth>
  readonly #params: Record<string, string>
  readonly #stream: ServerHttp2Stream
  readonly #session: Http2Session
  readonly #headers: IncomingHttpHeaders
  readonly #preset: PresetHeaders
  /** Headers of the answer, with or without a channel. */
  readonly #responseHeaders: OutgoingHttpHeaders
  /** For diagnostics. Undefined without subscribers. */
  readonly #event: OpenRequestEvent | undefined
  /** The authorization in flight. */
  #authorization: Promise<Auth> | undefined

  constructor(
    router: RouterState<Auth>,
    { served, params }: RouteMatch<Auth>,
    stream: ServerHttp2Stream,
    session: Http2Session,
    headers: IncomingHttpHeaders,
    preset: PresetHeaders,
  ) {
    this.#router = router
    this.#served = served
    this.#params = params
    this.#stream = stream
    this.#session = session
    this.#headers = headers
    this.#preset = preset
    this.#responseHeaders = { ...preset.headers, ...corsHeaders(headers, router.origins) }
    const origin = `${headers[':scheme'] ?? 'http'}://${headers[':authority'] ?? headers.host ?? ''}`
    this.#event = publishOpening('server', served.route.path, origin, headers)
  }

  /** Takes all steps that need not wait, and begins the others. The first rejection is the answer. */
  open(): void {
    const rejection =
      this.#checkHeaderSize() ??
      this.#checkOrigin() ??
      this.#answerPreflight() ??
      this.#checkMethod() ??
      this.#checkDrain() ??
      this.#checkPresetHeaders() ??
      this.#checkCoding()
    if (rejection !== undefined) return this.#respond(rejection)
    const formats = this.#negotiate()
    if ('status' in formats) return this.#respond(formats)
    const grant = this.#router.admission.admit(this.#session, this.#served.quota)
    if ('status' in grant) return this.#respond(grant)
    void this.#openAdmitted(formats, grant)
  }

  /** Comes first, before anything keeps the headers or reads them. */
  #checkHeaderSize(): Rejection | undefined {
    const { maxHeaderBytes } = this.#served
    if (headerBytes(this.#headers) <= maxHeaderBytes) return undefined
    return { status: 431, message: `the headers are over the limit of ${maxHeaderBytes} bytes` }
  }

  #checkOrigin(): Rejection | undefined {
    if (!isForeign(this.#headers, this.#session.encrypted === true, this.#router.origins)) return undefined
    return { status: 403, message: 'pages of other origins may not open a channel here' }
  }

  #answerPreflight(): Rejection | undefined {
    const headers = preflightHeaders(this.#headers, this.#router.origins)
    return headers && { status: 204, message: '', headers }
  }

  #checkMethod(): Rejection | undefined {
    if (!methodsWithoutChannel.has(this.#headers[':method'] ?? '')) return undefined
    return { status: 405, message: 'a channel is opened with POST', headers: { allow: 'POST' } }
  }

  #checkDrain(): Rejection | undefined {
    return this.#router.drain.hasBegun ? unavailable(stopping) : undefined
  }

  #checkPresetHeaders(): Rejection | undefined {
    const { error } = this.#preset
    if (error === undefined) return undefined
    reportError(this.#router, error, this.#served, this.#toChannelRequest(aborted))
    return failedToOpen
  }

  #checkCoding(): Rejection | undefined {
    const coding = contentCoding(this.#headers['content-encoding'])
    if (coding === undefined) return undefined
    const message = `a body with content-encoding ${excerpt(coding)} is not read here`
    return { status: 415, message, headers: { 'accept-encoding': 'identity' } }
  }

  /** Finds the formats of both directions by `content-type` and `accept`. */
  #negotiate(): Formats | Rejection {
    const { receives, sends } = this.#served
    const { 'content-type': type, accept: accepted } = this.#headers
    // A page of another site can send a body without a type, with the cookies of the user, and without a preflight.
    const receive = type === undefined ? undefined : formatForContentType(receives, type)
    if (receive === undefined) {
      const what = type === undefined ? 'a request without content-type' : excerpt(type)
      const acceptable = acceptHeader(receives)
      return { status: 415, message: `${what} is not one of ${acceptable}`, headers: { accept: acceptable } }
    }
    const send = negotiateFormat(sends, accepted, receive.framing)
    if (send === undefined) {
      return { status: 406, message: `${excerpt(accepted ?? '')} is none of ${acceptHeader(sends)}` }
    }
    return { receive, send }
  }

  /** Takes the steps that wait. */
  async #openAdmitted(formats: Formats, grant: Grant): Promise<void> {
    const { admission, drain } = this.#router
    drain.addRequest()
    const isOpen = await this.#authorizeAndRun(formats, grant).catch((error: unknown) => this.#onError(error))
    if (!isOpen) {
      // A client could call `authorize` any number of times if this did not wait for it.
      const release = (): void => admission.release(grant.quotas)
      if (this.#authorization === undefined) release()
      else void this.#authorization.then(release, release)
    }
    drain.removeRequest()
  }

  /** Authorizes the request, accepts it, and calls the handler. Returns whether there is a channel. */
  async #authorizeAndRun(formats: Formats, grant: Grant): Promise<boolean> {
    const { authorize } = this.#router
    // Without `authorize`, nothing is known of the client.
    let auth = undefined as Auth
    if (authorize !== undefined) {
      const authorized = await this.#authorize(authorize)
      if ('status' in authorized) {
        this.#respond(authorized)
        return false
      }
      ;({ auth } = authorized)
    }
    const { receive, send } = formats
    const control = supportsControl(this.#headers[controlHeader]) && receive.framing.control && send.framing.control
    const controlHeaders = control ? { [controlHeader]: version } : {}
    const headers = { ...this.#responseHeaders, 'content-type': send.mediaType, ...controlHeaders }
    const conn = await accept(this.#stream, this.#headers, { headers })
    try {
      this.#run(conn, formats, grant, auth, control)
    } catch (error) {
      conn.abort(error)
      throw error
    }
    return true
  }

  async #authorize(authorize: Authorize<Auth>): Promise<{ readonly auth: Auth } | Rejection> {
    const { clock, authorizeTimeout, drain } = this.#router
    const stream = this.#stream
    // The error of a client that leaves now would end the process otherwise.
    stream.on('error', () => {})
    const controller = new AbortController()
    const { signal } = controller
    drain.authorizing.add(controller)
    const onClose = (): void => controller.abort(new ChannelError('PEER_ABORTED', 'the client left'))
    stream.once('close', onClose)
    const timer = clock.setTimer(onTimeout, authorizeTimeout, controller)
    // The client may not be allowed to send anything, and no limit counts what arrives before there is a channel.
    const release = holdUnread(stream)
    const request = this.#toChannelRequest(signal)
    try {
      this.#authorization = (async () => authorize(request))()
      const auth = await abortable(this.#authorization, signal)
      return isExpired(expiryOf(auth)) ? { status: 401, message: 'the credentials have expired' } : { auth }
    } catch (error) {
      if (signal.aborted) return unavailable(textOf(signal.reason))
      const rejection = rejectionOf(error)
      if (rejection === undefined) reportError(this.#router, error, this.#served, request)
      return rejection ?? failedToOpen
    } finally {
      clock.clearTimer(timer)
      drain.authorizing.delete(controller)
      stream.off('close', onClose)
      release()
    }
  }

  /** Creates the channel and calls the handler. */
  #run(conn: Http2Conn, { receive, send }: Formats, grant: Grant, auth: Auth, control: boolean): void {
    const router = this.#router
    const served = this.#served
    const event = this.#event
    const { onInvalid, onSlow } = served
    const lazy = new LazyContext(conn.path, router.clock, served.expiryGrace)
    const context = createContext(this.#params, conn, auth, lazy)
    const channel: Channel<unknown, unknown> = new Channel<unknown, unknown>(conn, {
      send: send.codec,
      receive: receive.codec,
      framing: { send: send.framing, receive: receive.framing },
      control,
      limits: served.limits,
      onInvalid: onInvalid && ((error) => onInvalid(error, context)),
      onSlow: publishingSlow(onSlow && ((waited) => onSlow(waited, context)), event, () => channel),
      name: served.route.path,
      clock: router.clock,
    })
    const usage = router.admission.add(channel, conn, grant)
    if (served.age !== undefined) router.drain.limitAge(channel, this.#session, served.age)
    if (router.drain.hasBegun) coreOf(channel).startDraining()
    if (event !== undefined) diagnostics.open.publish({ opening: event, channel })
    void runHandler(router, served, event, usage, context, lazy)
  }

  /**
   * Handles an error of the steps that wait. Usually the client has left. A client that has not must not wait for ever.
   */
  #onError(error: unknown): false {
    const isMistake = !isConnError(error) || error.code === 'ALREADY_RESPONDED'
    if (isMistake) reportError(this.#router, error, this.#served, this.#toChannelRequest(aborted))
    this.#respond(failedToOpen)
    return false
  }

  #respond({ status, message, headers }: Rejection): void {
    respond(this.#stream, { status, message, headers: { ...this.#responseHeaders, ...headers } })
    if (this.#event === undefined) return
    diagnostics.refuse.publish({ opening: this.#event, status, message, error: undefined })
  }

  #toChannelRequest(signal: AbortSignal): ChannelRequest {
    const headers = this.#headers
    const request: ChannelRequest = {
      route: this.#served.route.path,
      params: this.#params,
      headers,
      query: parseQuery(headers[':path'] ?? ''),
      session: this.#stream.session as ServerHttp2Session | undefined,
      signal,
    }
    return Object.defineProperties(request, inspected)
  }
}

/**
 * Calls the handler, and closes the channel when it has returned. Not a method, since a running handler would keep the
 * whole request in memory.
 */
async function runHandler<Auth>(
  router: RouterState<Auth>,
  served: ServedRoute<Auth>,
  event: OpenRequestEvent | undefined,
  usage: ChannelUsage,
  context: HandlerContext<string, Auth>,
  lazy: LazyContext,
): Promise<void> {
  const { channel } = usage
  const core = coreOf(channel)
  try {
    lazy.start(channel, expiryOf(context.auth))
    if (event?.runHandler === undefined) await served.handler(channel, context)
    else await event.runHandler(async () => served.handler(channel, context))
  } catch (error) {
    const isOutcome = core.isOutcome(error) || lazy.isReason(error)
    const failure = new ChannelError('INTERNAL', 'the handler failed', { side: 'local', cause: error })
    const closing = isOutcome ? undefined : core.onHandlerError(failure)
    // A handler that ends because its own channel ended, at either end, has not failed.
    if (!isOutcome || isDefect(error)) reportError(router, error, served, context, isOutcome)
    await closing
  }
  // `closed` says what could not be delivered.
  await channel.close().catch(() => {})
  lazy.release()
  router.admission.remove(usage)
  if (event !== undefined) diagnostics.close.publish({ opening: event, channel, closed: await channel.closed })
  router.drain.checkIdle()
}

/** Reports an error to `onError`, or prints it. `isOutcome` says that the channel ended with it. */
function reportError<Auth>(
  { onError }: RouterState<Auth>,
  error: unknown,
  { route }: ServedRoute<Auth>,
  context: ErrorContext<Auth>,
  isOutcome = false,
): void {
  if (diagnostics.error.hasSubscribers) diagnostics.error.publish({ route: route.path, error })
  if (onError !== undefined) callHook(`onError failed for ${route.path}`, () => onError(error, context))
  else if (isOutcome && error instanceof ChannelError && error.side === 'remote') {
    printError(`a client of ${route.path} sent what the route does not allow`, error)
  } else printError(`${'conn' in context ? 'the handler' : 'authorize'} of ${route.path} failed`, error)
}

/** Whether the end of a channel needs attention: the peer sent what the route does not allow, or this side failed. */
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

/**
 * Methods that open no channel: those that are safe (RFC 9110, section 9.2.1), which browsers and proxies may send and
 * repeat, and one for tunnels. None of them has a meaningful body.
 */
const methodsWithoutChannel: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT'])

const failedToOpen: Rejection = { status: 500, message: 'the channel could not be opened' }

/** The signal of requests whose clients have left. */
const aborted = AbortSignal.abort()

const inspected = inspectAs<ChannelRequest>(({ route, params }) => ({ route, params }))

function onTimeout(controller: AbortController): void {
  controller.abort(new ChannelError('TIMEOUT', 'authorization took too long'))
}

import type { Http2Conn } from '@h2channel/conn'
import { acceptStream, ConnError, holdUnread } from '@h2channel/conn'
import { abortable } from '@h2channel/conn/internal'
import type { Http2Session, IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'

import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import { ChannelError, excerpt, isReported, textOf } from '../errors.ts'
import type { OpenRequestEvent } from '../observe/diagnostics.ts'
import { diagnostics, hasSubscribers, publishingSlow, publishOpening } from '../observe/diagnostics.ts'
import { callHook, printError } from '../observe/hooks.ts'
import type { ChannelLimits } from '../options.ts'
import type { Format } from '../route/media-types.ts'
import {
  acceptHeader,
  contentCoding,
  formatForContentType,
  maxAcceptLength,
  maxListed,
  negotiateFormat,
} from '../route/media-types.ts'
import { announcedVersion, controlHeader, openChannel } from '../route/negotiate.ts'
import type { Route } from '../route/route.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Admission, Grant } from './admission.ts'
import type { Authorize, ChannelRequest } from './authorize.ts'
import { createRequest, expiryOf, toRejection } from './authorize.ts'
import type { Ages, Drain } from './drain.ts'
import { stopping } from './drain.ts'
import type { Handler, HandlerContext } from './handler-context.ts'
import { createContext, isExpired, LazyContext } from './handler-context.ts'
import type { PresetHeaders, Responses } from './headers.ts'
import { headerBytes, openingResponse } from './headers.ts'
import { corsHeaders, isForeign, originOf, preflightHeaders } from './origins.ts'
import type { ChannelUsage, Quota } from './quota.ts'
import type { Rejection } from './respond.ts'
import { checkMethod, failedToOpen, respond, unavailable } from './respond.ts'

/** The source of an error: the context of a handler, or the request that `authorize` was called for. */
export type ErrorContext<Auth = unknown> = HandlerContext<string, Auth> | ChannelRequest

/** A route, and how it is served. */
export interface ServedRoute<Auth> {
  readonly route: Route
  readonly receives: readonly Format<unknown>[]
  readonly sends: readonly Format<unknown>[]
  /** The media types of `sends`, as a client that has the same route lists them. */
  readonly offer: string
  /** The responses that open a channel, by the format of the server. */
  readonly responses: Responses
  readonly limits: ChannelLimits
  /** Maximum size of the headers of a request. Unit: bytes. */
  readonly maxHeaderBytes: number
  readonly ages: Ages
  readonly quota: Quota
  readonly handler: Handler<string, unknown, unknown, Auth>
  readonly onInvalid: ((error: ChannelError, context: HandlerContext<string, Auth>) => 'close' | 'skip') | undefined
  readonly onSlow: ((waited: number, context: HandlerContext<string, Auth>) => 'wait' | 'close') | undefined
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

interface OpenRequest<Auth> {
  readonly served: ServedRoute<Auth>
  readonly params: Record<string, string>
  readonly router: RouterState<Auth>
  readonly stream: ServerHttp2Stream
  readonly session: Http2Session
  readonly headers: IncomingHttpHeaders
  readonly preset: PresetHeaders | undefined
  /** Headers of the answer, with or without a channel, that are not those of every answer. */
  readonly responseHeaders: OutgoingHttpHeaders | undefined
  /** Undefined without subscribers. */
  readonly event: OpenRequestEvent | undefined
  /** The call of `authorize`. */
  authorization?: Promise<Auth>
}

/** The formats that a client and a server agreed on. */
interface Formats {
  readonly receive: Format<unknown>
  readonly send: Format<unknown>
}

/**
 * Answers a request: the first step that returns a {@link Rejection} ends it. Whatever must happen before a handler
 * runs is a step here if it need not wait, or else in `openAuthorized`. A step that waits does what `authorize` does
 * meanwhile: it holds unread bytes in memory that counts, and ends with the client, the drain and a timeout.
 */
export function openRequest<Auth>(
  router: RouterState<Auth>,
  served: ServedRoute<Auth>,
  params: Record<string, string>,
  stream: ServerHttp2Stream,
  session: Http2Session,
  headers: IncomingHttpHeaders,
  preset: PresetHeaders | undefined,
): void {
  const event = hasSubscribers() ? publishOpening('server', served.route.path, originOf(headers), headers) : undefined
  const cors = corsHeaders(headers, router.origins)
  const responseHeaders = preset === undefined && cors === undefined ? undefined : { ...preset?.headers, ...cors }
  const request: OpenRequest<Auth> = {
    router,
    served,
    params,
    stream,
    session,
    headers,
    preset,
    responseHeaders,
    event,
  }
  const rejection =
    checkHeaderSize(request) ??
    checkOrigin(request) ??
    answerPreflight(request) ??
    checkMethod(headers) ??
    checkDrain(request) ??
    checkPresetHeaders(request) ??
    checkCoding(request)
  if (rejection !== undefined) return respondTo(request, rejection)
  const formats = negotiate(request)
  if ('status' in formats) return respondTo(request, formats)
  const grant = router.admission.admit(session, served.quota)
  if ('status' in grant) return respondTo(request, grant)
  if (router.authorize !== undefined) void openAuthorized(request, formats, grant, router.authorize)
  // Without `authorize`, nothing is known of the client.
  else if (!openAdmitted(request, formats, grant, undefined as Auth)) {
    router.admission.release(grant)
    router.drain.checkIdle()
  }
}

/** Comes first: all other steps may keep the headers or read them. */
function checkHeaderSize<Auth>({ headers, served }: OpenRequest<Auth>): Rejection | undefined {
  const message = 'the headers are over the limit of'
  const { maxHeaderBytes, offer } = served
  if (headerBytes(headers) > maxHeaderBytes) return { status: 431, message: `${message} ${maxHeaderBytes} bytes` }
  const maxAccept = Math.max(maxAcceptLength, offer.length)
  if ((headers.accept?.length ?? 0) <= maxAccept) return undefined
  return { status: 431, message: `${message} ${maxAccept} bytes for accept` }
}

function checkOrigin<Auth>({ headers, session, router }: OpenRequest<Auth>): Rejection | undefined {
  if (!isForeign(headers, session.encrypted === true, router.origins)) return undefined
  return { status: 403, message: 'pages of other origins may not open a channel here' }
}

function answerPreflight<Auth>(request: OpenRequest<Auth>): Rejection | undefined {
  const headers = preflightHeaders(request.headers, request.router.origins)
  return headers && { status: 204, message: '', headers }
}

function checkDrain<Auth>({ router }: OpenRequest<Auth>): Rejection | undefined {
  return router.drain.hasBegun ? unavailable(stopping) : undefined
}

function checkPresetHeaders<Auth>(request: OpenRequest<Auth>): Rejection | undefined {
  const error = request.preset?.error
  if (error === undefined) return undefined
  reportError(request, error, toChannelRequest(request, aborted))
  return failedToOpen
}

function checkCoding<Auth>({ headers }: OpenRequest<Auth>): Rejection | undefined {
  const coding = contentCoding(headers['content-encoding'])
  if (coding === undefined) return undefined
  const message = `a body with content-encoding ${excerpt(coding)} is not read here`
  return { status: 415, message, headers: { 'accept-encoding': 'identity' } }
}

/** Finds the formats of both directions by `content-type` and `accept`. */
function negotiate<Auth>({ served: { receives, sends, offer }, headers }: OpenRequest<Auth>): Formats | Rejection {
  const { 'content-type': type, accept: accepted } = headers
  // A page of another site can send a body without a type, with the cookies of the user, and without a preflight.
  const receive = type === undefined ? undefined : formatForContentType(receives, type)
  if (receive === undefined) {
    const what = type === undefined ? 'a request without content-type' : excerpt(type)
    const acceptable = acceptHeader(receives)
    const message = `${what} is not one of ${acceptable}`
    return { status: 415, message, headers: acceptable.length > maxListed ? {} : { accept: acceptable } }
  }
  // Of several that are all accepted, the first one counts.
  const send = accepted === offer ? sends[0] : negotiateFormat(sends, accepted, receive)
  if (send !== undefined) return { receive, send }
  return { status: 406, message: `${excerpt(accepted ?? '')} matches none of ${offer}` }
}

/** Authorizes the request, and opens the channel if its client may have it. */
async function openAuthorized<Auth>(
  request: OpenRequest<Auth>,
  formats: Formats,
  grant: Grant,
  decide: Authorize<Auth>,
): Promise<void> {
  const { admission, drain } = request.router
  drain.requests += 1
  const authorized = await authorize(request, decide).catch((error: unknown) => failed(request, error))
  const isRefused = 'status' in authorized
  if (isRefused) respondTo(request, authorized)
  if (isRefused || !openAdmitted(request, formats, grant, authorized.auth)) {
    // A client that leaves could have `authorize` run any number of times if its end were not awaited.
    const release = (): void => admission.release(grant)
    if (request.authorization === undefined) release()
    else void request.authorization.then(release, release)
  }
  drain.requests -= 1
  drain.checkIdle()
}

/** Accepts the request, and calls the handler. Returns whether there is a channel. */
function openAdmitted<Auth>(request: OpenRequest<Auth>, formats: Formats, grant: Grant, auth: Auth): boolean {
  const { served, stream, headers, responseHeaders } = request
  const { receive, send } = formats
  const isOffered = announcedVersion(headers[controlHeader]) !== undefined
  const control = isOffered && receive.framing.control && send.framing.control
  try {
    const conn = acceptStream(stream, headers, () => openingResponse(served.responses, send, control, responseHeaders))
    try {
      startChannel(request, conn, formats, grant, auth, control)
    } catch (error) {
      conn.abort(error)
      throw error
    }
    return true
  } catch (error) {
    respondTo(request, failed(request, error))
    return false
  }
}

/** Reports why a channel could not be opened, unless its client has left. One that has not must not wait for ever. */
function failed<Auth>(request: OpenRequest<Auth>, error: unknown): Rejection {
  const isMistake = !(error instanceof ConnError) || error.code === 'ALREADY_RESPONDED'
  if (isMistake) reportError(request, error, toChannelRequest(request, aborted))
  return failedToOpen
}

/** Calls `authorize`, for as long as it may take and the client stays. */
async function authorize<Auth>(
  request: OpenRequest<Auth>,
  decide: Authorize<Auth>,
): Promise<{ readonly auth: Auth } | Rejection> {
  const { stream, router } = request
  // The error of a client that leaves now would end the process otherwise.
  stream.on('error', () => {})
  const controller = new AbortController()
  const { signal } = controller
  router.drain.authorizing.add(controller)
  const onClose = (): void => controller.abort(new ChannelError('PEER_ABORTED', 'the client left'))
  stream.once('close', onClose)
  const timer = router.clock.setTimer(onTimeout, router.authorizeTimeout, controller)
  // The client may not be allowed to send anything, and no limit counts what arrives before there is a channel.
  const release = holdUnread(stream)
  const channelRequest = toChannelRequest(request, signal)
  try {
    request.authorization = (async () => decide(channelRequest))()
    const auth = await abortable(request.authorization, signal)
    return isExpired(expiryOf(auth)) ? { status: 401, message: 'the credentials have expired' } : { auth }
  } catch (error) {
    if (signal.aborted) return unavailable(textOf(signal.reason))
    const rejection = toRejection(error)
    if (rejection === undefined) reportError(request, error, channelRequest)
    return rejection ?? failedToOpen
  } finally {
    router.clock.clearTimer(timer)
    router.drain.authorizing.delete(controller)
    stream.off('close', onClose)
    release()
  }
}

/** Creates the channel and calls the handler. */
function startChannel<Auth>(
  { router, served, params, session, event }: OpenRequest<Auth>,
  conn: Http2Conn,
  { receive, send }: Formats,
  grant: Grant,
  auth: Auth,
  control: boolean,
): void {
  const { onInvalid, onSlow } = served
  const lazy = new LazyContext(conn.path, router.clock, served.ages.expiryGrace)
  const context = createContext(params, conn, auth, lazy)
  const channel: Channel<unknown, unknown> = openChannel(conn, send, receive, {
    control,
    limits: served.limits,
    onInvalid: onInvalid && ((error) => onInvalid(error, context)),
    onSlow: publishingSlow(onSlow && ((waited) => onSlow(waited, context)), event, () => channel),
    name: served.route.path,
    clock: router.clock,
  })
  const usage = router.admission.add(channel, conn, grant)
  router.drain.limitAge(channel, session, served.ages)
  if (router.drain.hasBegun) coreOf(channel).startDraining()
  if (event !== undefined) diagnostics.open.publish({ opening: event, channel })
  runHandler({ router, served, event, usage, context, lazy })
}

/** What a handler that runs keeps: little of the request, since all of that stays in memory. */
interface Run<Auth> {
  readonly router: RouterState<Auth>
  readonly served: ServedRoute<Auth>
  readonly event: OpenRequestEvent | undefined
  readonly usage: ChannelUsage
  readonly context: HandlerContext<string, Auth>
  readonly lazy: LazyContext
}

const { then } = Promise.prototype

/** Calls the handler, then closes the channel. An async function that waits for it would take twice as much memory. */
function runHandler<Auth>(run: Run<Auth>): void {
  const { usage, context, lazy } = run
  let ended: Promise<void>
  try {
    lazy.start(usage.channel, expiryOf(context.auth))
    ended = Promise.resolve(callHandler(run))
  } catch (error) {
    ended = Promise.reject(error)
  }
  // Not the promise's own method, which may throw.
  void then.call(
    ended,
    () => onHandlerEnd(run, undefined),
    (error: unknown) => onHandlerEnd(run, { error }),
  )
}

async function onHandlerEnd<Auth>(
  { router, served, event, usage, context, lazy }: Run<Auth>,
  thrown: { readonly error: unknown } | undefined,
): Promise<void> {
  const { channel } = usage
  if (thrown !== undefined) {
    const { error } = thrown
    const isOutcome = coreOf(channel).isOutcome(error) || lazy.isReason(error)
    const failure = new ChannelError('INTERNAL', 'the handler failed', { side: 'local', cause: error })
    const closing = isOutcome ? undefined : coreOf(channel).onHandlerError(failure)
    // A handler that ends because its own channel ended, at either end, has not failed.
    if (!isOutcome || isReported(error)) reportError({ router, served }, error, context, isOutcome)
    await closing
  }
  // `closed` says what could not be delivered.
  try {
    await channel.close()
  } catch {}
  lazy.release()
  router.admission.remove(usage)
  if (event !== undefined) diagnostics.close.publish({ opening: event, channel, closed: await channel.closed })
  router.drain.checkIdle()
}

/** Calls the handler, where a subscriber wants it. */
function callHandler<Auth>({ served, event, usage, context }: Run<Auth>): void | Promise<void> {
  if (event?.runHandler === undefined) return served.handler(usage.channel, context)
  return event.runHandler(async () => served.handler(usage.channel, context))
}

/** Reports an error to `onError`, or prints it. `isOutcome` says that the channel ended with it. */
function reportError<Auth>(
  { router: { onError }, served: { route } }: Pick<OpenRequest<Auth>, 'router' | 'served'>,
  error: unknown,
  context: ErrorContext<Auth>,
  isOutcome = false,
): void {
  if (diagnostics.error.hasSubscribers) diagnostics.error.publish({ route: route.path, error })
  if (onError !== undefined) callHook(`onError failed for ${route.path}`, () => onError(error, context))
  else if (isOutcome && error instanceof ChannelError && error.side === 'remote') {
    printError(`a client of ${route.path} sent what the route does not allow`, error)
  } else printError(`${'conn' in context ? 'the handler' : 'authorize'} of ${route.path} failed`, error)
}

function respondTo<Auth>({ stream, responseHeaders, event }: OpenRequest<Auth>, rejection: Rejection): void {
  const { status, message, headers } = rejection
  respond(stream, { status, message, headers: { ...responseHeaders, ...headers } })
  if (event !== undefined) diagnostics.refuse.publish({ opening: event, status, message, error: undefined })
}

function toChannelRequest<Auth>(request: OpenRequest<Auth>, signal: AbortSignal): ChannelRequest {
  const { served, params, headers, stream } = request
  return createRequest(served.route.path, params, headers, stream, signal)
}

/** The signal of requests whose clients have left. */
const aborted = AbortSignal.abort()

function onTimeout(controller: AbortController): void {
  controller.abort(new ChannelError('TIMEOUT', 'authorization took too long'))
}

import { acceptStream } from '@h2channel/conn'
import type { Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'

import type { Grant } from '../limits/admission.ts'
import { hasSubscribers, publishOpening } from '../observe/diagnostics.ts'
import { authorize } from './authorization.ts'
import type { Authorize } from './authorize.ts'
import {
  answerPreflight,
  checkCoding,
  checkDrain,
  checkHeaderSize,
  checkOrigin,
  checkPresetHeaders,
  negotiate,
} from './checks.ts'
import type { PresetHeaders } from './headers.ts'
import { openingResponse } from './headers.ts'
import { corsHeaders, originOf } from './origins.ts'
import type { Formats, OpenRequest, RouterState, ServedRoute } from './request.ts'
import { failed, respondTo } from './request.ts'
import { checkMethod } from './respond.ts'
import type { LinkWish } from './resume-request.ts'
import { agreesOnControl, createLink, negotiateLink, resumeRequest } from './resume-request.ts'
import { startChannel } from './run-handler.ts'

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
  const link = negotiateLink(request)
  if ('status' in link) return respondTo(request, link)
  if (link.asks === 'again') return resumeRequest(request, link)
  const grant = router.admission.admit(session, served.quota)
  if ('status' in grant) return respondTo(request, grant)
  if (router.authorize !== undefined) void openAuthorized(request, formats, link, grant, router.authorize)
  // Without `authorize`, nothing is known of the client.
  else if (!openAdmitted(request, formats, link, grant, undefined as Auth)) {
    router.admission.release(grant)
    router.drain.checkIdle()
  }
}

/** Authorizes the request, and opens the channel if its client may have it. */
async function openAuthorized<Auth>(
  request: OpenRequest<Auth>,
  formats: Formats,
  link: LinkWish,
  grant: Grant,
  decide: Authorize<Auth>,
): Promise<void> {
  const { admission, drain } = request.router
  drain.requests += 1
  const authorized = await authorize(request, decide).catch((error: unknown) => failed(request, error))
  const isRefused = 'status' in authorized
  if (isRefused) respondTo(request, authorized)
  if (isRefused || !openAdmitted(request, formats, link, grant, authorized.auth)) {
    // A client that leaves could have `authorize` run any number of times if its end were not awaited.
    const release = (): void => admission.release(grant)
    if (request.authorization === undefined) release()
    else void request.authorization.then(release, release)
  }
  drain.requests -= 1
  drain.checkIdle()
}

/** Accepts the request, and calls the handler. Returns whether there is a channel. */
function openAdmitted<Auth>(
  request: OpenRequest<Auth>,
  formats: Formats,
  link: LinkWish,
  grant: Grant,
  auth: Auth,
): boolean {
  const { served, stream, headers } = request
  const { send } = formats
  const control = agreesOnControl(headers, formats)
  const made = link.asks === 'new' && control ? createLink(request, send, link.window) : undefined
  const further = made === undefined ? request.responseHeaders : { ...request.responseHeaders, ...made.headers }
  try {
    const conn = acceptStream(stream, headers, () => openingResponse(served.responses, send, control, further))
    try {
      startChannel(request, conn, made?.link, formats, grant, auth, control)
    } catch (error) {
      conn.abort(error)
      throw error
    }
    return true
  } catch (error) {
    made?.link.onOver()
    respondTo(request, failed(request, error))
    return false
  }
}

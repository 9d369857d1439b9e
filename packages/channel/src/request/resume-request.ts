/** Links of channels: which a request asks for, and how a channel continues on another request. */
import type { Http2Conn } from '@h2channel/conn'
import { acceptStream, ConnError } from '@h2channel/conn'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'

import type { ServerLink } from '../limits/links.ts'
import type { Rejection } from '../limits/rejection.ts'
import { unavailable } from '../limits/rejection.ts'
import type { LinkRequest } from '../link/negotiate.ts'
import { linkHeader, linkValue, parseLinkRequest } from '../link/negotiate.ts'
import type { Format } from '../route/media-types.ts'
import { announcedVersion, controlHeader } from '../route/negotiate.ts'
import { authorize } from './authorization.ts'
import type { Authorize } from './authorize.ts'
import { openingResponse } from './headers.ts'
import type { Formats, OpenRequest } from './request.ts'
import { failed, respondTo } from './request.ts'

/** What a request asks for: `nothing` also where its route has no links. */
export type LinkWish = LinkRequest | typeof noWish

const noWish = { asks: 'nothing' } as const

/** Reads what the request asks for. */
export function negotiateLink<Auth>({ headers, served }: OpenRequest<Auth>): LinkWish | Rejection {
  const value = headers[linkHeader]
  if (value === undefined) return noWish
  const asked = parseLinkRequest(value)
  if (asked === undefined) return { status: 400, message: `the header ${linkHeader} is malformed` }
  // The id is a secret, which must not be logged with the other headers.
  if (asked.asks === 'again') delete headers[linkHeader]
  if (served.resume !== undefined) return asked
  return asked.asks === 'new' ? noWish : gone
}

/** Whether both sides understand control frames. */
export function agreesOnControl(headers: IncomingHttpHeaders, { receive, send }: Formats): boolean {
  const isOffered = announcedVersion(headers[controlHeader]) !== undefined
  return isOffered && receive.framing.control && send.framing.control
}

/** Makes a link for a new channel, if its route has links. */
export function createLink<Auth>(
  { router, served, headers }: OpenRequest<Auth>,
  send: Format<unknown>,
  peerWindow: number,
): { readonly link: ServerLink; readonly headers: OutgoingHttpHeaders } | undefined {
  if (served.resume === undefined) return undefined
  const { link, header } = router.links.create(served, headers[':path'], send, served.resume, served.limits, peerWindow)
  return { link, headers: { [linkHeader]: header } }
}

/** How many requests for one link may wait for `authorize` at once: a client that lost the first one sends another. */
const maxAuthorizing = 4

/** Continues the channel that the request names. It passes `authorize` again. */
export function resumeRequest<Auth>(request: OpenRequest<Auth>, asked: LinkRequest & { readonly asks: 'again' }): void {
  const { router, served, headers } = request
  const linked = router.links.find(asked.id, served, headers[':path'])
  if (linked === undefined) return respondTo(request, gone)
  if (router.authorize === undefined) resume(request, linked, asked, undefined)
  else if (linked.authorizing >= maxAuthorizing) respondTo(request, unavailable('the channel is being resumed'))
  else void resumeAuthorized(request, linked, asked, router.authorize)
}

async function resumeAuthorized<Auth>(
  request: OpenRequest<Auth>,
  linked: ServerLink,
  asked: LinkRequest & { readonly asks: 'again' },
  decide: Authorize<Auth>,
): Promise<void> {
  const { drain } = request.router
  drain.requests += 1
  linked.authorizing += 1
  const authorized = await authorize(request, decide, linked.user).catch((error: unknown) => failed(request, error))
  if ('status' in authorized) respondTo(request, authorized)
  else resume(request, linked, asked, authorized.auth)
  const release = (): void => {
    linked.authorizing -= 1
  }
  if (request.authorization === undefined) release()
  else void request.authorization.then(release, release)
  drain.requests -= 1
  drain.checkIdle()
}

function resume<Auth>(
  request: OpenRequest<Auth>,
  linked: ServerLink,
  { id, received }: LinkRequest & { readonly asks: 'again' },
  auth: unknown,
): void {
  const { router, served, session, stream, headers, responseHeaders } = request
  const { link, user } = linked
  if (link.isOver || user === undefined) return respondTo(request, gone)
  // It may have waited in a socket, or for `authorize`, while a later one was answered.
  if (link.isOutdated(received)) return respondTo(request, unavailable('a later request has continued the channel'))
  const rejection = user.usage && router.admission.resume(user.usage, session)
  if (rejection !== undefined) return respondTo(request, rejection)
  // What came on it afterwards would come again.
  link.detach(new ConnError('ABORTED', 'the client has opened another carrier'))
  const further = { ...responseHeaders, [linkHeader]: linkValue(id, { received: link.received }) }
  let conn: Http2Conn | undefined
  try {
    conn = acceptStream(stream, headers, () => openingResponse(served.responses, linked.send, true, further))
    router.links.attached(linked)
    linked.session = session
    user.onResumed(conn, auth)
    link.attach(conn, received)
  } catch (error) {
    conn?.abort(error)
    linked.onDetached(link, error)
    respondTo(request, failed(request, error))
  }
}

const gone: Rejection = { status: 410, message: 'there is no such channel any more' }

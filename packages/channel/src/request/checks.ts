/** What is checked of a request before its client gets a channel. */
import { excerpt } from '../errors.ts'
import { stopping } from '../limits/drain.ts'
import type { Rejection } from '../limits/rejection.ts'
import { unavailable } from '../limits/rejection.ts'
import { linkHeader, parseLinkRequest } from '../link/negotiate.ts'
import {
  acceptHeader,
  contentCoding,
  formatForContentType,
  maxAcceptLength,
  maxListed,
  negotiateFormat,
} from '../route/media-types.ts'
import { headerBytes } from './headers.ts'
import { isForeign, preflightHeaders } from './origins.ts'
import type { Formats, OpenRequest } from './request.ts'
import { aborted, reportError, toChannelRequest } from './request.ts'
import { failedToOpen } from './respond.ts'

/** Comes first: all other steps may keep the headers or read them. */
export function checkHeaderSize<Auth>({ headers, served }: OpenRequest<Auth>): Rejection | undefined {
  const message = 'the headers are over the limit of'
  const { maxHeaderBytes, offer } = served
  if (headerBytes(headers) > maxHeaderBytes) return { status: 431, message: `${message} ${maxHeaderBytes} bytes` }
  const maxAccept = Math.max(maxAcceptLength, offer.length)
  if ((headers.accept?.length ?? 0) <= maxAccept) return undefined
  return { status: 431, message: `${message} ${maxAccept} bytes for accept` }
}

export function checkOrigin<Auth>({ headers, session, router }: OpenRequest<Auth>): Rejection | undefined {
  if (!isForeign(headers, session.encrypted === true, router.origins)) return undefined
  return { status: 403, message: 'pages of other origins may not open a channel here' }
}

export function answerPreflight<Auth>(request: OpenRequest<Auth>): Rejection | undefined {
  const headers = preflightHeaders(request.headers, request.router.origins)
  return headers && { status: 204, message: '', headers }
}

/** A channel that has lost its connection may return, to end. */
export function checkDrain<Auth>({ router, headers }: OpenRequest<Auth>): Rejection | undefined {
  if (!router.drain.hasBegun || parseLinkRequest(headers[linkHeader])?.asks === 'again') return undefined
  return unavailable(stopping)
}

export function checkPresetHeaders<Auth>(request: OpenRequest<Auth>): Rejection | undefined {
  const error = request.preset?.error
  if (error === undefined) return undefined
  reportError(request, error, toChannelRequest(request, aborted))
  return failedToOpen
}

export function checkCoding<Auth>({ headers }: OpenRequest<Auth>): Rejection | undefined {
  const coding = contentCoding(headers['content-encoding'])
  if (coding === undefined) return undefined
  const message = `a body with content-encoding ${excerpt(coding)} is not read here`
  return { status: 415, message, headers: { 'accept-encoding': 'identity' } }
}

/** Finds the formats of both directions by `content-type` and `accept`. */
export function negotiate<Auth>({
  served: { receives, sends, offer },
  headers,
}: OpenRequest<Auth>): Formats | Rejection {
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

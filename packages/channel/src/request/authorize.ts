import { inspectAs } from '@h2channel/conn/internal'
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'

import { ChannelError, isInstance } from '../errors.ts'
import { parseQuery } from './handler-context.ts'
import { checkedHeaders } from './headers.ts'
import type { Rejection } from '../limits/rejection.ts'

/** A request for a channel, before it is accepted. */
export interface ChannelRequest {
  /** The route's path, as it was defined: `/quotes/:market`. */
  readonly route: string
  /** The parameters of the path, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly headers: IncomingHttpHeaders
  /** The query, without its `?`. */
  readonly query: URLSearchParams
  /** The connection. `session?.socket` has the address of the client and, with mutual TLS, its certificate. */
  readonly session: ServerHttp2Session | undefined
  /**
   * What `authorize` returned last for the channel that this request resumes. Undefined for a new channel. The id of a
   * channel is a secret; a service that wants to be sure that it was not stolen compares the users here.
   */
  readonly resumes: { readonly auth: unknown } | undefined
  /** Aborts when the client has left, or after `authorizeTimeout`. */
  readonly signal: AbortSignal
}

/** Logs and JSON show it without headers and query: both may hold credentials. */
const inspected = inspectAs<ChannelRequest>(({ route, params }) => ({ route, params }))

/** Makes a {@link ChannelRequest} out of the request on `stream`. */
export function createRequest(
  route: string,
  params: Record<string, string>,
  headers: IncomingHttpHeaders,
  stream: ServerHttp2Stream,
  signal: AbortSignal,
  resumed?: { readonly auth: unknown },
): ChannelRequest {
  const query = parseQuery(headers[':path'] ?? '')
  const resumes = resumed && { auth: resumed.auth }
  const session = stream.session as ServerHttp2Session | undefined
  return Object.defineProperties({ route, params, headers, query, session, resumes, signal }, inspected)
}

/**
 * Decides whether a client may open a channel. What it returns becomes `context.auth` of the handler. If that has an
 * `expiresAt` (a Date, or milliseconds since 1970), the channel ends then with `UNAUTHENTICATED`; one that has passed
 * is answered with 401.
 *
 * To reject the request, it throws a {@link Refusal}. Any other error is answered with 500 and passed to `onError`. The
 * request counts towards the limits until `authorize` has settled, even if the client has left, so `authorize` should
 * stop when `signal` aborts.
 */
export type Authorize<Auth> = (request: ChannelRequest) => Auth | Promise<Auth>

/**
 * Thrown by `authorize` to reject a request with a certain answer.
 *
 * @example
 * ```ts
 * const router = createRouter({
 *   async authorize({ headers }) {
 *     const user = await userOf(headers.authorization)
 *     if (user === undefined) throw new Refusal(401, 'who are you?', { 'www-authenticate': 'Bearer' })
 *     return { user, expiresAt: user.expiresAt }
 *   },
 * })
 * ```
 */
export class Refusal extends Error {
  override readonly name = 'Refusal'

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isInstance(value, this, Refusal, 'Refusal')
  }

  /** The status of the answer, such as 401, 403 or 429. */
  readonly status: number
  /** The headers of the answer, with names in lower case. */
  readonly headers: OutgoingHttpHeaders

  /**
   * @param message - the body of the answer.
   * @param headers - names are case-insensitive; an array has several values of one header. Headers of a body, such as
   *   `content-length`, are left out. The others may have 16 KiB, as HTTP/2 counts headers: name, value, and 32 bytes
   *   for each.
   * @throws ChannelError `INVALID_ARGUMENT` for a status outside 400 to 599, for a header that is invalid in HTTP/2 or
   *   given twice, and for headers over the limit.
   */
  constructor(status: number, message: string, headers: OutgoingHttpHeaders = {}) {
    super(message)
    if (!isErrorStatus(status)) {
      throw new ChannelError('INVALID_ARGUMENT', `the status of a Refusal must be from 400 to 599, not ${status}`)
    }
    this.status = status
    this.headers = checkedHeaders(headers)
    // They may contain cookies, which no log should show.
    Object.defineProperty(this, 'headers', { enumerable: false })
  }
}

function isErrorStatus(status: unknown): boolean {
  return Number.isInteger(status) && Number(status) >= 400 && Number(status) <= 599
}

/**
 * The answer for an error of `authorize`. Undefined unless it is a Refusal: the text of other errors is not for the
 * client. The headers are checked again, since they may have been changed.
 *
 * @throws ChannelError `INVALID_ARGUMENT` for invalid headers.
 */
export function toRejection(error: unknown): Rejection | undefined {
  if (!(error instanceof Refusal) || !isErrorStatus(error.status)) return undefined
  const { status, message, headers } = error
  return { status, message, headers: checkedHeaders(headers) }
}

/** The `expiresAt` of what `authorize` returned, if it has one. */
export function expiryOf(auth: unknown): Date | number | undefined {
  if (typeof auth !== 'object' || auth === null || !('expiresAt' in auth)) return undefined
  return auth.expiresAt as Date | number | undefined
}

import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Session } from 'node:http2'

import { ChannelError } from '../errors.ts'
import { answerHeaders } from './headers.ts'

/** What there is to know of a request for a channel before it is accepted. */
export interface ChannelRequest {
  /** The route's path, as it was defined: `/quotes/:market`. */
  readonly route: string
  /** What stands in the path for the route's parameters, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly headers: IncomingHttpHeaders
  /** The query, without its `?`. */
  readonly query: URLSearchParams
  /** The connection, with its socket: `session?.socket` has the client's address and, with mutual TLS, its certificate. */
  readonly session: ServerHttp2Session | undefined
  /** Aborts when the client has left, or `authorizeTimeout` is up. */
  readonly signal: AbortSignal
}

/**
 * Decides who may open a channel, and says what the handler is to know of them: it stands in the handler's `context.auth`.
 * Where that has an `expiresAt` (a Date, or milliseconds since 1970), the channel ends then with `UNAUTHENTICATED`.
 *
 * It throws a {@link Refusal} for whoever may not; an `expiresAt` that has passed is answered with 401. It has a place among the
 * limits until it is done, also where the client has left: it should heed `signal`. Anything else that it throws is answered with 500 and told to `onError`.
 */
export type Authorize<Auth> = (request: ChannelRequest) => Auth | Promise<Auth>

/**
 * Thrown by `authorize`, for an answer of its own instead of a channel.
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

  /** Takes one of another realm, such as that of a test runner, and of another copy of this package, for the same. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // One of a class that extends this may have a name of its own.
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true
    if (this !== Refusal) return false
    return typeof value === 'object' && value !== null && 'name' in value && value.name === 'Refusal'
  }
  /** The status: 401, 403 or 429, say. */
  readonly status: number
  /** The answer's headers, with names in lower case. */
  readonly headers: OutgoingHttpHeaders

  /**
   * @param message - the client reads it.
   * @param headers - names are compared without regard to case; an array stands for several headers of a name. Those of a body, such as
   *   `content-length`, are left out. The rest may take 16 KiB, as HTTP/2 counts headers: name, value, and 32 bytes for each.
   * @throws ChannelError `INVALID_ARGUMENT` for a status that refuses nothing, for a header that HTTP/2 can't send, or that
   *   stands there twice, and for headers over the limit.
   */
  constructor(status: number, message: string, headers: OutgoingHttpHeaders = {}) {
    super(message)
    if (!refuses(status)) {
      throw new ChannelError('INVALID_ARGUMENT', `a refusal's status must be from 400 to 599, not ${status}`)
    }
    this.status = status
    this.headers = answerHeaders(headers)
    // There may be cookies among them, which no log should show.
    Object.defineProperty(this, 'headers', { enumerable: false })
  }
}

function refuses(status: unknown): boolean {
  return Number.isInteger(status) && Number(status) >= 400 && Number(status) <= 599
}

/**
 * What to answer where `authorize` threw `error`: nothing of its own where that is no refusal. Others may call an error so too, whose
 * text is not for the client, and the headers of one of ours may have been added to.
 *
 * @throws ChannelError `INVALID_ARGUMENT` for headers that can't be sent.
 */
export function refusalOf(error: unknown): Pick<Refusal, 'status' | 'message' | 'headers'> | undefined {
  if (!(error instanceof Refusal) || !refuses(error.status)) return undefined
  const { status, message, headers } = error
  return { status, message, headers: answerHeaders(headers) }
}

/** When `auth` ends, where it says so. */
export function expiryOf(auth: unknown): Date | number | undefined {
  if (typeof auth !== 'object' || auth === null || !('expiresAt' in auth)) return undefined
  return auth.expiresAt as Date | number | undefined
}

/** What it means for an `open` that there is no conn. */
import { ConnError } from '@h2channel/conn'

import { printable } from '../framing/control-frames.ts'
import { ChannelError } from '../errors.ts'

/** The error of an `open` whose `connect` to `url` failed, where `signal` gave it up with the signal's reason. */
export function openFailure(error: unknown, url: URL, signal: AbortSignal): unknown {
  if (!(error instanceof ConnError)) return error
  const cause = error
  switch (error.code) {
    case 'TIMEOUT':
    case 'CANCELLED':
      return signal.reason
    case 'INVALID_ARGUMENT':
      return new ChannelError('INVALID_ARGUMENT', error.message, { cause })
    case 'UNEXPECTED_STATUS':
      return refusal(error, url)
    case 'SESSIONS_CLOSED':
      return new ChannelError('CLOSED', 'open after the client, or its sessions, were closed', { cause })
    default:
      return new ChannelError('CONNECT_FAILED', error.message, { cause, retryable: isUnhandled(error) })
  }
}

/** RST_STREAM's code for "nothing was done with it" (RFC 9113, section 8.7): an overloaded server's, and after GOAWAY. */
const REFUSED_STREAM = 7

/** Whether nobody can have handled the request, and a later one may meet with better luck. */
function isUnhandled(error: ConnError): boolean {
  switch (error.code) {
    case 'CONNECT_FAILED':
      return true
    case 'CONNECT_TIMEOUT':
    case 'CONNECTION_LOST':
      return error.requestSent === false
    case 'RESET':
      return error.rstCode === REFUSED_STREAM
    default:
      return false
  }
}

/** "Too many requests" and "not now". A channel's handler runs after 200 alone, so that none has begun. */
const retryableStatuses: ReadonlySet<number> = new Set([429, 503])

function refusal(cause: ConnError, url: URL): ChannelError {
  const status = cause.response?.status ?? 0
  const isFormat = status === 415 || status === 406
  // A page may be anything. Lists of formats are wanted whole: where two layouts differ may be far in.
  const most = isFormat ? Infinity : 200
  const said = printable(new TextDecoder().decode(cause.response?.body).trim()).slice(0, most)
  const message = `${url.pathname} was refused with status ${status}${said === '' ? '' : `: ${said}`}`
  if (status === 404) return new ChannelError('NOT_FOUND', message, { cause })
  if (isFormat) return new ChannelError('UNSUPPORTED_CODEC', message, { cause })
  if (status === 401) return new ChannelError('UNAUTHENTICATED', message, { cause })
  return new ChannelError('REFUSED', message, { cause, retryable: retryableStatuses.has(status) })
}

/** What a failed attempt says of its address: that no channel can be had there now, that it answers, or nothing. */
export function availability(error: unknown): boolean | undefined {
  const cause = error instanceof ChannelError ? error.cause : undefined
  if (!(cause instanceof ConnError)) return undefined
  if (cause.response !== undefined) return cause.response.status !== 503
  // Neither gets better by being tried again, but another address may do.
  const noConnection = cause.code === 'TLS_FAILED' || cause.code === 'HTTP2_NOT_SUPPORTED'
  return noConnection || isUnhandled(cause) ? false : undefined
}

/** How long the server wants to be left alone (RFC 9110, section 10.2.3), 0 unless it says so. Unit: milliseconds. */
export function retryAfter({ cause }: ChannelError): number {
  const { 'retry-after': wish, date } = (cause instanceof ConnError && cause.response?.headers) || {}
  if (typeof wish !== 'string') return 0
  if (/^\d+$/.test(wish)) return Number(wish) * 1_000
  const until = dateOf(wish)
  // By the server's own clock, where it tells: this one's may be another.
  return until === undefined ? 0 : Math.max(0, until - (dateOf(date) ?? Date.now()))
}

/** Takes HTTP dates alone: `Date.parse` finds dates in much else. */
function dateOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || !value.endsWith(' GMT')) return undefined
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : date
}

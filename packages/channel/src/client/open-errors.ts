/** What a failed attempt of `open` means: its error, whether it may be tried again, and when. */
import { ConnError } from '@h2channel/conn'

import type { RetryLimits } from '../options.ts'
import { ChannelError, printable } from '../errors.ts'

/** The error of an `open` whose request for `path` failed: the reason of `signal` where it ended the wait. */
export function openError(error: unknown, path: string, signal: AbortSignal): unknown {
  if (!(error instanceof ConnError)) return error
  const cause = error
  switch (error.code) {
    case 'TIMEOUT':
    case 'CANCELLED':
      return signal.reason
    case 'INVALID_ARGUMENT':
      return new ChannelError('INVALID_ARGUMENT', error.message, { cause })
    case 'UNEXPECTED_STATUS':
      return statusError(error, path)
    case 'SESSIONS_CLOSED':
      return new ChannelError('CLOSED', 'open after the client, or its sessions, were closed', { cause })
    default:
      return new ChannelError('CONNECT_FAILED', error.message, {
        cause,
        retryable: isUnhandled(error),
        reopen: error.code !== 'TLS_FAILED' && error.code !== 'HTTP2_NOT_SUPPORTED',
      })
  }
}

/** RST_STREAM's code for a request that was not processed (RFC 9113, 8.7): from a busy server, or after GOAWAY. */
const REFUSED_STREAM = 7

/** Whether no server can have handled the request, so that sending it again is safe and may succeed. */
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

/**
 * "Too many requests" and "not now". A handler starts after status 200 only, so it has not started, unless a proxy
 * answered for the server (SPEC.md, ANS-7). Whether the address is ejected too is decided in {@link availability}.
 */
const retryableStatuses: ReadonlySet<number> = new Set([429, 503])

function statusError(cause: ConnError, path: string): ChannelError {
  const status = cause.response?.status ?? 0
  const isFormat = status === 415 || status === 406
  // A page may be anything. A list of formats stays whole: two layouts may differ only near its end.
  const maxLength = isFormat ? Infinity : 200
  const body = printable(new TextDecoder().decode(cause.response?.body).trim()).slice(0, maxLength)
  const message = `${path} was refused with status ${status}${body === '' ? '' : `: ${body}`}`
  if (status === 404) return new ChannelError('NOT_FOUND', message, { cause })
  if (isFormat) return new ChannelError('UNSUPPORTED_CODEC', message, { cause })
  if (status === 401) return new ChannelError('UNAUTHENTICATED', message, { cause })
  const mayTryAgain = retryableStatuses.has(status)
  return new ChannelError('REFUSED', message, { cause, retryable: mayTryAgain, reopen: mayTryAgain })
}

/** The error of `connect` that an error of `open` comes from. */
export function connErrorOf(error: unknown): ConnError | undefined {
  return error instanceof ChannelError && error.cause instanceof ConnError ? error.cause : undefined
}

/** Whether the address of a failed attempt can open channels. Undefined where the error does not show it. */
export function availability(error: unknown): boolean | undefined {
  const cause = connErrorOf(error)
  if (cause === undefined) return undefined
  if (cause.response !== undefined) return cause.response.status !== 503
  // Another attempt at this address would fail too, but another address may work.
  const noConnection = cause.code === 'TLS_FAILED' || cause.code === 'HTTP2_NOT_SUPPORTED'
  return noConnection || isUnhandled(cause) ? false : undefined
}

/**
 * How long to wait after a failed attempt: as long as the server asked for, and a random time below a bound that grows
 * exponentially ("full jitter").
 *
 * @param earlier - how many delays came before this one.
 * @returns milliseconds, at most `maxDelay`.
 */
export function retryDelay(
  { initialDelay, maxDelay }: RetryLimits,
  earlier: number,
  error: ChannelError | undefined,
): number {
  const jitter = Math.floor(Math.random() * Math.min(maxDelay, initialDelay * 2 ** earlier))
  return Math.min(maxDelay, retryAfter(error) + jitter)
}

/** How long the server asks the client to wait (RFC 9110, section 10.2.3), or 0. Unit: milliseconds. */
function retryAfter(error: ChannelError | undefined): number {
  const { 'retry-after': wish, date } = connErrorOf(error)?.response?.headers ?? {}
  if (typeof wish !== 'string') return 0
  if (/^\d+$/.test(wish)) return Number(wish) * 1_000
  const until = parseHttpDate(wish)
  // Compared with the server's clock where it sends a date: this machine's clock may differ.
  return until === undefined ? 0 : Math.max(0, until - (parseHttpDate(date) ?? Date.now()))
}

/** Parses HTTP dates only: `Date.parse` accepts many other texts. */
function parseHttpDate(value: unknown): number | undefined {
  if (typeof value !== 'string' || !value.endsWith(' GMT')) return undefined
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : date
}

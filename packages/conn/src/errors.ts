import type { WaitErrors } from './waits/wait-errors.ts'
import { waitErrors } from './waits/wait-errors.ts'

/** The code of a {@link ConnError}. docs/reference/errors.md has a heading for each code, and what to do about it. */
export type ConnErrorCode =
  | 'ABORTED'
  | 'ALREADY_RESPONDED'
  | 'CANCELLED'
  | 'CLOSED'
  | 'CLOSE_TIMEOUT'
  | 'CONNECTION_LOST'
  | 'CONNECT_FAILED'
  | 'CONNECT_TIMEOUT'
  | 'HTTP2_NOT_SUPPORTED'
  | 'INVALID_ARGUMENT'
  | 'PEER_SILENT'
  | 'PROTOCOL_ERROR'
  | 'RESET'
  | 'SESSIONS_CLOSED'
  | 'TIMEOUT'
  | 'TLS_FAILED'
  | 'UNEXPECTED_STATUS'

/** The side that caused an error: this program (`local`), or the other end and the network between (`remote`). */
export type Side = 'local' | 'remote'

const rules: Readonly<Record<ConnErrorCode, { readonly side: Side; readonly fatal: boolean }>> = {
  ABORTED: { side: 'local', fatal: true },
  ALREADY_RESPONDED: { side: 'local', fatal: true },
  CANCELLED: { side: 'local', fatal: false },
  CLOSED: { side: 'local', fatal: false },
  CLOSE_TIMEOUT: { side: 'remote', fatal: true },
  CONNECTION_LOST: { side: 'remote', fatal: true },
  CONNECT_FAILED: { side: 'remote', fatal: true },
  CONNECT_TIMEOUT: { side: 'remote', fatal: true },
  HTTP2_NOT_SUPPORTED: { side: 'remote', fatal: true },
  INVALID_ARGUMENT: { side: 'local', fatal: false },
  PEER_SILENT: { side: 'remote', fatal: true },
  PROTOCOL_ERROR: { side: 'remote', fatal: true },
  RESET: { side: 'remote', fatal: true },
  SESSIONS_CLOSED: { side: 'local', fatal: true },
  TIMEOUT: { side: 'local', fatal: false },
  TLS_FAILED: { side: 'remote', fatal: true },
  UNEXPECTED_STATUS: { side: 'remote', fatal: true },
}

/** All codes of {@link ConnError}. */
export const connErrorCodes: readonly ConnErrorCode[] = Object.keys(rules) as ConnErrorCode[]

/** A response other than 2xx, from a server that did not accept a conn. */
export interface ErrorResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The start of the body: at most 32 KiB of it. */
  readonly body: Uint8Array
}

/** The options of {@link ConnError}. */
export interface ConnErrorOptions extends ErrorOptions {
  readonly rstCode?: number | undefined
  readonly requestSent?: boolean | undefined
  readonly response?: ErrorResponse | undefined
}

/** The error of conns, `connect` and `accept`, which throw no other. */
export class ConnError extends Error {
  override readonly name = 'ConnError'

  /** Accepts errors of another realm, such as that of a test runner, and of another copy of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // A class that extends this one may change the name.
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true
    if (this !== ConnError) return false
    return typeof value === 'object' && value !== null && 'name' in value && value.name === 'ConnError'
  }

  readonly code: ConnErrorCode

  /** The side that caused the error. */
  readonly side: Side

  /** Whether the conn has ended. */
  readonly fatal: boolean

  /** For `RESET`: the error code of the RST_STREAM frame (RFC 9113, section 7). */
  readonly rstCode: number | undefined

  /**
   * For `CONNECT_TIMEOUT` and `CONNECTION_LOST` of `connect`: whether the request had been sent, so that the peer may
   * have begun to handle it. Otherwise no connection had room in time, or it was lost before the request had left.
   */
  readonly requestSent: boolean | undefined

  /** For `UNEXPECTED_STATUS`: the response. Its headers are not enumerable, so that logs do not show them. */
  readonly response: ErrorResponse | undefined

  constructor(code: ConnErrorCode, message: string, options: ConnErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.side = rules[code].side
    this.fatal = rules[code].fatal
    this.rstCode = options.rstCode
    this.requestSent = options.requestSent
    this.response = options.response && hideHeaders(options.response)
  }
}

const waits = waitErrors(ConnError)

/** Returns the error of a wait that its signal ended. */
export const abortError: WaitErrors<ConnError>['abortError'] = waits.abortError

/** Returns the error of a wait whose signal has aborted already, or is no AbortSignal. */
export const signalError: WaitErrors<ConnError>['signalError'] = waits.signalError

/** Returns a copy whose headers are not enumerable, so that logs do not show cookies. */
function hideHeaders({ status, headers, body }: ErrorResponse): ErrorResponse {
  return Object.defineProperty({ status, headers, body }, 'headers', { enumerable: false })
}

import type { WaitErrors } from '@h2channel/conn/internal'
import { waitErrors } from '@h2channel/conn/internal'

/** What can go wrong with a channel. Each code has a heading in docs/errors.md, which says what to do about it. */
export type ChannelErrorCode =
  | 'ABORTED'
  | 'BAD_RESPONSE'
  | 'CANCELLED'
  | 'CLOSED'
  | 'CLOSE_TIMEOUT'
  | 'CONNECT_FAILED'
  | 'CONN_LOST'
  | 'ENCODE_FAILED'
  | 'GOING_AWAY'
  | 'INTERNAL'
  | 'INVALID_ARGUMENT'
  | 'INVALID_FRAME'
  | 'INVALID_MESSAGE'
  | 'INVALID_ROUTE'
  | 'MESSAGE_TOO_LARGE'
  | 'NOT_FOUND'
  | 'PEER_ABORTED'
  | 'PEER_SILENT'
  | 'PEER_STOPPED'
  | 'PEER_TOO_SLOW'
  | 'RATE_LIMITED'
  | 'REFUSED'
  | 'SEND_BUFFER_FULL'
  | 'TIMEOUT'
  | 'TRUNCATED_FRAME'
  | 'UNAUTHENTICATED'
  | 'UNSUPPORTED_CODEC'

/** Who broke the rule: this program, or the other end and the network between. */
export type Side = 'local' | 'remote'

const rules: Readonly<Record<ChannelErrorCode, { readonly side: Side; readonly fatal: boolean }>> = {
  ABORTED: { side: 'local', fatal: true },
  BAD_RESPONSE: { side: 'remote', fatal: true },
  CANCELLED: { side: 'local', fatal: false },
  CLOSED: { side: 'local', fatal: false },
  CLOSE_TIMEOUT: { side: 'remote', fatal: true },
  CONNECT_FAILED: { side: 'remote', fatal: true },
  CONN_LOST: { side: 'remote', fatal: true },
  ENCODE_FAILED: { side: 'local', fatal: false },
  GOING_AWAY: { side: 'remote', fatal: true },
  INTERNAL: { side: 'remote', fatal: true },
  INVALID_ARGUMENT: { side: 'local', fatal: false },
  INVALID_FRAME: { side: 'remote', fatal: true },
  INVALID_MESSAGE: { side: 'remote', fatal: true },
  INVALID_ROUTE: { side: 'local', fatal: true },
  MESSAGE_TOO_LARGE: { side: 'remote', fatal: true },
  NOT_FOUND: { side: 'remote', fatal: true },
  PEER_ABORTED: { side: 'remote', fatal: true },
  PEER_SILENT: { side: 'remote', fatal: true },
  PEER_STOPPED: { side: 'remote', fatal: false },
  PEER_TOO_SLOW: { side: 'remote', fatal: true },
  RATE_LIMITED: { side: 'remote', fatal: true },
  REFUSED: { side: 'remote', fatal: true },
  SEND_BUFFER_FULL: { side: 'local', fatal: false },
  TIMEOUT: { side: 'local', fatal: false },
  TRUNCATED_FRAME: { side: 'remote', fatal: true },
  UNAUTHENTICATED: { side: 'remote', fatal: true },
  UNSUPPORTED_CODEC: { side: 'remote', fatal: true },
}

/** Every code there is. */
export const channelErrorCodes: readonly ChannelErrorCode[] = Object.keys(rules) as ChannelErrorCode[]

export interface ChannelErrorOptions extends ErrorOptions {
  /** Who broke the rule, where it is not the side that usually does. */
  readonly side?: Side
  /** Whether the channel is over, where that is not as usual. */
  readonly fatal?: boolean
  /** Whether the same may be tried again, where that is not as usual. */
  readonly retryable?: boolean
}

/** Thrown by channels, routes, routers and clients, and by nothing else. */
export class ChannelError extends Error {
  override readonly name = 'ChannelError'

  /** Takes one of another realm, such as that of a test runner, and of another copy of this package, for the same. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // One of a class that extends this may have a name of its own.
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true
    if (this !== ChannelError) return false
    return typeof value === 'object' && value !== null && 'name' in value && value.name === 'ChannelError'
  }

  readonly code: ChannelErrorCode

  /** Who broke the rule. */
  readonly side: Side

  /** Whether the channel is over. After an error that is not fatal it goes on as if nothing had been called. */
  readonly fatal: boolean

  /**
   * Whether the same call may succeed when it is made again, a little later, and can't do anything twice: nothing of it
   * was sent, or it was refused before anybody handled it. So of a `send` that found no room, or of an `open` that reached
   * nobody. How a channel ended is never retryable: what was sent last may have arrived, or may not.
   */
  readonly retryable: boolean

  constructor(code: ChannelErrorCode, message: string, options: ChannelErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.side = options.side ?? rules[code].side
    this.fatal = options.fatal ?? rules[code].fatal
    this.retryable = options.retryable ?? code === 'SEND_BUFFER_FULL'
  }
}

const waits = waitErrors(ChannelError)

/** Returns the error of a wait that its signal ended. */
export const abortError: WaitErrors<ChannelError>['abortError'] = waits.abortError

/** Returns the error of a wait whose signal has aborted already, or is no AbortSignal. */
export const signalError: WaitErrors<ChannelError>['signalError'] = waits.signalError

/** The text of something that was caught, be it an error of another realm. It is never empty. */
export function textOf(caught: unknown): string {
  const { message, name } = (caught ?? {}) as { readonly message?: unknown; readonly name?: unknown }
  if (typeof message !== 'string') return String(caught)
  return message === '' && typeof name === 'string' ? name : message
}

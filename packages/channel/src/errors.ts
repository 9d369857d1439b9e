import type { WaitErrors } from '@h2channel/conn/internal'
import { waitErrors } from '@h2channel/conn/internal'

/** Which side broke the rule: this program, or the other end and the network between. */
export type Side = 'local' | 'remote'

/** All that depends on the code of an error. */
interface ErrorRule {
  /** Which side usually broke the rule. */
  readonly side: Side
  /** Whether the channel has usually ended. */
  readonly fatal: boolean
  /** Whether the failed call may usually be repeated. */
  readonly retryable?: true
  /**
   * The code of RST_STREAM for a peer that reads no control frames. RFC 9113, section 7, has codes for some errors. Others have
   * unassigned codes, which begin with `h2`: a peer that does not know them treats them like INTERNAL_ERROR at most. Default: CANCEL.
   * Where several errors share a code, it means the first of them here.
   */
  readonly rstCode?: number
  /** What the code means at the peer that receives it: which side broke the rule, seen from there, and a text. Default: `PEER_ABORTED`. */
  readonly atPeer?: readonly [side: Side, text: string]
  /** Whether the peer may read the error's text, since it contains numbers and nothing of the program or of a message. */
  readonly isTellable?: true
  /** Whether a router reports it to `onError` when a channel ends by it: always, or where this side broke the rule. Default: never. */
  readonly isReported?: 'always' | 'local'
}

/** One row a code. A new code is a row here and a heading in docs/errors.md. */
const rules = {
  ABORTED: { side: 'local', fatal: true },
  BAD_RESPONSE: { side: 'remote', fatal: true },
  CANCELLED: { side: 'local', fatal: false },
  CLOSED: { side: 'local', fatal: false },
  CLOSE_TIMEOUT: { side: 'remote', fatal: true },
  CONNECT_FAILED: { side: 'remote', fatal: true },
  CONN_LOST: { side: 'remote', fatal: true },
  ENCODE_FAILED: { side: 'local', fatal: false },
  GOING_AWAY: {
    side: 'remote',
    fatal: true,
    rstCode: 0x6832_0001,
    atPeer: ['remote', 'the peer ended the channel to stop'],
  },
  INTERNAL: {
    side: 'remote',
    fatal: true,
    rstCode: 2,
    atPeer: ['remote', 'the peer failed'],
    isReported: 'local',
  },
  INVALID_ARGUMENT: { side: 'local', fatal: false },
  INVALID_MESSAGE: {
    side: 'remote',
    fatal: true,
    rstCode: 1,
    atPeer: ['local', 'the peer refused what this side sent (INVALID_MESSAGE)'],
    isReported: 'always',
  },
  INVALID_FRAME: {
    side: 'remote',
    fatal: true,
    rstCode: 1,
    atPeer: ['local', 'the peer refused what this side sent (INVALID_FRAME)'],
    isTellable: true,
    isReported: 'always',
  },
  INVALID_ROUTE: { side: 'local', fatal: true },
  MESSAGE_TOO_LARGE: {
    side: 'remote',
    fatal: true,
    rstCode: 6,
    atPeer: ['local', 'the peer refused what this side sent (MESSAGE_TOO_LARGE)'],
    isTellable: true,
    isReported: 'always',
  },
  NOT_FOUND: { side: 'remote', fatal: true },
  PEER_ABORTED: { side: 'remote', fatal: true },
  PEER_SILENT: { side: 'remote', fatal: true },
  PEER_STOPPED: { side: 'remote', fatal: false },
  PEER_TOO_SLOW: {
    side: 'remote',
    fatal: true,
    rstCode: 11,
    atPeer: ['local', 'this side read too slowly for the peer'],
  },
  RATE_LIMITED: {
    side: 'remote',
    fatal: true,
    rstCode: 0x6832_0002,
    atPeer: ['local', 'this side sent more at a time than the peer allows'],
  },
  REFUSED: { side: 'remote', fatal: true },
  SEND_BUFFER_FULL: { side: 'local', fatal: false, retryable: true },
  TIMEOUT: { side: 'local', fatal: false },
  TRUNCATED_FRAME: {
    side: 'remote',
    fatal: true,
    rstCode: 1,
    atPeer: ['local', 'the peer refused what this side sent (TRUNCATED_FRAME)'],
    isTellable: true,
    isReported: 'always',
  },
  UNAUTHENTICATED: {
    side: 'remote',
    fatal: true,
    rstCode: 0x6832_0003,
    atPeer: ['remote', "this side's credentials have ended"],
  },
  UNSUPPORTED_CODEC: { side: 'remote', fatal: true },
} as const

/** What can go wrong with a channel. Each code has a heading in docs/errors.md, which says what to do about it. */
export type ChannelErrorCode = keyof typeof rules

export const errorRules: Readonly<Record<ChannelErrorCode, ErrorRule>> = rules

/** Every code, in the order of its row. */
export const channelErrorCodes: readonly ChannelErrorCode[] = Object.keys(rules) as ChannelErrorCode[]

export interface ChannelErrorOptions extends ErrorOptions {
  /** Which side broke the rule. Default: by the code. */
  readonly side?: Side
  /** Whether the channel has ended. Default: by the code. */
  readonly fatal?: boolean
  /** Whether the same call may be repeated. Default: by the code. */
  readonly retryable?: boolean
}

/**
 * Thrown by channels, routes, routers and clients, and by nothing else. `instanceof` tells it, and so it does the errors of the packages
 * below: no other check of an error's class is needed.
 */
export class ChannelError extends Error {
  override readonly name = 'ChannelError'

  /** Accepts errors of another realm, such as that of a test runner, and of another copy of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // A class that extends this one may have another name.
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true
    if (this !== ChannelError) return false
    return typeof value === 'object' && value !== null && 'name' in value && value.name === 'ChannelError'
  }

  readonly code: ChannelErrorCode

  /** Which side broke the rule. */
  readonly side: Side

  /** Whether the channel has ended. After an error that is not fatal it is as if the failed call had not been made. */
  readonly fatal: boolean

  /**
   * Whether the same call may be repeated a little later, since the failed one had no effect: nothing of it was sent, or it was
   * refused before a handler saw it. Examples are a `send` that found no room, and an `open` that reached no server. The error that
   * ended a channel is never retryable: what was sent last may have arrived or not.
   */
  readonly retryable: boolean

  constructor(code: ChannelErrorCode, message: string, options: ChannelErrorOptions = {}) {
    super(message, options)
    this.code = code
    const { side, fatal, retryable = false } = errorRules[code]
    this.side = options.side ?? side
    this.fatal = options.fatal ?? fatal
    this.retryable = options.retryable ?? retryable
  }
}

/** Whether a router reports `error` although its channel ended by it: the peer broke the contract, or this side failed. */
export function isReported(error: unknown): boolean {
  if (!(error instanceof ChannelError)) return false
  const when = errorRules[error.code].isReported
  return when === 'always' || when === error.side
}

const waits = waitErrors(ChannelError)

/** Returns the error of a wait that its signal ended. */
export const abortError: WaitErrors<ChannelError>['abortError'] = waits.abortError

/** Returns the error of a wait whose signal has aborted already, or is no AbortSignal. */
export const signalError: WaitErrors<ChannelError>['signalError'] = waits.signalError

/** The text of anything that was thrown, which may be an error of another realm. It is never empty. */
export function textOf(caught: unknown): string {
  const { message, name } = (caught ?? {}) as { readonly message?: unknown; readonly name?: unknown }
  if (typeof message !== 'string') return String(caught)
  return message === '' && typeof name === 'string' ? name : message
}

/** What a peer wrote, without characters that a terminal or a log would interpret. */
export function printable(foreign: string): string {
  return foreign.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
}

/** The start of what a peer wrote, for an error text of this side. `max` is in characters. */
export function excerpt(foreign: string, max = 200): string {
  return foreign.length <= max ? foreign : `${foreign.slice(0, max - 1)}…`
}

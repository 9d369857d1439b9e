import type { WaitErrors } from '@h2channel/conn/internal'
import { waitErrors } from '@h2channel/conn/internal'

/** Which side broke the rule: this program, or the other end and the network between. */
export type Side = 'local' | 'remote'

/** Everything that depends on the code of an error. */
interface ErrorRule {
  /** Which side usually broke the rule. Default: remote. */
  readonly side?: Side
  /** Whether the channel has usually ended. Default: true. */
  readonly fatal?: boolean
  /** Whether the failed call may usually be repeated. Default: false. */
  readonly retryable?: true
  /**
   * The code of RST_STREAM for a peer that reads no control frames. RFC 9113, section 7, has codes for some errors.
   * Others have unassigned codes, which begin with `h2`: a peer that does not know them treats them like
   * INTERNAL_ERROR at most. Default: CANCEL. Where several
   * errors share one, a reset with it means the first of them here.
   */
  readonly rstCode?: number
  /**
   * What the code means at the peer that receives it: which side broke the rule, seen from there, and a text. Default
   * of the text: `the peer refused what this side sent (CODE)`. Default of both: `PEER_ABORTED`.
   */
  readonly atPeer?: readonly [side: Side, text?: string]
  /** Whether the peer may read the error's text, since it has numbers, and nothing of the program or of a message. */
  readonly isTellable?: true
  /** Whether opening again is the answer: always, or where the peer ended the channel with the code. Default: never. */
  readonly reopen?: 'always' | 'told'
  /** Whether a router passes it to `onError` when it ends a channel: always, or where this side broke the rule. */
  readonly isReported?: 'always' | 'local'
}

/**
 * One row for each code. A new code is a row here and a heading in docs/reference/errors.md. `rstCode` and `atPeer`
 * come together, and SPEC.md has them in its tables. The order matters: of codes with one `rstCode`, the first is its
 * meaning.
 */
const rules = {
  ABORTED: { side: 'local' },
  BAD_RESPONSE: {},
  CANCELLED: { side: 'local', fatal: false },
  CLOSED: { side: 'local', fatal: false },
  CLOSE_TIMEOUT: { reopen: 'always' },
  CONNECT_FAILED: {},
  CONN_LOST: { reopen: 'always' },
  ENCODE_FAILED: { side: 'local', fatal: false },
  GOING_AWAY: { rstCode: 0x6832_0001, atPeer: ['remote', 'the peer ended the channel to stop'], reopen: 'always' },
  INTERNAL: { rstCode: 2, atPeer: ['remote', 'the peer failed'], isReported: 'local', reopen: 'told' },
  INVALID_ARGUMENT: { side: 'local', fatal: false },
  INVALID_MESSAGE: { rstCode: 1, atPeer: ['local'], isReported: 'always' },
  INVALID_FRAME: { rstCode: 1, atPeer: ['local'], isTellable: true, isReported: 'always' },
  INVALID_ROUTE: { side: 'local' },
  MESSAGE_TOO_LARGE: { rstCode: 6, atPeer: ['local'], isTellable: true, isReported: 'always' },
  NOT_FOUND: {},
  NO_REPLY: {},
  PEER_ABORTED: { reopen: 'always' },
  PEER_SILENT: { reopen: 'always' },
  PEER_STOPPED: { fatal: false },
  PEER_TOO_SLOW: {
    rstCode: 0x6832_0004,
    atPeer: ['local', 'this side read too slowly for the peer'],
    reopen: 'always',
  },
  RATE_LIMITED: {
    rstCode: 0x6832_0002,
    atPeer: ['local', 'this side sent more at a time than the peer allows'],
    reopen: 'always',
  },
  REFUSED: {},
  SEND_BUFFER_FULL: { side: 'local', fatal: false, retryable: true },
  TIMEOUT: { side: 'local', fatal: false },
  TRUNCATED_FRAME: { rstCode: 1, atPeer: ['local'], isTellable: true, isReported: 'always', reopen: 'always' },
  UNAUTHENTICATED: { rstCode: 0x6832_0003, atPeer: ['remote', "this side's credentials have ended"], reopen: 'told' },
  UNSUPPORTED_CODEC: {},
} as const

/** What can go wrong with a channel. docs/reference/errors.md has a heading for each code, and what to do about it. */
export type ChannelErrorCode = keyof typeof rules

export const errorRules: Readonly<Record<ChannelErrorCode, ErrorRule>> = rules

/** Returns the rule of a code. An error of another version of this package may have a code without a row here. */
export function ruleFor(code: string): ErrorRule {
  return errorRules[code as ChannelErrorCode] ?? {}
}

/** Every code, in the order of its row. */
export const channelErrorCodes: readonly ChannelErrorCode[] = Object.keys(rules) as ChannelErrorCode[]

/** Options of {@link ChannelError}. The default of each depends on the code. */
export interface ChannelErrorOptions extends ErrorOptions {
  /** Which side broke the rule. */
  readonly side?: Side
  /** Whether the channel has ended. */
  readonly fatal?: boolean
  /** Whether the same call may be repeated. */
  readonly retryable?: boolean
  /** Whether opening again is the answer. */
  readonly reopen?: boolean
}

/** The only error that channels, routes, routers and clients throw. `instanceof` is the check for it. */
export class ChannelError extends Error {
  override readonly name = 'ChannelError'

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isInstance(value, this, ChannelError, 'ChannelError')
  }

  readonly code: ChannelErrorCode

  /** Which side broke the rule. */
  readonly side: Side

  /**
   * Whether the channel has ended. An error that is not fatal leaves it as if the call had not been made. `TIMEOUT` and
   * `CANCELLED` are not fatal, but have ended the channel of a `client.call`, whose message may have been handled.
   */
  readonly fatal: boolean

  /**
   * Whether the same call may be repeated a little later, since the failed one had no effect: nothing of it was sent,
   * or it was refused before a handler saw it. Examples are a `send` that found no room, and an `open` that reached no
   * server. The error that ended a channel is never retryable: what was sent last may have arrived or not.
   */
  readonly retryable: boolean

  /**
   * Whether the channel is gone, or was never there, and opening one again is the answer: after a delay that grows, as
   * `client.keepOpen` does. What was sent last may have arrived or not. The table of docs/reference/errors.md has it
   * for each code.
   */
  readonly reopen: boolean

  constructor(code: ChannelErrorCode, message: string, options: ChannelErrorOptions = {}) {
    super(message, options)
    this.code = code
    const rule = errorRules[code]
    this.side = options.side ?? rule.side ?? 'remote'
    this.fatal = options.fatal ?? rule.fatal ?? true
    this.retryable = options.retryable ?? rule.retryable ?? false
    this.reopen = options.reopen ?? rule.reopen === 'always'
  }
}

/**
 * Whether `value` is an instance of `Class`, which is the error class `Root` or extends it. Any error that has the
 * `name` of `Root` is an instance of `Root`: it may be of another realm, such as that of a test runner, or of another
 * copy of this package.
 */
export function isInstance(value: unknown, Class: unknown, Root: unknown, name: string): boolean {
  // A subclass may have another name.
  if (Function.prototype[Symbol.hasInstance].call(Class, value)) return true
  return Class === Root && typeof value === 'object' && value !== null && 'name' in value && value.name === name
}

/** Whether a router reports `error` even when it ended a channel: the peer broke the contract, or this side failed. */
export function isReported(error: unknown): boolean {
  if (!(error instanceof ChannelError)) return false
  const when = ruleFor(error.code).isReported
  return when === 'always' || (when === 'local' && error.side === 'local')
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

/** The first 200 characters of what a peer wrote, for an error text of this side. */
export function excerpt(foreign: string): string {
  return foreign.length <= 200 ? foreign : `${foreign.slice(0, 199)}…`
}

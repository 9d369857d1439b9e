import { ChannelError } from './errors.ts'

/** The limits of one channel, all finite. Zero is invalid, and does not mean unlimited. */
export interface ChannelLimits {
  /** Maximum size of an encoded message, in both directions. Default: 4 MiB. Unit: bytes. */
  readonly maxMessageBytes: number
  /** Number of buffered bytes at which `send` waits. The last message may exceed it. Default: 1 MiB. Unit: bytes. */
  readonly maxBufferedBytes: number
  /** Maximum number of `send` calls that wait at once. One more fails with `SEND_BUFFER_FULL`. Default: 1,024. */
  readonly maxWaitingSends: number
  /** Number of bytes that leave before the end of the turn that wrote them. Default: 64 KiB. Unit: bytes. */
  readonly flushBytes: number
  /** How long `close()` waits for the peer to read what was sent. Default: 10 s. Unit: milliseconds. */
  readonly closeTimeout: number
  /**
   * How often something is sent at least, so that proxies keep the channel. It should be the same at both
   * ends. Default: 25 s. Unit: milliseconds.
   */
  readonly heartbeatInterval: number
  /**
   * The peer is gone when nothing came from it for `heartbeatInterval` and this together. Default: 10 s. Unit:
   * milliseconds.
   */
  readonly heartbeatTimeout: number
  /**
   * `onSlow` is called when a peer has read nothing for so long while `send` waits, and again each time after as long.
   * Default: 30 s. Unit: milliseconds.
   */
  readonly slowAfter: number
  /**
   * Maximum number of control frames (pings, answers to them, and others) within a second. One more ends the channel
   * with `RATE_LIMITED`. Frames that came while this side did not read do not count. Default: 1,000.
   */
  readonly maxControlFramesPerSecond: number
}

/** Some of the limits; the others stay at their defaults. */
export type LimitOptions = { readonly [Name in keyof ChannelLimits]?: ChannelLimits[Name] | undefined }

/** The default limits of a channel. */
export const channelDefaults: ChannelLimits = {
  maxMessageBytes: 4 * 1024 * 1024,
  maxBufferedBytes: 1024 * 1024,
  maxWaitingSends: 1_024,
  flushBytes: 64 * 1024,
  closeTimeout: 10_000,
  heartbeatInterval: 25_000,
  heartbeatTimeout: 10_000,
  slowAfter: 30_000,
  maxControlFramesPerSecond: 1_000,
}

/**
 * Decides about a message that the schema of the receiving codec rejects. Called for each, at once and in order.
 * `error` is `INVALID_MESSAGE` with the field and the reason; its `cause` is the CodecError with all `issues`.
 *
 * - `close` ends the channel with `error`, as without this function. The peer learns the code alone.
 * - `skip` drops the message. The peer is not informed, and the next message follows.
 *
 * Messages are decoded only when they are received, so a peer that sends nothing valid cannot send faster than others.
 * A skipped message costs time and no memory, and after 100 in a row the rest of the program gets its turn. Count them,
 * and answer `close` at some point, if a peer must not do that forever.
 *
 * It must answer synchronously. When it throws, the channel ends with `INTERNAL`, side `local`, and what was thrown as
 * the cause. It is not called for bytes that the codec can't read, nor for a schema that is asynchronous: those end the
 * channel.
 */
export type OnInvalid = (error: ChannelError) => 'close' | 'skip'

/**
 * Decides about a peer that does not read what was sent, so that a `send` had to wait. Called when the peer has read
 * nothing for `slowAfter` since then, and again after each further `slowAfter`. `waited` is the time since then, in
 * milliseconds.
 *
 * - `wait` keeps waiting, as without this function.
 * - `close` resets the channel with `PEER_TOO_SLOW`: what has not left is dropped.
 *
 * When it throws, the channel ends with `INTERNAL`, side `local`, and what was thrown as the cause.
 */
export type OnSlow = (waited: number) => 'wait' | 'close'

/** Limits that are complete and checked, so that those of a route or client are not resolved for each channel. */
const resolved = new WeakSet<LimitOptions>()

/** Completes limits with `base`, which is resolved, and checks them. Throws `INVALID_ARGUMENT` for an invalid value. */
export function resolveLimits(limits: LimitOptions = {}, base: ChannelLimits = channelDefaults): ChannelLimits {
  if (resolved.has(limits)) return limits as ChannelLimits
  const merged = Object.freeze(mergeLimits(limits, base))
  resolved.add(merged)
  return merged
}

/** Resolves the limits of one channel: neither frozen nor remembered, which would cost each channel 350 bytes. */
export function channelLimits(limits: LimitOptions = {}): ChannelLimits {
  return resolved.has(limits) ? (limits as ChannelLimits) : mergeLimits(limits, channelDefaults)
}

function mergeLimits(limits: LimitOptions, base: ChannelLimits): ChannelLimits {
  const merged: ChannelLimits = { ...base, ...omitUndefined(limits) }
  for (const [name, value] of Object.entries(merged)) checkLimit(name, value)
  if (merged.maxMessageBytes > maxFrameBytes) {
    throw new ChannelError('INVALID_ARGUMENT', `maxMessageBytes must be at most ${maxFrameBytes}`)
  }
  for (const name of ['closeTimeout', 'heartbeatInterval', 'heartbeatTimeout', 'slowAfter'] as const) {
    checkDelay(name, merged[name])
  }
  return merged
}

/** How often `client.open` is tried, and how long it waits between the attempts. */
export interface RetryOptions {
  /** How many attempts one `open` has in all. 1: it is never tried again; `Infinity`: until it succeeds. Default: 4. */
  readonly maxAttempts?: number | undefined
  /**
   * The upper bound of the first delay, which doubles for each delay after it. A delay is a random time below its
   * bound, so that clients that failed together do not return together. Unit: milliseconds. Default: 100.
   */
  readonly initialDelay?: number | undefined
  /** The longest delay, whatever the server asks for. Unit: milliseconds. Default: 5,000. */
  readonly maxDelay?: number | undefined
}

/** {@link RetryOptions} with every value. */
export type RetryLimits = Readonly<Record<keyof RetryOptions, number>>

const retryDefaults: RetryLimits = { maxAttempts: 4, initialDelay: 100, maxDelay: 5_000 }

/** Completes and checks the options of retries. Throws `INVALID_ARGUMENT` for an invalid value. */
export function resolveRetry(options: RetryOptions = {}, base: RetryLimits = retryDefaults): RetryLimits {
  const { maxAttempts, initialDelay, maxDelay } = { ...base, ...omitUndefined(options) }
  if (maxAttempts !== Infinity) checkLimit('maxAttempts', maxAttempts)
  checkDelay('initialDelay', initialDelay)
  checkDelay('maxDelay', maxDelay)
  return { maxAttempts, initialDelay, maxDelay }
}

/** Returns the options that are not `undefined`. */
export function omitUndefined<Options extends object>(options: Options | undefined): Given<Options> {
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as Given<Options>
}

type Given<Options> = { [Name in keyof Options]?: Exclude<Options[Name], undefined> }

/** Throws `INVALID_ARGUMENT` unless `value` is a positive integer. */
export function checkLimit(name: string, value: unknown): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return
  throw new ChannelError('INVALID_ARGUMENT', `${name} must be a whole number above 0, not ${String(value)}`)
}

/** Throws `INVALID_ARGUMENT` unless a timer can have this delay. Unit: milliseconds. */
export function checkDelay(name: string, delay: number): void {
  if (Number.isSafeInteger(delay) && delay >= 1 && delay <= maxTimerDelay) return
  const range = `a whole number of ms from 1 to ${maxTimerDelay}`
  throw new ChannelError('INVALID_ARGUMENT', `${name} must be ${range}, not ${delay}`)
}

/** Throws `INVALID_ARGUMENT` unless a hook is a function or `undefined`. */
export function checkHook(name: string, hook: unknown): void {
  if (hook === undefined || typeof hook === 'function') return
  throw new ChannelError('INVALID_ARGUMENT', `${name} must be a function, not of type ${typeof hook}`)
}

/** The longest delay of a timer. Twice this would fire at once. Unit: milliseconds. */
export const maxTimerDelay: number = 2 ** 30

/** The largest length that fits into thirty bits. Unit: bytes. */
export const maxFrameBytes: number = 2 ** 30 - 1

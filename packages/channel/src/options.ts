import { ChannelError } from './errors.ts'

/** The limits of one channel, all finite. Zero is invalid, and does not mean unlimited. */
export interface ChannelLimits {
  /** Maximum size of an encoded message, in both directions. Unit: bytes. */
  readonly maxMessageBytes: number
  /** Number of buffered bytes at which `send` waits. The last message may exceed it. Unit: bytes. */
  readonly maxBufferedBytes: number
  /** Maximum number of `send` calls that wait at once. A further one fails with `SEND_BUFFER_FULL`. */
  readonly maxWaitingSends: number
  /** Number of bytes that are sent without waiting for the end of the turn that wrote them. Unit: bytes. */
  readonly flushBytes: number
  /** How long `close()` waits for the peer to take what was sent. Unit: milliseconds. */
  readonly closeTimeout: number
  /** How often something is sent at least, so that proxies keep the channel. The same at both ends. Unit: milliseconds. */
  readonly heartbeatInterval: number
  /** The peer is gone when nothing came from it for `heartbeatInterval` and this together. Unit: milliseconds. */
  readonly heartbeatTimeout: number
  /** When a peer has taken nothing for so long, and as long again each time, while `send` waits, `onSlow` is asked what to do. Unit: milliseconds. */
  readonly slowAfter: number
  /**
   * How many control frames (pings, answers to them, and others) may come within a second. A peer that sends more has its channel
   * ended with `RATE_LIMITED`. What came while this side did not read is not held against it.
   */
  readonly maxControlFramesPerSecond: number
}

/** Some of the limits; the others stay at their defaults. */
export type LimitOptions = { readonly [Name in keyof ChannelLimits]?: ChannelLimits[Name] | undefined }

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
 * Decides about a message that the schema of the receiving codec rejects. Called for each, at once and in order. `error` is
 * `INVALID_MESSAGE` with the field and the reason; its `cause` is the CodecError with all `issues`.
 *
 * - `close` ends the channel with `error`, as without this function. The peer learns the code alone.
 * - `skip` drops the message. The peer is not informed, and the next message follows.
 *
 * Messages are decoded as they are asked for, so that a peer that sends nothing valid is held back like any other. A skipped message
 * costs time and no memory, and after 100 in a row the rest of the program gets its turn. Count them, and answer `close` at some
 * point, if a peer must not do that forever.
 *
 * It must answer synchronously. When it throws, the channel ends with `INTERNAL`, side `local`, and what was thrown as the
 * cause. It is not called for bytes that the codec can't read, nor for a schema that is asynchronous: those end the channel.
 */
export type OnInvalid = (error: ChannelError) => 'close' | 'skip'

/**
 * Decides about a peer that does not read what was sent, so that a `send` had to wait. Called when the peer has read nothing for
 * `slowAfter` since then, and again after each further `slowAfter`. `waited` is the time since then, in milliseconds.
 *
 * - `wait` keeps waiting, as without this function.
 * - `close` resets the channel with `PEER_TOO_SLOW`: what has not left is dropped.
 *
 * When it throws, the channel ends with `INTERNAL`, side `local`, and what was thrown as the cause.
 */
export type OnSlow = (waited: number) => 'wait' | 'close'

/** Limits that were resolved already. Those of a route or client are neither merged nor checked again for each channel. */
const resolved = new WeakSet<LimitOptions>()

/** Completes limits by `base`, which was resolved, and checks them. Throws `INVALID_ARGUMENT` for an invalid value. */
export function resolveLimits(limits: LimitOptions = {}, base: ChannelLimits = channelDefaults): ChannelLimits {
  if (resolved.has(limits)) return limits as ChannelLimits
  const merged: ChannelLimits = Object.freeze({ ...base, ...omitUndefined(limits) })
  for (const [name, value] of Object.entries(merged)) checkLimit(name, value)
  if (merged.maxMessageBytes > maxFrameBytes) {
    throw new ChannelError('INVALID_ARGUMENT', `maxMessageBytes must be at most ${maxFrameBytes}`)
  }
  for (const name of ['closeTimeout', 'heartbeatInterval', 'heartbeatTimeout', 'slowAfter'] as const) {
    checkDelay(name, merged[name])
  }
  resolved.add(merged)
  return merged
}

/** How often `client.open` is tried, and how long it waits between the attempts. */
export interface RetryOptions {
  /** How many attempts one `open` has in all. 1 means that it is never tried again. Default: 4. */
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
export interface RetryLimits {
  readonly maxAttempts: number
  readonly initialDelay: number
  readonly maxDelay: number
}

/** Completes and checks the options of retries. Throws `INVALID_ARGUMENT` for an invalid value. */
export function resolveRetry(options: RetryOptions = {}): RetryLimits {
  const { maxAttempts = 4, initialDelay = 100, maxDelay = 5_000 } = options
  checkLimit('maxAttempts', maxAttempts)
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
  throw new ChannelError(
    'INVALID_ARGUMENT',
    `${name} must be a whole number of ms from 1 to ${maxTimerDelay}, not ${delay}`,
  )
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

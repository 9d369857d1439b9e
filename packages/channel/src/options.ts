import { ChannelError } from './errors.ts'

/** The limits of one channel, all finite. Zero does not mean unlimited: it is refused. */
export interface ChannelLimits {
  /** The largest message, either way, as encoded. Unit: bytes. */
  readonly maxMessageBytes: number
  /** How much may wait to be sent before `send` waits. One message more than this can stand there. Unit: bytes. */
  readonly maxBufferedBytes: number
  /** How many `send` calls may wait at once. One more is refused. */
  readonly maxWaitingSends: number
  /** When a turn has produced this much, it is sent without waiting for the turn's end. Unit: bytes. */
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

/** The defaults, with what `limits` says instead. Throws `INVALID_ARGUMENT` for a limit that is none. */
export function limitsFrom(limits: LimitOptions | undefined): ChannelLimits {
  const merged: ChannelLimits = { ...channelDefaults, ...givenOf(limits) }
  for (const [name, value] of Object.entries(merged)) checkLimit(name, value)
  if (merged.maxMessageBytes > largestFrame) {
    throw new ChannelError('INVALID_ARGUMENT', `maxMessageBytes must be at most ${largestFrame}`)
  }
  for (const name of ['closeTimeout', 'heartbeatInterval', 'heartbeatTimeout', 'slowAfter'] as const) {
    checkDelay(name, merged[name])
  }
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

/** What of some options was given: `undefined` stands for nothing. */
export function givenOf<Options extends object>(options: Options | undefined): Given<Options> {
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as Given<Options>
}

type Given<Options> = { [Name in keyof Options]?: Exclude<Options[Name], undefined> }

/** Throws `INVALID_ARGUMENT` for a limit that is none. */
export function checkLimit(name: string, value: unknown): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return
  throw new ChannelError('INVALID_ARGUMENT', `${name} must be a whole number above 0, not ${String(value)}`)
}

/** Throws `INVALID_ARGUMENT` for a delay that no timer can have. */
export function checkDelay(name: string, delay: number): void {
  if (Number.isSafeInteger(delay) && delay >= 1 && delay <= longestDelay) return
  throw new ChannelError(
    'INVALID_ARGUMENT',
    `${name} must be a whole number of ms from 1 to ${longestDelay}, not ${delay}`,
  )
}

/** Throws `INVALID_ARGUMENT` for an option that is there and no function. */
export function checkHook(name: string, hook: unknown): void {
  if (hook === undefined || typeof hook === 'function') return
  throw new ChannelError('INVALID_ARGUMENT', `${name} must be a function, not of type ${typeof hook}`)
}

/** Timers of twice this would fire at once. Unit: milliseconds. */
export const longestDelay: number = 2 ** 30

/** What thirty bits of length can say. Unit: bytes. */
export const largestFrame: number = 2 ** 30 - 1

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
}

/** Some of the limits; the others stay at their defaults. */
export type LimitOptions = { readonly [Name in keyof ChannelLimits]?: ChannelLimits[Name] | undefined }

export const channelDefaults: ChannelLimits = {
  maxMessageBytes: 4 * 1024 * 1024,
  maxBufferedBytes: 1024 * 1024,
  maxWaitingSends: 1_024,
  flushBytes: 64 * 1024,
  closeTimeout: 10_000,
}

/** The defaults, with what `limits` says instead. Throws `INVALID_ARGUMENT` for a limit that is none. */
export function limitsFrom(limits: LimitOptions | undefined): ChannelLimits {
  const given = Object.entries(limits ?? {}).filter(([, value]) => value !== undefined)
  const merged: ChannelLimits = { ...channelDefaults, ...Object.fromEntries(given) }
  for (const [name, value] of Object.entries(merged)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ChannelError('INVALID_ARGUMENT', `${name} must be a whole number above 0, not ${String(value)}`)
    }
  }
  if (merged.maxMessageBytes > largestFrame) {
    throw new ChannelError('INVALID_ARGUMENT', `maxMessageBytes must be at most ${largestFrame}`)
  }
  if (merged.closeTimeout > longestDelay) {
    throw new ChannelError('INVALID_ARGUMENT', `closeTimeout must be at most ${longestDelay} ms`)
  }
  return merged
}

/** Throws `INVALID_ARGUMENT` for an option that is there and no function. */
export function checkHook(name: string, hook: unknown): void {
  if (hook === undefined || typeof hook === 'function') return
  throw new ChannelError('INVALID_ARGUMENT', `${name} must be a function, not of type ${typeof hook}`)
}

/** Beyond it, timers fire at once. Unit: milliseconds. */
const longestDelay = 2 ** 31 - 1

/** What thirty bits of length can say. Unit: bytes. */
export const largestFrame: number = 2 ** 30 - 1

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
}

export const channelDefaults: ChannelLimits = {
  maxMessageBytes: 4 * 1024 * 1024,
  maxBufferedBytes: 1024 * 1024,
  maxWaitingSends: 1_024,
  flushBytes: 64 * 1024,
}

/** The defaults, with what `limits` says instead. Throws `INVALID_ARGUMENT` for a limit that is none. */
export function limitsFrom(limits: Partial<ChannelLimits> | undefined): ChannelLimits {
  const merged = { ...channelDefaults, ...limits }
  for (const [name, value] of Object.entries(merged)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ChannelError('INVALID_ARGUMENT', `${name} must be a whole number above 0, not ${String(value)}`)
    }
  }
  if (merged.maxMessageBytes > largestFrame) {
    throw new ChannelError('INVALID_ARGUMENT', `maxMessageBytes must be at most ${largestFrame}`)
  }
  return merged
}

/** What thirty bits of length can say. Unit: bytes. */
export const largestFrame: number = 2 ** 30 - 1

/** Ends many channels: gracefully until a deadline, and by force after it. */
import type { ChannelError } from '../errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Channel } from './channel.ts'
import { coreOf } from './channel.ts'

/** How long a peer has to read why its channel ended, before the channel is reset. Unit: milliseconds. */
export const forceCloseDelay = 1_000

/**
 * Asks both ends of each channel to end it. Channels that are still open after `timeout` end with `error`.
 *
 * @param channelsOf - returns the channels that are open now.
 * @param ended - resolves when nothing is left to end.
 * @returns once `ended` resolves, or all channels were reset.
 */
export async function drainChannels(
  channelsOf: () => readonly Channel<unknown, unknown>[],
  ended: Promise<unknown>,
  error: ChannelError,
  timeout: number,
  clock: Clock,
): Promise<void> {
  for (const channel of channelsOf()) coreOf(channel).startDraining()
  let timer: unknown
  const allReset = new Promise<unknown>((resolve) => {
    const close = (): void => {
      for (const channel of channelsOf()) coreOf(channel).closeWithError(error)
      // A peer that does not read does not see the error either.
      timer = clock.setTimer(reset, forceCloseDelay, undefined)
    }
    const reset = (): void => {
      const channels = channelsOf()
      for (const channel of channels) coreOf(channel).reset(error)
      resolve(Promise.all(channels.map(async (channel) => channel.closed)))
    }
    timer = clock.setTimer(close, timeout, undefined)
  })
  await Promise.race([ended, allReset])
  clock.clearTimer(timer)
}

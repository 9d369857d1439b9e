/** Ends many channels: gracefully until a deadline, and by force after it. */
import type { ChannelError } from '../errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { ChannelCore } from './channel-core.ts'

/** How long a peer has to read why its channel ended, before the channel is reset. Unit: milliseconds. */
export const forceCloseDelay = 1_000

/**
 * Asks both ends of each channel to end it. Channels that are still open after `timeout` end with `error`.
 *
 * @param coresOf - returns the cores of the channels that are open now.
 * @param ended - resolves when nothing is left to end.
 * @returns once `ended` resolves, or all channels were reset.
 */
export async function drainChannels(
  coresOf: () => readonly ChannelCore<never, unknown>[],
  ended: Promise<unknown>,
  error: ChannelError,
  timeout: number,
  clock: Clock,
): Promise<void> {
  for (const core of coresOf()) core.startDraining()
  let timer: unknown
  const allReset = new Promise<unknown>((resolve) => {
    const close = (): void => {
      for (const core of coresOf()) core.closeWithError(error)
      // A peer that does not read does not see the error either.
      timer = clock.setTimer(reset, forceCloseDelay, undefined)
    }
    const reset = (): void => {
      const cores = coresOf()
      for (const core of cores) core.reset(error)
      resolve(Promise.all(cores.map(async (core) => core.closed)))
    }
    timer = clock.setTimer(close, timeout, undefined)
  })
  await Promise.race([ended, allReset])
  clock.clearTimer(timer)
}

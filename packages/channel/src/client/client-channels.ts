/** The channels of a client, which `client.close` ends. */
import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import type { Clock } from '../runtime/clock.ts'
import { ChannelError } from '../errors.ts'

/** How long a peer has to read why its channel ended, before the channel is reset. Unit: milliseconds. */
export const forceCloseDelay = 1_000

/** The open channels of one client. */
export class ClientChannels {
  readonly #open = new Set<Channel<unknown, unknown>>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(channel: Channel<unknown, unknown>): void {
    this.#open.add(channel)
    void channel.closed.then(() => this.#open.delete(channel))
  }

  /**
   * Asks both ends of each channel to end it, and ends the channels that are still open after `timeout`.
   *
   * @param timeout - unit: milliseconds.
   * @returns once no channel is open.
   */
  async close(timeout: number): Promise<void> {
    const channels = [...this.#open]
    const message = `the client was closed, and the channel was still open after ${timeout} ms`
    const error = new ChannelError('GOING_AWAY', message, { side: 'local' })
    for (const channel of channels) coreOf(channel).startDraining()
    const closeAll = (): void => {
      for (const channel of this.#open) coreOf(channel).closeWithError(error)
      // A peer that does not read does not see the error either.
      timer = this.#clock.setTimer(resetAll, forceCloseDelay, undefined)
    }
    const resetAll = (): void => {
      for (const channel of this.#open) coreOf(channel).reset(error)
    }
    let timer = this.#clock.setTimer(closeAll, timeout, undefined)
    await Promise.all(channels.map(async (channel) => channel.closed))
    this.#clock.clearTimer(timer)
  }
}

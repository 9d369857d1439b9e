/** The channels of a client, and their end with it. */
import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import type { Clock } from '../runtime/clock.ts'
import { ChannelError } from '../errors.ts'

/** How long a peer may take to hear that the time is up, before its channel is cut. Unit: milliseconds. */
export const lastWords = 1_000

/** Those that are open. */
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
   * Says at both ends of each that it should end, and ends those that are left after `timeout`.
   *
   * @param timeout - unit: milliseconds.
   * @returns once none is open.
   */
  async close(timeout: number): Promise<void> {
    const channels = [...this.#open]
    const late = new ChannelError('GOING_AWAY', `the client was closed, and ${timeout} ms are over`, { side: 'local' })
    for (const channel of channels) coreOf(channel).startDraining()
    const end = (): void => {
      for (const channel of this.#open) coreOf(channel).closeWithError(late)
      // One that does not read does not see that either.
      timer = this.#clock.setTimer(cut, lastWords, undefined)
    }
    const cut = (): void => {
      for (const channel of this.#open) coreOf(channel).reset(late)
    }
    let timer = this.#clock.setTimer(end, timeout, undefined)
    await Promise.all(channels.map(async (channel) => channel.closed))
    this.#clock.clearTimer(timer)
  }
}

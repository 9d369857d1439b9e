import { addAbortListener, removeAbortListener } from '@h2channel/conn/web'

import { type Clock, systemClock } from './clock.ts'
import { ChannelError, givenUp } from './errors.ts'
import { platform } from './platform.ts'

/** Somebody waits for what comes after the delay: unlike a channel's timers, these keep the process alive. */
const awake: Clock = { ...systemClock, setTimer: platform.setTimeout }

/** The delays of a client: each ends when its time is up, and before that with its signal or with the client. */
export class Delays {
  readonly #clock: Clock
  readonly #running = new Set<() => void>()
  #isClosed = false

  constructor(clock: Clock = awake) {
    this.#clock = clock
  }

  /**
   * @param delay - 0 is over at once. Unit: milliseconds.
   * @throws ChannelError `TIMEOUT` or `CANCELLED` from the signal, `CLOSED` after `close()`.
   */
  async wait(delay: number, signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      if (delay <= 0 || this.#isOver(signal)) {
        resolve()
        return
      }
      const end = (): void => {
        this.#clock.clearTimer(timer)
        this.#running.delete(end)
        if (signal !== undefined) removeAbortListener(signal, end)
        resolve()
      }
      const timer = this.#clock.setTimer(end, delay, undefined)
      this.#running.add(end)
      if (signal !== undefined) addAbortListener(signal, end)
    })
    if (signal?.aborted === true) throw givenUp('opening the channel', signal.reason)
    if (this.#isClosed) throw new ChannelError('CLOSED', 'the client was closed before a channel could be opened')
  }

  #isOver(signal: AbortSignal | undefined): boolean {
    return this.#isClosed || signal?.aborted === true
  }

  /** Ends those that run, and any later one at once. */
  close(): void {
    this.#isClosed = true
    for (const end of this.#running) end()
  }
}

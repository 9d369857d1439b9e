import { addAbortListener, removeAbortListener } from '@h2channel/conn/web'

import { type Clock, systemClock } from '../runtime/clock.ts'
import { platform } from '../runtime/platform.ts'

/** Somebody waits for what comes after the delay: unlike a channel's timers, these keep the process alive. */
export const awake: Clock = { ...systemClock, setTimer: platform.setTimeout }

/**
 * Waits until the time is up.
 *
 * @param delay - 0 is over at once. Unit: milliseconds.
 * @throws the reason of `signal`, as soon as it has aborted.
 */
export async function waitFor(clock: Clock, delay: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (delay <= 0 || signal.aborted) {
      resolve()
      return
    }
    const end = (): void => {
      clock.clearTimer(timer)
      removeAbortListener(signal, end)
      resolve()
    }
    const timer = clock.setTimer(end, delay, undefined)
    addAbortListener(signal, end)
  })
  signal.throwIfAborted()
}

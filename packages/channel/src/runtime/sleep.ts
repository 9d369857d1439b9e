import { abortable } from '@h2channel/conn/internal'

import type { Clock } from './clock.ts'

/** Waits for `delay` milliseconds. Throws the reason of the signal. */
export async function sleep(clock: Clock, delay: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (delay === 0) return
  let timer: unknown
  const timeUp = new Promise<void>((resolve) => {
    timer = clock.setTimer(resolve, delay, undefined)
  })
  await abortable(timeUp, signal).finally(() => clock.clearTimer(timer))
}

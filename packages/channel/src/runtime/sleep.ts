import { abortable } from '@h2channel/conn/internal'

import type { Clock } from './clock.ts'

/** Waits for `delay` milliseconds. Throws the reason of the first signal that aborts. */
export async function sleep(clock: Clock, delay: number, ...signals: readonly AbortSignal[]): Promise<void> {
  for (const signal of signals) signal.throwIfAborted()
  if (delay === 0) return
  let timer: unknown
  const timeUp = new Promise<void>((resolve) => {
    timer = clock.setTimer(resolve, delay, undefined)
  })
  await signals.reduce(abortable, timeUp).finally(() => clock.clearTimer(timer))
}

import type { Clock } from '../runtime/clock.ts'
import { platform } from '../runtime/platform.ts'

/** A clock that stands still until it is moved. */
export interface TestClock extends Clock {
  /**
   * Moves the clock on. Timers that are due by then fire in order, each at its time, and what they make channels of
   * `channelPair` send has arrived before the next fires.
   */
  advance(milliseconds: number): Promise<void>
  /** How many timers are set. */
  readonly timers: number
}

/**
 * A clock for tests of what happens after a while: heartbeats, and peers that are gone.
 *
 * @example
 * ```ts
 * const clock = testClock()
 * const [client, server] = channelPair(quotes, { clock })
 * await clock.advance(60_000)
 * ```
 */
export function testClock(): TestClock {
  let now = 0
  const timers = new Set<{ readonly at: number; readonly fire: () => void }>()
  return {
    now: () => now,
    setTimer(task, delay, subject) {
      const timer = { at: now + delay, fire: () => task(subject) }
      timers.add(timer)
      return timer
    },
    clearTimer: (timer) => void timers.delete(timer as never),
    get timers() {
      return timers.size
    },
    async advance(milliseconds) {
      const end = now + milliseconds
      // What was sent before arrives before.
      await settle()
      for (;;) {
        const [first] = [...timers].filter(({ at }) => at <= end).toSorted((left, right) => left.at - right.at)
        if (first === undefined) break
        timers.delete(first)
        now = Math.max(now, first.at)
        first.fire()
        await settle()
      }
      now = end
    },
  }
}

/** A pipe hands its bytes over in a turn of its own: there, and back again, with one to spare at each end. */
const turnsToSettle = 6

/** Taken when the module is loaded, so that a test's fake timers don't stop it. */
const { setImmediate, setTimeout } = platform

async function settle(): Promise<void> {
  for (let turn = 0; turn < turnsToSettle; turn++) await nextTurn()
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (setImmediate === undefined) setTimeout(resolve, 0, undefined)
    else setImmediate(resolve, undefined)
  })
}

import type { Clock } from '../runtime/clock.ts'
import { platform } from '../runtime/clock.ts'

/** A clock that stands still until a test advances it. */
export interface TestClock extends Clock {
  /**
   * Advances the clock. Timers that are due by then fire in order, each at its time. Before the next one fires, the
   * messages that channels of `channelPair` sent because of it have arrived.
   */
  advance(milliseconds: number): Promise<void>
  /** The number of pending timers. */
  readonly timers: number
}

/**
 * Creates a clock for tests of timeouts: heartbeats, and peers that stop responding.
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
      // What was sent earlier arrives first.
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

/** A pipe needs a turn of the event loop for each direction. The rest is a margin. */
const turnsToSettle = 6

/** The timers from before a test runner replaced them: fake ones would stop this clock. */
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

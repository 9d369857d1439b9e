/** When a session pings while responses are awaited: 50, 150 and 350 ms after the last request. */
import { beforeEach, expect, it, vi } from 'vitest'

import { ResponsePings } from '../../src/http2/keep-alive.ts'

const clock = vi.hoisted(() => {
  interface Timer {
    readonly due: number
    readonly run: () => void
    unref(): Timer
  }
  const timers = new Set<Timer>()
  const state = { at: 0, timers }
  return {
    state,
    now: () => state.at,
    setTimeout(run: (argument: unknown) => void, delay: number, argument: unknown): Timer {
      const timer: Timer = { due: state.at + delay, run: () => run(argument), unref: () => timer }
      timers.add(timer)
      return timer
    },
    clearTimeout: (timer: Timer) => void timers.delete(timer),
    advanceTo(at: number) {
      for (;;) {
        const [next] = [...timers].toSorted((one, other) => one.due - other.due)
        if (next === undefined || next.due > at) break
        timers.delete(next)
        state.at = next.due
        next.run()
      }
      state.at = at
    },
  }
})

vi.mock('../../src/runtime/timers.ts', async (original) => ({
  ...(await original<object>()),
  now: clock.now,
  setTimeout: clock.setTimeout,
  clearTimeout: clock.clearTimeout,
}))

let pinged: number[]
let pings: ResponsePings

beforeEach(() => {
  clock.state.at = 0
  clock.state.timers.clear()
  pinged = []
  pings = new ResponsePings(() => void pinged.push(clock.state.at))
})

it('pings three times for a response that does not come', () => {
  pings.onRequest()
  clock.advanceTo(1_000)
  expect(pinged).toEqual([50, 150, 350])
})

it('counts from the last request, also where pings for another wait', () => {
  pings.onRequest()
  clock.advanceTo(155)
  pings.onRequest()
  clock.advanceTo(1_000)
  expect(pinged.slice(2)).toEqual([205, 305, 505])
})

it('is postponed by steady requests, and ends with the last answer', () => {
  for (let at = 0; at <= 120; at += 30) {
    clock.advanceTo(at)
    pings.onRequest()
  }
  expect(pinged).toEqual([])
  clock.advanceTo(175)
  for (let count = 0; count < 5; count += 1) pings.onAnswer()
  clock.advanceTo(1_000)
  expect(pinged).toEqual([170])
})

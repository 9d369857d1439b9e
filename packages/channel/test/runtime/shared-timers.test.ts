import { expect, test } from 'vitest'

import { SharedTimers } from '../../src/runtime/shared-timers.ts'
import { testClock } from '../../src/testing.ts'

function timed(called: string[], name: string, onTime?: () => void) {
  return {
    onTime: () => {
      called.push(name)
      onTime?.()
    },
  }
}

test('SharedTimers: one timer of the clock for what is due at the same time', async () => {
  const clock = testClock()
  const timers = SharedTimers.of(clock)
  const called: string[] = []
  const time = Math.ceil(clock.now()) + 10
  for (const name of ['a', 'b', 'c']) timers.add(time, timed(called, name))
  timers.add(time + 5, timed(called, 'later'))
  expect(clock.timers).toBe(2)
  await clock.advance(time - clock.now())
  expect(called).toEqual(['a', 'b', 'c'])
  expect(clock.timers).toBe(1)
  await clock.advance(5)
  expect(called).toEqual(['a', 'b', 'c', 'later'])
  expect(clock.timers).toBe(0)
})

test('SharedTimers: the same for all of a clock, another for another clock', () => {
  const clock = testClock()
  expect(SharedTimers.of(clock)).toBe(SharedTimers.of(clock))
  expect(SharedTimers.of(testClock())).not.toBe(SharedTimers.of(clock))
})

test('SharedTimers: a removed entry is not called, and removing the last one clears the timer', async () => {
  const clock = testClock()
  const timers = SharedTimers.of(clock)
  const called: string[] = []
  const time = Math.ceil(clock.now()) + 10
  const [first, second] = [timed(called, 'first'), timed(called, 'second')]
  const group = timers.add(time, first)
  expect(timers.add(time, second)).toBe(group)
  timers.remove(group, first)
  timers.remove(group, first)
  expect(clock.timers).toBe(1)
  timers.remove(group, second)
  expect(clock.timers).toBe(0)
  await clock.advance(20)
  expect(called).toEqual([])
})

test('SharedTimers: one that is called removes another that is due at the same time', async () => {
  const clock = testClock()
  const timers = SharedTimers.of(clock)
  const called: string[] = []
  const time = Math.ceil(clock.now()) + 10
  const second = timed(called, 'second')
  const first = timed(called, 'first', () => timers.remove(group, second))
  const group = timers.add(time, first)
  for (const one of [second, timed(called, 'third')]) timers.add(time, one)
  await clock.advance(20)
  expect(called).toEqual(['first', 'third'])
  expect(clock.timers).toBe(0)
})

test('SharedTimers: one that throws keeps no other from being called', async () => {
  const clock = testClock()
  const timers = SharedTimers.of(clock)
  const called: string[] = []
  const time = Math.ceil(clock.now()) + 10
  const bad = timed(called, 'bad', () => {
    throw new Error('bad')
  })
  timers.add(time, bad)
  for (const name of ['a', 'b']) timers.add(time, timed(called, name))
  await expect(clock.advance(10)).rejects.toThrow('bad')
  timers.add(time, timed(called, 'c'))
  await clock.advance(10)
  expect(called).toEqual(['bad', 'a', 'b', 'c'])
  expect(clock.timers).toBe(0)
})

test('SharedTimers: one that is called adds itself again', async () => {
  const clock = testClock()
  const timers = SharedTimers.of(clock)
  const called: string[] = []
  const time = Math.ceil(clock.now()) + 10
  const again = timed(called, 'again', () => {
    // For the same time, too: a clock may call too early.
    if (called.length < 3) timers.add(time, again)
  })
  timers.add(time, again)
  await clock.advance(100)
  expect(called).toEqual(['again', 'again', 'again'])
  expect(clock.timers).toBe(0)
})

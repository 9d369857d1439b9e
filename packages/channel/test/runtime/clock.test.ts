import { afterEach, expect, test, vi } from 'vitest'

import { turnEnd } from '../../src/runtime/turn-end.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

/** Begins a turn, and notes what happens in it before `turnEnd` and the next I/O. */
function order(begin: (turn: () => void) => void, ends: typeof turnEnd): Promise<string[]> {
  return new Promise((resolve) => {
    const events: string[] = []
    begin(() => {
      setImmediate(() => {
        events.push('next I/O')
        resolve(events)
      })
      ends.add({ onTurnEnd: () => void events.push('turn end') })
      const promises = async (): Promise<void> => {
        for (let round = 0; round < 3; round++) {
          await Promise.resolve()
          events.push('promise')
        }
      }
      void promises()
    })
  })
}

test.each([
  ['a callback of I/O', (turn: () => void) => void setImmediate(turn)],
  ['a promise', (turn: () => void) => void Promise.resolve().then(turn)],
  ['a tick', (turn: () => void) => process.nextTick(turn)],
])('turnEnd: comes after the promises and before the next I/O in a turn that began with %s', async (_what, begin) => {
  expect(await order(begin, turnEnd)).toEqual(['promise', 'promise', 'promise', 'turn end', 'next I/O'])
})

test.each([
  ['setImmediate', undefined],
  ['setTimeout', { setImmediate: undefined }],
])('turnEnd: does with %s where there are no ticks', async (_what, missing) => {
  vi.resetModules()
  vi.stubGlobal('process', undefined)
  if (missing !== undefined) vi.stubGlobal('setImmediate', undefined)
  const { turnEnd: elsewhere } = await import('../../src/runtime/turn-end.ts')
  const events: string[] = []
  const over = new Promise<void>((resolve) => {
    elsewhere.add({
      onTurnEnd: () => {
        events.push('turn end')
        resolve()
      },
    })
  })
  await Promise.resolve().then(() => events.push('promise'))
  await over
  expect(events).toEqual(['promise', 'turn end'])
})

test('turnEnd: one that throws takes no turn from the others', async () => {
  const events: string[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.once('uncaughtException', (error) => events.push(error.message))
  turnEnd.add({
    onTurnEnd: () => {
      throw new Error('one')
    },
  })
  // After an exception, Node continues with its ticks in a turn of its own.
  await new Promise<void>((resolve) => {
    turnEnd.add({
      onTurnEnd: () => {
        events.push('two')
        resolve()
      },
    })
  })
  for (const listener of listeners) process.on('uncaughtException', listener)
  expect(events).toEqual(['one', 'two'])
})

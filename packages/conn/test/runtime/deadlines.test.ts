import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

import { setDeadline } from '../../src/internal.ts'

test('setDeadline: calls in order, but none that was cancelled', async () => {
  const called: string[] = []
  await new Promise<void>((resolve) => {
    setDeadline(() => called.push('a'), 7, true)
    const cancelled = setDeadline(() => called.push('b'), 7, true)
    setDeadline(() => called.push('c'), 7, true)
    cancelled.cancel()
    cancelled.cancel()
    setDeadline(resolve, 7, true)
  })
  expect(called).toEqual(['a', 'c'])
})

test('setDeadline: one that is set by another of the same delay is called too', async () => {
  const called: string[] = []
  await new Promise<void>((resolve) => {
    setDeadline(
      () => {
        called.push('a')
        setDeadline(resolve, 3, true)
      },
      3,
      true,
    )
    setDeadline(() => called.push('b'), 3, true)
  })
  expect(called).toEqual(['a', 'b'])
})

test.each([
  ['a deadline that keeps it alive', 'setDeadline(() => console.log("late"), 20, true)', 'late'],
  ['one that does not', 'setDeadline(() => console.log("late"), 20, false)', ''],
  ['a cancelled one', 'setDeadline(() => console.log("late"), 20, true).cancel()', ''],
  [
    'one after a cancelled one',
    'const set = () => setDeadline(() => console.log("late"), 20, true)\nset().cancel()\nset()',
    'late',
  ],
])('setDeadline: a process with %s', async (_, program, printed) => {
  const source = new URL('../../src/internal.ts', import.meta.url).href
  const script = `import { setDeadline } from ${JSON.stringify(source)}\n${program}`
  const args = ['--import', 'tsx', '--input-type=module', '-e', script]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  expect(stdout.trim()).toBe(printed)
})

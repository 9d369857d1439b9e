import { getEventListeners, once } from 'node:events'
import { expect, test } from 'vitest'

import { addAbortListener, removeAbortListener } from '../../src/waits/abort-listeners.ts'
import { pipe } from '../../src/transports/memory-pipe.ts'

test('addAbortListener: calls each listener once, in order, and no removed one', () => {
  const controller = new AbortController()
  const called: string[] = []
  const removed = (): void => void called.push('b')
  addAbortListener(controller.signal, () => called.push('a'))
  addAbortListener(controller.signal, removed)
  addAbortListener(controller.signal, () => called.push('c'))
  removeAbortListener(controller.signal, removed)
  controller.abort()
  controller.abort()
  expect(called).toEqual(['a', 'c'])
})

test('addAbortListener: a listener may remove another', () => {
  const controller = new AbortController()
  const called: string[] = []
  const second = (): void => void called.push('second')
  addAbortListener(controller.signal, () => removeAbortListener(controller.signal, second))
  addAbortListener(controller.signal, second)
  controller.abort()
  expect(called).toEqual([])
})

test('addAbortListener: calls no listener that is added after the abort, even by a listener', () => {
  const controller = new AbortController()
  const { signal } = controller
  const called: string[] = []
  const late = (): void => void called.push('late')
  for (const name of ['a', 'b']) {
    addAbortListener(signal, () => {
      called.push(name)
      addAbortListener(signal, late)
    })
  }
  controller.abort()
  addAbortListener(signal, late)
  expect(called).toEqual(['a', 'b'])
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('addAbortListener: a listener that throws does not keep others from being called', async () => {
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const controller = new AbortController()
  const failures = ['a', 'b'].map((name) => new Error(name))
  const called: string[] = []
  const caught: unknown[] = []
  try {
    for (const failure of failures) {
      addAbortListener(controller.signal, () => {
        throw failure
      })
    }
    addAbortListener(controller.signal, () => called.push('c'))
    const all = new Promise<void>((resolve) => {
      process.on('uncaughtException', (error) => {
        if (caught.push(error) === failures.length) resolve()
      })
    })
    controller.abort()
    expect(called).toEqual(['c'])
    await all
    expect(caught).toEqual(failures)
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const listener of others) process.on('uncaughtException', listener)
  }
})

test('removeAbortListener: all waits share one listener, which leaves the signal with the last', () => {
  const { signal } = new AbortController()
  const listeners = Array.from({ length: 100 }, () => () => {})
  for (let round = 0; round < 2; round++) {
    for (const listener of listeners) addAbortListener(signal, listener)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    for (const listener of [...listeners, ...listeners]) removeAbortListener(signal, listener)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  }
})

test('thousands of reads of many conns share one listener of a signal, without a warning', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  const conns = Array.from({ length: 100 }, () => pipe())
  const reads = conns.flatMap(([conn]) => Array.from({ length: 20 }, () => conn.read({ signal })))
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  controller.abort(new Error('enough'))
  const outcomes = await Promise.allSettled(reads)
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(2_000)
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  // Node's own warnings come in order: what was to be warned of before has been.
  process.emitWarning('the last')
  await once(process, 'warning')
  process.off('warning', onWarning)
  expect(warnings.map(({ message }) => message)).toEqual(['the last'])
  for (const [conn] of conns) conn.abort()
})

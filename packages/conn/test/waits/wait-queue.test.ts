import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'

import { abortError, ConnError } from '../../src/errors.ts'
import { WaitQueue } from '../../src/internal.ts'
import { failure } from '../support/support.ts'

function testAborted(reason: unknown): ConnError {
  return abortError('the test', reason)
}

test('take: returns the waits in order, to be resolved or rejected', async () => {
  const queue = new WaitQueue<string, number>(testAborted)
  const waits = [queue.add('a', undefined), queue.add('b', new AbortController().signal), queue.add('c', undefined)]
  expect(queue.size).toBe(3)
  const first = queue.take()
  expect(first?.item).toBe('a')
  first?.resolve(1)
  queue.take()?.resolve(2)
  queue.take()?.reject(new ConnError('CLOSED', 'the test has ended'))
  expect(queue.take()).toBeUndefined()
  expect(queue.size).toBe(0)
  expect(await waits[0]).toBe(1)
  expect(await waits[1]).toBe(2)
  await failure(Promise.resolve(waits[2]), 'CLOSED')
})

test('add: all queues that wait for a signal share one listener, which leaves with the last wait', async () => {
  const controller = new AbortController()
  const queues = Array.from({ length: 50 }, () => new WaitQueue<string, number>(testAborted))
  const waits = queues.flatMap((queue) => [queue.add('a', controller.signal), queue.add('b', controller.signal)])
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
  for (const queue of queues) queue.take()?.resolve(1)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
  controller.abort()
  const outcomes = await Promise.allSettled(waits)
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(50)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
})

test('add: removes a wait when its signal aborts, and leaves the others', async () => {
  const queue = new WaitQueue<string, number>(testAborted)
  const controller = new AbortController()
  const first = queue.add('a', undefined)
  const second = queue.add('b', controller.signal)
  const third = queue.add('c', undefined)
  controller.abort('why')
  const error = await failure(second, 'CANCELLED')
  expect(error).toMatchObject({ side: 'local', fatal: false, cause: 'why' })
  expect(error.message).toContain('the test')
  expect(queue.size).toBe(2)
  queue.take()?.resolve(1)
  queue.take()?.resolve(3)
  expect(await Promise.all([first, third])).toEqual([1, 3])
})

test('add: removes the first wait too, and the next becomes the first', async () => {
  const queue = new WaitQueue<string, number>(testAborted)
  const controller = new AbortController()
  const first = queue.add('a', controller.signal)
  const second = queue.add('b', undefined)
  const third = queue.add('c', undefined)
  controller.abort()
  await failure(first, 'CANCELLED')
  const fourth = queue.add('d', undefined)
  expect(queue.size).toBe(3)
  const items: string[] = []
  for (let next = queue.take(); next !== undefined; next = queue.take()) {
    items.push(next.item)
    next.resolve(items.length)
  }
  expect(items).toEqual(['b', 'c', 'd'])
  expect(await Promise.all([second, third, fourth])).toEqual([1, 2, 3])
})

test('add: ignores a signal that aborts afterwards', async () => {
  const queue = new WaitQueue<null, number>(testAborted)
  const controller = new AbortController()
  const resolved = queue.add(null, controller.signal)
  queue.take()?.resolve(1)
  const rejected = queue.add(null, controller.signal)
  queue.fail(new ConnError('ABORTED', 'the test has ended'))
  controller.abort()
  expect(await resolved).toBe(1)
  await failure(rejected, 'ABORTED')
})

test('fail: rejects all waits with the same error', async () => {
  const queue = new WaitQueue<number, void>(testAborted)
  const waits = [queue.add(1, undefined), queue.add(2, new AbortController().signal)]
  const error = new ConnError('ABORTED', 'the test has ended')
  queue.fail(error)
  expect(queue.size).toBe(0)
  for (const wait of waits) expect(await failure(wait, 'ABORTED')).toBe(error)
})

test('withdraw: resolves all waits of an item, and leaves the others in order', async () => {
  const queue = new WaitQueue<string, number>(testAborted)
  const { signal } = new AbortController()
  const waits = ['a', 'b', 'a', 'c', 'a'].map((item) => queue.add(item, signal))
  queue.withdraw('a', 1)
  expect(queue.size).toBe(2)
  expect(queue.take()?.item).toBe('b')
  expect(await Promise.all([waits[0], waits[2], waits[4]])).toEqual([1, 1, 1])
  queue.withdraw('c', 2)
  queue.withdraw('c', 3)
  expect(await waits[3]).toBe(2)
  expect(queue.size).toBe(0)
  expect(queue.take()).toBeUndefined()
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

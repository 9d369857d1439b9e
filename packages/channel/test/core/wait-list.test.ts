import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'

import { ChannelError, givenUp } from '../../src/errors.ts'
import { WaitList } from '../../src/core/wait-list.ts'
import { failure } from '../support/support.ts'

test('take: gives the waits in order, to be resolved or rejected', async () => {
  const list = new WaitList<string, number>('the test')
  const waits = [list.add('a', undefined), list.add('b', new AbortController().signal), list.add('c', undefined)]
  expect(list.size).toBe(3)
  const first = list.take()
  expect(first?.item).toBe('a')
  first?.resolve(1)
  list.take()?.resolve(2)
  list.take()?.reject(new ChannelError('CLOSED', 'over'))
  expect(list.take()).toBeUndefined()
  expect(list.size).toBe(0)
  expect(await waits[0]).toBe(1)
  expect(await waits[1]).toBe(2)
  await failure(Promise.resolve(waits[2]), 'CLOSED')
})

test('add: one listener of a signal for all lists that wait for it, none when they no longer do', async () => {
  const controller = new AbortController()
  const lists = Array.from({ length: 50 }, () => new WaitList<string, number>('the test'))
  const waits = lists.flatMap((list) => [list.add('a', controller.signal), list.add('b', controller.signal)])
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
  for (const list of lists) list.take()?.resolve(1)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
  controller.abort()
  const outcomes = await Promise.allSettled(waits)
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(50)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
})

test('add: takes a wait out when its signal aborts, and leaves the others', async () => {
  const list = new WaitList<string, number>('the test')
  const controller = new AbortController()
  const first = list.add('a', undefined)
  const second = list.add('b', controller.signal)
  const third = list.add('c', undefined)
  controller.abort('why')
  const error = await failure(second, 'CANCELLED')
  expect(error).toMatchObject({ side: 'local', fatal: false, cause: 'why' })
  expect(error.message).toContain('the test')
  expect(list.size).toBe(2)
  list.take()?.resolve(1)
  list.take()?.resolve(3)
  expect(await Promise.all([first, third])).toEqual([1, 3])
})

test('add: takes out the first, too, and the next has its place', async () => {
  const list = new WaitList<string, number>('the test')
  const controller = new AbortController()
  const first = list.add('a', controller.signal)
  const second = list.add('b', undefined)
  const third = list.add('c', undefined)
  controller.abort()
  await failure(first, 'CANCELLED')
  const fourth = list.add('d', undefined)
  expect(list.size).toBe(3)
  const items: string[] = []
  for (let next = list.take(); next !== undefined; next = list.take()) {
    items.push(next.item)
    next.resolve(items.length)
  }
  expect(items).toEqual(['b', 'c', 'd'])
  expect(await Promise.all([second, third, fourth])).toEqual([1, 2, 3])
})

test('add: takes no notice of a signal that aborts afterwards', async () => {
  const list = new WaitList<null, number>('the test')
  const controller = new AbortController()
  const resolved = list.add(null, controller.signal)
  list.take()?.resolve(1)
  const rejected = list.add(null, controller.signal)
  list.fail(new ChannelError('ABORTED', 'over'))
  controller.abort()
  expect(await resolved).toBe(1)
  await failure(rejected, 'ABORTED')
})

test('fail: rejects all that wait, with the same error', async () => {
  const list = new WaitList<number, void>('the test')
  const waits = [list.add(1, undefined), list.add(2, new AbortController().signal)]
  const error = new ChannelError('ABORTED', 'over')
  list.fail(error)
  expect(list.size).toBe(0)
  for (const wait of waits) expect(await failure(wait, 'ABORTED')).toBe(error)
})

test('givenUp: tells a deadline from a cancellation', async () => {
  const signal = AbortSignal.timeout(1)
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  expect(givenUp('the test', signal.reason)).toMatchObject({ code: 'TIMEOUT', side: 'local', cause: signal.reason })
  expect(givenUp('the test', AbortSignal.abort().reason)).toMatchObject({ code: 'CANCELLED' })
  expect(givenUp('the test', 'TimeoutError')).toMatchObject({ code: 'CANCELLED' })
})

import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'

import { abortable } from '../../src/internal.ts'
import { deferred } from '../support/support.ts'

test('abortable: settles as the promise does, and leaves nothing on the signal', async () => {
  const { signal } = new AbortController()
  const { promise, resolve } = deferred<number>()
  const waiting = abortable(promise, signal)
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  resolve(1)
  expect(await waiting).toBe(1)
  await expect(abortable(Promise.reject(new Error('no')), signal)).rejects.toThrow('no')
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('abortable: rejects with the reason of the signal', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const waiting = abortable(deferred().promise, signal)
  controller.abort('why')
  const late = abortable(Promise.resolve(1), signal)
  await expect(waiting).rejects.toBe('why')
  await expect(late).rejects.toBe('why')
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('abortable: a promise that rejects after the signal aborted is no unhandled rejection', async () => {
  const controller = new AbortController()
  const { promise, resolve } = deferred<never>()
  const waiting = abortable(promise, controller.signal)
  controller.abort('why')
  resolve(Promise.reject(new Error('too late')))
  await expect(waiting).rejects.toBe('why')
  await new Promise((done) => setImmediate(done))
})

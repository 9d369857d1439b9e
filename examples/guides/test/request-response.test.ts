import type { ServerChannel } from '@h2channel/channel'
import { createRouter } from '@h2channel/channel/server'
import { startServer } from '@h2channel/channel/testing'
import { once } from 'node:events'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { answerCalls, CallError, Calls, prices } from '../src/request-response.ts'

type Answer = (symbol: string, signal: AbortSignal) => Promise<number>

beforeEach(() => void vi.spyOn(console, 'error').mockReturnValue())
afterEach(() => void vi.restoreAllMocks())

async function start(answer: Answer, maxCalls?: number) {
  let channel: ServerChannel<typeof prices> | undefined
  const router = createRouter().handle(prices, async (opened) => {
    channel = opened
    await answerCalls(opened, async ({ symbol }, signal) => ({ price: await answer(symbol, signal) }), maxCalls)
  })
  const server = await startServer(router)
  const client = await server.client().open(prices)
  return {
    calls: new Calls(client),
    client,
    abort: () => channel?.abort(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** A promise that the test settles. */
function gate() {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

test('answers arrive in any order, each at its own call', async () => {
  const { open, opened } = gate()
  await using at = await start(async (symbol) => {
    if (symbol === 'SLOW') await opened
    return symbol.length
  })
  const slow = at.calls.call({ symbol: 'SLOW' })
  const others = ['A', 'BB', 'CCC'].map(async (symbol) => at.calls.call({ symbol }))
  expect(await Promise.all(others)).toEqual([{ price: 1 }, { price: 2 }, { price: 3 }])
  open()
  expect(await slow).toEqual({ price: 4 })
})

test('the error of one call leaves the others alone', async () => {
  const failures: Record<string, () => Error> = {
    UNKNOWN: () => new CallError('UNKNOWN_SYMBOL', 'there is no such symbol'),
    BUG: () => new TypeError('secret detail'),
  }
  await using at = await start((symbol) => {
    const failure = failures[symbol]
    return failure === undefined ? Promise.resolve(symbol === 'INVALID' ? Number.NaN : 1) : Promise.reject(failure())
  })
  const results = await Promise.allSettled(['UNKNOWN', 'BUG', 'SAP'].map(async (symbol) => at.calls.call({ symbol })))
  expect(results).toMatchObject([
    { status: 'rejected', reason: { code: 'UNKNOWN_SYMBOL', message: 'there is no such symbol' } },
    { status: 'rejected', reason: { code: 'INTERNAL', message: 'the call failed' } },
    { status: 'fulfilled', value: { price: 1 } },
  ])
  expect(console.error).toHaveBeenCalledExactlyOnceWith(expect.any(TypeError))
})

test('a signal cancels its own call, at the server too', async () => {
  const { open, opened } = gate()
  const cancelled: string[] = []
  await using at = await start(async (symbol, signal) => {
    if (symbol !== 'SLOW') return 1
    open()
    await once(signal, 'abort')
    cancelled.push(symbol)
    return 0
  })
  const controller = new AbortController()
  const slow = at.calls.call({ symbol: 'SLOW' }, controller.signal)
  const other = at.calls.call({ symbol: 'SAP' }, controller.signal)
  expect(await other).toEqual({ price: 1 })
  await opened
  const why = new Error('no longer wanted')
  controller.abort(why)
  await expect(slow).rejects.toBe(why)
  // The server reads messages in order, so it has cancelled the first call when it answers this one.
  expect(await at.calls.call({ symbol: 'ALV' })).toEqual({ price: 1 })
  expect(cancelled).toEqual(['SLOW'])
  await expect(at.calls.call({ symbol: 'SAP' }, controller.signal)).rejects.toBe(why)
  await expect(at.calls.call({ symbol: 'SLOW' }, AbortSignal.timeout(1))).rejects.toThrow(/timeout/)
})

test('all waiting calls fail when the channel fails, and their work is cancelled', async () => {
  const { open, opened } = gate()
  const { open: openCancelled, opened: cancelled } = gate()
  await using at = await start(async (_symbol, signal) => {
    open()
    await once(signal, 'abort')
    openCancelled()
    return 0
  })
  const waiting = ['SAP', 'ALV'].map(async (symbol) => at.calls.call({ symbol }))
  await opened
  at.abort()
  for (const call of waiting) await expect(call).rejects.toMatchObject({ code: 'PEER_ABORTED' })
  await expect(at.calls.call({ symbol: 'SAP' })).rejects.toMatchObject({ code: 'PEER_ABORTED' })
  await cancelled
})

test('calls that were sent before the end are answered, and later ones fail', async () => {
  await using at = await start((symbol) => Promise.resolve(symbol.length))
  const last = at.calls.call({ symbol: 'SAP' })
  await at.client.end()
  expect(await last).toEqual({ price: 3 })
  expect(await at.client.closed).toEqual({ clean: true })
  await expect(at.calls.call({ symbol: 'SAP' })).rejects.toMatchObject({ code: 'ENDED' })
})

test('a server refuses more calls than it can run, and answers again later', async () => {
  const { open, opened } = gate()
  await using at = await start(async () => {
    await opened
    return 1
  }, 2)
  const calls = ['A', 'B', 'C'].map(async (symbol) => at.calls.call({ symbol }))
  await expect(calls[2]).rejects.toMatchObject({ code: 'BUSY', message: '2 calls are running' })
  open()
  expect(await Promise.all(calls.slice(0, 2))).toEqual([{ price: 1 }, { price: 1 }])
  expect(await at.calls.call({ symbol: 'D' })).toEqual({ price: 1 })
})

import type { ClientChannel } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import type { Router } from '@h2channel/channel/server'
import { startServer } from '@h2channel/channel/testing'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'

import { answerCalls, createPriceClient, prices, reopening } from '../src/request-response.ts'

/** A promise that the test settles. */
function gate() {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

/** A service whose calls of SLOW wait until the test opens the gate. */
function service() {
  const { opened, open } = gate()
  const started: string[] = []
  const router = createRouter().handle(prices, async (channel) =>
    answerCalls(channel, async ({ symbol }) => {
      started.push(symbol)
      if (symbol === 'SLOW') await opened
      return { price: symbol.length }
    }),
  )
  return { router, started, open }
}

async function listen(router: Router, port: number) {
  const server = createServer()
  router.attach(server)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    const closed = once(server, 'close')
    server.close()
    await closed
  }
  return { port: (server.address() as AddressInfo).port, close }
}

test('a server drains and restarts while calls are on their way: none fails, and the next ones work', async () => {
  const [before, after] = [service(), service()]
  const first = await listen(before.router, 0)
  const { opened: draining, open: onDrain } = gate()
  const { opened: refused, open: onRetry } = gate()
  await using client = createClient(`http://127.0.0.1:${first.port}`, {
    retry: { maxAttempts: 1_000, maxDelay: 20 },
    onEvent({ type }) {
      if (type === 'drain') onDrain()
      if (type === 'retry') onRetry()
    },
  })
  const current = reopening(async () => client.open(prices))
  const ask = async (symbol: string): Promise<number> => (await (await current()).call({ symbol })).price

  const slow = ['SLOW', 'SLOW', 'SLOW'].map(ask)
  await expect.poll(() => before.started.length).toBe(3)
  const drained = before.router.drain({ timeout: 60_000 })
  await draining
  const meanwhile = ask('A') // while the server only answers the rest
  await refused
  before.open()
  expect(await Promise.all(slow)).toEqual([4, 4, 4])
  await drained
  await first.close()
  const inGap = ask('BB') // while there is no server
  const second = await listen(after.router, first.port)
  expect(await Promise.all([meanwhile, inGap])).toEqual([1, 2])
  expect(await ask('CCC')).toBe(3)
  expect(before.started).toEqual(['SLOW', 'SLOW', 'SLOW'])
  await client.close()
  await second.close()
})

test('the end of a channel that drained leaves the next one alone', async () => {
  const [before, after] = [service(), service()]
  await using first = await startServer(before.router)
  await using second = await startServer(after.router)
  const clients = [first.client(), second.client()]
  const channels: ClientChannel<typeof prices>[] = []
  const current = reopening(async () => {
    const channel = await clients[channels.length]?.open(prices)
    if (channel === undefined) throw new Error('no third channel was expected')
    channels.push(channel)
    return channel
  })
  const ask = async (symbol: string): Promise<number> => (await (await current()).call({ symbol })).price
  const slow = ask('SLOW')
  await expect.poll(() => before.started.length).toBe(1)
  const drained = before.router.drain({ timeout: 60_000 })
  await once(channels[0]?.draining ?? new EventTarget(), 'abort')
  expect(await ask('A')).toBe(1)
  before.open()
  expect(await slow).toBe(4)
  await drained
  expect(await channels[0]?.closed).toEqual({ clean: true })
  expect(await ask('BB')).toBe(2)
  expect(channels.length).toBe(2)
})

test('a channel that drains already is used for the call that opened it, and for no other', async () => {
  const { router } = service()
  await using server = await startServer(router)
  const client = server.client()
  let opened = 0
  const current = reopening(async () => {
    const channel = await client.open(prices)
    opened += 1
    if (opened > 1) return channel
    const draining = AbortSignal.abort()
    return new Proxy(channel, {
      get(target, name) {
        if (name === 'draining') return draining
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  })
  expect(await (await current()).call({ symbol: 'A' })).toEqual({ price: 1 })
  expect(await (await current()).call({ symbol: 'BB' })).toEqual({ price: 2 })
  expect(opened).toBe(2)
})

test('a channel that the server ends or breaks is followed by another', async () => {
  let opened = 0
  let breakChannel = (): void => {}
  const router = createRouter().handle(prices, async (channel) => {
    opened += 1
    breakChannel = () => channel.abort()
    const question = await channel.receive()
    if (question?.type !== 'call') throw new Error('a call was expected')
    await channel.send({ type: 'result', id: question.id, body: { price: opened } })
    if (opened % 2 === 0) await channel.receive() // Others end now.
  })
  await using server = await startServer(router)
  const client = server.client()
  const current = reopening(async () => client.open(prices))
  for (const price of [1, 2, 3, 4]) {
    const calls = await current()
    expect(await calls.call({ symbol: 'A' })).toEqual({ price })
    if (price % 2 === 0) breakChannel()
    await calls.ended
  }
})

test('an open that fails is tried again by the next call', async () => {
  const { router } = service()
  await using server = await startServer(router)
  const client = server.client()
  let attempts = 0
  const current = reopening(async () => {
    attempts += 1
    if (attempts === 1) throw new Error('not now')
    return client.open(prices)
  })
  await expect(current()).rejects.toThrow('not now')
  expect(await (await current()).call({ symbol: 'A' })).toEqual({ price: 1 })
})

test('the client of the guide asks by one channel, and closes', async () => {
  const { router } = service()
  await using server = await startServer(router)
  const client = createPriceClient(server.origin)
  expect(await client.priceOf('A')).toBe(1)
  expect(await client.priceOf('BB')).toBe(2)
  await client.close()
})

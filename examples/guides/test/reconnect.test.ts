import { createClient } from '@h2channel/channel/client'
import type { Client } from '@h2channel/channel/client'
import { createRouter, Refusal } from '@h2channel/channel/server'
import type { Router } from '@h2channel/channel/server'
import { testClock } from '@h2channel/channel/testing'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { serveFeeds, Topic } from '../src/fan-out.ts'
import type { Update } from '../src/feed.ts'
import { createFeedClient, follow } from '../src/reconnect.ts'

beforeEach(() => void vi.spyOn(console, 'warn').mockReturnValue())
afterEach(() => void vi.restoreAllMocks())

interface Instance extends AsyncDisposable {
  readonly router: Router
  readonly port: number
  readonly origin: string
  /** Breaks every connection. */
  cut(): void
}

/** One instance of the service. All of them share the topics, as they would share a store. */
async function start(topic: Topic, port = 0, router = createRouter()): Promise<Instance> {
  serveFeeds(router, new Map([['news', topic]]))
  const server = createServer()
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => void sockets.add(socket))
  router.attach(server)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
    sockets.clear()
  }
  return {
    router,
    port: address.port,
    origin: `http://127.0.0.1:${address.port}`,
    cut,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      cut()
      await closed
    },
  }
}

/** Follows the topic, and publishes an update for each that arrives. A step runs after the update of its number. */
async function followAll(client: Client, topic: Topic, count: number, steps: Record<number, () => unknown>) {
  const stop = new AbortController()
  const received: Update[] = []
  topic.publish('1')
  const following = follow(
    client,
    'news',
    async (update) => {
      received.push(update)
      if (received.length === count) return stop.abort()
      await steps[received.length]?.()
      topic.publish(String(received.length + 1))
    },
    { signal: stop.signal },
  )
  await expect(following).rejects.toMatchObject({ code: 'CANCELLED' })
  return received.map(({ seq, text }) => (String(seq) === text ? seq : Number.NaN))
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)

test('the sequence is complete across connections that break', async () => {
  const topic = new Topic()
  await using server = await start(topic)
  await using client = createFeedClient([server.origin], () => Promise.resolve('token'))
  const cut = (): void => server.cut()
  expect(await followAll(client, topic, 30, { 5: cut, 6: cut, 20: cut })).toEqual(upTo(30))
})

test('the sequence is complete across a restart of the server', async () => {
  const topic = new Topic()
  let server = await start(topic)
  await using client = createFeedClient([server.origin], () => Promise.resolve('token'))
  const restart = async (): Promise<void> => {
    await server[Symbol.asyncDispose]()
    server = await start(topic, server.port)
  }
  expect(await followAll(client, topic, 20, { 7: restart, 12: restart })).toEqual(upTo(20))
  await server[Symbol.asyncDispose]()
})

test('the sequence is complete when the instances drain, one after the other', async () => {
  const topic = new Topic()
  await using first = await start(topic)
  await using second = await start(topic)
  await using third = await start(topic)
  await using client = createFeedClient(
    [first, second, third].map(({ origin }) => origin),
    () => Promise.resolve('token'),
  )
  const drain = (instance: Instance) => async (): Promise<void> => instance.router.drain()
  expect(await followAll(client, topic, 30, { 10: drain(first), 20: drain(second) })).toEqual(upTo(30))
})

test('a channel whose token expires is followed by one with another token', async () => {
  const topic = new Topic()
  const clock = testClock()
  const tokens: string[] = []
  const router = createRouter({
    clock,
    authorize({ headers }) {
      tokens.push(String(headers.authorization))
      return { expiresAt: new Date(Date.now() + 60_000) }
    },
  })
  await using server = await start(topic, 0, router)
  let count = 0
  await using client = createFeedClient([server.origin], () => Promise.resolve(`token-${(count += 1)}`))
  // Shortly before it expires, the channel drains.
  const steps = { 2: () => clock.advance(59_000), 4: () => clock.advance(60_000) }
  expect(await followAll(client, topic, 6, steps)).toEqual(upTo(6))
  expect(tokens).toEqual(['Bearer token-1', 'Bearer token-2', 'Bearer token-3'])
})

test('an error that no other channel mends ends it', async () => {
  const topic = new Topic()
  const router = createRouter({
    authorize() {
      throw new Refusal(403, 'not you')
    },
  })
  await using server = await start(topic, 0, router)
  await using client = createClient(server.origin)
  await expect(follow(client, 'news', () => {})).rejects.toMatchObject({ code: 'REFUSED' })
})

test('an error of the program that handles an update ends it', async () => {
  const topic = new Topic()
  await using server = await start(topic)
  await using client = createFeedClient([server.origin], () => Promise.resolve('token'))
  topic.publish('one')
  const mistake = new Error('a mistake')
  await expect(follow(client, 'news', () => Promise.reject(mistake))).rejects.toBe(mistake)
})

test('the signal ends it between two attempts, too', async () => {
  const topic = new Topic()
  const server = await start(topic)
  await using client = createFeedClient([server.origin], () => Promise.resolve('token'))
  topic.publish('one')
  const stop = new AbortController()
  const received: number[] = []
  const following = follow(client, 'news', ({ seq }) => void received.push(seq), { signal: stop.signal })
  await expect.poll(() => received).toEqual([1])
  await server[Symbol.asyncDispose]()
  await vi.waitFor(() => expect(console.warn).toHaveBeenCalled())
  stop.abort()
  await expect(following).rejects.toMatchObject({ code: 'CANCELLED' })
})

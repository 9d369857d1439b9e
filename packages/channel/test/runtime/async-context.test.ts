/** Code that serves several callers keeps no `AsyncLocalStorage` store, and each caller's code has its own. */
import { json } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'
import { accept, connect, SessionPool } from '@h2channel/conn'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import { AsyncLocalStorage } from 'node:async_hooks'
import { createSecureServer, createServer } from 'node:http2'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'

import { defineRoute } from '../../src/index.ts'
import { channelPair } from '../../src/testing.ts'
import { serve } from '../support/server-support.ts'
import { failOnUnhandledRejections } from '../support/support.ts'

failOnUnhandledRejections()
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const storage = new AsyncLocalStorage<object>()
const route = defineRoute('/echo', { client: json<number>(), server: json<number>() })

/** Runs `run` with a store that nothing else refers to. */
async function withStore<Result>(run: () => Promise<Result>): Promise<{ store: WeakRef<object>; result: Result }> {
  const store = { large: Array.from({ length: 1_000 }, () => 0) }
  return { store: new WeakRef(store), result: await storage.run(store, run) }
}

/** V8 says of no garbage when it will be found: it is looked for some times. */
async function isCollected(store: WeakRef<object>): Promise<boolean> {
  for (let looks = 0; looks < 100 && store.deref() !== undefined; looks += 1) {
    await delay(5)
    collectGarbage()
  }
  return store.deref() === undefined
}

async function echo(conn: Conn): Promise<void> {
  await conn.write(new Uint8Array(100))
  for (let left = 100; left > 0;) left -= (await conn.read())?.length ?? left
}

/** Pings all the time. */
const restless = { pingInterval: 20, pingTimeout: 10_000 }

async function startEcho(tls: boolean): ReturnType<typeof listen> {
  const made = tls ? await makeCertificate() : undefined
  const server = made === undefined ? createServer() : createSecureServer(made)
  server.on('stream', (stream, headers) => {
    void (async () => {
      const conn = await accept(stream, headers)
      for await (const chunk of conn) await conn.write(chunk)
      await conn.close()
    })().catch(() => {})
  })
  return await listen(server, made)
}

test.each([{ tls: false }, { tls: true }])(
  'the store of who opened a connection is let go while others use it (TLS: $tls)',
  async ({ tls }) => {
    await using server = await startEcho(tls)
    await using sessions = new SessionPool({ ...restless, closeTimeout: 20 })
    const options = { sessions, tls: server.tls }
    const { store } = await withStore(async () => {
      const conn = await connect(server.origin, options)
      await echo(conn)
      await conn.close()
    })
    const other = await connect(server.origin, options)
    expect(await isCollected(store)).toBe(true)
    await echo(other)
    expect(sessions.size).toBe(1)
    other.abort()
  },
)

test('so is that of who opened one and left it idle, or woke it up', async () => {
  await using server = await startEcho(false)
  await using sessions = new SessionPool({ ...restless, closeTimeout: 20 })
  const { store: first } = await withStore(async () => {
    await (await connect(server.origin, { sessions })).close()
  })
  expect(await isCollected(first)).toBe(true)
  const { store: second, result: other } = await withStore(async () => {
    const conn = await connect(server.origin, { sessions })
    const result = await storage.exit(() => connect(server.origin, { sessions }))
    await conn.close()
    return result
  })
  expect(await isCollected(second)).toBe(true)
  await echo(other)
  expect(sessions.size).toBe(1)
  other.abort()
})

test('so is that of who wrote more than the peer took, and of who aborted it', async () => {
  const server = createServer()
  // Reads the second alone.
  server.on('stream', (stream, headers) => {
    stream.respond({ ':status': 200 })
    stream.on('error', () => {})
    if (headers[':path'] === '/read') stream.pipe(stream)
  })
  await using at = await listen(server, undefined)
  await using sessions = new SessionPool({ ...restless, closeTimeout: 20 })
  const other = await connect(`${at.origin}/read`, { sessions })
  const { store } = await withStore(async () => {
    const conn = await connect(`${at.origin}/hold`, { sessions })
    for (let count = 0; count < 4; count += 1) conn.write(new Uint8Array(1024 * 1024)).catch(() => {})
    await delay(50)
    conn.abort()
  })
  expect(await isCollected(store)).toBe(true)
  await echo(other)
  other.abort()
})

test("the store in which a server's first stream was accepted is let go while another lives", async () => {
  let store: WeakRef<object> | undefined
  const server = createServer()
  server.on('stream', (stream, headers) => {
    const serveIt = async (): Promise<void> => {
      const conn = await accept(stream, headers)
      for await (const chunk of conn) await conn.write(chunk)
      await conn.close()
    }
    const own = { large: Array.from({ length: 1_000 }, () => 0) }
    store ??= new WeakRef(own)
    // The second one is reset.
    storage.run(own, serveIt).catch(() => {})
  })
  await using at = await listen(server, undefined)
  const first = await at.connect()
  const second = await at.connect()
  await first.close()
  if (store === undefined) throw new Error('nothing was accepted')
  expect(await isCollected(store)).toBe(true)
  await echo(second)
  second.abort()
})

test('the store of the first channel that waits for a time is let go while another waits for the same', async () => {
  const limits = { heartbeatInterval: 60_000, heartbeatTimeout: 60_000 }
  const others: { abort(): void }[] = []
  const { store } = await withStore(async () => {
    const [client, server] = channelPair(route, { limits })
    // Some of them have their beats due at the same time as the first.
    storage.exit(() => {
      for (let count = 0; count < 200; count += 1) others.push(...channelPair(route, { limits }))
    })
    await client.send(1)
    await server.receive()
    client.abort()
  })
  expect(await isCollected(store)).toBe(true)
  for (const other of others) other.abort()
})

test('a channel whose beats are due in the turn of another beats on without its store', async () => {
  const limits = { heartbeatInterval: 40, heartbeatTimeout: 10_000 }
  const { store, result } = await withStore(async () => {
    const ended = channelPair(route, { limits })
    const others = storage.exit(() => Array.from({ length: 50 }, () => channelPair(route, { limits })))
    await delay(100)
    ended[0].abort()
    return others
  })
  expect(await isCollected(store)).toBe(true)
  for (const [client] of result) client.abort()
})

test('each caller has its own store behind every wait, and in its hooks', async () => {
  await using server = await serve((router) => {
    router.handle(route, async (channel) => {
      for await (const message of channel) await channel.send(message)
    })
  })
  const told: unknown[] = []
  const client = server.client({ onEvent: () => void told.push(storage.getStore()) })
  const [first, second] = [{ name: 'first' }, { name: 'second' }]
  const early = await storage.run(first, () => client.open(route))
  told.length = 0
  await storage.run(second, async () => {
    const late = await client.open(route)
    await late.send(1)
    expect(await late.receive()).toBe(1)
    expect(storage.getStore()).toBe(second)
    const closed = late.closed.then(() => storage.getStore())
    await late.close()
    expect(await closed).toBe(second)
    expect(storage.getStore()).toBe(second)
  })
  expect(new Set(told)).toEqual(new Set([second]))
  await storage.run(first, async () => {
    await early.send(2)
    expect(await early.receive()).toBe(2)
    expect(storage.getStore()).toBe(first)
    await early.close()
  })
})

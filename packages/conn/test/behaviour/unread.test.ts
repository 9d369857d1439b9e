/**
 * What lies unread of a conn: it keeps none of the memory in which other traffic came, and no object for each small
 * frame.
 */
import { once } from 'node:events'
import type { ClientHttp2Stream, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { connect as connectHttp2, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test, vi } from 'vitest'

import type { Conn, Http2Conn } from '../../src/index.ts'
import { accept, connLimits, holdUnread, pipe, widenWindows } from '../../src/index.ts'
import { Pages } from '../../src/node/pages.ts'
import { startServer } from '../../src/testing.ts'
import { deferred } from '../support/support.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

async function memory(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    collectGarbage()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

const MiB = 1024 * 1024

describe.each([
  ['TLS', true],
  ['cleartext', false],
])('over %s', (_name, tls) => {
  test.each([
    ['the peer of a client', 'server'],
    ['a client', 'client'],
  ])('what %s leaves unread holds no packets of its neighbours', async (_who, reader) => {
    const [slowFar, busyFar] = [deferred<Conn>(), deferred<Conn>()]
    const over = deferred()
    await using server = await startServer(
      async (conn) => {
        ;(conn.path === '/slow' ? slowFar : busyFar).resolve(conn)
        await over.promise
      },
      { tls },
    )
    const [slowNear, busyNear] = [await server.connect('/slow'), await server.connect('/busy')]
    const [slow, busy] = [await slowFar.promise, await busyFar.promise]
    const [writer, other] = reader === 'server' ? [slowNear, busyNear] : [slow, busy]
    const [unread, read] = reader === 'server' ? [slow, busy] : [slowNear, busyNear]
    const rounds = 1_500
    let taken = 0
    const reading = (async () => {
      for await (const chunk of read) taken += chunk.length
    })()
    const before = await memory()
    for (let round = 0; round < rounds; round++) {
      await writer.write(new Uint8Array(20).fill(round % 251))
      await other.write(new Uint8Array(30_000))
      // They leave together, and arrive in the same packets.
      await new Promise((resolve) => setImmediate(resolve))
    }
    await other.closeWrite()
    await reading
    expect(taken).toBe(rounds * 30_000)
    const held = (await memory()) - before
    expect(held).toBeLessThan(6 * MiB)
    // All of it is there.
    await writer.closeWrite()
    let at = 0
    for await (const chunk of unread) {
      for (const byte of chunk) {
        if (byte !== Math.floor(at / 20) % 251) throw new Error(`byte ${at} is ${byte}`)
        at += 1
      }
    }
    expect(at).toBe(rounds * 20)
    over.resolve()
    for (const conn of [slowNear, busyNear, slow, busy]) conn.abort()
  })

  test('an unread window of small frames takes little more memory than its bytes', async () => {
    const far = deferred<Conn>()
    const over = deferred()
    await using server = await startServer(
      async (conn) => {
        far.resolve(conn)
        await over.promise
      },
      { tls },
    )
    const near = await server.connect('/')
    const unread = await far.promise
    // A frame for each turn of the loop, since what is written in one goes out together.
    const frames = 20_000
    const before = await memory()
    for (let frame = 0; frame < frames; frame++) {
      await near.write(Uint8Array.of(frame & 0xff, frame >> 8), { handedOn: true })
    }
    await near.closeWrite()
    expect((await memory()) - before).toBeLessThan(4 * MiB)
    let at = 0
    for await (const chunk of unread) {
      for (const byte of chunk) {
        const frame = at >> 1
        if (byte !== (at % 2 === 0 ? frame & 0xff : frame >> 8)) throw new Error(`byte ${at} is ${byte}`)
        at += 1
      }
    }
    expect(at).toBe(2 * frames)
    over.resolve()
    for (const conn of [near, unread]) conn.abort()
  })
})

interface Late extends AsyncDisposable {
  readonly near: ClientHttp2Stream
  /** Another stream of the same connection, which is read. */
  readonly other: ClientHttp2Stream
  stream(): Promise<ServerHttp2Stream>
  accept(): Promise<Http2Conn>
}

/** A server that accepts when the test says so, and a client that has written before. */
async function startLate(): Promise<Late> {
  const came = deferred<[ServerHttp2Stream, IncomingHttpHeaders]>()
  const server = createServer()
  server.on('session', widenWindows)
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    if (headers[':path'] === '/other') stream.resume()
    else came.resolve([stream, headers])
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const near = client.request({ ':method': 'POST' })
  const other = client.request({ ':method': 'POST', ':path': '/other' })
  for (const stream of [near, other]) stream.on('error', () => {})
  return {
    near,
    other,
    stream: async () => (await came.promise)[0],
    accept: async () => accept(...(await came.promise)),
    async [Symbol.asyncDispose]() {
      client.destroy()
      await new Promise((resolve) => void server.close(resolve))
    },
  }
}

const largestFrame = 16 * 1024
const mostReadAhead = connLimits.readAhead + largestFrame

test('bytes that came before a request was accepted count as unread', async () => {
  await using late = await startLate()
  const { near } = late
  near.write(new Uint8Array(30_000))
  const stream = await late.stream()
  await vi.waitFor(() => expect(stream.readableLength).toBe(30_000), 5_000)
  const conn = await late.accept()
  let unread = 0
  conn.watchUnread({ onArrived: (change) => void (unread += change) })
  expect(unread).toBe(30_000)
  for (let size = 0; size < 30_000;) size += (await conn.read())?.length ?? 30_000
  expect(unread).toBe(0)
  // And from then on, it is as if it had come later.
  near.write(new Uint8Array(200_000))
  await vi.waitFor(() => expect(unread).toBeGreaterThan(200_000 - mostReadAhead), 5_000)
  conn.abort()
  await conn.closed
  expect(unread).toBe(0)
})

test.each([
  ['is not read yet', false],
  ['is being read', true],
])('a whole window that came before its conn, which %s, is known to who watches it', async (_how, isRead) => {
  await using late = await startLate()
  const stream = await late.stream()
  late.near.write(new Uint8Array(2 * connLimits.streamWindow))
  await vi.waitFor(() => expect(stream.readableLength).toBe(connLimits.streamWindow), 5_000)
  const conn = await late.accept()
  let unread = 0
  if (isRead) void conn.read()
  conn.watchUnread({ onArrived: (change) => void (unread += change) })
  // The window is given back as it is read, and what comes then counts as well.
  const expected = connLimits.streamWindow - mostReadAhead - largestFrame
  await vi.waitFor(() => expect(unread).toBeGreaterThan(expected), 5_000)
  conn.abort()
})

test('bytes that wait for a request to be accepted hold no packets, and keep their order', async () => {
  await using late = await startLate()
  const frames = 1_500
  const large = new Uint8Array(5_000).fill(255)
  const stream = await late.stream()
  const letGo = holdUnread(stream)
  const before = await memory()
  // What else is on the connection comes in the same packets.
  for (let sent = 0; sent < frames; sent += 1) {
    late.near.write(sent % 500 === 499 ? large : Uint8Array.of(sent % 251))
    late.other.write(new Uint8Array(30_000))
    await new Promise((resolve) => setImmediate(resolve))
  }
  late.near.end()
  await new Promise((resolve) => setTimeout(resolve, 200))
  const held = (await memory()) - before
  expect(held).toBeLessThan(6 * MiB)
  letGo()
  const conn = await late.accept()
  const came: number[] = []
  for await (const chunk of conn) came.push(...chunk)
  const sent = Array.from({ length: frames }, (_none, at) => (at % 500 === 499 ? [...large] : [at % 251])).flat()
  expect(came).toEqual(sent)
  conn.abort()
})

test('chunks of another realm count as others do, such as Node’s in the sandbox of a test runner', async () => {
  await using late = await startLate()
  const stream = await late.stream()
  const conn = await late.accept()
  let unread = 0
  conn.watchUnread({ onArrived: (change) => void (unread += change) })
  const size = 5_000
  stream.push(runInNewContext(`new Uint8Array(${size})`))
  expect(unread).toBe(size)
  for (let read = 0; read < size;) read += (await conn.read())?.length ?? size
  expect(unread).toBe(0)
  conn.abort()
})

test('a pipe keeps only the written bytes', async () => {
  const [near, far] = pipe()
  const before = await memory()
  for (let write = 0; write < 1_000; write++) await near.write(new Uint8Array(64 * 1024).subarray(0, 20))
  expect((await memory()) - before).toBeLessThan(2 * MiB)
  for (let at = 0; at < 20_000;) at += (await far.read())?.length ?? 20_000
  for (const conn of [near, far]) conn.abort()
})

test('Pages: returns what was added, in order, for any sizes', () => {
  const pages = new Pages()
  const given: number[] = []
  const added: number[] = []
  expect(pages.take()).toBeUndefined()
  for (let size = 0; size <= 1_024; size += 31) {
    const piece = new Uint8Array(size).fill(size % 251)
    expect(Pages.accepts(piece)).toBe(true)
    added.push(...piece)
    given.push(...(pages.add(piece) ?? []))
    piece.fill(255)
  }
  given.push(...(pages.take() ?? []))
  expect(given).toEqual(added)
  expect(pages.take()).toBeUndefined()
  expect(Pages.accepts(new Uint8Array(1_025))).toBe(false)
})

/**
 * A client that ends many conns at once stays within the resets that a server takes, which end the connection beyond
 * them.
 */
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:http2'
import { expect, test } from 'vitest'

import type { Http2Conn } from '../../src/index.ts'
import { accept, connDefaults, connLimits, SessionPool } from '../../src/index.ts'
import type { TestServer } from '../../src/testing.ts'
import { listen } from '../../src/testing.ts'
import { bytes, failure, text } from '../support/support.ts'

/** More than Node takes at once: 1,000. */
const tooMany = 1_200
/** More than we send at once: 500. What is beyond them waits for a second and a half. */
const aFewTooMany = 545
const CANCEL = 8
const patiently = { timeout: 10_000, interval: 5 }

interface Service extends TestServer {
  readonly accepted: readonly ServerHttp2Session[]
  /** The streams of `/rest`, which the server neither reads nor ends, and of `/mute`, which have no response. */
  readonly streams: readonly ServerHttp2Stream[]
  readonly resting: readonly Http2Conn[]
  /** How many bytes `/feed` has sent. */
  readonly fed: () => number
}

async function startService(): Promise<Service> {
  const accepted: ServerHttp2Session[] = []
  const streams: ServerHttp2Stream[] = []
  const resting: Http2Conn[] = []
  let fed = 0
  const server = createServer()
  server.on('session', (session) => accepted.push(session))
  const serve = async (conn: Http2Conn): Promise<void> => {
    const piece = new Uint8Array(64 * 1024)
    if (conn.path === '/echo') for await (const chunk of conn) await conn.write(chunk)
    else if (conn.path === '/rest') resting.push(conn)
    else for (; ; fed += piece.length) await conn.write(piece)
  }
  server.on('stream', (stream, headers) => {
    if (headers[':path'] !== '/echo') streams.push(stream)
    stream.on('error', () => {})
    if (headers[':path'] !== '/mute')
      void accept(stream, headers)
        .then(serve)
        .catch(() => {})
  })
  return { ...(await listen(server, undefined)), accepted, streams, resting, fed: () => fed }
}

async function echoes(conn: Http2Conn, word: string): Promise<void> {
  await conn.write(bytes(word))
  expect(text(await conn.read())).toBe(word)
}

function rest(server: Service, count: number, sessions = server.sessions): Promise<Http2Conn[]> {
  return Promise.all(Array.from({ length: count }, () => server.connect('/rest', { sessions, lingerTimeout: 50 })))
}

async function abortAll(conns: readonly Http2Conn[]): Promise<void> {
  for (const conn of conns) conn.abort()
  for (const closed of await Promise.all(conns.map((conn) => conn.closed))) {
    expect(closed).toMatchObject({ clean: false, error: { code: 'ABORTED' } })
  }
}

const endings: Readonly<Record<string, (server: Service) => Promise<void>>> = {
  aborts: async (server) => abortAll(await rest(server, tooMany)),
  'closes that the peer does not answer': async (server) => {
    const conns = await rest(server, tooMany)
    await Promise.all(conns.map(async (conn) => conn.write(bytes('unread'))))
    await Promise.all(conns.map(async (conn) => conn.close()))
    expect(await Promise.all(conns.map((conn) => conn.closed))).toEqual(conns.map(() => ({ clean: true })))
  },
  'opens that are given up': async (server) => {
    const giveUp = new AbortController()
    const opens = Array.from({ length: tooMany }, () =>
      failure(server.connect('/mute', { signal: giveUp.signal }), 'CANCELLED'),
    )
    await expect.poll(() => server.streams.length, patiently).toBe(tooMany)
    giveUp.abort()
    await Promise.all(opens)
  },
}

test.each(Object.keys(endings))(
  '1,200 %s at once leave the connection to the others (grpc-node#2872)',
  async (name) => {
    await using server = await startService()
    const innocent = await server.connect('/echo')
    await echoes(innocent, 'before')
    await endings[name]?.(server)
    await echoes(innocent, 'after')
    const ended = (): number => server.streams.filter(({ destroyed }) => destroyed).length
    await expect.poll(ended, patiently).toBeGreaterThan(510)
    expect(ended()).toBeLessThan(1_000)
    await echoes(innocent, 'later')
    expect(server.accepted.map(({ destroyed }) => destroyed)).toEqual([false])
  },
)

test('waiting resets are sent one after the other, until no stream is left', async () => {
  await using server = await startService()
  const innocent = await server.connect('/echo')
  await abortAll(await rest(server, aFewTooMany))
  expect(server.streams.some(({ destroyed }) => !destroyed)).toBe(true)
  await expect.poll(() => server.streams.every(({ destroyed }) => destroyed), patiently).toBe(true)
  expect(new Set(server.streams.map(({ rstCode }) => rstCode))).toEqual(new Set([CANCEL]))
  await echoes(innocent, 'after')
  expect(server.accepted.length).toBe(1)
})

test.each(['abort', 'close'] as const)(
  'a connection on which resets wait after %s is given no request, until the peer ends its streams',
  async (ending) => {
    for (const isAbort of [true, false]) {
      await using server = await startService()
      const conns = await rest(server, tooMany)
      if (ending === 'abort') await abortAll(conns)
      else await Promise.all(conns.map((conn) => conn.close()))
      const [first] = server.accepted
      await echoes(await server.connect('/echo'), 'another')
      expect(server.accepted.length).toBe(2)
      for (const conn of server.resting) {
        if (isAbort) conn.abort()
        else void conn.close()
      }
      const isBack = async (): Promise<boolean> => {
        const conn = await server.connect('/rest')
        await conn.write(bytes('a'))
        return server.streams.at(-1)?.session === first
      }
      // Their resets alone would take six seconds to be few enough.
      await expect.poll(isBack, { timeout: 3_000, interval: 20 }).toBe(true)
    }
  },
)

test('a conn whose reset waits drops what its peer sends, and the peer soon has to stop', async () => {
  await using server = await startService()
  const feed = await server.connect('/feed')
  const stream = server.streams[0]
  let unread = 0
  feed.watchUnread({ onArrived: (change) => void (unread += change) })
  await expect.poll(() => unread, patiently).toBeGreaterThan(connLimits.streamWindow / 2)
  await abortAll(await rest(server, aFewTooMany))
  const before = server.fed()
  await abortAll([feed])
  expect(unread).toBe(0)
  expect(stream?.destroyed).toBe(false)
  await expect.poll(() => stream?.destroyed, patiently).toBe(true)
  expect(stream?.rstCode).toBe(CANCEL)
  expect(server.fed() - before).toBeLessThan(3 * connLimits.streamWindow)
  expect(unread).toBe(0)
})

test('the peer of a conn whose reset waits receives no waiting writes, and no end', async () => {
  await using server = await startService()
  const piece = new Uint8Array(64 * 1024)
  const conn = await server.connect('/rest')
  const writes = Promise.allSettled(Array.from({ length: 100 }, () => conn.write(piece)))
  await abortAll(await rest(server, aFewTooMany))
  await abortAll([conn])
  expect((await writes).at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'ABORTED' } })
  const [peer] = server.resting
  let taken = 0
  const read = async (): Promise<void> => {
    for await (const chunk of peer ?? []) taken += chunk.length
  }
  expect((await failure(read(), 'RESET')).rstCode).toBe(CANCEL)
  expect(taken).toBeLessThanOrEqual(connLimits.streamWindow + 2 * piece.length)
})

test('closing a pool sends the waiting resets', async () => {
  await using server = await startService()
  const sessions = new SessionPool()
  await abortAll(await rest(server, tooMany, sessions))
  const began = performance.now()
  await sessions.close()
  expect(performance.now() - began).toBeLessThan(connDefaults.closeTimeout / 2)
})

/**
 * When a peer is judged, and by what: a healthy connection is never ended, and one that is gone is found out in time.
 */
import { once } from 'node:events'
import type { Http2Session, ServerHttp2Session } from 'node:http2'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'

import type { ConnClosed, Http2Conn } from '../../src/index.ts'
import { connect, SessionPool } from '../../src/index.ts'
import { keepServerAlive } from '../../src/http2/keep-alive.ts'
import type { TestServer } from '../../src/testing.ts'
import { startServer } from '../../src/testing.ts'
import {
  connectRaw,
  data,
  Flag,
  FrameType,
  greeting,
  headers,
  ok,
  ping,
  post,
  RawLink,
  Setting,
  setting,
  startRawPeer,
  windowUpdate,
} from '../support/raw-peer.ts'
import { startRelay } from '../support/relay.ts'
import { bytes, deferred, failure, text } from '../support/support.ts'

const times = { pingInterval: 100, pingTimeout: 200 }

/** Stands still. */
function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** Both ends of a conn of this package, through a relay, and the server's session. */
interface Ends extends AsyncDisposable {
  readonly client: Http2Conn
  readonly server: Http2Conn
  readonly session: ServerHttp2Session
  readonly sessions: SessionPool
  /** From now on nothing gets through, and no connection is closed for it. */
  freeze(): void
}

/** @param judge - which ends ping the other. */
async function startEnds(judge: { client?: boolean; server?: boolean; tls?: boolean }): Promise<Ends> {
  const accepted = deferred<Http2Conn>()
  const opened = deferred<ServerHttp2Session>()
  const server: TestServer = await startServer((conn) => accepted.resolve(conn), { tls: judge.tls === true })
  server.server.on('session', (session) => {
    opened.resolve(session)
    if (judge.server === true) keepServerAlive(session, times)
  })
  let isFrozen = false
  const relay = await startRelay(Number(new URL(server.origin).port), (near, far) => {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk) => isFrozen || to.write(chunk))
      from.on('close', () => isFrozen || to.destroy())
    }
  })
  const origin = server.origin.replace(/\d+$/, String(relay.port))
  const sessions = new SessionPool({ closeTimeout: 10_000, ...(judge.client === true ? times : {}) })
  const client = await connect(origin, { sessions, tls: server.tls })
  return {
    client,
    server: await accepted.promise,
    session: await opened.promise,
    sessions,
    freeze: () => {
      isFrozen = true
    },
    async [Symbol.asyncDispose]() {
      client.abort()
      await relay.close()
      await sessions.close()
      await server.close()
    },
  }
}

async function exchange({ client, server }: Ends): Promise<void> {
  await client.write(bytes('hello'))
  expect(text(await server.read())).toBe('hello')
  await server.write(bytes('and back'))
  expect(text(await client.read())).toBe('and back')
}

/** Waits for an event a few times, unless the conn ends before. */
async function several(session: Http2Session, event: string, conn: Http2Conn): Promise<'all' | ConnClosed> {
  const counted = (async () => {
    for (let count = 0; count < 3; count += 1) await once(session, event)
    return 'all' as const
  })()
  return await Promise.race([counted, conn.closed])
}

/** How a session comes to drain: its streams live on, and no new ones are opened. */
const drains: readonly [name: string, drain: (ends: Ends) => unknown][] = [
  ["the server's goaway()", ({ session }) => session.goaway(0)],
  ["the server's session.close()", ({ session }) => session.close()],
  ["the client's sessions.close()", ({ sessions }) => sessions.close()],
]

describe.each(drains)('a quiet conn after %s', (_name, drain) => {
  // SETTINGS that the server gets are the client's question, and an acknowledgement is what its own question brings.
  it.each([
    { by: 'client', event: 'remoteSettings' },
    { by: 'server', event: 'localSettings' },
  ] as const)('lives on under the pings of the $by', async ({ by, event }) => {
    await using ends = await startEnds({ [by]: true })
    void drain(ends)
    expect(await several(ends.session, event, ends[by])).toBe('all')
    await exchange(ends)
  })

  it.each(['client', 'server'] as const)('ends at the %s with PEER_SILENT when the peer is silent', async (by) => {
    await using ends = await startEnds({ [by]: true })
    void drain(ends)
    await exchange(ends)
    ends.freeze()
    expect(await failure(ends[by].read(), 'PEER_SILENT')).toMatchObject({ side: 'remote' })
  })
})

it('a peer that acknowledges no SETTINGS is not dead while a session drains, as long as it sends', async () => {
  const accepted = deferred<Http2Conn>()
  await using server = await startServer((conn) => accepted.resolve(conn), { tls: false })
  const opened = once(server.server, 'session')
  server.server.on('session', (session) => keepServerAlive(session, times))
  const link = new RawLink(connectSocket(Number(new URL(server.origin).port)), { answersSettings: false })
  link.send(greeting(), headers(1, post))
  const conn = await accepted.promise
  const [session] = (await opened) as [ServerHttp2Session]
  session.close()
  // Longer than Node would keep sending SETTINGS without an answer.
  const enough = performance.now() + 12 * times.pingInterval
  while (performance.now() < enough) {
    link.send(data(1, 'alive'))
    expect(text(await conn.read())).toMatch(/^(alive)+$/)
    await link.handled()
  }
  await failure(conn.read(), 'PEER_SILENT')
  expect(performance.now()).toBeLessThan(enough + 2 * (times.pingInterval + times.pingTimeout))
  await link.closed
})

describe.each([{ tls: false }, { tls: true }])('a silent peer (TLS: $tls)', ({ tls }) => {
  it.each(['client', 'server'] as const)(
    'is noticed by the %s within the interval and the timeout (FLOW-3)',
    async (by) => {
      await using ends = await startEnds({ [by]: true, tls })
      await exchange(ends)
      ends.freeze()
      const began = performance.now()
      await failure(ends[by].read(), 'PEER_SILENT')
      const took = performance.now() - began
      expect(took).toBeGreaterThanOrEqual(times.pingTimeout - 20)
      // The rest is for a machine that has more to do than this.
      expect(took).toBeLessThan(times.pingInterval + times.pingTimeout + 500)
    },
  )
})

/** A conn of this package whose peer is made of frames, and which pings it. */
interface Judged extends AsyncDisposable {
  readonly conn: Http2Conn
  readonly link: RawLink
}

const sides: readonly [side: string, start: () => Promise<Judged>][] = [
  [
    'client',
    async () => {
      const peer = await startRawPeer({ onRequest: (socket, stream) => void socket.write(ok(stream)) })
      const sessions = new SessionPool({ ...times, closeTimeout: 20 })
      const conn = await connect(peer.origin, { sessions })
      const [link, dispose] = [await peer.link(), () => peer[Symbol.asyncDispose]()]
      return { conn, link, [Symbol.asyncDispose]: dispose }
    },
  ],
  [
    'server',
    async () => {
      const accepted = deferred<Http2Conn>()
      const server = await startServer((conn) => accepted.resolve(conn), { tls: false })
      server.server.on('session', (session) => keepServerAlive(session, times))
      const link = connectRaw(server.origin, Buffer.concat([greeting(), headers(1, post)]))
      return { conn: await accepted.promise, link, [Symbol.asyncDispose]: () => server.close() }
    },
  ],
]

describe.each(sides)('a suspended %s', (_side, start) => {
  const pings = 3

  it('reads the answer that arrived before the timeout', async () => {
    await using judged = await start()
    const { conn, link } = judged
    for (let count = 0; count < pings; count += 1) {
      await link.take(FrameType.PING, ({ flags }) => flags !== Flag.ACK)
      // The peer has just answered, in this same turn.
      block(2 * times.pingTimeout)
    }
    await link.handled()
    link.send(data(1, 'alive'))
    expect(text(await conn.read())).toBe('alive')
  })

  it('lets a ping leave before it judges the answer', async () => {
    await using judged = await start()
    const { conn, link } = judged
    const probe = connectHttp2('http://127.0.0.1:1').on('error', () => {})
    const prototype = Object.getPrototypeOf(Object.getPrototypeOf(probe)) as Http2Session
    const { ping: original } = prototype
    const asking = vi.spyOn(prototype, 'ping').mockImplementation(function (this: Http2Session, ...args: unknown[]) {
      const isTaken: unknown = Reflect.apply(original, this, args)
      block(2 * times.pingTimeout)
      return isTaken === true
    })
    try {
      for (let count = 0; count < pings; count += 1) await link.take(FrameType.PING, ({ flags }) => flags !== Flag.ACK)
    } finally {
      asking.mockRestore()
    }
    await link.handled()
    link.send(data(1, 'alive'))
    expect(text(await conn.read())).toBe('alive')
  })
})

it('a peer that reads slowly is not dead, although it answers no ping behind the bytes it has to read', async () => {
  const patience = { pingInterval: 100, pingTimeout: 600 }
  const accepted = deferred<Http2Conn>()
  await using server = await startServer((conn) => accepted.resolve(conn), { tls: false })
  server.server.on('session', (session) => keepServerAlive(session, patience))
  const wide = 2 ** 31 - 1
  const link = connectRaw(server.origin, greeting(setting(Setting.INITIAL_WINDOW_SIZE, wide)))
  link.send(windowUpdate(0, wide - 65_535), headers(1, post))
  link.socket.pause()
  const conn = await accepted.promise
  const writing = (async () => {
    for (;;) await conn.write(new Uint8Array(256 * 1024))
  })()
  writing.catch(() => {})
  // Nothing is parsed, and so nothing answered, from here on.
  link.socket.removeAllListeners('data')
  const enough = performance.now() + 4 * (patience.pingInterval + patience.pingTimeout)
  for await (const chunk of link.socket.iterator({ destroyOnReturn: false })) {
    if (performance.now() > enough) break
    // About 40 MB a second.
    await delay(chunk.length / 40_000)
  }
  const isOpen = await Promise.race([conn.closed.then(() => false), delay(0, true)])
  expect(isOpen).toBe(true)
  // It takes no more.
  await failure(writing, 'PEER_SILENT')
})

describe('a client that is suspended while it connects', () => {
  it('accepts the response that arrived meanwhile', async () => {
    await using peer = await startRawPeer({
      onRequest(socket, stream) {
        socket.write(ok(stream))
        block(300)
      },
    })
    await using sessions = new SessionPool({ closeTimeout: 20 })
    const conn = await connect(peer.origin, { sessions, connectTimeout: 200 })
    expect(conn.status).toBe(200)
    conn.abort()
  })

  it('keeps a connection whose peer has sent something meanwhile', async () => {
    let requests = 0
    await using peer = await startRawPeer({
      onRequest(socket, stream) {
        requests += 1
        if (requests === 2) {
          socket.write(ping())
          // Longer than a peer may say nothing.
          block(1_200)
        } else socket.write(ok(stream))
      },
    })
    await using sessions = new SessionPool({ closeTimeout: 20 })
    const first = await connect(peer.origin, { sessions })
    await failure(connect(peer.origin, { sessions, signal: AbortSignal.timeout(1_100) }), 'TIMEOUT')
    const third = await connect(peer.origin, { sessions })
    expect(sessions.size).toBe(1)
    first.abort()
    third.abort()
  })
})

/**
 * What goes wrong with Node's HTTP/2 elsewhere, by the issue that tells of it, and doesn't here. The numbers are
 * nodejs/node's unless another repository is named. Issues whose test fits better with others are named there.
 */
import type { Http2Session, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createSocketServer } from 'node:net'
import { describe, expect, it } from 'vitest'

import type { Http2Conn } from '../../src/index.ts'
import { accept, connLimits, connect, SessionPool } from '../../src/index.ts'
import { keepServerAlive } from '../../src/http2/keep-alive.ts'
import type { TestServer } from '../../src/testing.ts'
import { listen, startServer } from '../../src/testing.ts'
import { data, FrameType, goaway, ok, startRawPeer } from '../support/raw-peer.ts'
import { bytes, deferred, failure, readAll, text } from '../support/support.ts'

/** For what no event tells. */
const patiently = { timeout: 10_000, interval: 5 }
const CANCEL = 8
const ENHANCE_YOUR_CALM = 11

interface Service extends TestServer {
  /** The connections, in the order in which they came. */
  readonly accepted: readonly ServerHttp2Session[]
}

/** A cleartext server whose connections can be looked at. */
async function startService(
  serve: (conn: Http2Conn) => void | Promise<void>,
  settings: { maxConcurrentStreams?: number } = {},
): Promise<Service> {
  const accepted: ServerHttp2Session[] = []
  const server = createServer({ settings })
  server.on('session', (session) => accepted.push(session))
  server.on('stream', (stream, headers) => {
    void accept(stream, headers)
      .then(serve)
      .catch(() => stream.destroy())
  })
  return { ...(await listen(server, undefined)), accepted }
}

async function echo(conn: Http2Conn): Promise<void> {
  for await (const chunk of conn) await conn.write(chunk)
  await conn.close()
}

async function echoes(conn: Http2Conn, word: string): Promise<void> {
  await conn.write(bytes(word))
  expect(text(await conn.read())).toBe(word)
}

describe('flow control', () => {
  it('keeps conns moving while other readers of the session pause (golang/go#16510, hyper#2899)', async () => {
    const piece = new Uint8Array(64 * 1024)
    let sent = 0
    await using server = await startService(async (conn) => {
      if (conn.path === '/echo') await echo(conn)
      for (; conn.path === '/feed'; sent += piece.length) await conn.write(piece)
    })
    const stopped = await Promise.all(Array.from({ length: 12 }, () => server.connect('/feed')))
    const going = await server.connect('/echo')
    // Each has its stream's window filled before the other begins.
    const filled = stopped.length * connLimits.streamWindow
    await expect.poll(() => sent, patiently).toBeGreaterThanOrEqual(filled)
    for (let turn = 0; turn < 100; turn += 1) await echoes(going, `turn ${turn}`)
    expect(server.accepted.length).toBe(1)
    for (const conn of stopped) conn.abort()
    await going.close()
  })

  it('is not ended by ENHANCE_YOUR_CALM with more memory than Node allows by default (#27416, #23116)', async () => {
    const piece = new Uint8Array(1024 * 1024)
    const nodes = 10
    await using server = await startService(async (conn) => {
      await conn.write(bytes('begin'))
      await readAll(conn)
      await conn.close()
    })
    const conns = await Promise.all(Array.from({ length: 2 * nodes }, () => server.connect()))
    // The sum is above `maxSessionMemory` as it comes, and all of it waits in this process.
    const writes = conns.map(async (conn) => {
      await Promise.all([conn.write(piece), conn.write(piece)])
      await conn.closeWrite()
    })
    const more = await Promise.all(Array.from({ length: nodes }, () => server.connect()))
    await Promise.all(writes)
    for (const conn of more) await conn.closeWrite()
    await Promise.all([...conns, ...more].map((conn) => readAll(conn)))
    expect(server.accepted.length).toBe(1)
    await Promise.all([...conns, ...more].map((conn) => conn.close()))
  })
})

describe('a stream', () => {
  it('wakes a write that waits for `drain` when it is destroyed (#31365, #61821)', async () => {
    await using server = await startService(() => {})
    const conn = await server.connect()
    const writes = Array.from({ length: 40 }, () => conn.write(new Uint8Array(64 * 1024)))
    const last = writes.at(-1)
    if (last === undefined) throw new Error('no write')
    const settled = Promise.allSettled(writes)
    conn.abort()
    await failure(last, 'ABORTED')
    expect((await settled).length).toBe(writes.length)
  })

  it('wakes a write that waits for `drain` when its connection is lost (#31365, #61821)', async () => {
    await using server = await startService(() => {})
    const conn = await server.connect()
    const writes = Array.from({ length: 40 }, () => conn.write(new Uint8Array(64 * 1024)))
    const settled = Promise.allSettled(writes)
    server.accepted[0]?.destroy()
    expect((await settled).at(-1)?.status).toBe('rejected')
    await failure(conn.write(bytes('a')), 'CONNECTION_LOST')
    await failure(conn.closeWrite(), 'CONNECTION_LOST')
  })

  it('that ends with its connection is CONNECTION_LOST, never CANCEL or a clean end (#24983)', async () => {
    await using server = await startService((conn) => conn.write(bytes('half a mess')))
    const conn = await server.connect()
    expect(text(await conn.read())).toBe('half a mess')
    server.accepted[0]?.destroy()
    expect((await failure(conn.read(), 'CONNECTION_LOST')).rstCode).toBeUndefined()
    expect(await conn.closed).toMatchObject({ clean: false, error: { code: 'CONNECTION_LOST' } })
  })

  it('whose signal aborts before the response is reset with CANCEL: Node would send INTERNAL_ERROR', async () => {
    const requested = deferred<ServerHttp2Stream>()
    const server = createServer()
    server.on('stream', (stream) => {
      stream.on('error', () => {})
      requested.resolve(stream)
    })
    await using running = await listen(server, undefined)
    const giveUp = new AbortController()
    const connecting = running.connect('/', { signal: giveUp.signal })
    const stream = await requested.promise
    const closed = new Promise((resolve) => stream.once('close', resolve))
    giveUp.abort()
    await failure(connecting, 'CANCELLED')
    await closed
    expect(stream.rstCode).toBe(CANCEL)
  })

  it('may be ended twice, and written to in the turn of `drain` (#39076)', async () => {
    await using server = await startService(echo)
    const conn = await server.connect()
    const received = readAll(conn)
    const writeOn = async (left: number): Promise<void> => {
      if (left === 0) return
      // Each continues within the `drain` that served the one before.
      await conn.write(new Uint8Array(16 * 1024).fill(97))
      await writeOn(left - 1)
    }
    await Promise.all(Array.from({ length: 4 }, () => writeOn(50)))
    await Promise.all([conn.closeWrite(), conn.closeWrite(), conn.closeWrite()])
    expect(await received).toBe('a'.repeat(4 * 50 * 16 * 1024))
    await conn.close()
    await conn.closeWrite()
  })

  it('that ends cleanly is never reset, since too many resets end the session', async () => {
    const resets: number[] = []
    await using server = await startService(async (conn) => {
      await readAll(conn)
      await conn.close()
    })
    server.server.on('stream', (stream: ServerHttp2Stream) => {
      stream.once('close', () => resets.push(stream.rstCode ?? 0))
    })
    // More than Node grants at once: 1,000.
    const total = 1_500
    for (let opened = 0; opened < total; opened += 50) {
      const conns = await Promise.all(Array.from({ length: 50 }, () => server.connect()))
      await Promise.all(conns.map((conn) => conn.close()))
    }
    await expect.poll(() => resets.length, patiently).toBe(total)
    expect(new Set(resets)).toEqual(new Set([0]))
    expect(server.accepted.length).toBe(1)
    expect(server.accepted[0]?.destroyed).toBe(false)
  })
})

describe('a session', () => {
  it('whose GOAWAY crosses the request is replaced by another (ERR_HTTP2_GOAWAY_SESSION)', async () => {
    const refused = [0, 0]
    let requests = 0
    await using peer = await startRawPeer({
      onRequest(socket, stream) {
        requests += 1
        const answer = [ok(stream), data(stream, 'served', true)]
        socket.write(requests <= refused.length ? goaway(0, 0) : Buffer.concat(answer))
      },
    })
    // The raw peer never hangs up.
    const own = new SessionPool({ closeTimeout: 20 })
    const conn = await connect(peer.origin, { sessions: own })
    expect([await readAll(conn), requests]).toEqual(['served', refused.length + 1])
    await own.close()
  })

  it('is replaced a few times only when each sends GOAWAY before it processes the request', async () => {
    let requests = 0
    await using peer = await startRawPeer({
      onRequest(socket) {
        requests += 1
        socket.write(goaway(0, 0))
      },
    })
    const own = new SessionPool()
    const error = await failure(connect(peer.origin, { sessions: own }), 'RESET')
    expect([error.rstCode, requests]).toEqual([7, 3])
    await own.close()
  })

  it('that receives GOAWAY as soon as it is open sends no request', async () => {
    let connections = 0
    const server = createServer()
    server.on('session', (session) => {
      connections += 1
      if (connections === 1) session.goaway(0)
    })
    server.on('stream', (stream, headers) => {
      void accept(stream, headers).then(echo)
    })
    await using running = await listen(server, undefined)
    const conn = await running.connect()
    await echoes(conn, 'hello')
    expect(connections).toBe(2)
    await conn.close()
  })

  it('without streams ends after GOAWAY (connect-es#1566, #680, #712)', async () => {
    const ways: readonly ((session: ServerHttp2Session) => void)[] = [
      (session) => session.close(),
      // It hangs up neither then nor when the client has.
      (session) => session.goaway(0),
    ]
    for (const sayGoaway of ways) {
      await using server = await startService(echo)
      const own = new SessionPool({ closeTimeout: 100 })
      const conn = await connect(server.origin, { sessions: own })
      await conn.close()
      expect(own.size).toBe(1)
      const [session] = server.accepted
      if (session !== undefined) sayGoaway(session)
      await expect.poll(() => own.size, patiently).toBe(0)
    }
  })

  it('may fail after all its users have ended (connect-es#1768, undici#5453)', async () => {
    const sockets: Socket[] = []
    await using server = await startService(echo)
    server.server.on('connection', (socket: Socket) => sockets.push(socket))
    const own = new SessionPool()
    const conn = await connect(server.origin, { sessions: own })
    await conn.close()
    // No stream is left, and only the pool listens: an unhandled error would end the process.
    for (const socket of sockets) socket.resetAndDestroy()
    await expect.poll(() => own.size, patiently).toBe(0)
    await own.close()
  })

  it('fails to open with a peer that never sends SETTINGS (grpc-node#2785)', async () => {
    const server = createSocketServer((socket) => socket.on('error', () => {}).resume())
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const { port } = server.address() as AddressInfo
    const own = new SessionPool()
    const connecting = connect(`http://127.0.0.1:${port}`, { sessions: own, connectTimeout: 50 })
    expect((await failure(connecting, 'CONNECT_TIMEOUT')).side).toBe('remote')
    await own.close()
    await new Promise((resolve) => {
      server.close(resolve)
    })
  })

  it('is pinged half as often after ENHANCE_YOUR_CALM', async () => {
    const pingInterval = 50
    let connections = 0
    await using peer = await startRawPeer({
      onRequest(socket, stream) {
        connections += 1
        const calm = connections > 3 ? [] : [goaway(stream, ENHANCE_YOUR_CALM)]
        socket.write(Buffer.concat([ok(stream), ...calm]))
      },
    })
    const own = new SessionPool({ pingInterval })
    for (let count = 0; count < 3; count += 1) {
      const conn = await connect(peer.origin, { sessions: own })
      await failure(conn.read(), 'CONNECTION_LOST')
      await peer.link()
    }
    const conn = await connect(peer.origin, { sessions: own })
    const link = await peer.link()
    const times: number[] = []
    for (let count = 0; count < 3; count += 1) {
      await link.take(FrameType.PING)
      times.push(performance.now())
    }
    // The first may have asked after the response. Timers are never early by more than a millisecond.
    const [, second = 0, third = 0] = times
    expect(third - second).toBeGreaterThan(8 * pingInterval - 50)
    conn.abort()
    await own.close()
  })

  it('is not pinged for a response after ENHANCE_YOUR_CALM', async () => {
    let connections = 0
    await using peer = await startRawPeer({
      onRequest(socket, stream) {
        connections += 1
        if (connections === 1) socket.write(Buffer.concat([ok(stream), goaway(stream, ENHANCE_YOUR_CALM)]))
        // Slow, after all the times at which it would be pinged.
        else setTimeout(() => socket.write(ok(stream)), 500)
      },
    })
    const own = new SessionPool({ closeTimeout: 20 })
    const first = await connect(peer.origin, { sessions: own })
    await failure(first.read(), 'CONNECTION_LOST')
    await peer.link()
    const second = await connect(peer.origin, { sessions: own })
    const link = await peer.link()
    second.abort()
    await link.take(FrameType.RST_STREAM)
    const pings = link.take(FrameType.PING).then(
      () => 'pinged',
      () => 'not pinged',
    )
    await own.close()
    expect(await pings).toBe('not pinged')
  })

  it('may be pinged when it has ended, and when ten pings are unanswered', async () => {
    const silent = deferred<Http2Session>()
    await using server = await startService(() => {})
    server.server.on('session', (session: Http2Session) => silent.resolve(session))
    const own = new SessionPool({ pingInterval: 1, pingTimeout: 5_000 })
    const conn = await connect(server.origin, { sessions: own })
    const session = await silent.promise
    for (let count = 0; count < 20; count += 1) session.ping(() => {})
    keepServerAlive(session, { pingInterval: 1, pingTimeout: 5_000 })
    conn.abort()
    session.destroy()
    keepServerAlive(session)
    expect(await conn.closed).toMatchObject({ clean: false })
    await own.close()
  })

  it('closes without losing what is on its way (#42713, #45153, #50202)', async () => {
    const piece = new Uint8Array(64 * 1024)
    const pieces = 64
    const received = deferred<number>()
    await using server = await startService(async (conn) => {
      const writing = (async () => {
        for (let count = 0; count < pieces; count += 1) await conn.write(piece)
        await conn.closeWrite()
      })()
      let length = 0
      for await (const chunk of conn) length += chunk.length
      await writing
      await conn.close()
      received.resolve(length)
    })
    const own = new SessionPool()
    const conn = await connect(server.origin, { sessions: own })
    const writing = (async () => {
      for (let count = 0; count < pieces; count += 1) await conn.write(piece)
      await conn.closeWrite()
    })()
    const closing = own.close()
    await writing
    expect((await readAll(conn)).length).toBe(pieces * piece.length)
    expect(await received.promise).toBe(pieces * piece.length)
    await conn.close()
    await closing
    expect(own.size).toBe(0)
  })

  it('closes on the server although its client never hangs up (#57611)', async () => {
    const server = await startServer(echo, { tls: false })
    // A client that is not the server's own, and keeps its session.
    const own = new SessionPool()
    const conn = await connect(server.origin, { sessions: own })
    await echoes(conn, 'hello')
    await server.close()
    expect((await failure(conn.read(), 'CONNECTION_LOST')).fatal).toBe(true)
    await own.close()
  })

  it('sends the small writes of a turn together', async () => {
    await using peer = await startRawPeer({ onRequest: (socket, stream) => socket.write(ok(stream)) })
    const own = new SessionPool()
    const conn = await connect(peer.origin, { sessions: own })
    const link = await peer.link()
    await link.handled()
    let chunks = 0
    link.socket.on('data', () => {
      chunks += 1
    })
    const total = 100
    await Promise.all(Array.from({ length: total }, () => conn.write(new Uint8Array(10))))
    for (let received = 0; received < total * 10;) received += (await link.take(FrameType.DATA)).payload.length
    // TCP may split what one write sends, but not into as many pieces.
    expect(chunks).toBeLessThan(total / 5)
    conn.abort()
    await own.close()
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Http2Session, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { connect as connectSocket, createServer as createSocketServer } from 'node:net'
import { describe, expect, it } from 'vitest'

import { accept, connLimits, connect, SessionPool, widenWindows } from '../../src/index.ts'
import type { Http2Conn } from '../../src/index.ts'
import { keepServerAlive } from '../../src/http2/keep-alive.ts'
import type { TestServer } from '../../src/testing.ts'
import { listen, startServer } from '../../src/testing.ts'
import {
  connectRaw,
  data,
  goaway,
  greeting,
  headers,
  ok,
  post,
  Setting,
  setting,
  startRawPeer,
  windowUpdate,
} from '../support/raw-peer.ts'
import { bytes, deferred, failure, readAll, text } from '../support/support.ts'

interface EchoServer extends TestServer {
  /** The connections, in the order in which they came. */
  readonly accepted: readonly ServerHttp2Session[]
}

/** For what no event tells. */
const patiently = { timeout: 10_000, interval: 5 }

/** Echoes, in cleartext. */
async function startEcho(settings: { maxConcurrentStreams?: number } = {}): Promise<EchoServer> {
  const accepted: ServerHttp2Session[] = []
  const http2 = createServer({ settings })
  http2.on('session', (session) => accepted.push(session))
  http2.on('stream', (stream, fields) => {
    void (async () => {
      const conn = await accept(stream, fields)
      for await (const chunk of conn) await conn.write(chunk)
      await conn.close()
    })().catch(() => {})
  })
  return { ...(await listen(http2, undefined)), accepted }
}

async function echoes(conn: Awaited<ReturnType<typeof connect>>, word: string): Promise<void> {
  await conn.write(bytes(word))
  expect(text(await conn.read())).toBe(word)
}

/** Forwards bytes both ways until it is stopped. Then it drops them, like a peer that fell silent. */
async function startRelay(
  target: number,
): Promise<AsyncDisposable & { readonly origin: string; silence(): void; speak(): void }> {
  const open = new Set<Socket>()
  /** The connections that forward nothing any more. */
  const silent = new Set<Socket>()
  let isSilent = false
  const server = createSocketServer((near) => {
    const far = connectSocket(target, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from)
      from.on('error', () => {})
      from.on('data', (chunk) => {
        if (isSilent) silent.add(near)
        if (!silent.has(near)) to.write(chunk)
      })
    }
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    silence() {
      isSilent = true
    },
    /** Connections that were silent stay silent. */
    speak() {
      isSilent = false
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

describe('SessionPool', () => {
  it('shares a connection between the conns to an origin', async () => {
    await using server = await startEcho()
    const conns = await Promise.all([server.connect('/a'), server.connect('/b')])
    conns.push(await server.connect('/c'))
    expect([server.sessions.size, server.accepted.length]).toEqual([1, 1])
    expect(new Set(conns.map(({ streamId }) => streamId)).size).toBe(3)
    await Promise.all(conns.map((conn) => conn.close()))
  })

  it('compares TLS options by identity', async () => {
    await using server = await startServer((conn) => conn.close())
    const [one, other] = [{ ...server.tls }, { ...server.tls }]
    for (const tls of [one, other, one, other]) await (await server.connect('/', { tls })).close()
    expect(server.sessions.size).toBe(2)
  })

  it('replaces a connection after GOAWAY, while its streams stay open', async () => {
    await using server = await startEcho()
    const old = await server.connect()
    await echoes(old, 'before')
    const [session] = server.accepted
    session?.goaway(0)
    // The answer comes after the GOAWAY on the same connection.
    await echoes(old, 'during')
    const fresh = await server.connect()
    expect([server.accepted.length, server.sessions.size]).toEqual([2, 2])
    await echoes(old, 'after')
    await echoes(fresh, 'new')
    await old.close()
    await expect.poll(() => server.sessions.size, patiently).toBe(1)
    await fresh.close()
  })

  it('ends the conns of a connection that GOAWAY ends with an error', async () => {
    await using peer = await startRawPeer({
      onRequest: (socket, stream) => socket.write(Buffer.concat([ok(stream), goaway(stream, 11)])),
    })
    const own = new SessionPool()
    const conn = await connect(peer.origin, { sessions: own })
    expect((await failure(conn.read(), 'CONNECTION_LOST')).fatal).toBe(true)
    await own.close()
  })

  it('opens another connection while the limit of streams is reached', async () => {
    await using server = await startEcho({ maxConcurrentStreams: 1 })
    const first = await server.connect()
    const second = await server.connect()
    await Promise.all([echoes(first, 'one'), echoes(second, 'two')])
    expect(server.accepted.length).toBe(2)
    await first.close()
    const third = await server.connect()
    await echoes(third, 'three')
    expect(server.accepted.length).toBe(2)
    await Promise.all([second.close(), third.close()])
  })

  it('respects the limit of streams when many connect at once', async () => {
    await using server = await startEcho({ maxConcurrentStreams: 2 })
    const conns = await Promise.all(Array.from({ length: 5 }, (_, index) => server.connect(`/${index}`)))
    await Promise.all(conns.map((conn) => echoes(conn, conn.path)))
    expect(server.accepted.length).toBe(3)
    await Promise.all(conns.map((conn) => conn.close()))
  })

  it('waits for a peer that accepts no streams yet', async () => {
    await using server = await startEcho({ maxConcurrentStreams: 0 })
    const own = new SessionPool({ idleTimeout: 20 })
    await failure(connect(server.origin, { sessions: own, connectTimeout: 50 }), 'CONNECT_TIMEOUT')
    expect(server.accepted.length).toBe(1)
    await expect.poll(() => own.size, patiently).toBe(0)
  })

  it('closes a connection that has had no streams for a while', async () => {
    await using server = await startEcho()
    const own = new SessionPool({ idleTimeout: 20 })
    const conn = await connect(server.origin, { sessions: own })
    await echoes(conn, 'busy')
    await conn.close()
    await expect.poll(() => own.size, patiently).toBe(0)
    const next = await connect(server.origin, { sessions: own })
    await echoes(next, 'again')
    expect(own.size).toBe(1)
    await next.close()
    await own[Symbol.asyncDispose]()
  })

  it('rejects invalid times', () => {
    const bad = [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]
    for (const idleTimeout of bad) expect(() => new SessionPool({ idleTimeout })).toThrow(/idleTimeout must be above 0/)
    expect(() => new SessionPool({ idleTimeout: 2 ** 31 - 1 })).not.toThrow()
  })
})

describe('SessionPool.close', () => {
  it('lets the open streams end first', async () => {
    await using server = await startEcho()
    const own = new SessionPool()
    const conn = await connect(server.origin, { sessions: own })
    const closing = own.close()
    await echoes(conn, 'still open')
    await conn.closeWrite()
    expect(await readAll(conn)).toBe('')
    await closing
    expect(own.size).toBe(0)
    expect(await conn.closed).toEqual({ clean: true })
  })

  it('opens no streams afterwards', async () => {
    await using server = await startEcho()
    const own = new SessionPool()
    await own.close()
    const error = await failure(connect(server.origin, { sessions: own }), 'SESSIONS_CLOSED')
    expect(error).toMatchObject({ side: 'local', fatal: true })
    await own.close()
  })

  it('rejects at once the calls that wait for room', async () => {
    await using server = await startEcho({ maxConcurrentStreams: 1 })
    const own = new SessionPool()
    const open = (): Promise<Http2Conn> => connect(server.origin, { sessions: own })
    const conns = await Promise.all(Array.from({ length: connLimits.sessionsPerOrigin }, open))
    const waiting = failure(open(), 'SESSIONS_CLOSED')
    const closing = own.close()
    await waiting
    expect(own.size).toBe(conns.length)
    await Promise.all(conns.map((conn) => conn.close()))
    await closing
  })

  it('does nothing if its timeout is invalid', async () => {
    await using server = await startEcho()
    const own = new SessionPool()
    await failure(own.close({ timeout: Number.NaN }), 'INVALID_ARGUMENT')
    const conn = await connect(server.origin, { sessions: own })
    expect(own.size).toBe(1)
    await conn.close()
    await own.close()
  })

  it('ends connections that are still connecting', async () => {
    const connected = deferred<Socket>()
    const silent = createSocketServer((socket) => connected.resolve(socket))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const own = new SessionPool()
    const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const connecting = failure(connect(url, { sessions: own }), 'SESSIONS_CLOSED')
    const socket = await connected.promise
    await Promise.all([own.close(), connecting])
    expect(own.size).toBe(0)
    socket.destroy()
    silent.close()
    await once(silent, 'close')
  })

  it('resets the remaining streams at the deadline', async () => {
    await using server = await startEcho()
    const own = new SessionPool({ closeTimeout: 20 })
    const conn = await connect(server.origin, { sessions: own })
    const read = failure(conn.read(), 'SESSIONS_CLOSED')
    await own.close()
    await read
    expect(await conn.closed).toMatchObject({ clean: false, error: { code: 'SESSIONS_CLOSED' } })
  })

  it('meets its deadline with a peer that never hangs up, and with one that reads no more', async () => {
    for (const blocked of [false, true]) {
      await using peer = await startRawPeer({
        onRequest(socket, stream) {
          socket.write(ok(stream))
          if (blocked) socket.pause()
        },
      })
      const own = new SessionPool({ closeTimeout: 20 })
      const conn = await connect(peer.origin, { sessions: own })
      if (blocked) await conn.write(new Uint8Array(60_000))
      await own.close()
      expect((await conn.closed).clean).toBe(false)
    }
  })
})

it('a pool waits for a stream to end when it may open no more connections', async () => {
  const oneStream = Uint8Array.of(0, 3, 0, 0, 0, 1)
  await using peer = await startRawPeer({ settings: oneStream, onRequest: (socket, id) => void socket.write(ok(id)) })
  await using sessions = new SessionPool({ closeTimeout: 20 })
  const most = connLimits.sessionsPerOrigin
  const conns = await Promise.all(Array.from({ length: most }, () => connect(peer.origin, { sessions })))
  expect(sessions.size).toBe(most)
  const error = await failure(connect(peer.origin, { sessions, connectTimeout: 20 }), 'CONNECT_TIMEOUT')
  expect(error.requestSent).toBe(false)
  const waiting = connect(peer.origin, { sessions })
  conns[0]?.abort()
  await waiting
  expect(sessions.size).toBe(most)
})

describe('connections that drain', () => {
  const startPeer = () =>
    startRawPeer({ onRequest: (socket, id) => void socket.write(Buffer.concat([ok(id), goaway(id, 0)])) })

  it('do not count among the serving ones, however many there are', async () => {
    await using peer = await startPeer()
    await using sessions = new SessionPool({ closeTimeout: 20 })
    const conns: Http2Conn[] = []
    const many = connLimits.sessionsPerOrigin + 5
    while (conns.length < many) {
      conns.push(await connect(peer.origin, { sessions }))
      const { socket } = await peer.link()
      const { stream } = await peer.request()
      socket.write(data(stream, 'alive'))
    }
    expect(sessions.size).toBe(many)
    for (const conn of conns) expect(text(await conn.read())).toBe('alive')
  })

  it('must end first when there are very many', async () => {
    const { drainingPerOrigin } = connLimits
    Object.assign(connLimits, { drainingPerOrigin: 3 })
    try {
      await using peer = await startPeer()
      await using sessions = new SessionPool({ closeTimeout: 20 })
      const drained = async (): Promise<Http2Conn> => {
        const conn = await connect(peer.origin, { sessions })
        await (await peer.link()).handled()
        return conn
      }
      const conns = [await drained(), await drained(), await drained()]
      await failure(connect(peer.origin, { sessions, connectTimeout: 20 }), 'CONNECT_TIMEOUT')
      const waiting = connect(peer.origin, { sessions })
      conns[0]?.abort()
      await waiting
      expect(sessions.size).toBe(3)
    } finally {
      Object.assign(connLimits, { drainingPerOrigin })
    }
  })
})

describe('a ping', () => {
  const patience = { pingInterval: 50, pingTimeout: 400 }

  it('ends the conns of a silent server with PEER_SILENT (nodejs/node#42710)', async () => {
    await using server = await startEcho()
    await using relay = await startRelay(Number(new URL(server.origin).port))
    const own = new SessionPool(patience)
    const conn = await connect(relay.origin, { sessions: own })
    await echoes(conn, 'hello')
    relay.silence()
    expect(await failure(conn.read(), 'PEER_SILENT')).toMatchObject({ side: 'remote', fatal: true })
    await failure(conn.write(bytes('a')), 'PEER_SILENT')
    await failure(connect(relay.origin, { sessions: own, connectTimeout: 20 }), 'CONNECT_TIMEOUT')
    await own.close()
  })

  it('ends the conns of a silent client', async () => {
    const accepted = deferred<Http2Conn>()
    await using server = await startServer((conn) => accepted.resolve(conn), { tls: false })
    server.server.on('session', (session) => keepServerAlive(session, patience))
    await using relay = await startRelay(Number(new URL(server.origin).port))
    const own = new SessionPool({ closeTimeout: 20 })
    const conn = await connect(relay.origin, { sessions: own })
    const there = await accepted.promise
    await conn.write(bytes('hello'))
    expect(await there.read()).toEqual(Buffer.from('hello'))
    relay.silence()
    expect(await failure(there.read(), 'PEER_SILENT')).toMatchObject({ side: 'remote', fatal: true })
    conn.abort()
    await own.close()
  })

  it('of a server ends the connection of a client that reads nothing', async () => {
    const accepted = deferred<Http2Conn>()
    await using server = await startServer((conn) => accepted.resolve(conn), { tls: false })
    const gone = deferred()
    server.server.on('connection', (socket: Socket) => socket.once('close', () => gone.resolve()))
    server.server.on('session', (session) => keepServerAlive(session, patience))
    const wide = 2 ** 31 - 1
    const link = connectRaw(server.origin, greeting(setting(Setting.INITIAL_WINDOW_SIZE, wide)))
    link.send(windowUpdate(0, wide - 65_535), headers(1, post))
    link.socket.pause()
    const conn = await accepted.promise
    const writing = (async () => {
      for (;;) await conn.write(new Uint8Array(64 * 1024))
    })()
    await failure(writing, 'PEER_SILENT')
    // The last write is still pending, and Node would wait for it.
    await gone.promise
    expect(link.socket.bytesRead).toBeLessThan(64 * 1024 * 1024)
    link.socket.destroy()
  })

  it('without an answer keeps further requests off the connection, when no response comes either', async () => {
    await using server = await startEcho()
    await using relay = await startRelay(Number(new URL(server.origin).port))
    const own = new SessionPool({ closeTimeout: 20 })
    const first = await connect(relay.origin, { sessions: own })
    await first.close()
    relay.silence()
    await failure(connect(relay.origin, { sessions: own, connectTimeout: 1_100 }), 'CONNECT_TIMEOUT')
    relay.speak()
    const second = await connect(relay.origin, { sessions: own })
    await echoes(second, 'hello')
    expect(server.accepted.length).toBe(2)
    await second.close()
    await own.close()
  })

  it('accepts anything that the peer sends as an answer, as long as it sends', async () => {
    const silence = deferred()
    await using peer = await startRawPeer({
      answersPings: false,
      onRequest(socket, stream) {
        socket.write(ok(stream))
        const beat = setInterval(() => socket.write(data(stream, 'alive')), 10)
        void silence.promise.then(() => clearInterval(beat))
      },
    })
    const own = new SessionPool(patience)
    const conn = await connect(peer.origin, { sessions: own })
    // Longer than Node keeps sending pings without an answer.
    const enough = performance.now() + 12 * patience.pingInterval
    while (performance.now() < enough) expect(await conn.read()).not.toBeNull()
    silence.resolve()
    await failure(readAll(conn), 'PEER_SILENT')
    await own.close()
  })
})

describe('the process', () => {
  const child = async (code: string): Promise<{ readonly code: unknown; readonly output: string }> => {
    const args = ['--conditions=@h2channel/source', '--import', 'tsx', '--input-type=module', '-e', code]
    const running = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [running.stdout, running.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (chunk: string) => {
        output += chunk
      })
    }
    const [exitCode] = (await once(running, 'exit')) as [number | null]
    return { code: exitCode, output }
  }

  it('exits with an idle connection, and not while a stream is open', async () => {
    await using server = await startEcho()
    const { code, output } = await child(`
      import { connect } from '@h2channel/conn'
      const conn = await connect(${JSON.stringify(server.origin)})
      await conn.write(Buffer.from('hello'))
      console.log(String(await conn.read()))
      await conn.close()
      console.log('closed')
    `)
    expect({ code, output }).toEqual({ code: 0, output: 'hello\nclosed\n' })
  })
})

describe('the windows', () => {
  const { streamWindow, connectionWindow } = connLimits

  it('are wide on both sides (nodejs/node#31084, #19141, #38426) (FLOW-2)', async () => {
    const accepted = deferred<ServerHttp2Stream>()
    const http2 = createServer()
    http2.on('stream', (stream, fields) => {
      void accept(stream, fields).then((conn) => conn.write(bytes('hello')))
      accepted.resolve(stream)
    })
    await using server = await listen(http2, undefined)
    const conn = await server.connect()
    await conn.read()
    const { session } = await accepted.promise
    if (session === undefined) throw new Error('no session')
    // What the client told the server ...
    await expect.poll(() => session.remoteSettings.initialWindowSize, patiently).toBe(streamWindow)
    await expect.poll(() => session.state.remoteWindowSize, patiently).toBeGreaterThanOrEqual(connectionWindow - 5)
    // ... and what the server tells.
    expect(session.state.effectiveLocalWindowSize).toBe(connectionWindow)
    await expect.poll(() => session.localSettings.initialWindowSize, patiently).toBe(streamWindow)
    conn.abort()
  })

  it('stay as they are if they are wider already', async () => {
    const wide = 2 * connectionWindow
    const accepted = deferred<Http2Session>()
    const http2 = createServer({ settings: { initialWindowSize: wide } })
    http2.on('session', (session) => {
      session.setLocalWindowSize(wide)
      widenWindows(session)
      widenWindows(session)
    })
    http2.on('stream', (stream, fields) => {
      void accept(stream, fields).then((conn) => conn.close())
      if (stream.session !== undefined) accepted.resolve(stream.session)
    })
    await using server = await listen(http2, undefined)
    const conn = await server.connect()
    const session = await accepted.promise
    expect(session.state.effectiveLocalWindowSize).toBe(wide)
    await conn.close()
    session.destroy()
    widenWindows(session)
  })
})

/**
 * Conns that are opened and ended in every way leave nothing behind: no session, stream, timer, listener, file
 * descriptor or memory.
 *
 * H2CHANNEL_LEAKS=5000 npx vitest run packages/conn/test/leaks.test.ts   # that many conns instead of 20,000
 */
import { getEventListeners, once, setMaxListeners } from 'node:events'
import type { Http2SecureServer, Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { createSecureServer, createServer } from 'node:http2'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect as connectSocket, createServer as createSocketServer } from 'node:net'
import { expect, it } from 'vitest'

import type { Conn, ConnectOptions, Http2Conn } from '../../src/index.ts'
import { accept, connect, fromDuplex, pipe, SessionPool } from '../../src/index.ts'
import type { TestServer } from '../../src/testing.ts'
import { listen, makeCertificate } from '../../src/testing.ts'
import { heapUsed, leftSince, resources } from '../support/soak.ts'
import type { Deferred } from '../support/support.ts'
import { deferred, failure } from '../support/support.ts'

const conns = Number(process.env['H2CHANNEL_LEAKS'] ?? 20_000)
const warmUp = 2_000
const atOnce = 50
const MiB = 1024 * 1024
const patiently = { timeout: 10_000, interval: 5 }

const piece = new Uint8Array(64 * 1024)
/** Passed to every connect and to many waits, and never aborted. */
const longLived = new AbortController().signal
setMaxListeners(0, longLived)

/** A wait that something else ends, one way or the other. */
const settled = (wait: Promise<unknown>): Promise<unknown> => wait.catch(() => {})

async function drain(conn: Conn): Promise<void> {
  while ((await conn.read({ signal: longLived })) !== null);
}

async function halfCloses(conn: Conn): Promise<void> {
  await conn.write(piece.subarray(0, 100))
  await conn.closeWrite()
  await drain(conn)
}

/** Leaves waits behind, which end with the conn. */
function waits(conn: Conn): Promise<unknown> {
  const all = [conn.read({ signal: longLived }), conn.read()]
  for (let time = 0; time < 10; time += 1) all.push(conn.write(piece, { signal: longLived }).then(() => null))
  return Promise.all(all.map(settled))
}

/** What either end of a conn does with it. The second end may be told of a failure by the first. */
type Way = readonly [client: (conn: Conn) => Promise<unknown>, server: (conn: Conn) => Promise<unknown>]

const ended = async (conn: Conn): Promise<unknown> => {
  // A socket without a reader emits nothing.
  await settled(drain(conn))
  return settled(conn.closeWrite())
}
/** Sends after the peer's end, until the peer wants no more. */
const lasts = async (conn: Conn): Promise<unknown> => {
  await settled(drain(conn))
  const writing = async (): Promise<never> => {
    for (;;) {
      await conn.write(piece.subarray(0, 1))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await settled(writing())
  return conn.closed
}
const aborts = async (conn: Conn): Promise<unknown> => {
  conn.abort(new Error('enough'))
  return conn.closed
}
const closes = (conn: Conn): Promise<unknown> => settled(conn.close())

/** The ways that every carrier knows. */
const ways: Readonly<Record<string, Way>> = {
  'both close': [closes, closes],
  'both end their half': [halfCloses, halfCloses],
  'the client aborts': [aborts, ended],
  'the server aborts': [ended, aborts],
  'waits at the end': [
    (conn) => Promise.all([waits(conn), aborts(conn)]),
    (conn) => Promise.all([waits(conn), ended(conn)]),
  ],
  'nothing is read': [
    closes,
    async (conn) => {
      await settled(conn.write(piece))
      await settled(conn.write(piece))
      await closes(conn)
    },
  ],
  'the client lingers': [closes, lasts],
  'the server lingers': [lasts, closes],
}

const timeouts = (way: string): { lingerTimeout: number } => ({ lingerTimeout: way.endsWith('lingers') ? 5 : 1_000 })

/** Ends of conns and of connects that HTTP/2 alone has. */
const http2Ways = [
  'aborted before the response',
  'aborted while connecting',
  'refused',
  'the handler throws',
  'the session is destroyed',
  'the socket is cut',
] as const

/** Something that opens conns and ends them: one for each call. */
interface Carrier {
  readonly ways: readonly string[]
  batch(ways: readonly string[]): Promise<void>
  readonly server: Http2Server | Http2SecureServer | Server | undefined
  close(): Promise<void>
}

async function http2Carrier(secure: boolean): Promise<Carrier> {
  const certificate = secure ? await makeCertificate() : undefined
  const http2 = certificate === undefined ? createServer() : createSecureServer({ ...certificate })
  const sessions = new Set<unknown>()
  const sockets = new Map<number, Socket>()
  let ends: Promise<unknown>[] = []
  let waiting: (() => void)[] = []
  http2.on('connection', (socket: Socket) => {
    const port = socket.remotePort ?? 0
    sockets.set(port, socket)
    socket.once('close', () => sockets.delete(port))
  })
  http2.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
  })
  const serve = async (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> => {
    const way = decodeURIComponent((headers[':path'] ?? '/').slice(1))
    if (way === 'aborted before the response') {
      stream.on('error', () => {})
      for (const arrived of waiting) arrived()
      waiting = []
      return
    }
    if (way === 'refused') {
      stream.respond({ ':status': 404 })
      stream.end('no such way')
      return
    }
    const { session } = stream
    const conn = await accept(stream, headers, timeouts(way))
    ends.push(conn.closed)
    if (way === 'the session is destroyed') session?.destroy()
    else if (way === 'the socket is cut') sockets.get(session?.socket.remotePort ?? 0)?.destroy()
    else if (way === 'the handler throws') await aborts(conn)
    else ends.push(settled(ways[way]?.[1](conn) ?? ended(conn)).then(() => closes(conn)))
  }
  http2.on('stream', (stream, headers) => {
    serve(stream, headers).catch(() => stream.destroy())
  })
  const server: TestServer = await listen(http2, certificate)
  const one = async (way: string, pool: SessionPool): Promise<void> => {
    const open = (options: ConnectOptions = {}): Promise<Http2Conn> =>
      connect(`${server.origin}/${encodeURIComponent(way)}`, {
        tls: server.tls,
        sessions: pool,
        signal: longLived,
        ...timeouts(way),
        ...options,
      })
    if (way === 'aborted before the response') {
      const giveUp = new AbortController()
      const arrived = deferred()
      waiting.push(() => arrived.resolve())
      const opening = failure(open({ signal: giveUp.signal }), 'CANCELLED')
      await arrived.promise
      giveUp.abort()
      await opening
    } else if (way === 'aborted while connecting') {
      const giveUp = new AbortController()
      const opening = failure(open({ signal: giveUp.signal }), 'CANCELLED')
      giveUp.abort()
      await opening
    } else if (way === 'refused') await failure(open(), 'UNEXPECTED_STATUS')
    else if (way === 'the session is destroyed' || way === 'the socket is cut') {
      // Others on the same connection would end with it.
      await using own = new SessionPool({ closeTimeout: 5_000 })
      await settled(open({ sessions: own }).then(ended))
    } else {
      const conn = await open()
      await settled(ways[way]?.[0](conn) ?? ended(conn))
      await closes(conn)
      await conn.closed
    }
  }
  return {
    ways: [...Object.keys(ways), ...http2Ways],
    server: http2,
    async batch(some) {
      const pool = new SessionPool({ closeTimeout: 5_000 })
      await Promise.all(some.map((way) => one(way, pool)))
      await pool.close()
      expect(pool.size).toBe(0)
      await Promise.all(ends)
      ends = []
      await expect.poll(() => sessions.size, patiently).toBe(0)
    },
    close: server.close,
  }
}

async function pairEnds(way: string, client: Conn, server: Conn): Promise<void> {
  const [left, right] = ways[way] ?? [ended, ended]
  const one = async (conn: Conn, act: (conn: Conn) => Promise<unknown>): Promise<void> => {
    await settled(act(conn))
    await closes(conn)
    await conn.closed
  }
  await Promise.all([one(client, left), one(server, right)])
}

function pipeCarrier(): Carrier {
  return {
    ways: Object.keys(ways),
    server: undefined,
    async batch(some) {
      await Promise.all(some.map((way) => pairEnds(way, ...pipe(timeouts(way)))))
    },
    async close() {},
  }
}

async function tcpCarrier(): Promise<Carrier> {
  const accepted = new Map<number, Deferred<Socket>>()
  /** The server's end of a connection, of which either end may hear first. */
  const acceptedFrom = (port = 0): Deferred<Socket> => {
    const known = accepted.get(port) ?? deferred<Socket>()
    accepted.set(port, known)
    return known
  }
  const server = createSocketServer({ allowHalfOpen: true }, (socket) => {
    acceptedFrom(socket.remotePort).resolve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const one = async (way: string): Promise<void> => {
    const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    const { localPort = 0 } = socket
    const right = await acceptedFrom(localPort).promise
    accepted.delete(localPort)
    await pairEnds(way, fromDuplex(socket, timeouts(way)), fromDuplex(right, timeouts(way)))
  }
  return {
    ways: Object.keys(ways),
    server,
    async batch(some) {
      await Promise.all(some.map(one))
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

function listeners(emitter: Carrier['server']): Record<string, number> {
  const names = emitter?.eventNames() ?? []
  return Object.fromEntries(names.map((name) => [String(name), emitter?.listenerCount(name) ?? 0]))
}

it(`leaves nothing behind after ${conns} conns`, { timeout: 60_000 + 10 * conns }, async () => {
  const carriers: readonly (readonly [share: number, carrier: Carrier])[] = [
    [0.8, await http2Carrier(false)],
    [0.06, await http2Carrier(true)],
    [0.07, pipeCarrier()],
    [0.07, await tcpCarrier()],
  ]
  const run = async (count: number): Promise<void> => {
    let next = 0
    for (const [share, carrier] of carriers) {
      for (let left = Math.round(count * share); left > 0; left -= atOnce) {
        const some = Array.from({ length: Math.min(left, atOnce) }, () => {
          next += 1
          return carrier.ways[next % carrier.ways.length] ?? ''
        })
        await carrier.batch(some)
      }
    }
  }
  const allListeners = (): unknown => carriers.map(([, carrier]) => listeners(carrier.server))
  await run(warmUp)
  const [resourcesBefore, listenersBefore] = [resources(), allListeners()]
  const heapBefore = await heapUsed()
  const start = performance.now()
  await run(conns)
  const seconds = ((performance.now() - start) / 1e3).toFixed(1)
  expect(await leftSince(resourcesBefore)).toEqual({})
  expect(allListeners()).toEqual(listenersBefore)
  expect(getEventListeners(longLived, 'abort').length).toBe(0)
  const grown = ((await heapUsed()) - heapBefore) / MiB
  process.stdout.write(`leaks: ${conns} conns in ${seconds} s, the heap grew by ${grown.toFixed(2)} MiB\n`)
  expect(grown).toBeLessThan(5)
  await Promise.all(carriers.map(([, carrier]) => carrier.close()))
})

/** Our client against a raw server, and our server against a raw client. Both check that nothing is left of them. */
import type { Http2Server, ServerHttp2Session } from 'node:http2'
import { createServer } from 'node:http2'
import { expect } from 'vitest'

import type { Conn, ConnectOptions, Http2Conn, SessionPoolOptions } from '../../src/index.ts'
import type { CloseTimeouts } from '../../src/limits.ts'
import { accept, connect, ConnError, SessionPool } from '../../src/index.ts'
import { keepServerAlive } from '../../src/http2/keep-alive.ts'
import { listen } from '../../src/testing.ts'
import type { RawLink, RawPeer, Script } from './raw-peer.ts'
import { Arrivals, connectRaw, greeting, headers, ok, post, startRawPeer } from './raw-peer.ts'

/** What comes of a promise, in a word: `RESET 8`, `CONNECTION_LOST`, the text of a chunk, `end`, `done`. */
export async function told(promise: Promise<unknown>): Promise<string> {
  try {
    const value = await promise
    if (value === null) return 'end'
    return value instanceof Uint8Array ? Buffer.from(value).toString() : 'done'
  } catch (error) {
    return word(error)
  }
}

/** How a conn ended, in a word: `clean`, or its error. */
export async function ending(conn: Conn): Promise<string> {
  const closed = await conn.closed
  return closed.clean ? 'clean' : word(closed.error)
}

function word(error: unknown): string {
  if (!(error instanceof ConnError)) return String(error)
  return error.rstCode === undefined ? error.code : `${error.code} ${error.rstCode}`
}

/**
 * A write that has to wait, where the peer's window is shut: Node's stream has taken all it takes (64 KiB, once 16).
 */
export function heldWrite(conn: Conn): Promise<string> {
  void conn.write(new Uint8Array(64 * 1024))
  return told(conn.write(Buffer.from('held')))
}

/** The sockets and servers that are open in this process. */
function openHandles(): readonly string[] {
  return process.getActiveResourcesInfo().filter((handle) => handle.startsWith('TCP'))
}

const patiently = { timeout: 5_000, interval: 1 }

/** A conn and the number of its stream. */
export interface Opened {
  readonly conn: Http2Conn
  readonly id: number
}

/** Two sides, of which one is ours and the other raw. */
export interface World extends AsyncDisposable {
  /** Opens as many conns on one connection: one that is there on our client, a new one on our server. */
  open(count?: number): Promise<{ readonly link: RawLink; readonly conns: readonly [Opened, ...Opened[]] }>
}

export type StartWorld = (settings?: Uint8Array, timeouts?: CloseTimeouts) => Promise<World>

/** We are the client. */
export interface HostileServer extends World {
  readonly peer: RawPeer
  readonly sessions: SessionPool
  connect(options?: ConnectOptions): Promise<Http2Conn>
}

export async function startHostileServer(
  script: Script = {},
  options: SessionPoolOptions = {},
  timeouts: CloseTimeouts = {},
): Promise<HostileServer> {
  const before = openHandles().length
  const peer = await startRawPeer(script)
  const sessions = new SessionPool({ closeTimeout: 50, ...options })
  const dial = (given: ConnectOptions = {}): Promise<Http2Conn> =>
    connect(peer.origin, { sessions, ...timeouts, ...given })
  const open = async (): Promise<Opened & { readonly link: RawLink }> => {
    const connecting = dial()
    const { link, stream } = await peer.request()
    link.send(ok(stream))
    return { conn: await connecting, id: stream, link }
  }
  return {
    peer,
    sessions,
    connect: dial,
    async open(count = 1) {
      const first = await open()
      const conns: [Opened, ...Opened[]] = [first]
      while (conns.length < count) conns.push(await open())
      return { link: first.link, conns }
    },
    async [Symbol.asyncDispose]() {
      await sessions.close()
      expect(sessions.size).toBe(0)
      await peer[Symbol.asyncDispose]()
      await expect.poll(() => openHandles().length, patiently).toBeLessThanOrEqual(before)
    },
  }
}

/** We are the server. */
export interface HostileClient extends World {
  readonly server: Http2Server
  /** The sessions that are open. */
  readonly sessions: ReadonlySet<ServerHttp2Session>
  /** A connection, with what is sent on it first. */
  link(first?: Uint8Array, answersPings?: boolean): RawLink
  /** What `accept` makes of each request. */
  readonly accepted: Arrivals<{ readonly accepting: Promise<Http2Conn> }>
}

export async function startHostileClient(settings?: Uint8Array, timeouts: CloseTimeouts = {}): Promise<HostileClient> {
  const before = openHandles().length
  const server = createServer()
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
    // Node 20 emits nothing when it gives a session up: the next ping notices.
    keepServerAlive(session, { pingInterval: 100, pingTimeout: 10_000 })
  })
  const arrivals = new Arrivals<{ readonly accepting: Promise<Http2Conn> }>()
  server.on('stream', (stream, fields) => {
    const accepting = accept(stream, fields, timeouts)
    accepting.catch(() => {})
    arrivals.add({ accepting })
  })
  const listening = await listen(server, undefined)
  const links: RawLink[] = []
  const dial = (first: Uint8Array = greeting(settings), answersPings = true): RawLink => {
    const link = connectRaw(listening.origin, first, answersPings)
    links.push(link)
    return link
  }
  return {
    server,
    sessions,
    link: dial,
    accepted: arrivals,
    async open(count = 1) {
      const link = dial()
      const open = async (id: number): Promise<Opened> => {
        link.send(headers(id, post))
        return { conn: await (await arrivals.next()).accepting, id }
      }
      const conns: [Opened, ...Opened[]] = [await open(1)]
      while (conns.length < count) conns.push(await open(2 * conns.length + 1))
      // Our server sends SETTINGS once more when the first were acknowledged. No answer may get into a test's frames.
      for (let turn = 0; turn < 2; turn += 1) await link.handled()
      return { link, conns }
    },
    async [Symbol.asyncDispose]() {
      for (const link of links) link.socket.destroy()
      await expect.poll(() => sessions.size, patiently).toBe(0)
      await listening.close()
      await expect.poll(() => openHandles().length, patiently).toBeLessThanOrEqual(before)
    },
  }
}

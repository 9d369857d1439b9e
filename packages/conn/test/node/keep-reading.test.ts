/** Two ends that both write more than the sockets between them hold, and a peer that abuses the remedy. */
import { describe, expect, it } from 'vitest'

import type { Conn } from '../../src/index.ts'
import { connLimits, connect, SessionPool } from '../../src/index.ts'
import { startServer } from '../../src/testing.ts'
import { data, frame, ok, setting, Setting, startRawPeer, windowUpdate } from '../support/raw-peer.ts'
import { failure } from '../support/support.ts'

/** Node 26 reads while it writes, and drops frames that it does not know. */
const neverStopsReading = Number.parseInt(process.versions.node, 10) >= 26

interface Load {
  readonly name: string
  readonly conns: number
  readonly write: number
  readonly total: number
}

const loads: readonly Load[] = [
  { name: '16 conns that write 64 KiB at a time', conns: 16, write: 64 * 1024, total: 1024 * 1024 },
  { name: '16 conns that write all at once and end', conns: 16, write: 1024 * 1024, total: 1024 * 1024 },
  // Every write is accepted at once.
  { name: '1,500 conns that write 4,000 bytes', conns: 1_500, write: 4_000, total: 4_000 },
]

/** Writes everything and ends, while it reads to the end. Returns how many bytes arrived. */
async function exchange(conn: Conn, { write, total }: Load): Promise<number> {
  const writing = async (): Promise<void> => {
    for (let sent = 0; sent < total; sent += write) await conn.write(new Uint8Array(write))
    await conn.closeWrite()
  }
  const reading = async (): Promise<number> => {
    let received = 0
    for await (const chunk of conn) received += chunk.length
    return received
  }
  const [received] = await Promise.all([reading(), writing()])
  return received
}

describe.each([{ tls: false }, { tls: true }])('a session with TLS: $tls', ({ tls }) => {
  it.each(loads)('reads while it writes: $name', { timeout: 60_000 }, async (load) => {
    const accepted: Conn[] = []
    await using server = await startServer((conn) => void accepted.push(conn), { tls })
    const conns = await Promise.all(Array.from({ length: load.conns }, () => server.connect()))
    // Both sides begin at once.
    const received = await Promise.all([...conns, ...accepted].map((conn) => exchange(conn, load)))
    expect(received).toEqual(Array.from({ length: 2 * load.conns }, () => load.total))
    expect(server.sessions.size).toBe(1)
    await Promise.all([...conns, ...accepted].map((conn) => conn.close()))
  })
})

it('a peer that sends more than the window while it reads nothing is bounded', { timeout: 60_000 }, async () => {
  // The client may write as much as it likes, which fills the sockets.
  const wide = 2 ** 31 - 1
  await using peer = await startRawPeer({
    settings: setting(Setting.INITIAL_WINDOW_SIZE, wide),
    onRequest: (socket, stream) => socket.write(Buffer.concat([windowUpdate(0, wide - 65_535), ok(stream)])),
  })
  const own = new SessionPool({ closeTimeout: 50 })
  const conn = await connect(peer.origin, { sessions: own })
  const { socket } = await peer.link()
  socket.pause()
  const writing = (async () => {
    for (;;) await conn.write(new Uint8Array(64 * 1024))
  })()
  const before = process.memoryUsage.rss()
  const much = 8 * connLimits.connectionWindow
  // DATA within the window, and frames of an unknown type.
  const junk = Buffer.concat([data(conn.streamId, 'a'), frame(0xfa, 0, 0, new Uint8Array(16_384))])
  const allTaken = new Promise<string>((resolve) => {
    const send = (): void => {
      if (neverStopsReading && socket.bytesWritten > 2 * much) resolve('all taken')
      else while (!socket.destroyed && socket.write(junk));
    }
    socket.on('drain', send)
    send()
  })
  const ended = failure(writing, 'CONNECTION_LOST')
  const outcome = await (neverStopsReading ? allTaken : ended.then(({ message }) => message))
  expect(outcome).toBe(neverStopsReading ? 'all taken' : 'the peer sent more than the window while it took nothing')
  // Plus what the sockets hold.
  const cost = neverStopsReading ? process.memoryUsage.rss() - before : socket.bytesWritten
  expect(cost).toBeLessThan(much)
  conn.abort()
  await ended.catch(() => {})
  await own.close()
})

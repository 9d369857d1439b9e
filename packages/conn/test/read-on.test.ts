/** Two ends that both write more than the sockets between them hold. */
import { describe, expect, it } from 'vitest'

import type { Conn } from '../src/index.ts'
import { startServer } from '../src/testing.ts'

const piece = new Uint8Array(64 * 1024)

/** Writes `total` bytes and reads to the end, both at once. Returns how many came. */
async function exchange(conn: Conn, total: number): Promise<number> {
  const writing = async (): Promise<void> => {
    for (let sent = 0; sent < total; sent += piece.length) await conn.write(piece)
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
  it('reads while it writes, with 16 conns that are all busy both ways', { timeout: 60_000 }, async () => {
    const total = 2 * 1024 * 1024
    await using server = await startServer(
      async (conn) => {
        await exchange(conn, total)
        await conn.close()
      },
      { tls },
    )
    const conns = await Promise.all(Array.from({ length: 16 }, () => server.connect()))
    const received = await Promise.all(conns.map((conn) => exchange(conn, total)))
    expect(received).toEqual(received.map(() => total))
    expect(server.sessions.size).toBe(1)
  })
})

/** The bytes that a peer receives from conns that are aborted while the socket still has to send what they wrote. */
import type { Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'

import type { Conn } from '../../src/index.ts'
import { connect, SessionPool } from '../../src/index.ts'
import { startServer } from '../../src/testing.ts'
import { startRelay } from '../support/relay.ts'
import { deferred } from '../support/support.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const conns = 24
const size = 1024 * 1024
const letter = 0x41

/** Reads to the end or an error. Returns how many bytes differed from what was sent. */
async function strangeBytes(conn: Conn): Promise<number> {
  let strange = 0
  try {
    for await (const chunk of conn) for (const byte of chunk) if (byte !== letter) strange += 1
  } catch {
    // The conn was aborted.
  }
  return strange
}

/**
 * Writes to all conns while the peer does not read, and aborts them, so that only the sending socket refers to the
 * bytes.
 */
async function writeAndAbort(senders: readonly Conn[]): Promise<void> {
  for (const conn of senders) conn.write(Buffer.allocUnsafeSlow(size).fill(letter)).catch(() => {})
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  for (const conn of senders) conn.abort()
  await Promise.all(senders.map((conn) => conn.closed))
}

/** Collects the garbage, and puts other bytes in its place. */
async function overwriteGarbage(): Promise<readonly Buffer[]> {
  const filler: Buffer[] = []
  for (let round = 0; round < 5; round++) {
    collectGarbage()
    await new Promise((resolve) => setImmediate(resolve))
    for (let index = 0; index < 16; index++) filler.push(Buffer.allocUnsafeSlow(size).fill(0xee))
  }
  return filler
}

describe.each([
  ['cleartext', false],
  ['TLS', true],
])('over %s', (_name, tls) => {
  test.each(['client', 'server'])('the peer of a %s gets the written bytes, or no bytes', async (side) => {
    const accepted: Conn[] = []
    const strange: Promise<number>[] = []
    const all = deferred()
    await using server = await startServer(
      async (conn) => {
        if (conn.path === '/after') {
          await conn.close()
          return
        }
        if (side === 'client') strange.push(strangeBytes(conn))
        accepted.push(conn)
        if (accepted.length === conns) all.resolve()
        await conn.closed
      },
      { tls },
    )
    const ends: (readonly [near: Socket, far: Socket])[] = []
    await using relay = await startRelay(Number(new URL(server.origin).port), (near, far) => {
      ends.push([near, far])
      near.pipe(far)
      far.pipe(near)
    })
    const sessions = new SessionPool()
    const url = `http${tls ? 's' : ''}://localhost:${relay.port}/`
    const opened = await Promise.all(
      Array.from({ length: conns }, () => connect(url, { sessions, ...(tls && { tls: server.tls }) })),
    )
    await all.promise
    if (side === 'server') strange.push(...opened.map(strangeBytes))
    for (const [near, far] of ends) {
      near.unpipe(far)
      far.unpipe(near)
    }
    await writeAndAbort(side === 'client' ? opened : accepted)
    const filler = await overwriteGarbage()
    for (const [near, far] of ends) {
      near.pipe(far)
      far.pipe(near)
    }
    // The connection is still open, and everything sent before has arrived when this has.
    const after = await connect(`${url}after`, { sessions, ...(tls && { tls: server.tls }) })
    await after.close()
    expect(await Promise.all(strange)).toEqual(Array.from({ length: conns }, () => 0))
    expect(filler).toHaveLength(80)
    expect(relay.open).toBe(2)
    await sessions.close()
  })
})

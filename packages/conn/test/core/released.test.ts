/** When a conn releases bytes: once the system has a copy. */
import { describe, expect, test } from 'vitest'

import type { Conn } from '../../src/index.ts'
import { startServer } from '../../src/testing.ts'
import { deferred, failure } from '../support/support.ts'

const size = 64 * 1024

describe.each([
  ['TLS', true],
  ['cleartext', false],
])('over %s', (_name, tls) => {
  test('bytes may be changed once they are released, and not before', async () => {
    const pieces = 200
    const sums = deferred<number[]>()
    const handler = async (conn: Conn): Promise<void> => {
      const seen: number[] = []
      let place = 0
      for await (const chunk of conn) {
        for (const byte of chunk) {
          // Every byte of a piece is the same number.
          const piece = Math.floor(place / size)
          if (place % size === 0) seen.push(byte)
          else if (seen[piece] !== byte) throw new Error(`piece ${piece} has ${byte} among ${seen[piece]}`)
          place += 1
        }
      }
      sums.resolve(seen)
      await conn.close()
    }
    await using server = await startServer((conn) => handler(conn).catch(() => sums.resolve([])), { tls })
    await using conn = await server.connect('/')
    const free: Uint8Array[] = []
    let [made, told] = [0, 0]
    for (let piece = 0; piece < pieces; piece++) {
      const bytes = free.pop() ?? new Uint8Array(size)
      if (bytes[0] === 0) made += 1
      bytes.fill((piece % 200) + 1)
      await conn.write(bytes, {
        released: () => {
          told += 1
          free.push(bytes)
        },
      })
    }
    await conn.closeWrite()
    expect(await sums.promise).toEqual(Array.from({ length: pieces }, (_, piece) => (piece % 200) + 1))
    expect(told).toBe(pieces)
    expect(made).toBeLessThan(pieces)
  })

  test('no bytes are released at once', async () => {
    await using server = await startServer((conn) => conn.close(), { tls })
    await using conn = await server.connect('/')
    let told = 0
    await conn.write(new Uint8Array(0), { released: () => void (told += 1) })
    expect(told).toBe(1)
  })

  test('bytes that never leave are never released', async () => {
    await using server = await startServer(() => new Promise(() => {}), { tls })
    const conn = await server.connect('/')
    let told = 0
    const writes = Array.from({ length: 64 }, () =>
      conn.write(new Uint8Array(size), { released: () => void (told += 1) }),
    )
    const settled = Promise.allSettled(writes)
    // The last ones find no room, since the peer does not read.
    const signal = AbortSignal.timeout(200)
    await failure(conn.write(new Uint8Array(1), { signal, released: () => void (told += 1000) }), 'TIMEOUT')
    const before = told
    expect(before).toBeLessThan(64)
    conn.abort()
    await settled
    expect(await conn.closed).toMatchObject({ clean: false })
    // Node completes the interrupted write a little later, as if all of it had left.
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(told).toBe(before)
  })
})

import { describe, expect, it } from 'vitest'

import { connDefaults, pipe } from '../../src/web.ts'
import type { Conn } from '../../src/web.ts'
import { bytes, failure, text } from '../support/support.ts'

/** Writes pieces until one finds no room. Returns how many bytes were accepted. */
async function fill(conn: Conn, size: number): Promise<number> {
  const giveUp = new AbortController()
  for (let taken = 0; ; taken += size) {
    const write = conn.write(new Uint8Array(size), { signal: giveUp.signal })
    // A write that finds room settles before the next turn, and only the reader makes room.
    const settled = await Promise.race([
      write.then(() => true),
      new Promise<boolean>((resolve) => setImmediate(resolve, false)),
    ])
    if (settled) continue
    giveUp.abort()
    await failure(write, 'CANCELLED')
    return taken
  }
}

describe('pipe', () => {
  it('accepts about its high-water mark, and no more, while the other end does not read', async () => {
    const { pipeBuffer } = connDefaults
    const [left, right] = pipe()
    expect(await fill(left, 1_024)).toBe(pipeBuffer)
    expect(await fill(right, pipeBuffer)).toBe(pipeBuffer)
    left.abort()
  })

  it.each([0, 1, 10])('gets everything through a high-water mark of %i', async (highWaterMark) => {
    const [left, right] = pipe({ highWaterMark })
    const writes = ['one', 'two', 'three'].map((word) => left.write(bytes(word)))
    const read: (string | null)[] = []
    for (let count = 0; count < 3; count += 1) read.push(text(await right.read()))
    await Promise.all(writes)
    expect(read).toEqual(['one', 'two', 'three'])
  })

  it('delivers no event inside a call', async () => {
    const [left, right] = pipe()
    const order: string[] = []
    const read = right.read().then(() => order.push('read'))
    const written = left.write(bytes('a')).then(() => order.push('written'))
    order.push('after both calls')
    await Promise.all([read, written])
    expect(order[0]).toBe('after both calls')
  })

  it('drops what was not read when it is aborted', async () => {
    const [left, right] = pipe()
    await left.write(bytes('unread'))
    left.abort(new Error('broken off'))
    const error = await failure(right.read(), 'RESET')
    expect(error.cause).toMatchObject({ code: 'ABORTED', cause: new Error('broken off') })
  })

  it('leaves what was written to be read when the writer ends the half of the reader', async () => {
    const [left, right] = pipe({ lingerTimeout: 100 })
    await fill(right, 1_024)
    const waiting = right.write(bytes('waits for room'))
    for (const word of ['one', 'two']) await left.write(bytes(word))
    const closing = left.close()
    const flood = failure(
      (async (): Promise<never> => {
        for (;;) {
          await right.write(new Uint8Array(1_024))
          await new Promise((resolve) => {
            setImmediate(resolve)
          })
        }
      })(),
      'RESET',
    )
    await closing
    await flood
    await waiting
    expect((await right.closed).clean).toBe(false)
    expect([text(await right.read()), text(await right.read()), await right.read()]).toEqual(['one', 'two', null])
  })
})

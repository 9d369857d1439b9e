/**
 * What every conn must do, whatever carries its bytes: a list of named cases, bound to no test runner. Give it a function
 * that makes two joined conns, and run each case.
 */
import assert from 'node:assert/strict'

import type { CloseTimeouts, Conn, ConnErrorCode } from '../src/web.ts'
import { ConnError } from '../src/web.ts'

/** Makes two conns, of which each reads what the other writes. */
export type MakePair = (timeouts?: CloseTimeouts) => Promise<readonly [Conn, Conn]>

export interface ConformanceCase {
  readonly name: string
  /** What the carrier must be able to do, where not all can: say `reset`, which tells an abort from a clean end. */
  readonly needs?: 'reset'
  run(makePair: MakePair): Promise<void>
}

/** The seed of every random number here. */
export const seed = 0x68_32_63_68

const broken: readonly ConnErrorCode[] = ['RESET', 'CONNECTION_LOST']

export const conformanceCases: readonly ConformanceCase[] = [
  {
    name: 'carries 1 MiB each way at once',
    run: withPair(async (left, right) => {
      const toRight = randomBytes(1024 * 1024, seed)
      const toLeft = randomBytes(1024 * 1024, seed + 1)
      const [atLeft, atRight] = await Promise.all([
        readAll(left),
        readAll(right),
        writePieces(left, toRight, seed + 2),
        writePieces(right, toLeft, seed + 3),
      ])
      assert.ok(atRight.equals(toRight), 'what came to the right differs')
      assert.ok(atLeft.equals(toLeft), 'what came to the left differs')
      await bothClean(left, right)
    }),
  },
  {
    name: 'answers 100 times in turn',
    run: withPair(async (left, right) => {
      const echo = async (): Promise<void> => {
        for await (const chunk of right) await right.write(chunk)
        await right.close()
      }
      const echoing = echo()
      for (let turn = 0; turn < 100; turn += 1) {
        const ping = Uint8Array.of(turn, 255 - turn)
        await left.write(ping)
        assert.deepEqual(await readExactly(left, 2), Buffer.from(ping))
      }
      await left.closeWrite()
      assert.equal(await left.read(), null)
      await echoing
      await bothClean(left, right)
    }),
  },
  {
    name: 'goes on with one half after the other ended',
    run: withPair(async (left, right) => {
      await left.write(Buffer.from('request'))
      const ending = left.closeWrite()
      assert.equal(String(await readAll(right)), 'request')
      await ending
      assert.equal(await right.read(), null)
      for (const part of ['one', 'two', 'three']) {
        await right.write(Buffer.from(part))
        assert.equal(String(await readExactly(left, part.length)), part)
      }
      await right.closeWrite()
      assert.equal(await left.read(), null)
      assert.equal(await left.read(), null)
      await fails(left.write(Uint8Array.of(1)), ['CLOSED'])
      await bothClean(left, right)
    }),
  },
  {
    name: 'ends a half that carried nothing',
    run: withPair(async (left, right) => {
      const ends = Promise.all([left.read(), right.read()])
      await Promise.all([left.closeWrite(), right.closeWrite()])
      assert.deepEqual(await ends, [null, null])
      await bothClean(left, right)
    }),
  },
  {
    name: 'holds a writer back while the reader rests, and delivers all of it afterwards',
    run: withPair(async (left, right) => {
      const piece = randomBytes(64 * 1024, seed)
      const accepted = await writeUntilHeldBack(left, piece)
      const rest = Promise.all([left.write(piece), left.closeWrite()])
      const all = await readAll(right)
      await rest
      assert.equal(all.length, (accepted + 1) * piece.length)
      for (let at = 0; at < all.length; at += piece.length) {
        assert.ok(all.subarray(at, at + piece.length).equals(piece), `the piece at ${at} differs`)
      }
    }),
  },
  {
    name: 'loses nothing to an aborted read',
    run: withPair(async (left, right) => {
      const giveUp = new AbortController()
      const first = right.read({ signal: giveUp.signal })
      const second = right.read()
      const reason = new Error('not today')
      giveUp.abort(reason)
      const error = await fails(first, ['CANCELLED'])
      assert.equal(error.cause, reason)
      assert.equal(error.fatal, false)
      await left.write(Buffer.from('bytes'))
      assert.equal(String(await second), 'bytes')
      await fails(right.read({ signal: giveUp.signal }), ['CANCELLED'])
      await left.write(Buffer.from('more'))
      assert.equal(String(await readExactly(right, 4)), 'more')
    }),
  },
  {
    name: 'gives a read and a write a deadline',
    run: withPair(async (left, right) => {
      const read = await fails(right.read({ signal: AbortSignal.timeout(5) }), ['TIMEOUT'])
      assert.ok(read.cause instanceof Error && read.cause.name === 'TimeoutError')
      const piece = new Uint8Array(64 * 1024)
      const accepted = await writeUntilHeldBack(left, piece)
      await fails(left.write(Uint8Array.of(1, 2, 3), { signal: AbortSignal.timeout(5) }), ['TIMEOUT'])
      const closing = left.closeWrite()
      assert.equal((await readAll(right)).length, accepted * piece.length)
      await closing
    }),
  },
  {
    name: 'serves concurrent reads in order, and never interleaves concurrent writes',
    run: withPair(async (left, right) => {
      const sizes = Array.from({ length: 40 }, (_, index) => 1 + index * 1_000)
      const writes = sizes.map((size, index) => left.write(new Uint8Array(size).fill(index)))
      const reading = (async () => {
        const chunks: Uint8Array[] = []
        for (;;) {
          const some = await Promise.all([right.read(), right.read(), right.read()])
          chunks.push(...some.filter((chunk) => chunk !== null))
          if (some.includes(null)) return Buffer.concat(chunks)
        }
      })()
      await Promise.all(writes)
      await left.closeWrite()
      assert.ok((await reading).equals(Buffer.concat(sizes.map((size, index) => Buffer.alloc(size, index)))))
    }),
  },
  {
    name: 'leaves both halves whole when an iteration is left early',
    run: withPair(async (left, right) => {
      const leave: readonly ((chunk: Uint8Array) => boolean)[] = [
        () => true,
        () => assert.fail('thrown inside the loop'),
      ]
      for (const decide of leave) {
        await left.write(Buffer.from('ping'))
        await iterateOnce(right, decide)
      }
      await right.write(Buffer.from('pong'))
      assert.equal(String(await readExactly(left, 4)), 'pong')
      await left.write(Buffer.from('again'))
      assert.equal(String(await readExactly(right, 5)), 'again')
    }),
  },
  {
    name: 'delivers all that was accepted before close() ends it',
    run: withPair(async (left, right) => {
      const content = randomBytes(300_000, seed)
      const read = readAll(right)
      await left.write(content)
      const closing = left.close()
      await fails(left.read(), ['CLOSED'])
      await fails(left.write(content), ['CLOSED'])
      assert.ok((await read).equals(content))
      await right.close()
      await closing
      await bothClean(left, right)
    }),
  },
  {
    name: 'discards what comes after close()',
    run: withPair(async (left, right) => {
      const closing = left.close()
      assert.equal(await right.read(), null)
      await writePieces(right, randomBytes(1024 * 1024, seed), seed)
      await closing
      await bothClean(left, right)
    }),
  },
  {
    name: 'tells a peer to stop that goes on after close()',
    run: withPair(
      async (left, right) => {
        await right.write(Buffer.from('unread'))
        const stopped = fails(writeOn(right, randomBytes(64 * 1024, seed)), broken)
        await left.close()
        assert.deepEqual(await left.closed, { clean: true })
        await stopped
        assert.ok(await right.read().then((chunk) => chunk === null, isBroken), 'bytes that nobody wrote')
        await fails(right.write(Uint8Array.of(1)), broken)
      },
      { lingerTimeout: 20 },
    ),
  },
  {
    name: 'closes from both sides at once',
    run: withPair(async (left, right) => {
      await Promise.all([left.write(Buffer.from('a')), right.write(Buffer.from('b'))])
      await Promise.all([left.close(), right.close(), left.close(), right.close()])
      await bothClean(left, right)
    }),
  },
  {
    name: 'shows the peer an abort as an error, never as a clean end',
    needs: 'reset',
    run: withPair(async (left, right) => {
      await left.write(Buffer.from('half a mess'))
      assert.equal(String(await readExactly(right, 11)), 'half a mess')
      const read = right.read()
      left.abort(new Error('broken off'))
      await fails(read, broken)
      await fails(right.read(), broken)
      await fails(right.write(Uint8Array.of(1)), broken)
      const closed = await right.closed
      assert.ok(!closed.clean && isBroken(closed.error))
    }),
  },
  {
    name: 'wakes every waiter of this side when it aborts',
    run: withPair(async (left) => {
      await writeUntilHeldBack(left, new Uint8Array(64 * 1024))
      const reason = new Error('broken off')
      const waiting = [left.read(), left.read(), left.write(Uint8Array.of(1)), left.closeWrite()]
      left.abort(reason)
      waiting.push(left.read(), left.write(Uint8Array.of(1)), left.closeWrite())
      const errors = await Promise.all(waiting.map((wait) => fails(wait, ['ABORTED'])))
      for (const error of errors) assert.equal(error.cause, reason)
      const closed = await left.closed
      assert.ok(!closed.clean && closed.error.code === 'ABORTED')
      await left.close()
    }),
  },
  {
    name: 'wakes every waiter of the other side when it aborts',
    needs: 'reset',
    run: withPair(async (left, right) => {
      await writeUntilHeldBack(right, new Uint8Array(64 * 1024))
      const waiting = [right.read(), right.read(), right.write(Uint8Array.of(1)), right.closeWrite()]
      left.abort()
      await Promise.all(waiting.map((wait) => fails(wait, broken)))
      assert.equal((await right.closed).clean, false)
    }),
  },
]

/** Makes the pair of a case and lets nothing of it outlive the case. */
function withPair(
  run: (left: Conn, right: Conn) => Promise<void>,
  timeouts?: CloseTimeouts,
): (makePair: MakePair) => Promise<void> {
  return async (makePair) => {
    const [left, right] = await makePair(timeouts)
    try {
      await run(left, right)
    } finally {
      left.abort()
      right.abort()
      await Promise.all([left.closed, right.closed])
    }
  }
}

/** xorshift32: the same bytes for the same seed, everywhere. */
export function randomBytes(length: number, from: number): Buffer {
  const made = Buffer.alloc(length)
  let state = from | 1
  for (let at = 0; at < length; at += 1) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    made[at] = state & 0xff
  }
  return made
}

/** Writes all in pieces of random sizes, and ends the half. */
async function writePieces(conn: Conn, content: Buffer, from: number): Promise<void> {
  const sizes = randomBytes(4_096, from)
  for (let at = 0, piece = 0; at < content.length; piece += 2) {
    const size = 1 + sizes.readUInt16LE(piece % 4_096)
    await conn.write(content.subarray(at, at + size))
    at += size
  }
  await conn.closeWrite()
}

async function readAll(conn: Conn): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of conn) {
    assert.ok(chunk.length > 0, 'an empty chunk')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Reads chunks until there are `length` bytes, of which the last chunk must hold the last. */
async function readExactly(conn: Conn, length: number): Promise<Buffer> {
  let all = Buffer.alloc(0)
  while (all.length < length) {
    const chunk = await conn.read()
    assert.ok(chunk !== null, 'the end came early')
    all = Buffer.concat([all, chunk])
  }
  assert.equal(all.length, length)
  return all
}

async function iterateOnce(conn: Conn, leave: (chunk: Uint8Array) => boolean): Promise<void> {
  try {
    for await (const chunk of conn) if (leave(chunk)) break
  } catch (error) {
    assert.ok(error instanceof assert.AssertionError)
  }
}

/** Writes pieces until one is not taken in time. Returns how many were taken. */
async function writeUntilHeldBack(conn: Conn, piece: Uint8Array): Promise<number> {
  const bound = 64 * 1024 * 1024
  for (let pieces = 0; pieces * piece.length < bound; pieces += 1) {
    try {
      await conn.write(piece, { signal: AbortSignal.timeout(50) })
    } catch (error) {
      assert.ok(error instanceof ConnError && error.code === 'TIMEOUT', String(error))
      return pieces
    }
  }
  assert.fail('nothing held the writer back')
}

/** Writes for ever, and leaves timers and sockets their turn. */
async function writeOn(conn: Conn, piece: Uint8Array): Promise<never> {
  for (;;) {
    await conn.write(piece)
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}

async function bothClean(left: Conn, right: Conn): Promise<void> {
  assert.deepEqual(await Promise.all([left.closed, right.closed]), [{ clean: true }, { clean: true }])
}

function isBroken(error: unknown): boolean {
  return error instanceof ConnError && broken.includes(error.code)
}

async function fails(wait: Promise<unknown>, codes: readonly ConnErrorCode[]): Promise<ConnError> {
  const error: unknown = await wait.then(
    () => assert.fail('it did not fail'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ConnError, String(error))
  assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`)
  return error
}

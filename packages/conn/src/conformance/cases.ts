/** What a conn promises beyond Go's `nettest`: both halves, what is given up, and every way in which it ends. */
import assert from 'node:assert/strict'

import type { Conn, ConnClosed } from '../core/conn.ts'
import type { Scope } from './kit.ts'
import {
  assertCause,
  assertCode,
  assertGivenUp,
  assertSame,
  bothClean,
  bytesOf,
  carries,
  concat,
  describe,
  endAs,
  expectToEnd,
  fails,
  fill,
  isBroken,
  nonEmpty,
  randomBytes,
  randomNumbers,
  repeated,
  stillOpen,
  writeInPieces,
  writeUntilBroken,
} from './kit.ts'

const nothing = new Uint8Array()
const late = bytesOf('too late')

export const cases: readonly (readonly [name: string, body: (scope: Scope) => Promise<void>])[] = [
  // The halves.
  [
    'goes on with one half after the other ended, in either order',
    async (scope) => {
      for (const [one, other] of [
        [0, 1],
        [1, 0],
      ] as const) {
        const pair = await scope.pair()
        const [first, second] = [pair[one], pair[other]]
        await first.write(bytesOf('request'))
        const ending = scope.wait('closeWrite()', first.closeWrite())
        await expectToEnd(second, bytesOf('request'))
        await ending
        assert.equal(await second.read(), null)
        for (const part of ['one', 'two', 'three']) await carries(second, first, part)
        await fails(first.write(late), 'CLOSED')
        await stillOpen(scope, '`closed` with one half open', first.closed, second.closed)
        await scope.wait('the second closeWrite()', second.closeWrite())
        await expectToEnd(first, nothing)
        assert.equal(await first.read(), null)
        await fails(second.write(late), 'CLOSED')
        await bothClean(scope, first, second)
      }
    },
  ],
  [
    'ends halves that carried nothing',
    async (scope) => {
      const [left, right] = await scope.pair()
      await endAs(scope, 'when both halves end', {
        'a read on one side': [left.read(), 'end'],
        'a read on the other side': [right.read(), 'end'],
        'closeWrite() of one side': [left.closeWrite(), 'done'],
        'closeWrite() of the other side': [right.closeWrite(), 'done'],
      })
      await bothClean(scope, left, right)
    },
  ],
  [
    'hands on no empty chunk',
    async (scope) => {
      const [left, right] = await scope.pair()
      const read = scope.wait('a read', right.read())
      await left.write(nothing)
      await stillOpen(scope, 'a read of nothing', read)
      await left.write(bytesOf('a'))
      await left.write(nothing)
      await left.closeWrite()
      assert.deepEqual(new Uint8Array((await read) ?? nothing), bytesOf('a'))
      assert.equal(await right.read(), null)
    },
  ],
  [
    'holds a writer back while the reader rests, and delivers all of it afterwards',
    async (scope) => {
      const [left, right] = await scope.pair()
      const piece = randomBytes(64 * 1024, scope.seed)
      const taken = await fill(left, piece)
      const last = left.write(piece)
      await stillOpen(scope, 'a write without room', last)
      await Promise.all([
        scope.wait('the write that was held back', last),
        scope.wait('closeWrite()', left.closeWrite()),
        scope.wait('the reader', expectToEnd(right, repeated(piece, taken + 1))),
      ])
    },
  ],
  [
    'serves concurrent reads in order, and never interleaves concurrent writes',
    async (scope) => {
      const [left, right] = await scope.pair()
      const pieces = Array.from({ length: 40 }, (_, index) => randomBytes(1 + index * 1_000, scope.seed + index))
      const read = async (): Promise<Uint8Array> => {
        const chunks: Uint8Array[] = []
        for (;;) {
          const some = await Promise.all([right.read(), right.read(), right.read()])
          chunks.push(...some.filter((chunk) => chunk !== null))
          if (some.includes(null)) return concat(chunks)
        }
      }
      const write = async (): Promise<void> => {
        await Promise.all(pieces.map((piece) => left.write(piece.slice())))
        await left.closeWrite()
      }
      const [came] = await Promise.all([scope.wait('the reads', read()), scope.wait('the writes', write())])
      assertSame(came, concat(pieces))
    },
  ],
  [
    'leaves both halves whole when an iteration is left early',
    async (scope) => {
      const [left, right] = await scope.pair()
      const thrown = new Error('thrown inside the loop')
      const leaves = [
        async () => {
          for await (const chunk of right) if (chunk.length > 0) break
        },
        async () => {
          for await (const chunk of right) if (chunk.length > 0) throw thrown
        },
      ]
      for (const leave of leaves) {
        await left.write(bytesOf('ping'))
        const error: unknown = await leave().catch((reason: unknown) => reason)
        assert.ok(error === undefined || error === thrown, `iterating failed: ${String(error)}`)
      }
      await carries(right, left, 'pong')
      await carries(left, right, 'again')
    },
  ],

  // What is given up.
  [
    'loses nothing to an aborted read',
    async (scope) => {
      const [left, right] = await scope.pair()
      const giveUp = new AbortController()
      const waits = endAs(scope, 'of which the first is aborted', {
        'the first read': [right.read({ signal: giveUp.signal }), 'CANCELLED'],
      })
      const second = scope.wait('the second read', right.read())
      const reason = new Error('not today')
      giveUp.abort(reason)
      assertGivenUp(await waits, reason)
      await left.write(bytesOf('bytes'))
      assertSame((await second) ?? nothing, bytesOf('bytes'))
      await fails(right.read({ signal: giveUp.signal }), 'CANCELLED')
      await carries(left, right, 'more')
    },
  ],
  [
    'loses nothing to reads that are aborted at any moment',
    async (scope) => {
      const [left, right] = await scope.pair()
      const content = randomBytes(128 * 1024, scope.seed)
      const next = randomNumbers(scope.seed)
      const write = async (): Promise<void> => {
        for (let at = 0; at < content.length;) {
          const end = at + 1 + (next() % 2_048)
          await left.write(content.subarray(at, end))
          if (next() % 4 > 0) await scope.turn()
          at = end
        }
        await left.closeWrite()
      }
      const read = async (): Promise<Uint8Array> => {
        const chunks: Uint8Array[] = []
        for (;;) {
          const giveUp = new AbortController()
          const reading = right.read({ signal: giveUp.signal })
          const chunk = await Promise.all([reading, giveUpAfter(scope, giveUp, next() % 5)]).then(
            ([came]) => came,
            (error: unknown) => assertCode(error, ['CANCELLED']),
          )
          if (chunk === null) return concat(chunks)
          if (chunk !== undefined) chunks.push(nonEmpty(chunk))
        }
      }
      const [came] = await Promise.all([scope.wait('the reader', read()), scope.wait('the writer', write())])
      assertSame(came, content)
    },
  ],
  [
    'settles a write that waits to be handed on, and keeps it in order with the others',
    async (scope) => {
      const [left, right] = await scope.pair()
      const pieces = Array.from({ length: 9 }, (_, index) => randomBytes(1 + index * 20_000, scope.seed + index))
      const writes = pieces.map((piece, index) => left.write(piece, { handedOn: index % 3 !== 1 }))
      await Promise.all([
        scope.wait('the writes', Promise.all(writes)),
        scope.wait('closeWrite()', left.closeWrite()),
        scope.wait('the reader', expectToEnd(right, concat(pieces))),
      ])
      // That of a conn that breaks off is handed on or fails, but does not stay.
      const [broken] = await scope.pair()
      await fill(broken, randomBytes(64 * 1024, scope.seed))
      const last = broken.write(late, { handedOn: true })
      const settled = Promise.allSettled([last])
      broken.abort()
      await scope.wait('the write of an aborted conn', settled)
    },
  ],
  [
    'takes nothing of an aborted write',
    async (scope) => {
      const [left, right] = await scope.pair()
      const piece = randomBytes(64 * 1024, scope.seed)
      const taken = await fill(left, piece)
      const giveUp = new AbortController()
      const refused = [bytesOf('not this'), bytesOf('nor this')] as const
      const ended = endAs(scope, 'of which two are aborted', {
        'the first write': [left.write(refused[0], { signal: giveUp.signal }), 'CANCELLED'],
        'the second write': [left.write(bytesOf('this'), { signal: new AbortController().signal }), 'done'],
        'the third write': [left.write(refused[1], { signal: giveUp.signal }), 'CANCELLED'],
        'the fourth write': [left.write(bytesOf(' and this')), 'done'],
        'closeWrite()': [left.closeWrite(), 'done'],
      })
      giveUp.abort()
      // Refused, so they are the caller's again.
      for (const bytes of refused) bytes.fill(0)
      const sent = concat([repeated(piece, taken), bytesOf('this and this')])
      await Promise.all([ended, scope.wait('the reader', expectToEnd(right, sent))])
    },
  ],

  // close().
  [
    'delivers all that was accepted before close() ends it',
    async (scope) => {
      const [left, right] = await scope.pair()
      const content = randomBytes(300_000, scope.seed)
      await left.write(content)
      const closing = endAs(scope, 'when this side closes', {
        'close()': [left.close(), 'done'],
        'close() again': [left.close(), 'done'],
        'a read afterwards': [left.read(), 'CLOSED'],
        'a write afterwards': [left.write(late), 'CLOSED'],
        'closeWrite()': [left.closeWrite(), 'done'],
      })
      await expectToEnd(right, content)
      await right.close()
      await closing
      await bothClean(scope, left, right)
    },
  ],
  [
    'discards what comes after close()',
    async (scope) => {
      const [left, right] = await scope.pair({ lingerTimeout: 5_000 })
      const closing = scope.wait('close()', left.close())
      assert.equal(await right.read(), null)
      await scope.wait('the writer', writeInPieces(right, randomBytes(1024 * 1024, scope.seed), scope.seed))
      await scope.wait('closeWrite()', right.closeWrite())
      await closing
      await bothClean(scope, left, right)
    },
  ],
  [
    'tells a peer to stop that goes on after close()',
    async (scope) => {
      const [left, right] = await scope.pair({ lingerTimeout: 20 })
      await right.write(bytesOf('unread'))
      const stopped = scope.wait('the writer, which must be stopped', writeUntilBroken(scope, right))
      await scope.wait('close()', left.close())
      assert.deepEqual(await left.closed, { clean: true })
      await stopped
      await endAs(scope, 'after the peer closed', { 'a read': [right.read(), 'end', 'BROKEN'] })
      await fails(right.write(late), 'RESET', 'CONNECTION_LOST')
    },
  ],
  [
    'closes from both sides at once',
    async (scope) => {
      const [left, right] = await scope.pair()
      await Promise.all([left.write(bytesOf('a')), right.write(bytesOf('b'))])
      await endAs(scope, 'from both sides', {
        'close() of one side': [left.close(), 'done'],
        'close() of the other side': [right.close(), 'done'],
        'close() of one side again': [left.close(), 'done'],
        'close() of the other side again': [right.close(), 'done'],
      })
      await bothClean(scope, left, right)
    },
  ],
  [
    'closes at the end of a scope',
    async (scope) => {
      const [left, right] = await scope.pair()
      const closing = scope.wait('the scope', Promise.resolve(left[Symbol.asyncDispose]()))
      await expectToEnd(right, nothing)
      await scope.wait('the other scope', Promise.resolve(right[Symbol.asyncDispose]()))
      await closing
      await fails(left.read(), 'CLOSED')
      await bothClean(scope, left, right)
    },
  ],

  // abort(), at every moment.
  [
    'abort() before anything',
    async (scope) => {
      const [left, right] = await scope.pair()
      left.abort(reason)
      await isAborted(scope, left)
      await seesAbort(scope, right)
    },
  ],
  [
    'abort() after bytes is seen as an error by the peer, never as a clean end',
    async (scope) => {
      const [left, right] = await scope.pair()
      await carries(left, right, 'half a mess')
      const read = endAs(scope, 'when the peer aborts', { 'a read': [right.read(), ...seenBy(scope)] })
      left.abort(reason)
      await read
      await isAborted(scope, left)
      await seesAbort(scope, right)
    },
  ],
  ...[false, true].map(
    (ended) =>
      [
        `abort() after bytes that the peer has not read${ended ? ', and has ended its own half' : ''}`,
        async (scope: Scope): Promise<void> => {
          const [left, right] = await scope.pair()
          const taken = await fill(left, randomBytes(16 * 1024, scope.seed))
          assert.ok(taken > 0, 'not one write was taken')
          if (ended) await scope.wait('closeWrite()', right.closeWrite())
          if (ended) assert.equal(await left.read(), null)
          left.abort(reason)
          await isAborted(scope, left)
          await seesAbort(scope, right, { ended })
        },
      ] as const,
  ),
  [
    'abort() while a read waits',
    async (scope) => {
      const [left, right] = await scope.pair()
      const waits = endAs(scope, 'when this side aborts', {
        'a read': [left.read(), 'ABORTED'],
        'a read with a signal': [left.read({ signal: new AbortController().signal }), 'ABORTED'],
      })
      left.abort(reason)
      assertCause(await waits, reason)
      await isAborted(scope, left)
      await seesAbort(scope, right)
    },
  ],
  [
    'abort() while a write is held back',
    async (scope) => {
      const [left, right] = await scope.pair()
      await fill(left, randomBytes(64 * 1024, scope.seed))
      const waits = endAs(scope, 'when this side aborts', {
        'a write': [left.write(late), 'ABORTED'],
        'a write with a signal': [left.write(late, { signal: new AbortController().signal }), 'ABORTED'],
      })
      left.abort(reason)
      assertCause(await waits, reason)
      await isAborted(scope, left)
      await seesAbort(scope, right)
    },
  ],
  [
    'abort() after this side ended its half',
    async (scope) => {
      const [left, right] = await scope.pair()
      await scope.wait('closeWrite()', left.closeWrite())
      assert.equal(await right.read(), null)
      const read = endAs(scope, 'when this side aborts', { 'a read': [left.read(), 'ABORTED'] })
      left.abort(reason)
      await read
      await isAborted(scope, left, { ended: true })
      await seesAbort(scope, right, { readEnd: true })
    },
  ],
  [
    'abort() after the peer ended its half',
    async (scope) => {
      const [left, right] = await scope.pair()
      await scope.wait('closeWrite()', right.closeWrite())
      assert.equal(await left.read(), null)
      const read = endAs(scope, 'when the peer aborts', { 'a read': [right.read(), ...seenBy(scope)] })
      left.abort(reason)
      await read
      await isAborted(scope, left)
      await seesAbort(scope, right, { ended: true })
    },
  ],
  [
    'abort() after both halves ended',
    async (scope) => {
      const [left, right] = await scope.pair()
      await Promise.all([
        scope.wait('closeWrite()', left.closeWrite()),
        scope.wait('closeWrite() of the other side', right.closeWrite()),
        scope.wait('the end', expectToEnd(left, nothing)),
        scope.wait('the end at the other side', expectToEnd(right, nothing)),
      ])
      left.abort(reason)
      right.abort(reason)
      await bothClean(scope, left, right)
    },
  ],
  [
    'abort() during close() that waits for the peer to take what was sent',
    async (scope) => {
      const [left, right] = await scope.pair()
      await fill(left, randomBytes(64 * 1024, scope.seed))
      const waits = endAs(scope, 'when this side aborts', {
        'a write': [left.write(late), 'ABORTED'],
        'close()': [left.close(), 'ABORTED'],
        'close() again': [left.close(), 'ABORTED'],
        'closeWrite()': [left.closeWrite(), 'ABORTED'],
      })
      left.abort(reason)
      assertCause(await waits, reason)
      await endsAborted(scope, left)
      await seesAbort(scope, right)
    },
  ],
  [
    'abort() during close() that waits for the peer to end',
    async (scope) => {
      const [left, right] = await scope.pair({ lingerTimeout: 60_000 })
      const closing = endAs(scope, 'when this side aborts', { 'close()': [left.close(), 'done'] })
      assert.equal(await right.read(), null)
      await scope.wait('closeWrite()', left.closeWrite())
      left.abort(reason)
      await closing
      await endsAborted(scope, left)
      await seesAbort(scope, right, { readEnd: true })
    },
  ],
  [
    'abort() twice, of which the first counts',
    async (scope) => {
      const [left, right] = await scope.pair()
      left.abort(reason)
      left.abort(new Error('another reason'))
      await isAborted(scope, left)
      left.abort(new Error('yet another reason'))
      await isAborted(scope, left)
      await seesAbort(scope, right)
    },
  ],
  [
    'abort() from both sides at once',
    async (scope) => {
      const [left, right] = await scope.pair()
      left.abort(reason)
      right.abort(reason)
      await isAborted(scope, left)
      await isAborted(scope, right)
    },
  ],
  [
    'abort() after it is closed',
    async (scope) => {
      const [left, right] = await scope.pair()
      await Promise.all([scope.wait('close()', left.close()), scope.wait('the other close()', right.close())])
      await bothClean(scope, left, right)
      left.abort(reason)
      await scope.turn()
      await endAs(scope, 'after it was closed', {
        'a read': [left.read(), 'CLOSED'],
        'a write': [left.write(late), 'CLOSED'],
        'closeWrite()': [left.closeWrite(), 'done'],
        'close()': [left.close(), 'done'],
      })
      await bothClean(scope, left, right)
    },
  ],

  // Whoever waits is woken, however it ends.
  [
    'wakes every waiter when this side aborts',
    async (scope) => {
      const [left, right] = await scope.pair()
      await fill(left, randomBytes(64 * 1024, scope.seed))
      const waits = endAs(scope, 'when this side aborts', {
        'a read': [left.read(), 'ABORTED'],
        'a second read': [left.read(), 'ABORTED'],
        'a write': [left.write(late), 'ABORTED'],
        'a second write': [left.write(late), 'ABORTED'],
        'closeWrite()': [left.closeWrite(), 'ABORTED'],
      })
      left.abort(reason)
      assertCause(await waits, reason)
      await isAborted(scope, left)
      await seesAbort(scope, right)
    },
  ],
  [
    'wakes every waiter when the peer aborts',
    async (scope) => {
      const [left, right] = await scope.pair()
      await fill(right, randomBytes(64 * 1024, scope.seed))
      const seen = seenBy(scope)
      const waits = endAs(scope, 'when the peer aborts', {
        'a read': [right.read(), ...seen],
        'a second read': [right.read(), ...seen],
        'a write': [right.write(late), 'BROKEN'],
        'a second write': [right.write(late), 'BROKEN'],
        'closeWrite()': [right.closeWrite(), 'BROKEN'],
      })
      left.abort(reason)
      await waits
      await seesAbort(scope, right, { ended: true })
    },
  ],
  [
    'wakes close() when the peer aborts',
    async (scope) => {
      const [left, right] = await scope.pair()
      await fill(right, randomBytes(64 * 1024, scope.seed))
      const waits = endAs(scope, 'when the peer aborts', {
        'a write': [right.write(late), 'BROKEN'],
        'close()': [right.close(), 'BROKEN'],
        'close() again': [right.close(), 'BROKEN'],
      })
      left.abort(reason)
      await waits
      const closed = await scope.wait('`closed`', right.closed)
      assert.ok(!closed.clean && isBroken(closed.error), `an abort of the peer is told as ${describe(closed)}`)
    },
  ],
  [
    'wakes every waiter when this side closes',
    async (scope) => {
      const [left, right] = await scope.pair()
      const piece = randomBytes(64 * 1024, scope.seed)
      const taken = await fill(left, piece)
      const waits = endAs(scope, 'when this side closes', {
        'a read': [left.read(), 'CLOSED'],
        'a second read': [left.read(), 'CLOSED'],
        'a write': [left.write(bytesOf('one')), 'done'],
        'a second write': [left.write(bytesOf('two')), 'done'],
        'closeWrite()': [left.closeWrite(), 'done'],
        'close()': [left.close(), 'done'],
        'close() again': [left.close(), 'done'],
      })
      const sent = concat([repeated(piece, taken), bytesOf('onetwo')])
      await scope.wait('the peer that reads', expectToEnd(right, sent))
      await scope.wait('close() of the peer', right.close())
      await waits
      await bothClean(scope, left, right)
    },
  ],
  [
    'wakes every waiter when the peer closes',
    async (scope) => {
      const [left, right] = await scope.pair({ lingerTimeout: 5_000 })
      await fill(right, randomBytes(64 * 1024, scope.seed))
      const waits = endAs(scope, 'when the peer closes', {
        'a read': [right.read(), 'end'],
        'a second read': [right.read(), 'end'],
        'a write': [right.write(late), 'done'],
        'a second write': [right.write(late), 'done'],
        'closeWrite()': [right.closeWrite(), 'done'],
        'close() of the peer': [left.close(), 'done'],
      })
      await waits
      await scope.wait('close()', right.close())
      await bothClean(scope, left, right)
    },
  ],
  [
    'wakes every read when the peer ends its half, and no write',
    async (scope) => {
      const [left, right] = await scope.pair()
      const piece = randomBytes(64 * 1024, scope.seed)
      const taken = await fill(right, piece)
      const waits = endAs(scope, 'when the peer ends its half', {
        'a read': [right.read(), 'end'],
        'a second read': [right.read(), 'end'],
        'a read with a signal': [right.read({ signal: new AbortController().signal }), 'end'],
        'closeWrite() of the peer': [left.closeWrite(), 'done'],
      })
      const write = right.write(bytesOf('and on'))
      const closing = right.closeWrite()
      await waits
      await stillOpen(scope, 'a write that is held back', write, closing)
      await Promise.all([
        scope.wait('the write that was held back', write),
        scope.wait('closeWrite()', closing),
        scope.wait('the peer that reads', expectToEnd(left, concat([repeated(piece, taken), bytesOf('and on')]))),
      ])
      await bothClean(scope, left, right)
    },
  ],
  [
    'wakes every waiter when the peer takes nothing for as long as closeTimeout',
    async (scope) => {
      const [left, right] = await scope.pair({ closeTimeout: 30 })
      await fill(left, randomBytes(64 * 1024, scope.seed))
      await endAs(scope, 'when closeTimeout is over', {
        'a read': [left.read(), 'CLOSED'],
        'a write': [left.write(late), 'CLOSE_TIMEOUT'],
        'a second write': [left.write(late), 'CLOSE_TIMEOUT'],
        'closeWrite()': [left.closeWrite(), 'CLOSE_TIMEOUT'],
        'close()': [left.close(), 'CLOSE_TIMEOUT'],
        'close() again': [left.close(), 'CLOSE_TIMEOUT'],
      })
      const closed = await scope.wait('`closed`', left.closed)
      assert.ok(!closed.clean && closed.error.code === 'CLOSE_TIMEOUT', `told as ${describe(closed)}`)
      await seesAbort(scope, right)
    },
  ],

  // closed.
  [
    '`closed` settles when both halves have ended, and not before',
    async (scope) => {
      const [left, right] = await scope.pair()
      await stillOpen(scope, '`closed` of a new conn', left.closed, right.closed)
      await carries(left, right, 'there')
      await carries(right, left, 'back')
      await fails(left.read({ signal: AbortSignal.abort() }), 'CANCELLED')
      await stillOpen(scope, '`closed` of a conn that is used', left.closed, right.closed)
      await scope.wait('closeWrite()', left.closeWrite())
      assert.equal(await right.read(), null)
      await carries(right, left, 'still here')
      await stillOpen(scope, '`closed` with one half open', left.closed, right.closed)
      await scope.wait('the other closeWrite()', right.closeWrite())
      assert.equal(await left.read(), null)
      await bothClean(scope, left, right)
    },
  ],
  ...['both halves end', 'both sides close', 'one side aborts'].map(
    (way, at) =>
      [
        `\`closed\` says the same to all and for ever when ${way}`,
        async (scope: Scope): Promise<void> => {
          const [left, right] = await scope.pair()
          const early = [left.closed, right.closed, left.closed, right.closed]
          await ways[at]?.(left, right)
          const told = await scope.wait('`closed`', Promise.all(early))
          for (const conn of [left, right]) {
            conn.abort(new Error('long over'))
            await scope.wait('what comes late', Promise.allSettled([conn.read(), conn.write(late), conn.closeWrite()]))
            await scope.wait('close() at last', Promise.allSettled([conn.close(), conn.closed]))
          }
          await scope.turn()
          const toldLate = await scope.wait(
            '`closed` again',
            Promise.all([left.closed, right.closed, left.closed, right.closed]),
          )
          assert.deepEqual(toldLate.map(describe), told.map(describe), '`closed` changed')
          assert.deepEqual(told.map(describe).slice(2), told.map(describe).slice(0, 2), '`closed` differs by who asks')
          assert.deepEqual(told.map(errorOf), toldLate.map(errorOf), 'the error of `closed` changed')
        },
      ] as const,
  ),
]

const ways: readonly ((left: Conn, right: Conn) => Promise<unknown>)[] = [
  (left, right) => Promise.all([left.closeWrite(), right.closeWrite(), left.read(), right.read()]),
  (left, right) => Promise.all([left.close(), right.close()]),
  async (left, right) => {
    left.abort(reason)
    // Where the peer can't tell an abort from an end, it is over once its own half has ended.
    await Promise.allSettled([right.close()])
  },
]

/** Why the cases abort. */
const reason = new Error('broken off')

/** What a waiting read makes of the peer's abort. */
function seenBy({ resets }: Scope): readonly ('BROKEN' | 'end')[] {
  return resets ? ['BROKEN'] : ['BROKEN', 'end']
}

interface Halves {
  /** This side had ended its half. */
  readonly ended?: boolean
  /** This side had read the peer's end. */
  readonly readEnd?: boolean
}

/** Asserts that a conn that was aborted says so to everybody. */
async function isAborted(scope: Scope, conn: Conn, { ended = false }: Halves = {}): Promise<void> {
  const errors = await endAs(scope, 'after this side aborted', {
    'a read': [conn.read(), 'ABORTED'],
    'a write': [conn.write(late), 'ABORTED', ...(ended ? (['CLOSED'] as const) : [])],
    'closeWrite()': [conn.closeWrite(), ended ? 'done' : 'ABORTED'],
  })
  assertCause(
    errors.filter(({ code }) => code === 'ABORTED'),
    reason,
  )
  await endsAborted(scope, conn)
  await endAs(scope, 'of a conn that is over', { 'close()': [conn.close(), 'done'] })
}

async function endsAborted(scope: Scope, conn: Conn): Promise<void> {
  const closed = await scope.wait('`closed` after abort()', conn.closed)
  assert.ok(!closed.clean && closed.error.code === 'ABORTED', `an abort is told as ${describe(closed)}`)
  assertCause([closed.error], reason)
}

/**
 * Asserts that the peer of a conn that was aborted learns of it, and by an error where the carrier has a reset. What had
 * arrived before may be read first.
 */
async function seesAbort(scope: Scope, conn: Conn, { ended = false, readEnd = false }: Halves = {}): Promise<void> {
  const last = scope.wait('reads after the peer aborted', readOn(conn))
  await endAs(scope, 'after the peer aborted', {
    'the last read': [last, ...(readEnd ? (['end', 'BROKEN'] as const) : seenBy(scope))],
  })
  if (scope.resets) {
    if (!ended) await scope.wait('a write after the peer aborted', writeUntilBroken(scope, conn))
  } else {
    await endAs(scope, 'after the peer aborted', { 'close()': [conn.close(), 'done', 'BROKEN'] })
  }
  const closed = await scope.wait('`closed` after the peer aborted', conn.closed)
  const fair = closed.clean ? !scope.resets : isBroken(closed.error)
  assert.ok(fair, `an abort of the peer is told as ${describe(closed)}`)
}

async function readOn(conn: Conn): Promise<null> {
  for (;;) if ((await conn.read()) === null) return null
}

/** Aborts at once, after some promises, after a turn, or never. */
async function giveUpAfter(scope: Scope, giveUp: AbortController, moment: number): Promise<void> {
  if (moment === 4) return
  for (let tick = 0; tick < moment; tick += 1) await Promise.resolve()
  if (moment === 3) await scope.turn()
  giveUp.abort()
}

function errorOf(closed: ConnClosed): unknown {
  return closed.clean ? undefined : closed.error
}

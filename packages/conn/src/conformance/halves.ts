/** Both halves: their order, their ends, and what holds a writer back. */
import assert from 'node:assert/strict'

import type { Case } from './kit.ts'
import {
  assertSame,
  bothClean,
  bytesOf,
  carries,
  concat,
  endAs,
  expectToEnd,
  fails,
  fill,
  late,
  nothing,
  randomBytes,
  repeated,
  stillOpen,
} from './kit.ts'

export const halfCases: readonly Case[] = [
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
]

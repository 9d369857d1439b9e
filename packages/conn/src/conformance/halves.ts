/** The cases about both halves: their order, their ends, and backpressure. */
import assert from 'node:assert/strict'

import type { Case } from './kit.ts'
import {
  assertSame,
  expectClean,
  utf8,
  carry,
  concat,
  expectOutcomes,
  expectToEnd,
  expectFailure,
  fill,
  late,
  nothing,
  randomBytes,
  repeated,
  expectPending,
} from './kit.ts'

export const halfCases: readonly Case[] = [
  [
    'keeps one half open after the other has ended, in either order',
    async (scope) => {
      for (const [one, other] of [
        [0, 1],
        [1, 0],
      ] as const) {
        const pair = await scope.pair()
        const [first, second] = [pair[one], pair[other]]
        await first.write(utf8('request'))
        const ending = scope.wait('closeWrite()', first.closeWrite())
        await expectToEnd(second, utf8('request'))
        await ending
        assert.equal(await second.read(), null)
        for (const part of ['one', 'two', 'three']) await carry(second, first, part)
        await expectFailure(first.write(late), 'CLOSED')
        await expectPending(scope, '`closed` with one half open', first.closed, second.closed)
        await scope.wait('the second closeWrite()', second.closeWrite())
        await expectToEnd(first, nothing)
        assert.equal(await first.read(), null)
        await expectFailure(second.write(late), 'CLOSED')
        await expectClean(scope, first, second)
      }
    },
  ],
  [
    'ends halves that carried nothing',
    async (scope) => {
      const [left, right] = await scope.pair()
      await expectOutcomes(scope, 'when both halves end', {
        'a read on one side': [left.read(), 'end'],
        'a read on the other side': [right.read(), 'end'],
        'closeWrite() of one side': [left.closeWrite(), 'done'],
        'closeWrite() of the other side': [right.closeWrite(), 'done'],
      })
      await expectClean(scope, left, right)
    },
  ],
  [
    'delivers no empty chunk',
    async (scope) => {
      const [left, right] = await scope.pair()
      const read = scope.wait('a read', right.read())
      await left.write(nothing)
      await expectPending(scope, 'a read of nothing', read)
      await left.write(utf8('a'))
      await left.write(nothing)
      await left.closeWrite()
      assert.deepEqual(new Uint8Array((await read) ?? nothing), utf8('a'))
      assert.equal(await right.read(), null)
    },
  ],
  [
    'holds a writer back while the reader pauses, and delivers everything afterwards',
    async (scope) => {
      const [left, right] = await scope.pair()
      const piece = randomBytes(64 * 1024, scope.seed)
      const accepted = await fill(left, piece)
      const last = left.write(piece)
      await expectPending(scope, 'a write without room', last)
      await Promise.all([
        scope.wait('the write that was held back', last),
        scope.wait('closeWrite()', left.closeWrite()),
        scope.wait('the reader', expectToEnd(right, repeated(piece, accepted + 1))),
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
    'keeps both halves open when an iteration is left early',
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
        await left.write(utf8('ping'))
        const error: unknown = await leave().catch((reason: unknown) => reason)
        assert.ok(error === undefined || error === thrown, `iterating failed: ${String(error)}`)
      }
      await carry(right, left, 'pong')
      await carry(left, right, 'again')
    },
  ],
]

/** The cases about `close()` and `closed`. */
import assert from 'node:assert/strict'

import type { Conn, ConnClosed } from '../core/conn.ts'
import type { Case, Scope } from './kit.ts'
import {
  expectClean,
  utf8,
  carry,
  describe,
  expectOutcomes,
  expectToEnd,
  expectFailure,
  late,
  nothing,
  randomBytes,
  reason,
  expectPending,
  writeInPieces,
  writeUntilBroken,
} from './kit.ts'

const ends: readonly (readonly [way: string, end: (left: Conn, right: Conn) => Promise<unknown>])[] = [
  ['both halves end', (left, right) => Promise.all([left.closeWrite(), right.closeWrite(), left.read(), right.read()])],
  ['both sides close', (left, right) => Promise.all([left.close(), right.close()])],
  [
    'one side aborts',
    async (left, right) => {
      left.abort(reason)
      // A peer that cannot tell an abort from an end ends with its own half.
      await Promise.allSettled([right.close()])
    },
  ],
]

export const closeCases: readonly Case[] = [
  [
    'delivers all that was accepted before close() ends it',
    async (scope) => {
      const [left, right] = await scope.pair()
      const content = randomBytes(300_000, scope.seed)
      await left.write(content)
      const closing = expectOutcomes(scope, 'when this side closes', {
        'close()': [left.close(), 'done'],
        'close() again': [left.close(), 'done'],
        'a read afterwards': [left.read(), 'CLOSED'],
        'a write afterwards': [left.write(late), 'CLOSED'],
        'closeWrite()': [left.closeWrite(), 'done'],
      })
      await expectToEnd(right, content)
      await right.close()
      await closing
      await expectClean(scope, left, right)
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
      await expectClean(scope, left, right)
    },
  ],
  [
    'stops a peer that keeps sending after close()',
    async (scope) => {
      const [left, right] = await scope.pair({ lingerTimeout: 20 })
      await right.write(utf8('unread'))
      const stopped = scope.wait('the writer, which must be stopped', writeUntilBroken(scope, right))
      await scope.wait('close()', left.close())
      assert.deepEqual(await left.closed, { clean: true })
      await stopped
      await expectOutcomes(scope, 'after the peer closed', { 'a read': [right.read(), 'end', 'BROKEN'] })
      await expectFailure(right.write(late), 'RESET', 'CONNECTION_LOST')
    },
  ],
  [
    'closes from both sides at once',
    async (scope) => {
      const [left, right] = await scope.pair()
      await Promise.all([left.write(utf8('a')), right.write(utf8('b'))])
      await expectOutcomes(scope, 'from both sides', {
        'close() of one side': [left.close(), 'done'],
        'close() of the other side': [right.close(), 'done'],
        'close() of one side again': [left.close(), 'done'],
        'close() of the other side again': [right.close(), 'done'],
      })
      await expectClean(scope, left, right)
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
      await expectFailure(left.read(), 'CLOSED')
      await expectClean(scope, left, right)
    },
  ],

  [
    '`closed` settles when both halves have ended, and not before',
    async (scope) => {
      const [left, right] = await scope.pair()
      await expectPending(scope, '`closed` of a new conn', left.closed, right.closed)
      await carry(left, right, 'there')
      await carry(right, left, 'back')
      await expectFailure(left.read({ signal: AbortSignal.abort() }), 'CANCELLED')
      await expectPending(scope, '`closed` of a conn that is used', left.closed, right.closed)
      await scope.wait('closeWrite()', left.closeWrite())
      assert.equal(await right.read(), null)
      await carry(right, left, 'still here')
      await expectPending(scope, '`closed` with one half open', left.closed, right.closed)
      await scope.wait('the other closeWrite()', right.closeWrite())
      assert.equal(await left.read(), null)
      await expectClean(scope, left, right)
    },
  ],
  ...ends.map(
    ([way, end]) =>
      [
        `\`closed\` is the same for every caller, and never changes, when ${way}`,
        async (scope: Scope): Promise<void> => {
          const [left, right] = await scope.pair()
          const closed = (): Promise<ConnClosed[]> =>
            Promise.all([left.closed, right.closed, left.closed, right.closed])
          const early = closed()
          await end(left, right)
          const first = await scope.wait('`closed`', early)
          for (const conn of [left, right]) {
            conn.abort(new Error('long after'))
            await scope.wait('late calls', Promise.allSettled([conn.read(), conn.write(late), conn.closeWrite()]))
            await scope.wait('a late close()', Promise.allSettled([conn.close(), conn.closed]))
          }
          await scope.turn()
          const last = await scope.wait('`closed` again', closed())
          assert.deepEqual(last.map(describe), first.map(describe), '`closed` changed')
          assert.deepEqual(first.map(describe).slice(2), first.map(describe).slice(0, 2), '`closed` differs by caller')
          assert.deepEqual(first.map(errorOf), last.map(errorOf), 'the error of `closed` changed')
        },
      ] as const,
  ),
]

function errorOf(closed: ConnClosed): unknown {
  return closed.clean ? undefined : closed.error
}

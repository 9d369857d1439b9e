/** `close()`, and what `closed` says in the end. */
import assert from 'node:assert/strict'

import type { Conn, ConnClosed } from '../core/conn.ts'
import type { Case, Scope } from './kit.ts'
import {
  bothClean,
  bytesOf,
  carries,
  describe,
  endAs,
  expectToEnd,
  fails,
  late,
  nothing,
  randomBytes,
  reason,
  stillOpen,
  writeInPieces,
  writeUntilBroken,
} from './kit.ts'

export const closeCases: readonly Case[] = [
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

function errorOf(closed: ConnClosed): unknown {
  return closed.clean ? undefined : closed.error
}

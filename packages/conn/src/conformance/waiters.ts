/** The cases about every end of a conn, which settles every wait. */
import assert from 'node:assert/strict'

import type { Case } from './kit.ts'
import {
  assertCause,
  expectClean,
  utf8,
  concat,
  describe,
  expectOutcomes,
  expectToEnd,
  fill,
  expectAborted,
  isBroken,
  late,
  randomBytes,
  reason,
  repeated,
  readsOfAbort,
  expectPeerAborted,
  expectPending,
} from './kit.ts'

export const waiterCases: readonly Case[] = [
  [
    'wakes every waiter when this side aborts',
    async (scope) => {
      const [left, right] = await scope.pair()
      await fill(left, randomBytes(64 * 1024, scope.seed))
      const waits = expectOutcomes(scope, 'when this side aborts', {
        'a read': [left.read(), 'ABORTED'],
        'a second read': [left.read(), 'ABORTED'],
        'a write': [left.write(late), 'ABORTED'],
        'a second write': [left.write(late), 'ABORTED'],
        'closeWrite()': [left.closeWrite(), 'ABORTED'],
      })
      left.abort(reason)
      assertCause(await waits, reason)
      await expectAborted(scope, left)
      await expectPeerAborted(scope, right)
    },
  ],
  [
    'wakes every waiter when the peer aborts',
    async (scope) => {
      const [left, right] = await scope.pair()
      await fill(right, randomBytes(64 * 1024, scope.seed))
      const seen = readsOfAbort(scope)
      const waits = expectOutcomes(scope, 'when the peer aborts', {
        'a read': [right.read(), ...seen],
        'a second read': [right.read(), ...seen],
        'a write': [right.write(late), 'BROKEN'],
        'a second write': [right.write(late), 'BROKEN'],
        'closeWrite()': [right.closeWrite(), 'BROKEN'],
      })
      left.abort(reason)
      await waits
      await expectPeerAborted(scope, right, { ended: true })
    },
  ],
  [
    'wakes close() when the peer aborts',
    async (scope) => {
      const [left, right] = await scope.pair()
      await fill(right, randomBytes(64 * 1024, scope.seed))
      const waits = expectOutcomes(scope, 'when the peer aborts', {
        'a write': [right.write(late), 'BROKEN'],
        'close()': [right.close(), 'BROKEN'],
        'close() again': [right.close(), 'BROKEN'],
      })
      left.abort(reason)
      await waits
      const closed = await scope.wait('`closed`', right.closed)
      assert.ok(!closed.clean && isBroken(closed.error), `an abort of the peer shows as ${describe(closed)}`)
    },
  ],
  [
    'wakes every waiter when this side closes',
    async (scope) => {
      const [left, right] = await scope.pair()
      const piece = randomBytes(64 * 1024, scope.seed)
      const accepted = await fill(left, piece)
      const waits = expectOutcomes(scope, 'when this side closes', {
        'a read': [left.read(), 'CLOSED'],
        'a second read': [left.read(), 'CLOSED'],
        'a write': [left.write(utf8('one')), 'done'],
        'a second write': [left.write(utf8('two')), 'done'],
        'closeWrite()': [left.closeWrite(), 'done'],
        'close()': [left.close(), 'done'],
        'close() again': [left.close(), 'done'],
      })
      const sent = concat([repeated(piece, accepted), utf8('onetwo')])
      await scope.wait('the peer that reads', expectToEnd(right, sent))
      await scope.wait('close() of the peer', right.close())
      await waits
      await expectClean(scope, left, right)
    },
  ],
  [
    'wakes every waiter when the peer closes',
    async (scope) => {
      const [left, right] = await scope.pair({ lingerTimeout: 5_000 })
      await fill(right, randomBytes(64 * 1024, scope.seed))
      const waits = expectOutcomes(scope, 'when the peer closes', {
        'a read': [right.read(), 'end'],
        'a second read': [right.read(), 'end'],
        'a write': [right.write(late), 'done'],
        'a second write': [right.write(late), 'done'],
        'closeWrite()': [right.closeWrite(), 'done'],
        'close() of the peer': [left.close(), 'done'],
      })
      await waits
      await scope.wait('close()', right.close())
      await expectClean(scope, left, right)
    },
  ],
  [
    'wakes every read when the peer ends its half, and no write',
    async (scope) => {
      const [left, right] = await scope.pair()
      const piece = randomBytes(64 * 1024, scope.seed)
      const accepted = await fill(right, piece)
      const waits = expectOutcomes(scope, 'when the peer ends its half', {
        'a read': [right.read(), 'end'],
        'a second read': [right.read(), 'end'],
        'a read with a signal': [right.read({ signal: new AbortController().signal }), 'end'],
        'closeWrite() of the peer': [left.closeWrite(), 'done'],
      })
      const write = right.write(utf8('and on'))
      const closing = right.closeWrite()
      await waits
      await expectPending(scope, 'a write that is held back', write, closing)
      await Promise.all([
        scope.wait('the write that was held back', write),
        scope.wait('closeWrite()', closing),
        scope.wait('the peer that reads', expectToEnd(left, concat([repeated(piece, accepted), utf8('and on')]))),
      ])
      await expectClean(scope, left, right)
    },
  ],
  [
    'wakes every waiter when the peer reads nothing for closeTimeout',
    async (scope) => {
      const [left, right] = await scope.pair({ closeTimeout: 30 })
      await fill(left, randomBytes(64 * 1024, scope.seed))
      await expectOutcomes(scope, 'when closeTimeout has passed', {
        'a read': [left.read(), 'CLOSED'],
        'a write': [left.write(late), 'CLOSE_TIMEOUT'],
        'a second write': [left.write(late), 'CLOSE_TIMEOUT'],
        'closeWrite()': [left.closeWrite(), 'CLOSE_TIMEOUT'],
        'close()': [left.close(), 'CLOSE_TIMEOUT'],
        'close() again': [left.close(), 'CLOSE_TIMEOUT'],
      })
      const closed = await scope.wait('`closed`', left.closed)
      assert.ok(!closed.clean && closed.error.code === 'CLOSE_TIMEOUT', `closed shows as ${describe(closed)}`)
      await expectPeerAborted(scope, right)
    },
  ],
]

/** The cases about `abort()`, at every moment. */
import assert from 'node:assert/strict'

import type { Case, Scope } from './kit.ts'
import {
  assertCause,
  expectClean,
  carry,
  expectOutcomes,
  expectAbortedClose,
  expectToEnd,
  fill,
  expectAborted,
  late,
  nothing,
  randomBytes,
  reason,
  readsOfAbort,
  expectPeerAborted,
} from './kit.ts'

export const abortCases: readonly Case[] = [
  [
    'abort() before anything',
    async (scope) => {
      const [left, right] = await scope.pair()
      left.abort(reason)
      await expectAborted(scope, left)
      await expectPeerAborted(scope, right)
    },
  ],
  [
    'abort() after bytes is seen as an error by the peer, never as a clean end',
    async (scope) => {
      const [left, right] = await scope.pair()
      await carry(left, right, 'half a mess')
      const read = expectOutcomes(scope, 'when the peer aborts', { 'a read': [right.read(), ...readsOfAbort(scope)] })
      left.abort(reason)
      await read
      await expectAborted(scope, left)
      await expectPeerAborted(scope, right)
    },
  ],
  ...[false, true].map(
    (ended) =>
      [
        `abort() after bytes that the peer has not read${ended ? ', and has ended its own half' : ''}`,
        async (scope: Scope): Promise<void> => {
          const [left, right] = await scope.pair()
          const accepted = await fill(left, randomBytes(16 * 1024, scope.seed))
          assert.ok(accepted > 0, 'no write was accepted')
          if (ended) await scope.wait('closeWrite()', right.closeWrite())
          if (ended) assert.equal(await left.read(), null)
          left.abort(reason)
          await expectAborted(scope, left)
          await expectPeerAborted(scope, right, { ended })
        },
      ] as const,
  ),
  [
    'abort() while a read waits',
    async (scope) => {
      const [left, right] = await scope.pair()
      const waits = expectOutcomes(scope, 'when this side aborts', {
        'a read': [left.read(), 'ABORTED'],
        'a read with a signal': [left.read({ signal: new AbortController().signal }), 'ABORTED'],
      })
      left.abort(reason)
      assertCause(await waits, reason)
      await expectAborted(scope, left)
      await expectPeerAborted(scope, right)
    },
  ],
  [
    'abort() while a write is held back',
    async (scope) => {
      const [left, right] = await scope.pair()
      await fill(left, randomBytes(64 * 1024, scope.seed))
      const waits = expectOutcomes(scope, 'when this side aborts', {
        'a write': [left.write(late), 'ABORTED'],
        'a write with a signal': [left.write(late, { signal: new AbortController().signal }), 'ABORTED'],
      })
      left.abort(reason)
      assertCause(await waits, reason)
      await expectAborted(scope, left)
      await expectPeerAborted(scope, right)
    },
  ],
  [
    'abort() after this side ended its half',
    async (scope) => {
      const [left, right] = await scope.pair()
      await scope.wait('closeWrite()', left.closeWrite())
      assert.equal(await right.read(), null)
      const read = expectOutcomes(scope, 'when this side aborts', { 'a read': [left.read(), 'ABORTED'] })
      left.abort(reason)
      await read
      await expectAborted(scope, left, { ended: true })
      await expectPeerAborted(scope, right, { readEnd: true })
    },
  ],
  [
    'abort() after the peer ended its half',
    async (scope) => {
      const [left, right] = await scope.pair()
      await scope.wait('closeWrite()', right.closeWrite())
      assert.equal(await left.read(), null)
      const read = expectOutcomes(scope, 'when the peer aborts', { 'a read': [right.read(), ...readsOfAbort(scope)] })
      left.abort(reason)
      await read
      await expectAborted(scope, left)
      await expectPeerAborted(scope, right, { ended: true })
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
      await expectClean(scope, left, right)
    },
  ],
  [
    'abort() during close() that waits for the peer to take what was sent',
    async (scope) => {
      const [left, right] = await scope.pair()
      await fill(left, randomBytes(64 * 1024, scope.seed))
      const waits = expectOutcomes(scope, 'when this side aborts', {
        'a write': [left.write(late), 'ABORTED'],
        'close()': [left.close(), 'ABORTED'],
        'close() again': [left.close(), 'ABORTED'],
        'closeWrite()': [left.closeWrite(), 'ABORTED'],
      })
      left.abort(reason)
      assertCause(await waits, reason)
      await expectAbortedClose(scope, left)
      await expectPeerAborted(scope, right)
    },
  ],
  [
    'abort() during close() that waits for the peer to end',
    async (scope) => {
      const [left, right] = await scope.pair({ lingerTimeout: 60_000 })
      const closing = expectOutcomes(scope, 'when this side aborts', { 'close()': [left.close(), 'done'] })
      assert.equal(await right.read(), null)
      await scope.wait('closeWrite()', left.closeWrite())
      left.abort(reason)
      await closing
      await expectAbortedClose(scope, left)
      await expectPeerAborted(scope, right, { readEnd: true })
    },
  ],
  [
    'abort() twice, of which the first counts',
    async (scope) => {
      const [left, right] = await scope.pair()
      left.abort(reason)
      left.abort(new Error('another reason'))
      await expectAborted(scope, left)
      left.abort(new Error('yet another reason'))
      await expectAborted(scope, left)
      await expectPeerAborted(scope, right)
    },
  ],
  [
    'abort() from both sides at once',
    async (scope) => {
      const [left, right] = await scope.pair()
      left.abort(reason)
      right.abort(reason)
      await expectAborted(scope, left)
      await expectAborted(scope, right)
    },
  ],
  [
    'abort() after it is closed',
    async (scope) => {
      const [left, right] = await scope.pair()
      await Promise.all([scope.wait('close()', left.close()), scope.wait('the other close()', right.close())])
      await expectClean(scope, left, right)
      left.abort(reason)
      await scope.turn()
      await expectOutcomes(scope, 'after it was closed', {
        'a read': [left.read(), 'CLOSED'],
        'a write': [left.write(late), 'CLOSED'],
        'closeWrite()': [left.closeWrite(), 'done'],
        'close()': [left.close(), 'done'],
      })
      await expectClean(scope, left, right)
    },
  ],
]

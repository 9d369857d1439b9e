/** The cases of Go's `nettest.TestConn`, by their names. A deadline is an `AbortSignal` here. */
import assert from 'node:assert/strict'

import type { Conn } from '../core/conn.ts'
import type { Case } from './kit.ts'
import {
  assertCode,
  assertCancelled,
  assertHeldBack,
  assertSame,
  expectClean,
  utf8,
  carry,
  concat,
  echo,
  expectOutcomes,
  expectNext,
  expectToEnd,
  expectFailure,
  fill,
  nonEmpty,
  passedDeadline,
  randomBytes,
  randomNumbers,
  repeated,
  roundTrip,
  expectPending,
  writeInPieces,
} from './kit.ts'
import type { ConnError } from '../errors.ts'
import { setImmediate } from '../runtime/timers.ts'

const bulk = 8 * 1024 * 1024

export const nettest: readonly Case[] = [
  [
    'BasicIO',
    async (scope) => {
      const [left, right] = await scope.pair()
      const content = randomBytes(bulk, scope.seed)
      const write = async (): Promise<void> => {
        await writeInPieces(left, content, scope.seed)
        await left.closeWrite()
      }
      await Promise.all([
        scope.wait('the echo', echo(right)),
        scope.wait('what comes back', expectToEnd(left, content)),
        scope.wait('what goes there', write()),
      ])
      await expectClean(scope, left, right)
    },
  ],
  [
    'BasicIO, both ways at once',
    async (scope) => {
      const [left, right] = await scope.pair()
      const ways = [
        { from: left, to: right, seed: scope.seed },
        { from: right, to: left, seed: scope.seed + 1 },
      ]
      const carryAll = async ({ from, to, seed }: (typeof ways)[number]): Promise<void> => {
        const content = randomBytes(bulk, seed)
        const write = async (): Promise<void> => {
          await writeInPieces(from, content, seed)
          await from.closeWrite()
        }
        await Promise.all([scope.wait('a reader', expectToEnd(to, content)), scope.wait('a writer', write())])
      }
      await Promise.all(ways.map(carryAll))
      await expectClean(scope, left, right)
    },
  ],
  [
    'PingPong',
    async (scope) => {
      const [left, right] = await scope.pair()
      const play = async (conn: Conn, first: number): Promise<void> => {
        for (let count = first; count <= 1_000; count += 2) {
          await expectNext(conn, counter(count))
          if (count < 1_000) await conn.write(counter(count + 1))
        }
        await conn.close()
      }
      await left.write(counter(0))
      await Promise.all([scope.wait('one player', play(right, 0)), scope.wait('the other player', play(left, 1))])
      await expectClean(scope, left, right)
    },
  ],
  [
    'RacyRead',
    async (scope) => {
      const [left, right] = await scope.pair()
      const content = randomBytes(1024 * 1024, scope.seed)
      let enough = false
      const isEnough = (): boolean => enough
      const write = async (): Promise<Uint8Array> => {
        let at = 0
        while (!isEnough() && at < content.length) {
          // A copy, since the reader overwrites its chunks, which are these very bytes in a conn over memory.
          await right.write(content.slice(at, at + 1024))
          at += 1024
          await scope.turn()
        }
        await right.closeWrite()
        return content.subarray(0, at)
      }
      const chunks: Uint8Array[] = []
      let calls = 0
      let deadline = AbortSignal.timeout(1)
      const read = async (): Promise<void> => {
        for (let round = 0; round < 100; round += 1) {
          const call = calls
          calls += 1
          try {
            const chunk = await left.read({ signal: deadline })
            if (chunk === null) return
            // `slice` of a Buffer would not copy.
            chunks[call] = Uint8Array.from(nonEmpty(chunk))
            chunk.fill(0)
          } catch (error) {
            assertCode(error, ['TIMEOUT'])
            deadline = AbortSignal.timeout(1)
          }
        }
      }
      const rest = async (): Promise<void> => {
        await Promise.all(Array.from({ length: 10 }, read))
        enough = true
        for await (const chunk of left) chunks[calls++] = chunk
      }
      const [sent] = await Promise.all([scope.wait('the writer', write()), scope.wait('the readers', rest())])
      assertSame(concat(withoutHoles(chunks)), sent)
    },
  ],
  [
    'RacyWrite',
    async (scope) => {
      const [left, right] = await scope.pair()
      const next = randomNumbers(scope.seed)
      const accepted: Uint8Array[] = []
      let calls = 0
      let deadline = AbortSignal.timeout(1)
      let startReading = (): void => {}
      const started = new Promise<void>((resolve) => {
        startReading = resolve
      })
      const write = async (): Promise<void> => {
        let piece = new Uint8Array(1024)
        for (let round = 0; round < 100; round += 1) {
          const call = calls
          calls += 1
          const copy = piece.fill(next() & 0xff).slice()
          try {
            await left.write(piece, { signal: deadline })
            accepted[call] = copy
            piece = new Uint8Array(1024)
          } catch (error) {
            assertCode(error, ['TIMEOUT'])
            // It was refused, so the caller may use it again at once.
            piece.fill(0)
            deadline = AbortSignal.timeout(1)
            startReading()
          }
        }
      }
      const writeAll = async (): Promise<void> => {
        await Promise.all(Array.from({ length: 10 }, write))
        startReading()
        await left.closeWrite()
      }
      const read = async (): Promise<Uint8Array> => {
        await started
        const chunks: Uint8Array[] = []
        for await (const chunk of right) chunks.push(nonEmpty(chunk))
        return concat(chunks)
      }
      const [came] = await Promise.all([scope.wait('the reader', read()), scope.wait('the writers', writeAll())])
      assertSame(came, concat(withoutHoles(accepted)))
    },
  ],
  [
    'ReadTimeout',
    async (scope) => {
      const [left, right] = await scope.pair()
      const sent = randomBytes(1024, scope.seed)
      await expectFailure(left.read({ signal: await passedDeadline(scope) }), 'TIMEOUT')
      await left.write(sent)
      await expectNext(right, sent)
      const read = scope.wait(
        'a read with a deadline',
        expectFailure(left.read({ signal: AbortSignal.timeout(5) }), 'TIMEOUT'),
      )
      await left.write(sent)
      await expectNext(right, sent)
      await read
    },
  ],
  [
    'WriteTimeout',
    async (scope) => {
      const [left, right] = await scope.pair()
      const sent = randomBytes(1024, scope.seed)
      await expectFailure(left.write(utf8('refused'), { signal: await passedDeadline(scope) }), 'TIMEOUT')
      await right.write(sent)
      await expectNext(left, sent)
      const piece = randomBytes(64 * 1024, scope.seed)
      const accepted = await fill(left, piece)
      const write = left.write(utf8('refused'), { signal: AbortSignal.timeout(5) })
      const refused = scope.wait('a write with a deadline', expectFailure(write, 'TIMEOUT'))
      await right.write(sent)
      await expectNext(left, sent)
      await refused
      const ended = scope.wait('closeWrite()', left.closeWrite())
      await expectToEnd(right, repeated(piece, accepted))
      await ended
    },
  ],
  [
    'PastTimeout',
    async (scope) => {
      const [left, right] = await scope.pair()
      const echoing = scope.wait('the echo', echo(right))
      await roundTrip(left)
      const signal = await passedDeadline(scope)
      const reason = new Error('no longer wanted')
      const past = await expectOutcomes(scope, 'with a deadline in the past', {
        'a write': [left.write(utf8('refused'), { signal }), 'TIMEOUT'],
        'a read': [left.read({ signal }), 'TIMEOUT'],
      })
      assertCancelled(past, signal.reason)
      const cancelled = await expectOutcomes(scope, 'with an aborted signal', {
        'a write': [left.write(utf8('refused'), { signal: AbortSignal.abort(reason) }), 'CANCELLED'],
        'a read': [left.read({ signal: AbortSignal.abort(reason) }), 'CANCELLED'],
      })
      assertCancelled(cancelled, reason)
      await roundTrip(left)
      await left.closeWrite()
      await expectToEnd(left, new Uint8Array())
      await echoing
    },
  ],
  [
    'PresentTimeout',
    async (scope) => {
      const [left, right] = await scope.pair()
      const piece = randomBytes(64 * 1024, scope.seed)
      const accepted = await fill(left, piece)
      const giveUp = new AbortController()
      const { signal } = giveUp
      const reads = [left.read({ signal }), left.read({ signal })] as const
      const writes = [left.write(piece, { signal }), left.write(piece, { signal })] as const
      const ended = expectOutcomes(scope, 'when its signal is aborted', {
        'a read': [reads[0], 'CANCELLED'],
        'a second read': [reads[1], 'CANCELLED'],
        'a write that is held back': [writes[0], 'CANCELLED'],
        'a second write': [writes[1], 'CANCELLED'],
      })
      await expectPending(scope, 'a wait whose signal was not aborted', ...reads, ...writes)
      const reason = new Error('no longer wanted')
      giveUp.abort(reason)
      assertCancelled(await ended, reason)
      await carry(right, left, 'the other way')
      const finished = scope.wait('closeWrite()', left.closeWrite())
      await expectToEnd(right, repeated(piece, accepted))
      await finished
    },
  ],
  [
    'FutureTimeout',
    async (scope) => {
      const [left, right] = await scope.pair()
      const piece = randomBytes(16 * 1024, scope.seed)
      const signal = AbortSignal.timeout(30)
      let accepted = 0
      const write = async (): Promise<ConnError> => {
        for (;;) {
          const error: unknown = await left.write(piece, { signal }).catch((reason: unknown) => reason)
          if (error !== undefined) {
            assertCode(error, ['TIMEOUT'])
            return error
          }
          accepted += 1
          assertHeldBack(accepted * piece.length)
          await scope.turn()
        }
      }
      const errors = await Promise.all([
        scope.wait('a read with a deadline', expectFailure(left.read({ signal }), 'TIMEOUT')),
        scope.wait('writes with a deadline', write()),
      ])
      assertCancelled(errors, signal.reason)
      scope.wait('the echo', echo(right)).catch(() => {})
      await scope.wait('what was written before', expectNext(left, repeated(piece, accepted)))
      await roundTrip(left)
    },
  ],
  [
    'CloseTimeout',
    async (scope) => {
      const [left, right] = await scope.pair({ lingerTimeout: 5_000 })
      const echoing = scope.wait('the echo', echo(right))
      const piece = randomBytes(16 * 1024, scope.seed)
      let flows = (): void => {}
      const flowing = new Promise<void>((resolve) => {
        flows = resolve
      })
      const read = async (): Promise<never> => {
        for (;;) {
          assert.ok((await left.read()) !== null, 'an end came, although no side ended its half')
          flows()
        }
      }
      const write = async (): Promise<never> => {
        for (;;) {
          await left.write(piece)
          await scope.turn()
        }
      }
      const ended = expectOutcomes(scope, 'when this side closes', {
        reading: [read(), 'CLOSED'],
        writing: [write(), 'CLOSED'],
      })
      await Promise.race([scope.wait('the first chunk', flowing), ended])
      await scope.wait('close()', left.close())
      await ended
      await echoing
      await expectClean(scope, left, right)
    },
  ],
  [
    'ConcurrentMethods',
    async (scope) => {
      const [left, right] = await scope.pair()
      const echoing = scope.wait('the echo', echo(right))
      const past = await passedDeadline(scope)
      const next = randomNumbers(scope.seed)
      const accepted: Uint8Array[] = []
      const chunks: Uint8Array[] = []
      const write = async (index: number, signal: AbortSignal): Promise<void> => {
        const piece = new Uint8Array(1024).fill(next() & 0xff)
        const copy = piece.slice()
        if (await left.write(piece, { signal }).then(() => true, expectCancelled)) accepted[index] = copy
      }
      const read = async (index: number, signal: AbortSignal): Promise<void> => {
        const chunk = await left.read({ signal }).catch(expectCancelled)
        if (chunk !== undefined) chunks[index] = nonEmpty(chunk ?? new Uint8Array())
      }
      const all: Promise<void>[] = []
      for (let index = 0; index < 400; index += 4) {
        const giveUp = new AbortController()
        all.push(
          read(index, AbortSignal.timeout(10)),
          write(index, AbortSignal.timeout(10)),
          read(index + 1, past),
          write(index + 1, past),
          read(index + 2, giveUp.signal),
          write(index + 2, giveUp.signal),
          write(index + 3, AbortSignal.timeout(10)),
          expectPending(scope, '`closed`', left.closed, right.closed),
        )
        setImmediate(() => giveUp.abort())
      }
      await scope.wait('reads and writes at once', Promise.all(all))
      const sent = concat(withoutHoles(accepted))
      const came = concat(withoutHoles(chunks))
      assertSame(came, sent.subarray(0, came.length))
      await expectNext(left, sent.subarray(came.length))
      await roundTrip(left)

      const many = <T>(wait: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: 20 }, wait))
      await expectOutcomes(scope, 'by many at once', {
        'reading, which close() ends': [many(() => expectFailure(left.read(), 'CLOSED')), 'done'],
        'closeWrite()': [many(() => left.closeWrite()), 'done'],
        'writing after closeWrite()': [many(() => expectFailure(left.write(utf8('late')), 'CLOSED')), 'done'],
        'asking for `closed`': [many(() => left.closed), 'done'],
        'close()': [many(() => left.close()), 'done'],
      })
      await echoing
      await expectClean(scope, left, right)
    },
  ],
]

/** Writes `count` as eight bytes, little-endian. */
function counter(count: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setUint32(0, count, true)
  return bytes
}

function expectCancelled(error: unknown): undefined {
  assertCode(error, ['TIMEOUT', 'CANCELLED'])
}

/** Removes the empty places of calls that were cancelled. */
function withoutHoles(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  return parts.filter(() => true)
}

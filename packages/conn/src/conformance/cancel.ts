/** The cases about waits that their signals cancel: nothing is lost, and nothing is sent. */
import type { Case, Scope } from './kit.ts'
import {
  assertCode,
  assertCancelled,
  assertSame,
  utf8,
  carry,
  concat,
  expectOutcomes,
  expectToEnd,
  expectFailure,
  fill,
  late,
  nonEmpty,
  nothing,
  randomBytes,
  randomNumbers,
  repeated,
} from './kit.ts'

export const cancelCases: readonly Case[] = [
  [
    'loses nothing to an aborted read',
    async (scope) => {
      const [left, right] = await scope.pair()
      const giveUp = new AbortController()
      const waits = expectOutcomes(scope, 'of which the first is aborted', {
        'the first read': [right.read({ signal: giveUp.signal }), 'CANCELLED'],
      })
      const second = scope.wait('the second read', right.read())
      const reason = new Error('not today')
      giveUp.abort(reason)
      assertCancelled(await waits, reason)
      await left.write(utf8('bytes'))
      assertSame((await second) ?? nothing, utf8('bytes'))
      await expectFailure(right.read({ signal: giveUp.signal }), 'CANCELLED')
      await carry(left, right, 'more')
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
    'settles a write with `handedOn`, in order with the others',
    async (scope) => {
      const [left, right] = await scope.pair()
      const pieces = Array.from({ length: 9 }, (_, index) => randomBytes(1 + index * 20_000, scope.seed + index))
      const writes = pieces.map((piece, index) => left.write(piece, { handedOn: index % 3 !== 1 }))
      await Promise.all([
        scope.wait('the writes', Promise.all(writes)),
        scope.wait('closeWrite()', left.closeWrite()),
        scope.wait('the reader', expectToEnd(right, concat(pieces))),
      ])
      // Such a write must settle too when its conn breaks off.
      const [broken] = await scope.pair()
      await fill(broken, randomBytes(64 * 1024, scope.seed))
      const last = broken.write(late, { handedOn: true })
      const settled = Promise.allSettled([last])
      broken.abort()
      await scope.wait('the write of an aborted conn', settled)
    },
  ],
  [
    'sends nothing of an aborted write',
    async (scope) => {
      const [left, right] = await scope.pair()
      const piece = randomBytes(64 * 1024, scope.seed)
      const accepted = await fill(left, piece)
      const giveUp = new AbortController()
      const refused = [utf8('not this'), utf8('nor this')] as const
      const ended = expectOutcomes(scope, 'of which two are aborted', {
        'the first write': [left.write(refused[0], { signal: giveUp.signal }), 'CANCELLED'],
        'the second write': [left.write(utf8('this'), { signal: new AbortController().signal }), 'done'],
        'the third write': [left.write(refused[1], { signal: giveUp.signal }), 'CANCELLED'],
        'the fourth write': [left.write(utf8(' and this')), 'done'],
        'closeWrite()': [left.closeWrite(), 'done'],
      })
      giveUp.abort()
      // They were refused, so the caller may use them again.
      for (const bytes of refused) bytes.fill(0)
      const sent = concat([repeated(piece, accepted), utf8('this and this')])
      await Promise.all([ended, scope.wait('the reader', expectToEnd(right, sent))])
    },
  ],
]

/** Aborts at once, after some promises, after a turn, or never. */
async function giveUpAfter(scope: Scope, giveUp: AbortController, moment: number): Promise<void> {
  if (moment === 4) return
  for (let tick = 0; tick < moment; tick += 1) await Promise.resolve()
  if (moment === 3) await scope.turn()
  giveUp.abort()
}

/** Waits that their signals give up: nothing is lost by them, and nothing is sent. */
import type { Case, Scope } from './kit.ts'
import {
  assertCode,
  assertGivenUp,
  assertSame,
  bytesOf,
  carries,
  concat,
  endAs,
  expectToEnd,
  fails,
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
]

/** Aborts at once, after some promises, after a turn, or never. */
async function giveUpAfter(scope: Scope, giveUp: AbortController, moment: number): Promise<void> {
  if (moment === 4) return
  for (let tick = 0; tick < moment; tick += 1) await Promise.resolve()
  if (moment === 3) await scope.turn()
  giveUp.abort()
}

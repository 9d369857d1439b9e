// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
import type { Codec } from '@h2channel/codecs'
import { bool, bytes, f64, i16, i64, json, msgpack, struct, u16, u32 } from '@h2channel/codecs'
import { startServer } from '@h2channel/conn/testing'
import type { Conn } from '@h2channel/conn/web'
import { pipe } from '@h2channel/conn/web'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { Framing } from '../../src/index.ts'
import { Channel, fixedLength, lengthPrefixed, newlineDelimited } from '../../src/index.ts'
import { deferred, failOnUnhandledRejections, receiveAll } from '../support/support.ts'

failOnUnhandledRejections()

const count = 2_000
const seed = 20_260_501

interface Subject {
  readonly name: string
  readonly codec: Codec<unknown>
  readonly messages: fc.Arbitrary<unknown>
}

/** What JSON and MessagePack both carry unchanged. */
const plain = fc.jsonValue({ maxDepth: 3 }).map((value: unknown) => JSON.parse(JSON.stringify(value)) as unknown)

function subject<T>(name: string, codec: Codec<T>, messages: fc.Arbitrary<T>): Subject {
  return { name, codec: codec, messages }
}

const subjects: readonly Subject[] = [
  subject('json', json(), plain),
  subject('msgpack', msgpack(), plain),
  subject(
    'struct',
    struct({ delay: i16, distance: u16, id: u32, time: f64, serial: i64, on: bool }),
    fc.record({
      delay: fc.integer({ min: -32_768, max: 32_767 }),
      distance: fc.integer({ min: 0, max: 65_535 }),
      id: fc.integer({ min: 0, max: 4_294_967_295 }),
      time: fc.double({ noNaN: true }),
      serial: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      on: fc.boolean(),
    }),
  ),
  subject('bytes', bytes(), fc.uint8Array({ maxLength: 500 })),
  subject('bytes(16)', bytes(16), fc.uint8Array({ minLength: 16, maxLength: 16 })),
]

const cases = subjects.flatMap((one) =>
  [lengthPrefixed(), newlineDelimited(), fixedLength(one.codec.size ?? 1)]
    .filter((framing) => framing.carries(one.codec))
    .map((framing) => ({ ...one, framing })),
)

/** Sends random messages both ways at once. They arrive equal and in order, and both ends come to a clean end. */
async function converse([left, right]: readonly [Conn, Conn], one: Subject & { framing: Framing }): Promise<void> {
  const { codec, framing, messages } = one
  const open = (conn: Conn): Channel<unknown, unknown> =>
    new Channel(conn, { send: codec, receive: codec, framing, control: true })
  const there = fc.sample(messages, { numRuns: count, seed })
  const back = fc.sample(messages, { numRuns: count, seed: seed + 1 })
  const side = async (channel: Channel<unknown, unknown>, send: unknown[], expected: unknown[]): Promise<void> => {
    const sending = (async () => {
      for (const message of send) await channel.send(message)
      await channel.end()
    })()
    const received = await receiveAll(channel)
    await sending
    expect(received, `seed ${seed}`).toEqual(expected)
    expect(await channel.closed).toEqual({ clean: true })
  }
  await Promise.all([side(open(left), there, back), side(open(right), back, there)])
}

describe.each(cases)('$name in $framing.name framing', (one) => {
  test(`${count} messages both ways over a pipe`, async () => {
    await converse(pipe(), one)
  })

  test('the same through a pipe with almost no buffer', async () => {
    await converse(pipe({ highWaterMark: 100 }), one)
  })
})

test('json in length-prefixed framing: the same over an HTTP/2 stream with TLS', async () => {
  const [one] = cases
  if (one === undefined) throw new Error('unreachable')
  const accepted = deferred<Conn>()
  const over = deferred()
  await using server = await startServer(async (conn) => {
    accepted.resolve(conn)
    await over.promise
  })
  const conn = await server.connect('/')
  await converse([conn, await accepted.promise], one).finally(() => over.resolve())
})

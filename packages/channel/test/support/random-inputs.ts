/**
 * Hands random bytes, cut into random chunks, to a framing and a codec. See random-inputs.test.ts.
 *
 *     random-inputs.ts <name> <seed> <how often to decode>
 */
import type { Codec } from '@h2channel/codecs'
import {
  array,
  bool,
  bytes,
  ByteWriter,
  choice,
  CodecError,
  extension,
  f32,
  f64,
  i64,
  json,
  msgpack,
  oneOf,
  raw,
  struct,
  text,
  u16,
  u8,
} from '@h2channel/codecs'
import assert from 'node:assert/strict'
import { z } from 'zod'

import type { FrameDecoder, Framing } from '../../src/index.ts'
import { ChannelError, fixedLength, lengthPrefixed, newlineDelimited } from '../../src/index.ts'
import { createReader } from '../../src/core/reader.ts'

interface Subject {
  readonly codec: Codec<unknown>
  readonly messages: readonly unknown[]
  /** A codec with the same results. */
  readonly reference: Codec<unknown>
}

function subject<T>(codec: Codec<T>, messages: readonly T[], reference: Codec<T> = codec): Subject {
  return { codec, messages, reference }
}

const values = [
  null,
  -1.5,
  'text of some length, longer than thirty-one bytes: é 水 😀',
  [1, [2, [3, ['four', { five: 5 }]]], 2 ** 40, -(2 ** 20)],
  { id: 1, user: 'some-user', nested: { list: Array.from({ length: 20 }, (_, index) => index * 300), ok: true } },
]
const Trade = z.object({
  symbol: z.string(),
  price: z.number(),
  at: z.codec(z.iso.datetime(), z.date(), {
    decode: (date) => new Date(date),
    encode: (date) => date.toISOString(),
  }),
})
const trades = [{ symbol: 'SAP', price: 196.5, at: new Date(0) }]
/** Types alone, so that compiled code checks them all. */
const Order = z.object({
  id: z.int(),
  side: z.enum(['buy', 'sell']),
  price: z.number().min(0),
  note: z.string().nullish(),
  legs: z.array(z.object({ symbol: z.string().max(20), ok: z.boolean() })),
  at: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('point'), x: z.number(), y: z.number() }),
    z.object({ kind: z.literal('name'), name: z.string() }),
  ]),
  more: z.record(z.string(), z.tuple([z.int(), z.string()])),
})
const orders: z.infer<typeof Order>[] = [
  { id: 7, side: 'buy', price: 196.5, legs: [], at: { kind: 'name', name: 'é 水 😀' }, more: { a: [1, 'x'] } },
  {
    id: -70_000_000_000,
    side: 'sell',
    price: 1 / 3,
    note: null,
    legs: [
      { symbol: 'SAP', ok: true },
      { symbol: '"', ok: false },
    ],
    at: { kind: 'point', x: -0.25, y: 0 },
    more: { b: [2, ''], '': [3, 'text of some length, longer than thirty-one bytes'] },
  },
]
const points = extension(1, {
  is: (value): value is Date => value instanceof Date,
  encode: (date) => Uint8Array.of(date.getUTCHours()),
  decode: (body) => new Date((body[0] ?? 0) * 3_600_000),
})

const subjects: Readonly<Record<string, () => Subject>> = {
  json: () => subject(json(), values),
  'json(schema)': () => subject(json(Trade), trades, json(Trade, { compile: false })),
  'json(types)': () => subject(json(Order), orders, json(Order, { compile: false })),
  msgpack: () => subject(msgpack(), [...values, new Date(5), 2n ** 60n, Uint8Array.of(1, 2, 3)]),
  'msgpack(schema)': () => subject(msgpack(Trade), trades),
  'msgpack with an extension': () => subject(msgpack({ extensions: [points] }), [...values, new Date(3_600_000)]),
  struct: () =>
    subject(
      struct({
        name: text(6),
        key: raw(3),
        side: choice('buy', 'sell', 'hold'),
        at: { x: f32, y: f64, ok: bool },
        path: array({ x: i64, y: u16 }, 2),
      }),
      [
        {
          name: 'é',
          key: Uint8Array.of(1, 2, 3),
          side: 'sell',
          at: { x: 0.5, y: -1, ok: true },
          path: [
            { x: -1n, y: 1 },
            { x: 1n, y: 2 },
          ],
        },
      ],
    ),
  'struct, little': () => subject(struct({ a: bool, b: u8 }, { endian: 'little' }), [{ a: true, b: 5 }]),
  bytes: () => subject(bytes(), [new Uint8Array(0), new Uint8Array(40)]),
  'bytes(16)': () => subject(bytes(16), [new Uint8Array(16)]),
  oneOf: () => subject(oneOf(msgpack(), json()), values),
}

const [name = '', seed = '0', inputs = '0'] = process.argv.slice(2)
const { codec, messages, reference } = (
  subjects[name] ??
  (() => {
    throw new Error(`no codec ${name}`)
  })
)()

/** xorshift32. */
let state = Math.imul(Number(seed) ^ 0x9e37_79b9, 0x85eb_ca6b) | 1
function random(below: number): number {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % below
}

const reader = createReader(codec)
const valid = new ByteWriter()
codec.encode(messages[0], valid)

/** Reads a valid message. Code that reads several others in a row in vain is not tried for a while. */
function readValid(): void {
  if (codec.compiled === true) reader.read(valid.bytes, 0, valid.position)
}

// Code is compiled after some thousands of messages.
for (let message = 0; message < 6_000; message++) readValid()
const framings = [lengthPrefixed(), newlineDelimited(), fixedLength(codec.size ?? 1)].filter((framing) =>
  framing.carries(codec),
)
const limit = 4_096

function encoded(framing: Framing, write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter()
  framing.begin(out)
  write(out)
  try {
    framing.end(out, 0, limit)
  } catch (error) {
    // A body that this framing can't carry comes without a frame.
    if (!(error instanceof ChannelError)) throw error
  }
  return Uint8Array.from(out.written())
}

function changed(whole: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(whole)
  for (let change = random(4); change > 0 && copy.length > 0; change--) copy[random(copy.length)] = random(256)
  return random(4) === 0 ? copy.subarray(random(copy.length + 1)) : copy
}

/** Random bytes, a message with changes, or either of them without a frame. */
function input(framing: Framing): Uint8Array {
  const message = messages[random(messages.length)]
  const body = Uint8Array.from({ length: random(80) }, () => random(256))
  switch (random(4)) {
    case 0:
      return body
    case 1:
      return encoded(framing, (out) => out.write(body))
    case 2:
      return changed(encoded(framing, (out) => codec.encode(message, out)))
    default: {
      const whole = new ByteWriter()
      codec.encode(message, whole)
      const spoilt = changed(whole.written())
      return encoded(framing, (out) => out.write(spoilt))
    }
  }
}

const ends = { messages: 0, refused: 0, unframed: 0, unfinished: 0 }

/** What decoding came to: the message, or what it threw. */
type Outcome = { readonly message: unknown } | { readonly error: unknown }

function outcomeOf(decode: () => unknown): Outcome {
  try {
    return { message: decode() }
  } catch (error) {
    return { error }
  }
}

/** The part of an outcome that must not differ: the message, or the error's code. Rethrows any other error. */
function resultOf(outcome: Outcome): Outcome | string {
  if ('message' in outcome) return outcome
  const { error } = outcome
  if (!(error instanceof CodecError) || error.side !== 'remote') throw error
  return error.code
}

/** Takes all frames out. Returns whether the stream is still valid. */
function takeOut(decoder: FrameDecoder): boolean {
  for (;;) {
    let isThere: boolean
    try {
      isThere = decoder.next()
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error
      ends.unframed++
      return false
    }
    if (!isThere) {
      // As a channel does when a chunk is read.
      reader.release()
      return true
    }
    if (decoder.control) continue
    const { bytes: chunk, offset, length } = decoder
    const result = resultOf(outcomeOf(() => reader.read(chunk, offset, length)))
    if (codec.reader !== undefined) {
      const decoded = outcomeOf(() => reference.decode(chunk.subarray(offset, offset + length)))
      assert.deepStrictEqual(result, resultOf(decoded), 'the result of the reader, compared with that of decode')
    }
    if (typeof result === 'string') {
      ends.refused++
      readValid()
      return false
    }
    ends.messages++
  }
}

/** A chunk of its own, as Node's are: a `Buffer`, some of them within memory that others share. */
function chunkOf(piece: Uint8Array): Uint8Array {
  return random(2) === 0 ? Uint8Array.from(piece) : Buffer.from(piece)
}

function feed(stream: Uint8Array, decoder: FrameDecoder): void {
  for (let at = 0; at < stream.length;) {
    const size = 1 + random(stream.length - at)
    decoder.push(chunkOf(stream.subarray(at, at + size)))
    if (!takeOut(decoder)) return
    if (decoder.buffered > limit + 4) throw new Error(`${decoder.buffered} bytes are held`)
    at += size
  }
  ends.unfinished++
}

const before = process.resourceUsage().maxRSS
let count = 0
// Where the framing refuses an input, the codec is owed another.
for (; count < Number(inputs) || ends.messages + ends.refused < Number(inputs); count++) {
  const framing = framings[random(framings.length)] ?? lengthPrefixed()
  const stream = Buffer.concat([input(framing), ...(random(4) === 0 ? [input(framing)] : [])])
  try {
    feed(stream, framing.decoder(limit))
  } catch (error) {
    const what = `input ${count} of seed ${seed} in ${framing.name} framing: ${stream.toString('hex')}`
    throw new Error(what, { cause: error })
  }
}
const grownMiB = Math.round((process.resourceUsage().maxRSS - before) / 1_024)
process.stdout.write(JSON.stringify({ inputs: count, ...ends, grownMiB }))

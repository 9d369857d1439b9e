/**
 * Compares the codecs with the bare libraries, and with each other on one real message set. The compared functions take
 * turns in one process; ratios are of medians.
 *
 *     node dist/codecs.js [--rounds 9] [--milliseconds 100]
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import type { Codec } from '@h2channel/codecs'
import { bool, ByteWriter, choice, f64, json, msgpack, struct, u16, u32 } from '@h2channel/codecs'
import { readFlights } from '@h2channel/example-flights/flights'
import { Flight, flightRecord } from '@h2channel/example-flights/routes'
import { Decoder, Encoder } from '@msgpack/msgpack'
import Table from 'cli-table3'
import { z } from 'zod'

import type { Work } from './measure.ts'
import { machine, millions, speeds } from './measure.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    milliseconds: { type: 'string', default: '100' },
    // For a process that compares one pair.
    only: { type: 'string', default: '' },
  },
})
const options = { rounds: Number(values.rounds), slice: Number(values.milliseconds) }

/** The number of messages of 16 bytes that one chunk of an HTTP/2 stream holds. */
const count = 1_024

/** The sum of all results, so that the compiler cannot leave any work out. */
let sum = 0

const writer = new ByteWriter(1024 * 1024)

function encoding<T>(codec: Codec<T>, messages: readonly T[]): Work {
  return () => {
    writer.position = 0
    for (const message of messages) codec.encode(message, writer)
    sum += writer.position
    return messages.length
  }
}

/** Messages as they lie in a chunk, one behind the other. */
function encodedAll<T>(codec: Codec<T>, messages: readonly T[]): Buffer[] {
  writer.position = 0
  const ends = messages.map((message) => {
    codec.encode(message, writer)
    return writer.position
  })
  const chunk = Buffer.from(writer.written())
  return ends.map((end, index) => chunk.subarray(ends[index - 1] ?? 0, end))
}

/** Decodes as a channel does. */
function decoding<T>(codec: Codec<T>, messages: readonly T[], probe: (message: T) => number): Work {
  const received = encodedAll(codec, messages)
  const chunk = Buffer.concat(received)
  const reader = codec.reader?.()
  if (reader === undefined) throw new Error(`${codec.name} has no reader`)
  return () => {
    let offset = 0
    for (const { length } of received) {
      sum += probe(reader.read(chunk, offset, length))
      offset += length
    }
    reader.release()
    return received.length
  }
}

const Message = z.object({ id: z.number(), user: z.string(), text: z.string(), ts: z.number() })
type Message = z.infer<typeof Message>

/** About 120 bytes of JSON each. */
const messages = Array.from({ length: count }, (_, index): Message => {
  const text = `${'text of sixty-four characters, '.repeat(2)}${index}`.slice(-64)
  return { id: 123_456 + index, user: 'some-user-name', text, ts: 1_700_000_000_000 + index }
})

interface Trade {
  readonly id: number
  readonly price: number
  readonly quantity: number
  readonly side: 'buy' | 'sell'
  readonly last: boolean
}

/** 16 bytes each. */
const trades = Array.from({ length: count }, (_, index): Trade => {
  return {
    id: index * 7_919,
    price: 100 + index / 8,
    quantity: index,
    side: index % 3 > 0 ? 'buy' : 'sell',
    last: true,
  }
})
const trade = struct({ id: u32, price: f64, quantity: u16, side: choice('buy', 'sell'), last: bool })

function bareJson(): Readonly<Record<'encode' | 'decode', Work>> {
  const buffer = Buffer.alloc(1024 * 1024)
  const received = encodedAll(json<Message>(), messages)
  const encode = (): number => {
    let at = 0
    for (const message of messages) at += buffer.write(JSON.stringify(message), at)
    sum += at
    return count
  }
  const decode = (): number => {
    for (const one of received) sum += (JSON.parse(one.toString('utf8', 0, one.length)) as Message).id
    return count
  }
  return { encode, decode }
}

/** As `bareJson`, and zod checks what was read. */
function bareJsonAndSchema(): Work {
  const received = encodedAll(json<Message>(), messages)
  return () => {
    for (const one of received) sum += Message.parse(JSON.parse(one.toString('utf8', 0, one.length))).id
    return count
  }
}

function bareMsgpack(): Readonly<Record<'encode' | 'decode', Work>> {
  const [encoder, decoder] = [new Encoder(), new Decoder()]
  const received = encodedAll(msgpack<Message>(), messages)
  const encode = (): number => {
    for (const message of messages) sum += encoder.encodeSharedRef(message).length
    return count
  }
  const decode = (): number => {
    for (const one of received) sum += (decoder.decode(one) as Message).id
    return count
  }
  return { encode, decode }
}

/** Hand-written loops: one DataView of the chunk, no checks. */
function bareRecords(): Readonly<Record<'encode' | 'decode', Work>> {
  const chunk = Buffer.concat(encodedAll(trade, trades))
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length)
  const encode = (): number => {
    let at = 0
    for (const { id, price, quantity, side, last } of trades) {
      view.setUint32(at, id)
      view.setFloat64(at + 4, price)
      view.setUint16(at + 12, quantity)
      view.setUint8(at + 14, side === 'buy' ? 0 : 1)
      view.setUint8(at + 15, last ? 1 : 0)
      at += 16
    }
    sum += at
    return count
  }
  const decode = (): number => {
    for (let at = 0; at < view.byteLength; at += 16) {
      const decoded: Trade = {
        id: view.getUint32(at),
        price: view.getFloat64(at + 4),
        quantity: view.getUint16(at + 12),
        side: view.getUint8(at + 14) === 0 ? 'buy' : 'sell',
        last: view.getUint8(at + 15) === 1,
      }
      sum += decoded.id + decoded.side.length
    }
    return count
  }
  return { encode, decode }
}

/** Each function of this library, and the hand-written alternative. */
const pairs = {
  'json encode': () => [encoding(json<Message>(), messages), bareJson().encode],
  'json decode': () => [decoding(json<Message>(), messages, ({ id }) => id), bareJson().decode],
  'json, schema encode': () => [encoding(json(Message), messages), bareJson().encode],
  'json, schema decode': () => [decoding(json(Message), messages, ({ id }) => id), bareJsonAndSchema()],
  'msgpack encode': () => [encoding(msgpack<Message>(), messages), bareMsgpack().encode],
  'msgpack decode': () => [decoding(msgpack<Message>(), messages, ({ id }) => id), bareMsgpack().decode],
  'struct encode': () => [encoding(trade, trades), bareRecords().encode],
  'struct decode': () => [decoding(trade, trades, ({ id, side }) => id + side.length), bareRecords().decode],
} satisfies Readonly<Record<string, () => readonly Work[]>>

/**
 * The speeds of a pair, from a process that has seen no other codec. Otherwise the code would be compiled for all of
 * them.
 */
function pairIn(name: string, flags: readonly string[] = []): readonly number[] {
  const limits = [`--rounds=${options.rounds}`, `--milliseconds=${options.slice}`]
  const args = [...flags, fileURLToPath(import.meta.url), '--only', name, ...limits]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as number[]
}

function comparison(): Table.Table {
  const table = new Table({ style: { head: [], border: [] }, head: ['', 'ours', 'bare', 'ours / bare'] })
  const add = (name: string, [our = 0, their = 0]: readonly number[]): void => {
    table.push([name, millions(our), millions(their), (our / their).toFixed(2)])
  }
  for (const name of Object.keys(pairs)) add(name, pairIn(name))
  for (const name of ['struct encode', 'struct decode']) {
    add(`${name}, nothing compiled`, pairIn(name, ['--disallow-code-generation-from-strings']))
  }
  return table
}

/** 231,083 flights, in blocks that a chunk could hold. */
function flights(): Table.Table {
  const all = readFlights()
  const block = all.slice(0, count)
  const codecs: readonly (readonly [string, Codec<Flight>])[] = [
    ['json(Flight)', json(Flight)],
    ["json(Flight, { validate: 'none' })", json(Flight, { validate: 'none' })],
    ['msgpack(Flight)', msgpack(Flight)],
    ["msgpack(Flight, { validate: 'none' })", msgpack(Flight, { validate: 'none' })],
    ['struct({ delay: i16, distance: u16, time: f64 })', flightRecord],
  ]
  const works = codecs.flatMap(([, codec]) => [
    encoding(codec, block),
    decoding(codec, block, ({ delay, distance }) => delay + distance),
  ])
  const figures = speeds(works, options)
  const table = new Table({ style: { head: [], border: [] }, head: ['', 'bytes a message', 'encode', 'decode'] })
  for (const [index, [name, codec]] of codecs.entries()) {
    let size = 0
    for (const flight of all) {
      writer.position = 0
      codec.encode(flight, writer)
      size += writer.position
    }
    const [encode = 0, decode = 0] = figures.slice(2 * index)
    table.push([name, (size / all.length).toFixed(1), millions(encode), millions(decode)])
  }
  return table
}

if (values.only in pairs) {
  const works = pairs[values.only as keyof typeof pairs]()
  process.stdout.write(JSON.stringify(speeds(works, options)))
} else {
  console.log(
    `${machine()}\n${options.rounds} rounds of ${options.slice} ms each, in turn, medians; millions a second\n`,
  )
  console.log(comparison().toString())
  console.log('231,083 flights:')
  console.log(flights().toString())
}
if (sum === 0) throw new Error('nothing was done')

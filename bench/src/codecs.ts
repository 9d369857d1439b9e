/**
 * What a codec costs above the bare library, in one process: both do the same work in turn, and the ratios are of medians.
 *
 *     node dist/codecs.js [--rounds 9] [--milliseconds 100]
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'

import type { Codec } from '@h2channel/codecs'
import { bool, ByteWriter, choice, f64, json, msgpack, struct, u16, u32 } from '@h2channel/codecs'
import { Decoder, Encoder } from '@msgpack/msgpack'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, milliseconds: { type: 'string', default: '100' } },
})
const rounds = Number(values.rounds)
const slice = Number(values.milliseconds)

/** About 120 bytes of JSON. */
const message = { id: 123_456, user: 'some-user-name', text: 'x'.repeat(64), ts: 1_700_000_000_000 }
const record = { id: 123_456, price: 101.25, quantity: 500, side: 'buy' as const, last: true }

/** What is done over and over. What it returns is added up, so that nothing can be left out. */
type Work = () => number

const out = new ByteWriter(64 * 1024)

function encoding<T>(codec: Codec<T>, value: T): Work {
  return () => {
    out.position = 0
    codec.encode(value, out)
    return out.position
  }
}

function decoding<T>(codec: Codec<T>, value: T, probe: (decoded: T) => number): Work {
  out.position = 0
  codec.encode(value, out)
  const bytes = Buffer.from(out.written())
  return () => probe(codec.decode(bytes))
}

function bareJson(): readonly [encode: Work, decode: Work] {
  const buffer = Buffer.alloc(64 * 1024)
  const size = buffer.write(JSON.stringify(message))
  const received = Buffer.from(buffer.subarray(0, size))
  return [
    () => buffer.write(JSON.stringify(message)),
    () => (JSON.parse(received.toString('utf8', 0, received.length)) as typeof message).id,
  ]
}

function bareMsgpack(): readonly [encode: Work, decode: Work] {
  const [encoder, decoder] = [new Encoder(), new Decoder()]
  const received = encoder.encode(message)
  return [() => encoder.encodeSharedRef(message).length, () => (decoder.decode(received) as typeof message).id]
}

/** The loop that one would write by hand: 16 bytes, big-endian. */
function bareRecord(): readonly [encode: Work, decode: Work] {
  const view = new DataView(new ArrayBuffer(16))
  const encode = (): number => {
    view.setUint32(0, record.id)
    view.setFloat64(4, record.price)
    view.setUint16(12, record.quantity)
    view.setUint8(14, record.side === 'buy' ? 0 : 1)
    view.setUint8(15, record.last ? 1 : 0)
    return 16
  }
  encode()
  const decode = (): number => {
    const decoded = {
      id: view.getUint32(0),
      price: view.getFloat64(4),
      quantity: view.getUint16(12),
      side: view.getUint8(14) === 0 ? 'buy' : 'sell',
      last: view.getUint8(15) === 1,
    }
    return decoded.id + decoded.side.length
  }
  return [encode, decode]
}

const records = struct({ id: u32, price: f64, quantity: u16, side: choice('buy', 'sell'), last: bool })
const [jsonEncode, jsonDecode] = bareJson()
const [msgpackEncode, msgpackDecode] = bareMsgpack()
const [recordEncode, recordDecode] = bareRecord()
const messages = { json: json<typeof message>(), msgpack: msgpack<typeof message>() }

const pairs: readonly (readonly [name: string, ours: Work, bare: Work])[] = [
  ['json encode', encoding(messages.json, message), jsonEncode],
  ['json decode', decoding(messages.json, message, ({ id }) => id), jsonDecode],
  ['msgpack encode', encoding(messages.msgpack, message), msgpackEncode],
  ['msgpack decode', decoding(messages.msgpack, message, ({ id }) => id), msgpackDecode],
  ['struct encode', encoding(records, record), recordEncode],
  ['struct decode', decoding(records, record, ({ id, side }) => id + side.length), recordDecode],
]

let sum = 0

/** Operations a second. */
function speed(work: Work): number {
  const begin = performance.now()
  let done = 0
  while (performance.now() - begin < slice) {
    for (let count = 0; count < 1_000; count += 1) sum += work()
    done += 1_000
  }
  return (done / (performance.now() - begin)) * 1_000
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

const [cpu] = cpus()
console.log(
  `Node ${process.version}, ${cpus().length} × ${cpu?.model ?? 'unknown'}, ${process.platform} ${process.arch}`,
)
console.log(`${rounds} rounds of ${slice} ms each, in turn, medians; millions a second\n`)
console.log('                     ours     bare   ours / bare')
for (const [name, ours, bare] of pairs) {
  const speeds: readonly [number[], number[]] = [[], []]
  // The first round warms up and doesn't count.
  for (let round = 0; round <= rounds; round += 1) {
    const measured = round % 2 === 0 ? [speed(ours), speed(bare)] : [speed(bare), speed(ours)].toReversed()
    if (round > 0) for (const index of [0, 1] as const) speeds[index].push(measured[index] ?? 0)
  }
  const [our, their] = [median(speeds[0]), median(speeds[1])]
  const show = (number: number): string => (number / 1e6).toFixed(2).padStart(9)
  console.log(`${name.padEnd(16)}${show(our)}${show(their)}${(our / their).toFixed(2).padStart(14)}`)
}
if (sum === 0) throw new Error('nothing was done')

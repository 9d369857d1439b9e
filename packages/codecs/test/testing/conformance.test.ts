import * as fc from 'fast-check'
import { z } from 'zod'
import {
  bool,
  bytes,
  f32,
  f64,
  i16,
  i32,
  i64,
  i8,
  json,
  msgpack,
  oneOf,
  struct,
  u16,
  u32,
  u64,
  u8,
} from '../../src/index.ts'
import { jsonPair } from '../support/json-pairs.ts'
import { testCodec } from '../support/suite.ts'
import { hex, utf8Bytes } from '../support/support.ts'

const cycle: unknown[] = []
cycle.push(cycle)

// What JSON can hold. `-0` is no such thing.
const jsonValues = fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value)))

const quote = z.object({ symbol: z.string(), price: z.number(), tags: z.array(z.string()).optional() })
const prices = fc.double({ noNaN: true, noDefaultInfinity: true }).map((price) => price + 0)
const quotes = fc.record(
  { symbol: fc.string(), price: prices, tags: fc.array(fc.string()) },
  { requiredKeys: ['symbol', 'price'], noNullPrototype: true },
)

const notJson = ['', ' ', '{', '[1', '01', 'nul', '{"a":1}}', "{'a':1}", '\uFEFF{}', 'NaN'].map(utf8Bytes)
const notText = [hex('22 ff 22'), hex('22 c3 22'), hex('22 ed a0 80 22'), hex('22 c0 80 22'), hex('22 f4 90 80 80 22')]

testCodec('json()', json(), {
  messages: jsonValues,
  refused: [undefined, () => 1, Symbol('s'), 1n, cycle, { a: 1n }],
  broken: [...notJson, ...notText],
})

// Compiled at once. The channel's tests have codecs that compile after some messages.
testCodec('json(schema)', jsonPair(quote)?.compiled ?? json(), {
  messages: quotes,
  refused: [undefined, 1n, cycle],
  broken: [...notJson, ...notText],
})

const notMsgpack = [
  '',
  'c1',
  '91',
  '81 a1',
  'a1',
  'a1 ff',
  'a2 c3 28',
  '01 02',
  'c4 05 01',
  'dd ff ff ff ff',
  'cf ff',
].map(hex)

testCodec('msgpack()', msgpack(), {
  messages: jsonValues,
  refused: [
    () => 1,
    Symbol('s'),
    2n ** 64n,
    cycle,
    { a: -(2n ** 64n) },
    new Map([[1, 2]]),
    new Date(Number.NaN),
    new ArrayBuffer(2),
  ],
  broken: notMsgpack,
})

testCodec('msgpack(schema)', msgpack(quote), {
  messages: quotes,
  refused: [2n ** 64n, cycle],
  broken: notMsgpack,
})

const layout = { a: u8, b: u16, c: u32, d: u64, e: i8, f: i16, g: i32, h: i64, i: f32, j: f64, k: bool } as const
const record = fc.record(
  {
    a: fc.integer({ min: 0, max: 0xff }),
    b: fc.integer({ min: 0, max: 0xffff }),
    c: fc.integer({ min: 0, max: 0xffffffff }),
    d: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    e: fc.integer({ min: -0x80, max: 0x7f }),
    f: fc.integer({ min: -0x8000, max: 0x7fff }),
    g: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
    h: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    i: fc.float(),
    j: fc.double(),
    k: fc.boolean(),
  },
  { noNullPrototype: true },
)

for (const endian of ['big', 'little'] as const) {
  testCodec(`struct(layout, ${endian})`, struct(layout, { endian }), {
    messages: record,
    refused: [undefined, null, 5, 'record', [], {}, { a: 1 }],
    broken: [new Uint8Array(0), new Uint8Array(42), new Uint8Array(44), new Uint8Array(43).fill(2)],
  })
}

testCodec('bytes()', bytes(), {
  messages: fc.uint8Array(),
  refused: [undefined, null, 'abc', [1, 2], new Uint16Array(2), new ArrayBuffer(2)],
  broken: [],
})

testCodec('bytes(8)', bytes(8), {
  messages: fc.uint8Array({ minLength: 8, maxLength: 8 }),
  refused: [undefined, 'abcdefgh', new Uint8Array(7), new Uint8Array(9), new Uint16Array(4), new Float64Array(8)],
  broken: [new Uint8Array(0), new Uint8Array(7), new Uint8Array(9)],
})

testCodec('oneOf(json, msgpack)', oneOf(json(), msgpack()), {
  messages: jsonValues,
  refused: [undefined, 1n],
  broken: [...notJson, ...notText],
})

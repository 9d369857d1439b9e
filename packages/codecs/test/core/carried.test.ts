/** A schema whose values a format can't carry is refused when the codec is made; what it can carry arrives. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import * as mini from 'zod/mini'
import type * as core from 'zod/v4/core'
import { converter, extension, json, msgpack } from '../../src/index.ts'
import type { Codec, StandardSchema } from '../../src/index.ts'
import { codecError, encoded, encodeAnything } from '../support/support.ts'

const date = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
})
const digits = z.codec(z.string(), z.bigint(), { decode: BigInt, encode: String })

interface Tree {
  at: Date
  children: Tree[]
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ children: z.array(tree), at: z.date() }))

type Refused = readonly [path: string, what: string, schema: core.$ZodType]

const byJson: readonly Refused[] = [
  ['message', 'a z.date', z.date()],
  ['at', 'a z.date', z.object({ at: z.date() })],
  ['orders[].at', 'a z.date', z.object({ orders: z.array(z.object({ at: z.date().optional() })) })],
  ['at', 'a z.date', mini.object({ at: mini.nullable(mini.date()) })],
  ['a', 'a z.date', z.object({ a: z.union([z.string(), z.date()]) })],
  ['a[]', 'a z.date', z.object({ a: z.record(z.string(), z.date()) })],
  ['a.*', 'a z.date', z.object({ a: z.object({}).catchall(z.date()) })],
  ['[1]', 'a z.date', z.tuple([z.string(), z.date()])],
  ['at', 'a z.date', tree],
  ['b', 'a z.date', z.object({ a: date, b: z.date() })],
  ['a', 'a z.date', z.object({ a: z.date().default(() => new Date()) })],
  ['qty', 'a z.bigint', z.object({ qty: z.bigint() })],
  ['qty', 'a z.bigint', z.object({ qty: z.coerce.bigint() })],
  ['qty', 'a z.bigint', mini.object({ qty: mini.bigint() })],
  ['a', 'a literal bigint', z.object({ a: z.literal([1n, 2n]) })],
  ['a', 'a z.nan', z.object({ a: z.nan() })],
] // prettier-ignore

const byBoth: readonly Refused[] = [
  ['a', 'a z.map', z.object({ a: z.map(z.string(), z.number()) })],
  ['a', 'a z.set', z.object({ a: z.set(z.string()) })],
  ['a', 'a z.symbol', z.object({ a: z.symbol() })],
  ['a[]', 'an item that is undefined', z.object({ a: z.array(z.string().optional()) })],
  ['a[]', 'an item that is undefined', mini.object({ a: mini.array(mini.undefined()) })],
]

function messageOf(make: () => unknown): string {
  return codecError('INVALID_CODEC', make).message
}

test.each([...byJson, ...byBoth])('json: refuses %s: %s', (path, what, schema) => {
  for (const validate of ['receive', 'both', 'none'] as const) {
    const message = messageOf(() => json<StandardSchema>(schema, { validate }))
    expect(message).toBe(`${path}: ${what}, which JSON can't carry; use z.codec`)
  }
})

test.each(byBoth)('msgpack: refuses %s: %s', (path, what, schema) => {
  expect(messageOf(() => msgpack<StandardSchema>(schema))).toBe(
    `${path}: ${what}, which MessagePack can't carry; use z.codec`,
  )
})

test('what a codec in the schema makes does not travel', () => {
  const codec = json(z.object({ at: date, qty: digits, all: z.array(date) }))
  const message = { at: new Date(0), qty: 5n, all: [new Date(1)] }
  expect(codec.decode(encoded(codec, message))).toEqual(message)
  // The same part in two places: within a codec, and without.
  const plain = z.date()
  const both = z.codec(z.string(), plain, { decode: (text) => new Date(text), encode: (value) => value.toISOString() })
  expect(messageOf(() => json(z.object({ a: both, b: plain })))).toContain('b: a z.date')
  expect(messageOf(() => json(z.object({ b: plain, a: both })))).toContain('b: a z.date')
})

test('what is coerced, or may be null, or is known to no format, is taken', () => {
  const codec = json(z.object({ at: z.coerce.date(), a: z.array(z.string().nullable().optional()), b: z.unknown() }))
  expect(codec.decode(encoded(codec, { at: new Date(5), a: ['x', null], b: 1 }))).toEqual({
    at: new Date(5),
    a: ['x', null],
    b: 1,
  })
  expect(converter(z.object({ at: z.date(), qty: z.bigint() })).encode({ at: new Date(0), qty: 1n })).toBeDefined()
})

test('msgpack: an extension may carry what the format can not', () => {
  const maps = extension<Map<string, number>>(1, {
    is: (value): value is Map<string, number> => value instanceof Map,
    encode: (map) => encodeAnything(msgpack(), [...map]),
    decode: (bytes) => new Map(msgpack<[string, number][]>().decode(bytes)),
  })
  const codec = msgpack(z.object({ a: z.map(z.string(), z.number()) }), { extensions: [maps] })
  const message = { a: new Map([['b', 1]]) }
  expect(codec.decode(encoded(codec, message))).toEqual(message)
})

describe('msgpack: bigints arrive as such where the schema has them', () => {
  const id = z.bigint()
  const recursive = z.object({
    id,
    get next() {
      return z.optional(recursive)
    },
  })
  const lazily: z.ZodType = z.lazy(() => z.object({ id, more: z.array(lazily) }))

  test.each<[string, core.$ZodType, unknown]>([
    ['the message', id, 5n],
    ['zero and below', z.array(id), [0n, -1n, -(2n ** 53n) + 1n]],
    ['large ones', z.array(id), [2n ** 53n - 1n, 2n ** 53n, 2n ** 60n]],
    ['a field', z.object({ qty: id, at: z.date(), count: z.number() }), { qty: 5n, at: new Date(5), count: 5 }],
    ['zod/mini', mini.object({ a: mini.array(mini.optional(mini.nullable(mini.bigint()))) }), { a: [5n, null] }],
    ['deep down', z.object({ a: z.array(z.object({ b: z.tuple([z.number(), id], id) })) }), { a: [{ b: [1, 2n, 3n] }] }],
    ['optional and nullable', z.object({ a: id.optional(), b: id.nullable(), c: id.optional() }), { a: 5n, b: null }],
    ['defaults and others', z.object({ a: id.default(1n), b: id.catch(0n), c: id.readonly() }), { a: 5n, b: 6n, c: 7n }],
    ['checked', z.object({ a: id.positive().max(10n).brand<'Qty'>() }), { a: 5n }],
    ['a record', z.record(z.string(), id), { a: 1n, b: 2n }],
    ['a catchall', z.object({ a: z.number() }).catchall(id), { a: 1, b: 2n }],
    ['an intersection', z.object({ a: id }).and(z.object({ b: id })), { a: 1n, b: 2n }],
    ['a pipe', z.object({ a: id.pipe(z.bigint().min(1n)) }), { a: 5n }],
    ['a union with text', z.array(z.union([z.string(), id])), ['a', 5n]],
    ['a union with a number', z.array(z.union([z.number(), z.string()])), [5, 'a']],
    ['a union of objects', z.array(z.union([z.object({ n: z.number() }), z.object({ b: id })])), [{ n: 1 }, { b: 2n }]],
    ['a discriminated union', z.array(z.discriminatedUnion('t', [z.object({ t: z.literal('n'), v: z.number() }), z.object({ t: z.literal('b'), v: id })])), [{ t: 'n', v: 1 }, { t: 'b', v: 2n }]],
    ['literals', z.array(z.literal([1n, 2n, 'a', 7])), [1n, 2n, 'a', 7]],
    ['recursion', recursive, { id: 1n, next: { id: 2n } }],
    ['laziness', lazily, { id: 1n, more: [{ id: 2n, more: [] }] }],
    ['behind a codec', z.object({ a: z.codec(id, z.string(), { decode: String, encode: BigInt }) }), { a: '5' }],
    ['a key that is no ordinary one', z.record(z.string(), id), JSON.parse('{"a":1}', (_, value: unknown) => (typeof value === 'number' ? BigInt(value) : value))],
  ])('%s', (_, schema, message) => {
    const codec: Codec<unknown> = msgpack<StandardSchema>(schema)
    expect(codec.decode(encodeAnything(codec, message))).toStrictEqual(message)
    const reader = codec.reader?.()
    const bytes = encodeAnything(codec, message)
    expect(reader?.read(bytes, 0, bytes.length)).toStrictEqual(message)
  }) // prettier-ignore

  test('in a recursive union, whose depth costs no more than its size', () => {
    interface Node {
      t: string
      n: bigint
      next?: Node | undefined
    }
    const node: z.ZodType<Node> = z.lazy(() =>
      z.discriminatedUnion('t', [
        z.object({ t: z.literal('a'), n: id, next: node.optional() }),
        z.object({ t: z.literal('b'), n: id, next: node.optional() }),
      ]),
    )
    let message: Node = { t: 'b', n: 1n }
    for (let depth = 0; depth < 100; depth++) message = { t: 'b', n: 2n, next: message }
    const codec = msgpack(node)
    const start = performance.now()
    expect(codec.decode(encoded(codec, message))).toStrictEqual(message)
    expect(performance.now() - start).toBeLessThan(1_000)
  })

  test('also where nothing is checked', () => {
    const codec = msgpack(z.object({ a: id, b: z.number() }), { validate: 'none' })
    expect(codec.decode(encoded(codec, { a: 5n, b: 5 }))).toEqual({ a: 5n, b: 5 })
  })

  test('what is no integer is still refused', () => {
    const codec = msgpack(z.object({ a: id }))
    for (const a of [1.5, '5', null, NaN]) {
      const bytes = encodeAnything(msgpack(), { a })
      expect(codecError('INVALID_MESSAGE', () => codec.decode(bytes)).message).toContain('a: ')
    }
  })
})

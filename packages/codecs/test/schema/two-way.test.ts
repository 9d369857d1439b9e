/** What zod's codecs carry: the same value at both ends, JSON or MessagePack in between. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import * as mini from 'zod/mini'
import type { Codec } from '../../src/index.ts'
import { converter, json, msgpack, oneOf } from '../../src/index.ts'
import { codecError, encodeAnything, encoded, utf8Bytes } from '../support/support.ts'

const date = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
})
const url = z.codec(z.url(), z.instanceof(URL), { decode: (text) => new URL(text), encode: (link) => link.href })
const bigint = z.codec(z.string(), z.bigint(), { decode: (digits) => BigInt(digits), encode: (value) => `${value}` })
const map = z.codec(z.array(z.tuple([z.string(), z.number()])), z.map(z.string(), z.number()), {
  decode: (entries) => new Map(entries),
  encode: (value) => [...value],
})
const set = z.codec(z.array(z.string()), z.set(z.string()), {
  decode: (items) => new Set(items),
  encode: (value) => [...value],
})
const binary = z.codec(z.base64(), z.instanceof(Uint8Array), {
  decode: (text) => z.util.base64ToUint8Array(text),
  encode: (value) => z.util.uint8ArrayToBase64(value),
})

class Money {
  readonly cents: number
  readonly currency: string

  constructor(cents: number, currency: string) {
    this.cents = cents
    this.currency = currency
  }
}
const money = z.codec(z.string().regex(/^\d+ [A-Z]{3}$/), z.instanceof(Money), {
  decode(text) {
    const [cents = '', currency = ''] = text.split(' ')
    return new Money(Number(cents), currency)
  },
  encode: (value) => `${value.cents} ${value.currency}`,
})

/** A schema, a value of it, and what is sent in its place. */
type Case = readonly [name: string, schema: z.ZodType, value: unknown, sent: unknown]

const values: readonly Case[] = [
  ['a Date', date, new Date(1_700_000_000_000), '2023-11-14T22:13:20.000Z'],
  ['a URL', url, new URL('https://example.org/a?b=c#d'), 'https://example.org/a?b=c#d'],
  ['a bigint', bigint, 2n ** 80n, '1208925819614629174706176'],
  ['a Map', map, new Map(Object.entries({ a: 1, b: 2 })), [['a', 1], ['b', 2]]], // prettier-ignore
  ['a Set', set, new Set(['x', 'y']), ['x', 'y']],
  ['a Uint8Array', binary, Uint8Array.of(0, 255, 7), 'AP8H'],
  ['a class', money, new Money(1250, 'EUR'), '1250 EUR'],
  ['a stringbool', z.stringbool({ truthy: ['on'], falsy: ['off'] }), true, 'on'],
]

interface Tree {
  at: Date
  children: Tree[]
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ at: date, children: z.array(tree) }))
const list = z.object({
  at: date,
  get next() {
    return list.optional()
  },
})

/** Each takes a schema with its value and what is sent for it, and puts them into something else. */
const nestings: readonly [name: string, wrap: (of: Case) => readonly [z.ZodType, unknown, unknown]][] = [
  ['the message', ([, schema, value, sent]) => [schema, value, sent]],
  ['an object', ([, schema, value, sent]) => [z.object({ a: schema, b: z.string() }), { a: value, b: '' }, { a: sent, b: '' }]],
  ['a strict object', ([, schema, value, sent]) => [z.strictObject({ a: schema }), { a: value }, { a: sent }]],
  ['what an object lets through', ([, schema, value, sent]) => [z.object({}).catchall(schema), { x: value }, { x: sent }]],
  ['an array', ([, schema, value, sent]) => [z.array(schema), [value, value], [sent, sent]]],
  ['a tuple', ([, schema, value, sent]) => [z.tuple([z.number(), schema]), [1, value], [1, sent]]],
  ['the rest of a tuple', ([, schema, value, sent]) => [z.tuple([z.number()], schema), [1, value, value], [1, sent, sent]]],
  ['a record', ([, schema, value, sent]) => [z.record(z.string(), schema), { k: value }, { k: sent }]],
  ['a union', ([, schema, value, sent]) => [z.union([z.object({ a: z.null() }), z.object({ a: schema })]), { a: value }, { a: sent }]],
  [
    'a discriminated union',
    ([, schema, value, sent]) => [
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('other') }),
        z.object({ type: z.literal('this'), a: schema }),
      ]),
      { type: 'this', a: value },
      { type: 'this', a: sent },
    ],
  ],
  ['an intersection', ([, schema, value, sent]) => [z.object({ a: schema }).and(z.object({ b: z.number() })), { a: value, b: 1 }, { a: sent, b: 1 }]],
  ['an optional field', ([, schema, value, sent]) => [z.object({ a: schema.optional() }), { a: value }, { a: sent }]],
  ['an optional field that is absent', ([, schema]) => [z.object({ a: schema.optional(), b: z.number() }), { b: 1 }, { b: 1 }]],
  ['a nullable field', ([, schema, value, sent]) => [z.object({ a: schema.nullable() }), { a: value }, { a: sent }]],
  ['a nullable field that is null', ([, schema]) => [z.object({ a: schema.nullable() }), { a: null }, { a: null }]],
  ['a field with a default', ([, schema, value, sent]) => [z.object({ a: schema.default(value) }), { a: value }, { a: sent }]],
  ['a field with a prefault', ([, schema, value, sent]) => [z.object({ a: schema.prefault(sent) }), { a: value }, { a: sent }]],
  ['a field with a catch', ([, schema, value, sent]) => [z.object({ a: schema.catch(value) }), { a: value }, { a: sent }]],
  ['a read-only object', ([, schema, value, sent]) => [z.object({ a: schema }).readonly(), { a: value }, { a: sent }]],
  ['a lazy schema', ([, schema, value, sent]) => [z.object({ a: z.lazy(() => schema) }), { a: value }, { a: sent }]],
  ['a refined object', ([, schema, value, sent]) => [z.object({ a: schema }).refine(() => true), { a: value }, { a: sent }]],
  ['a pipe', ([, schema, value, sent]) => [z.unknown().pipe(z.object({ a: schema })), { a: value }, { a: sent }]],
] // prettier-ignore

const cases = nestings.flatMap(([nesting, wrap]) => values.map((of) => [of[0], nesting, ...wrap(of)] as const))

const recursive: readonly (readonly [
  what: string,
  nesting: string,
  schema: z.ZodType,
  value: unknown,
  sent: unknown,
])[] = [
  [
    'a Date',
    'a schema that is lazily recursive',
    tree,
    { at: new Date(0), children: [{ at: new Date(5), children: [] }] },
    { at: '1970-01-01T00:00:00.000Z', children: [{ at: '1970-01-01T00:00:00.005Z', children: [] }] },
  ],
  [
    'a Date',
    'a schema that is recursive by a getter',
    list,
    { at: new Date(0), next: { at: new Date(5) } },
    { at: '1970-01-01T00:00:00.000Z', next: { at: '1970-01-01T00:00:00.005Z' } },
  ],
]

test.each([...cases, ...recursive])('json, msgpack: carry %s in %s', (_, __, schema, value, sent) => {
  const [asJson, asMsgpack] = [json<z.ZodType>(schema), msgpack<z.ZodType>(schema)]
  const text = encodeAnything(asJson, value)
  expect(json().decode(text)).toEqual(sent)
  expect(asJson.decode(text)).toStrictEqual(value)
  const bytes = encodeAnything(asMsgpack, value)
  expect(msgpack().decode(bytes)).toEqual(sent)
  expect(asMsgpack.decode(bytes)).toStrictEqual(value)
})

test('json, msgpack: leave a message with codecs as it was', () => {
  const message = Object.freeze({ at: new Date(0), list: Object.freeze([1]) })
  const schema = z.object({ at: date, list: z.array(z.number()) })
  for (const codec of [json(schema), msgpack(schema)]) encodeAnything(codec, message)
  expect(message).toEqual({ at: new Date(0), list: [1] })
})

test('json, msgpack: apply what a schema with codecs fills in, and leave out what it does not know', () => {
  const codec = json(z.object({ at: date, size: z.number().default(1) }))
  expect(codec.decode(utf8Bytes('{"at":"1970-01-01T00:00:00Z","extra":1}'))).toEqual({ at: new Date(0), size: 1 })
  const sent = encodeAnything(codec, { at: new Date(0), size: 2, secret: true })
  expect(json().decode(sent)).toEqual({ at: '1970-01-01T00:00:00.000Z', size: 2 })
})

test('msgpack: carries what it has itself without a codec', () => {
  const codec = msgpack(z.object({ at: z.date(), bytes: z.instanceof(Uint8Array), link: url }))
  const message = { at: new Date(5), bytes: Uint8Array.of(1, 2), link: new URL('https://example.org/') }
  expect(codec.decode(encoded<unknown>(codec as Codec<unknown>, message))).toEqual(message)
})

test('oneOf: carries what its codecs carry', () => {
  const schema = z.object({ at: date })
  for (const codec of oneOf(msgpack(schema), json(schema)).alternatives ?? []) {
    expect(codec.decode(encoded(codec, { at: new Date(7) }))).toEqual({ at: new Date(7) })
  }
})

test('json: takes the codecs of zod/mini', () => {
  const miniDate = mini.codec(mini.iso.datetime(), mini.date(), {
    decode: (text) => new Date(text),
    encode: (value) => value.toISOString(),
  })
  const codec = json(mini.object({ orders: mini.array(mini.object({ at: miniDate })) }))
  const message = { orders: [{ at: new Date(0) }] }
  const sent = encoded(codec, message)
  expect(json().decode(sent)).toEqual({ orders: [{ at: '1970-01-01T00:00:00.000Z' }] })
  expect(codec.decode(sent)).toEqual(message)
  const error = codecError('ENCODE_FAILED', () => encodeAnything(codec, { orders: [{ at: 'now' }] }))
  expect(error.issues.map(({ path }) => path)).toEqual([['orders', 0, 'at']])
})

test.each([
  ['orders[0].at', { orders: [{ at: 'now' }] }, ['orders', 0, 'at'], 'expected date, received string'],
  ['orders[1].at', { orders: [{ at: new Date(0) }, {}] }, ['orders', 1, 'at'], 'expected date, received undefined'],
  ['orders', { orders: 7 }, ['orders'], 'expected array, received number'],
  ['message', undefined, [], 'expected object, received undefined'],
  ['orders[0].at', { orders: [{ at: new Date(Number.NaN) }] }, ['orders', 0, 'at'], 'received Date'],
])('json, msgpack: refuse to send what has no way back, and say that it is %s', (name, message, path, why) => {
  const schema = z.object({ orders: z.array(z.object({ at: date })) })
  for (const codec of [json(schema), msgpack(schema)]) {
    const error = codecError('ENCODE_FAILED', () => encodeAnything(codec, message))
    expect(error).toMatchObject({ side: 'local', fatal: false, issues: [{ path }] })
    expect(error.message.startsWith(`${name}: `)).toBe(true)
    expect(error.message).toContain(why)
  }
})

test('json: tells a codec that throws, on either side, with its error', () => {
  const thrown = new RangeError('out of stock')
  const fail = (): never => {
    throw thrown
  }
  const codec = json(z.object({ a: z.codec(z.string(), z.number(), { decode: fail, encode: fail }) }))
  const sending = codecError('ENCODE_FAILED', () => encodeAnything(codec, { a: 1 }))
  const receiving = codecError('INVALID_MESSAGE', () => codec.decode(utf8Bytes('{"a":"1"}')))
  for (const error of [sending, receiving]) {
    expect(error.cause).toBe(thrown)
    expect(error.message).toContain('out of stock')
  }
})

test.each([
  ['no number', bigint, '"abc"'],
  ['no URL', z.codec(z.string(), z.instanceof(URL), { decode: (text) => new URL(text), encode: String }), '"//"'],
])('json: takes what makes a codec throw for an invalid message: %s', (_, schema, text) => {
  const error = codecError('INVALID_MESSAGE', () => json<z.ZodType>(schema).decode(utf8Bytes(text)))
  expect(error).toMatchObject({ side: 'remote', fatal: true })
  expect(error.cause).toBeInstanceOf(Error)
})

test('json: refuses codecs whose functions return promises', () => {
  const slow = z.codec(z.string(), z.number(), {
    decode: (text) => Promise.resolve(Number(text)),
    encode: (value) => Promise.resolve(`${value}`),
  })
  for (const schema of [z.object({ a: slow }), z.array(z.object({ a: slow })), mini.object({ a: slow })]) {
    const codec = json<z.core.$ZodType>(schema)
    const message = schema instanceof z.ZodArray ? [{ a: 1 }] : { a: 1 }
    const text = schema instanceof z.ZodArray ? '[{"a":"1"}]' : '{"a":"1"}'
    for (const run of [() => encodeAnything(codec, message), () => codec.decode(utf8Bytes(text))]) {
      const error = codecError('ASYNC_SCHEMA', run)
      expect(error).toMatchObject({ side: 'local', fatal: false })
      expect(error.message).toContain('zod')
    }
  }
})

test('json: survives nesting and cycles that a recursive schema with codecs does not', () => {
  const codec = json(tree)
  let deep: Tree = { at: new Date(0), children: [] }
  for (let level = 0; level < 50_000; level++) deep = { at: new Date(0), children: [deep] }
  expect(codecError('ENCODE_FAILED', () => encodeAnything(codec, deep)).cause).toBeInstanceOf(RangeError)
  const cyclic: Tree = { at: new Date(0), children: [] }
  cyclic.children.push(cyclic)
  codecError('ENCODE_FAILED', () => encodeAnything(codec, cyclic))
  const at = '"at":"1970-01-01T00:00:00Z"'
  const text = `{${at},"children":[`.repeat(50_000) + ']}'.repeat(50_000)
  codecError('INVALID_MESSAGE', () => codec.decode(utf8Bytes(text)))
})

test('converter: gives a codec of another format both ways', () => {
  const { encode, decode } = converter(z.object({ at: date, price: bigint }))
  const wire = { at: '1970-01-01T00:00:00.000Z', price: '12' }
  expect(encode({ at: new Date(0), price: 12n })).toEqual(wire)
  expect(decode(wire)).toEqual({ at: new Date(0), price: 12n })
})

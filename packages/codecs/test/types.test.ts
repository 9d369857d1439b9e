import * as v from 'valibot'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  bool,
  bytes,
  type Codec,
  f32,
  i16,
  json,
  type MessageOf,
  msgpack,
  oneOf,
  type Schema,
  struct,
  u16,
  u64,
  validator,
} from '../src/index.ts'
import { failing } from './support.ts'

interface Quote {
  symbol: string
  price: number
}

function both<T extends I, I>(schema: Schema<T, I>): Codec<T> {
  return oneOf(json<T, I>(schema), msgpack<T, I>(schema))
}

test('json, msgpack: take the type of the message from the schema', () => {
  expectTypeOf(json(z.object({ a: z.number() }))).toEqualTypeOf<Codec<{ a: number }>>()
  expectTypeOf(msgpack(z.object({ a: z.number() }))).toEqualTypeOf<Codec<{ a: number }>>()
  expectTypeOf(json(v.object({ a: v.number() }))).toEqualTypeOf<Codec<{ a: number }>>()
  expectTypeOf(
    json(z.discriminatedUnion('t', [z.object({ t: z.literal(1) }), z.object({ t: z.literal(2) })])),
  ).toEqualTypeOf<Codec<{ t: 1 } | { t: 2 }>>()
  expectTypeOf(json(z.string().brand<'Id'>())).toEqualTypeOf<Codec<string & z.$brand<'Id'>>>()
  expectTypeOf(json(z.coerce.number())).toEqualTypeOf<Codec<number>>()
  expectTypeOf(json(z.string().trim())).toEqualTypeOf<Codec<string>>()
  expectTypeOf(json(z.object({ a: z.string().optional() }))).toEqualTypeOf<Codec<{ a?: string | undefined }>>()
})

test('json, msgpack: take the type of the message as written when there is no schema', () => {
  expectTypeOf(json<Quote>()).toEqualTypeOf<Codec<Quote>>()
  expectTypeOf(msgpack<Quote>()).toEqualTypeOf<Codec<Quote>>()
  expectTypeOf(json()).toEqualTypeOf<Codec<unknown>>()
  expectTypeOf(msgpack()).toEqualTypeOf<Codec<unknown>>()
  expectTypeOf(json<Quote>(z.object({ symbol: z.string(), price: z.number() }))).toEqualTypeOf<Codec<Quote>>()
})

test('json, msgpack: take a schema with defaults', () => {
  expectTypeOf(json(z.object({ a: z.string().default('x') }))).toEqualTypeOf<Codec<{ a: string }>>()
  expectTypeOf(msgpack(v.object({ a: v.optional(v.string(), 'x') }))).toEqualTypeOf<Codec<{ a: string }>>()
})

test('json, msgpack: refuse a schema that does not accept what it hands out', () => {
  // @ts-expect-error a number is no string
  expectTypeOf(json(z.string().transform(Number))).not.toBeAny()
  // @ts-expect-error a number is no string
  msgpack(z.object({ a: z.string().transform(Number) }))
  // @ts-expect-error a number is no string
  json(v.pipe(v.string(), v.transform(Number)))
  // @ts-expect-error a Date is no string, and Standard Schema has no way back
  json(z.codec(z.iso.datetime(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() }))
  // @ts-expect-error the message that was asked for is another
  json<Quote>(z.object({ symbol: z.string() }))
})

test('json: refuses what is no schema', () => {
  // @ts-expect-error an object of schemas is none
  expect(() => json({ a: z.string() })).toThrow(failing('INVALID_CODEC'))
})

test('Schema: lets a function take any schema that a codec takes', () => {
  expectTypeOf(both(z.object({ a: z.string().default('x') }))).toEqualTypeOf<Codec<{ a: string }>>()
  // @ts-expect-error a number is no string
  both(z.string().transform(Number))
})

test('validator: returns the type of the message', () => {
  expectTypeOf(validator(z.object({ a: z.number() }))).toEqualTypeOf<(value: unknown) => { a: number }>()
})

test('struct: has a message that reads like one', () => {
  const codec = struct({ delay: i16, distance: u16, time: f32, id: u64, ok: bool })
  type Expected = { delay: number; distance: number; time: number; id: bigint; ok: boolean }
  expectTypeOf(codec).toEqualTypeOf<Codec<Expected>>()
  expectTypeOf(struct({ a: u16 } as const)).toEqualTypeOf<Codec<{ a: number }>>()
  // @ts-expect-error a string is no field type
  expect(() => struct({ a: 'u16' })).toThrow(failing('INVALID_CODEC'))
})

test('bytes: carries a Uint8Array', () => {
  expectTypeOf(bytes()).toEqualTypeOf<Codec<Uint8Array>>()
  expectTypeOf(bytes(4)).toEqualTypeOf<Codec<Uint8Array>>()
})

test('oneOf: takes codecs of one type of message', () => {
  const schema = z.object({ a: z.number() })
  expectTypeOf(oneOf(msgpack(schema), json(schema))).toEqualTypeOf<Codec<{ a: number }>>()
  expectTypeOf(oneOf(struct({ a: u16 }), json(schema))).toEqualTypeOf<Codec<{ a: number }>>()
  expectTypeOf(oneOf(json<Quote>())).toEqualTypeOf<Codec<Quote>>()
  // @ts-expect-error another type
  oneOf(json<{ a: number }>(), msgpack<{ a: string }>())
  // @ts-expect-error more than the first has
  oneOf(json<{ a: number }>(), msgpack<{ a: number; b: number }>())
  // @ts-expect-error less than the first has
  oneOf(json<{ a: number; b: number }>(), msgpack<{ a: number }>())
  const untyped = msgpack()
  // @ts-expect-error anything at all
  oneOf(json<{ a: number }>(), untyped)
  // What is not written down follows from the first.
  expectTypeOf(oneOf(json<Quote>(), msgpack())).toEqualTypeOf<Codec<Quote>>()
})

test('MessageOf: is the message of a codec', () => {
  const codec = struct({ delay: i16 })
  expectTypeOf<MessageOf<typeof codec>>().toEqualTypeOf<{ delay: number }>()
  expectTypeOf<MessageOf<string>>().toBeNever()
})

import { type } from 'arktype'
import * as v from 'valibot'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import * as mini from 'zod/mini'
import {
  bool,
  bytes,
  type Codec,
  type Converter,
  converter,
  extension,
  f32,
  i16,
  json,
  type MessageOf,
  msgpack,
  type MsgpackExtension,
  oneOf,
  type OutputOf,
  type Schema,
  type StandardSchema,
  struct,
  type TwoWay,
  u16,
  u64,
  validator,
} from '../src/index.ts'
import { failing } from './support.ts'

interface Quote {
  symbol: string
  price: number
}

/** Takes what is for the compiler alone. */
const unrun = (_body: () => unknown): void => {}

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
  unrun(() => expectTypeOf(json(z.string().transform(Number))).not.toBeAny())
  // @ts-expect-error a number is no string
  unrun(() => msgpack(z.object({ a: z.string().transform(Number) })))
  // @ts-expect-error a number is no string
  json(v.pipe(v.string(), v.transform(Number)))
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
  unrun(() => both(z.string().transform(Number)))
})

const date = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
})
const miniDate = mini.codec(mini.iso.datetime(), mini.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
})
const link = z.codec(z.url(), z.instanceof(URL), { decode: (text) => new URL(text), encode: (value) => value.href })
const tree = z.object({
  at: date,
  get children() {
    return z.array(tree)
  },
})

interface Wire {
  at: string
}
interface Node {
  at: Date
}
const annotated: z.ZodType<Node, Wire> = z.object({ at: date })

/** A function of the user's that takes any schema that json takes. */
function either<S extends StandardSchema>(schema: TwoWay<S>): Codec<OutputOf<S>> {
  return oneOf(json<S>(schema), msgpack<S>(schema))
}

test('json, msgpack: take the message from what a schema with codecs hands out', () => {
  expectTypeOf(json(date)).toEqualTypeOf<Codec<Date>>()
  expectTypeOf(msgpack(date)).toEqualTypeOf<Codec<Date>>()
  expectTypeOf(json(z.stringbool())).toEqualTypeOf<Codec<boolean>>()
  expectTypeOf(json(z.object({ at: date, link: link.optional() }))).toEqualTypeOf<
    Codec<{ at: Date; link?: URL | undefined }>
  >()
  expectTypeOf(json(z.array(z.record(z.string(), date)))).toEqualTypeOf<Codec<Record<string, Date>[]>>()
  expectTypeOf(json(z.tuple([z.string(), date]))).toEqualTypeOf<Codec<[string, Date]>>()
  expectTypeOf(json(z.union([z.object({ a: date }), z.null()]))).toEqualTypeOf<Codec<{ a: Date } | null>>()
  expectTypeOf(json(z.object({ at: date }).default({ at: new Date(0) }))).toEqualTypeOf<Codec<{ at: Date }>>()
  expectTypeOf(json(z.object({ at: date.readonly(), a: z.string().trim().default('') }))).toEqualTypeOf<
    Codec<{ at: Date; a: string }>
  >()
  expectTypeOf(json(z.unknown().pipe(z.object({ at: date })))).toEqualTypeOf<Codec<{ at: Date }>>()
  expectTypeOf(json(z.string().pipe(date))).toEqualTypeOf<Codec<Date>>()
  expectTypeOf(json(mini.object({ at: miniDate }))).toEqualTypeOf<Codec<{ at: Date }>>()
  expectTypeOf(json(annotated)).toEqualTypeOf<Codec<Node>>()
  expectTypeOf(json(tree).decode).returns.toEqualTypeOf<z.infer<typeof tree>>()
  expectTypeOf(json(z.object({ at: date }), { validate: 'both' })).toEqualTypeOf<Codec<{ at: Date }>>()
  const inline = z.object({
    n: z.codec(z.string(), z.bigint(), { decode: (digits) => BigInt(digits), encode: (n) => n.toString() }),
  })
  expectTypeOf(json(inline)).toEqualTypeOf<Codec<{ n: bigint }>>()
  expectTypeOf(oneOf(msgpack(inline), json(inline))).toEqualTypeOf<Codec<{ n: bigint }>>()
  expectTypeOf(either(z.object({ at: date }))).toEqualTypeOf<Codec<{ at: Date }>>()
  expectTypeOf(either(z.object({ a: z.string() }))).toEqualTypeOf<Codec<{ a: string }>>()
  expectTypeOf(either(v.object({ a: v.string() }))).toEqualTypeOf<Codec<{ a: string }>>()
  expectTypeOf(either(type({ a: 'string' }))).toEqualTypeOf<Codec<{ a: string }>>()
  const written: Codec<Node> = json(z.object({ at: date }))
  expectTypeOf(written.decode).returns.toEqualTypeOf<Node>()
})

test('json, msgpack: refuse a part that goes one way only beside one that goes both ways', () => {
  const number = z.string().transform(Number)
  expectTypeOf(json(z.object({ at: date, a: z.number() }))).toEqualTypeOf<Codec<{ at: Date; a: number }>>()
  // @ts-expect-error a field of an object
  unrun(() => json(z.object({ at: date, a: number })))
  // @ts-expect-error an item deep within
  unrun(() => msgpack(z.object({ at: date, a: z.object({ b: z.array(z.union([z.null(), number])) }) })))
  // @ts-expect-error the value of a record, optional
  unrun(() => json(z.object({ at: date, a: z.record(z.string(), number.optional()) })))
  // @ts-expect-error a part of a tuple
  unrun(() => json(z.tuple([date, number])))
  // @ts-expect-error what is behind a lazy schema
  unrun(() => json(z.object({ at: date, a: z.lazy(() => number) })))
  // @ts-expect-error a side of an intersection
  unrun(() => json(z.object({ at: date }).and(z.object({ a: number }))))
  // @ts-expect-error the wire's side of a codec
  unrun(() => json(z.codec(number, z.date(), { decode: (n) => new Date(n), encode: (value) => value.getTime() })))
  // @ts-expect-error a preprocess
  unrun(() => json(z.object({ at: date, a: z.preprocess(String, z.string()) })))
  // @ts-expect-error a coercion of what is a string
  unrun(() => json(z.object({ at: date, a: z.string().pipe(z.coerce.number()) })))
  // @ts-expect-error a coercion alone
  unrun(() => json(z.string().pipe(z.coerce.date())))
  // @ts-expect-error a schema of zod/mini
  unrun(() => json(mini.object({ at: miniDate, a: mini.pipe(mini.string(), mini.transform(Number)) })))
  // @ts-expect-error a function of the user's
  unrun(() => either(z.object({ at: date, a: number })))
})

test('json, msgpack: refuse what has no way back in other libraries, and options that there are not', () => {
  // @ts-expect-error valibot has no way back
  unrun(() => json(v.object({ at: v.pipe(v.string(), v.transform(Number)) })))
  // @ts-expect-error arktype has no way back
  unrun(() => msgpack(type({ at: 'string.date.parse' })))
  // @ts-expect-error nor in a function of the user's
  unrun(() => either(v.pipe(v.string(), v.transform(Number))))
  expectTypeOf(json(type({ id: 'number', 'note?': 'string' }))).toEqualTypeOf<Codec<{ id: number; note?: string }>>()
  // @ts-expect-error a misspelt place
  unrun(() => json(date, { validate: 'send' }))
  // @ts-expect-error without a schema there is nothing to validate
  unrun(() => json<Quote>({ validate: 'none' }))
  // @ts-expect-error another message
  unrun((): Codec<Quote> => json(z.object({ at: date })))
})

test('converter: has the type of the message on both sides', () => {
  const dates = converter(z.object({ at: date }))
  expectTypeOf(dates).toEqualTypeOf<Converter<{ at: Date }>>()
  expectTypeOf(dates.encode).parameter(0).toEqualTypeOf<{ at: Date }>()
  expectTypeOf(converter(v.object({ a: v.number() }))).toEqualTypeOf<Converter<{ a: number }>>()
  // @ts-expect-error validator goes one way
  unrun(() => validator(z.object({ at: date })))
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

test('msgpack: extensions are typed by their values, and leave the type of the message alone', () => {
  const url = extension(1, {
    is: (value) => value instanceof URL,
    encode: ({ href }) => new TextEncoder().encode(href),
    decode: (received) => new URL(new TextDecoder().decode(received)),
  })
  expectTypeOf(url).toEqualTypeOf<MsgpackExtension<URL>>()
  expectTypeOf(msgpack<{ a: URL }>({ extensions: [url] })).toEqualTypeOf<Codec<{ a: URL }>>()
  expectTypeOf(msgpack({ extensions: [url] })).toEqualTypeOf<Codec<unknown>>()
  const schema = z.object({ a: z.instanceof(URL), b: z.coerce.bigint() })
  expectTypeOf(msgpack(schema, { extensions: [url] })).toEqualTypeOf<Codec<{ a: URL; b: bigint }>>()
  expectTypeOf(msgpack(schema, { validate: 'both', extensions: [url] })).toEqualTypeOf<Codec<{ a: URL; b: bigint }>>()
  unrun(() => {
    // @ts-expect-error nothing says what the values are
    extension(1, { is: () => true, encode: (_url: URL) => new Uint8Array(0), decode: () => new URL('') })
    // @ts-expect-error the values that are made are others
    extension(1, { is: (value) => value instanceof URL, encode: () => new Uint8Array(0), decode: () => 'text' })
    // @ts-expect-error text is no bytes
    extension(1, { is: (value) => value instanceof URL, encode: ({ href }) => href, decode: () => new URL('') })
    // @ts-expect-error without a schema there is nothing to check
    msgpack({ extensions: [url], validate: 'both' })
    // @ts-expect-error an object of schemas is none
    msgpack({ a: z.string() })
  })
})

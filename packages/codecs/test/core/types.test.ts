// oxlint-disable vitest/expect-expect -- the compiler checks these
/**
 * What compiles and, right below it, what a user could take for it and must not: `pnpm types` fails where either
 * changes.
 */
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import * as mini from 'zod/mini'
import { bool, bytes, converter, extension, json, msgpack, oneOf, struct, u16, validator } from '../../src/index.ts'
import type {
  Codec,
  Converter,
  ExtData,
  MessageOf,
  MsgpackExtension,
  OutputOf,
  Schema,
  SchemaOptions,
  StandardSchema,
  TwoWay,
} from '../../src/index.ts'
import { failing } from '../support/support.ts'

interface Quote {
  symbol: string
  price: number
}

/** Takes what is for the compiler alone. */
const unrun = (_body: (...given: never[]) => unknown): void => {}

/** Takes a message of a codec, and does nothing with it. */
const sent = <T>(_codec: Codec<T>, _message: NoInfer<T>): void => {}

const received = new Uint8Array(0)

describe('json, msgpack: schemas', () => {
  test('say what the message is, whatever their library', () => {
    expectTypeOf(json(z.object({ a: z.number() }))).toEqualTypeOf<Codec<{ a: number }>>()
    // @ts-expect-error a field of another type
    sent(json(z.object({ a: z.number() })), { a: '1' })

    expectTypeOf(msgpack(z.object({ a: z.number() }))).toEqualTypeOf<Codec<{ a: number }>>()
    // @ts-expect-error a misspelt field
    sent(msgpack(z.object({ price: z.number() })), { prise: 1 })

    expectTypeOf(json(v.object({ a: v.number() }))).toEqualTypeOf<Codec<{ a: number }>>()
    // @ts-expect-error a field is missing
    sent(json(v.object({ a: v.number() })), {})

    expectTypeOf(json(type({ id: 'number', 'note?': 'string' }))).toEqualTypeOf<Codec<{ id: number; note?: string }>>()
    // @ts-expect-error what may be left out may not be anything
    sent(json(type({ id: 'number', 'note?': 'string' })), { id: 1, note: 7 })

    const kinds = json(z.discriminatedUnion('t', [z.object({ t: z.literal(1) }), z.object({ t: z.literal(2) })]))
    expectTypeOf(kinds).toEqualTypeOf<Codec<{ t: 1 } | { t: 2 }>>()
    // @ts-expect-error there is no third kind
    sent(kinds, { t: 3 })

    expectTypeOf(json(z.string().brand<'Id'>())).toEqualTypeOf<Codec<string & z.$brand<'Id'>>>()
    // @ts-expect-error a text is no Id yet
    sent(json(z.string().brand<'Id'>()), 'a')
  })

  test('may change a value, but not its type', () => {
    expectTypeOf(json(z.string().trim())).toEqualTypeOf<Codec<string>>()
    // @ts-expect-error a number is no string
    unrun(() => json(z.string().transform(Number)))

    expectTypeOf(json(z.coerce.number())).toEqualTypeOf<Codec<number>>()
    // @ts-expect-error what it would make a number of
    sent(json(z.coerce.number()), '7')

    expectTypeOf(json(v.pipe(v.string(), v.trim()))).toEqualTypeOf<Codec<string>>()
    // @ts-expect-error valibot has no way back
    unrun(() => json(v.pipe(v.string(), v.transform(Number))))

    expectTypeOf(msgpack(type({ at: 'string.date' }))).toEqualTypeOf<Codec<{ at: string }>>()
    // @ts-expect-error arktype has no way back
    unrun(() => msgpack(type({ at: 'string.date.parse' })))
  })

  test('may have defaults, and fields that may be left out', () => {
    expectTypeOf(json(z.object({ a: z.string().default('x') }))).toEqualTypeOf<Codec<{ a: string }>>()
    // @ts-expect-error what is sent is whole: the default is for others
    sent(json(z.object({ a: z.string().default('x') })), {})

    expectTypeOf(msgpack(v.object({ a: v.optional(v.string(), 'x') }))).toEqualTypeOf<Codec<{ a: string }>>()
    // @ts-expect-error the same in valibot
    sent(msgpack(v.object({ a: v.optional(v.string(), 'x') })), { a: undefined })

    const optional = json(z.object({ a: z.string().optional() }))
    expectTypeOf(optional).toEqualTypeOf<Codec<{ a?: string | undefined }>>()
    // @ts-expect-error it may not be there
    unrun(() => optional.decode(received).a.length)
  })

  test('can be left out, where the message is as written', () => {
    expectTypeOf(json<Quote>()).toEqualTypeOf<Codec<Quote>>()
    // @ts-expect-error not what was written
    sent(json<Quote>(), { symbol: 'SAP' })

    expectTypeOf(msgpack<Quote>()).toEqualTypeOf<Codec<Quote>>()
    // @ts-expect-error a message of another codec
    unrun((): Codec<Quote> => msgpack<{ symbol: string }>())

    expectTypeOf(json()).toEqualTypeOf<Codec<unknown>>()
    // @ts-expect-error the type of received messages is unknown
    unrun(() => json().decode(received).symbol)

    expectTypeOf(json<Quote>(z.object({ symbol: z.string(), price: z.number() }))).toEqualTypeOf<Codec<Quote>>()
    // @ts-expect-error the message that was asked for is another
    unrun(() => json<Quote>(z.object({ symbol: z.string() })))
  })

  test('are schemas, and not what looks like one', () => {
    expectTypeOf(json).toBeCallableWith(z.object({ a: z.string() }))
    // @ts-expect-error an object of schemas is not a schema
    expect(() => json({ a: z.string() })).toThrow(failing('INVALID_CODEC'))

    expectTypeOf(msgpack).toBeCallableWith(z.object({ a: z.string() }), {})
    // @ts-expect-error nor are they options
    expect(() => msgpack({ a: z.string() })).toThrow(failing('INVALID_CODEC'))
  })

  test('Schema: lets a function take any schema of a message', () => {
    function both<T extends I, I>(schema: Schema<T, I>): Codec<T> {
      return oneOf(json<T, I>(schema), msgpack<T, I>(schema))
    }
    expectTypeOf(both(z.object({ a: z.string().default('x') }))).toEqualTypeOf<Codec<{ a: string }>>()
    // @ts-expect-error a number is no string
    unrun(() => both(z.string().transform(Number)))
  })
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
const big = z.codec(z.string(), z.bigint(), { decode: BigInt, encode: String })
const scores = z.codec(z.array(z.tuple([z.string(), z.number()])), z.map(z.string(), z.number()), {
  decode: (entries) => new Map(entries),
  encode: (map) => [...map],
})
const tags = z.codec(z.array(z.string()), z.set(z.string()), {
  decode: (items) => new Set(items),
  encode: (set) => [...set],
})
class Point {
  readonly x: number
  readonly y: number

  constructor(x: number, y: number) {
    this.x = x
    this.y = y
  }

  get length(): number {
    return Math.hypot(this.x, this.y)
  }
}
const point = z.codec(z.tuple([z.number(), z.number()]), z.instanceof(Point), {
  decode: ([x, y]) => new Point(x, y),
  encode: ({ x, y }): [number, number] => [x, y],
})
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

describe('json, msgpack: two-way schemas', () => {
  test('have messages of what JSON has no form for, not of its form', () => {
    expectTypeOf(json(date)).toEqualTypeOf<Codec<Date>>()
    // @ts-expect-error a date as it travels
    sent(json(date), '1970-01-01T00:00:00.000Z')

    expectTypeOf(msgpack(date)).toEqualTypeOf<Codec<Date>>()
    // @ts-expect-error a number of milliseconds
    sent(msgpack(date), 0)

    expectTypeOf(json(link)).toEqualTypeOf<Codec<URL>>()
    // @ts-expect-error a URL as it travels
    sent(json(link), 'http://localhost/')

    expectTypeOf(json(big)).toEqualTypeOf<Codec<bigint>>()
    // @ts-expect-error a number is no bigint
    sent(json(big), 7)

    expectTypeOf(json(scores)).toEqualTypeOf<Codec<Map<string, number>>>()
    // @ts-expect-error an object is no Map
    sent(json(scores), { a: 1 })

    expectTypeOf(json(tags)).toEqualTypeOf<Codec<Set<string>>>()
    // @ts-expect-error an array is no Set
    sent(json(tags), ['a'])

    expectTypeOf(json(point)).toEqualTypeOf<Codec<Point>>()
    // @ts-expect-error an object without what the class adds
    sent(json(point), { x: 1, y: 2 })

    expectTypeOf(json(z.stringbool())).toEqualTypeOf<Codec<boolean>>()
    // @ts-expect-error a boolean as it travels
    sent(json(z.stringbool()), 'yes')

    // What comes has the methods of what was sent, and not those of its form.
    unrun(() => json(date).decode(received).getTime().toFixed(0))
    // @ts-expect-error a method of text
    unrun(() => json(date).decode(received).slice(0, 10))
  })

  test('keep them wherever they are in a message', () => {
    const order = json(z.object({ at: date, link: link.optional() }))
    expectTypeOf(order).toEqualTypeOf<Codec<{ at: Date; link?: URL | undefined }>>()
    // @ts-expect-error a field as it travels
    sent(order, { at: '1970-01-01T00:00:00.000Z' })

    const records = json(z.array(z.record(z.string(), date)))
    expectTypeOf(records).toEqualTypeOf<Codec<Record<string, Date>[]>>()
    // @ts-expect-error the value of a record as it travels
    sent(records, [{ a: '1970-01-01T00:00:00.000Z' }])

    const tuple = json(z.tuple([z.string(), date]))
    expectTypeOf(tuple).toEqualTypeOf<Codec<[string, Date]>>()
    // @ts-expect-error the parts are the other way round
    sent(tuple, [new Date(0), 'a'])

    const union = json(z.union([z.object({ a: date }), z.null()]))
    expectTypeOf(union).toEqualTypeOf<Codec<{ a: Date } | null>>()
    // @ts-expect-error it may be null
    unrun(() => union.decode(received).a)

    expectTypeOf(json(z.object({ at: date }).default({ at: new Date(0) }))).toEqualTypeOf<Codec<{ at: Date }>>()
    // @ts-expect-error the default of an object that is sent
    sent(json(z.object({ at: date }).default({ at: new Date(0) })), undefined)

    expectTypeOf(json(z.object({ at: date.readonly(), a: z.string().trim().default('') }))).toEqualTypeOf<
      Codec<{ at: Date; a: string }>
    >()
    // @ts-expect-error a transform deep within
    unrun(() => json(z.object({ at: date.readonly(), a: z.array(z.string().transform(Number)) })))

    expectTypeOf(json(tree).decode).returns.toEqualTypeOf<z.infer<typeof tree>>()
    // @ts-expect-error a child as it travels
    sent(json(tree), { at: new Date(0), children: [{ at: '1970-01-01T00:00:00.000Z', children: [] }] })

    const nested = msgpack(z.object({ a: z.array(z.object({ n: big, scores })) }))
    expectTypeOf(nested).toEqualTypeOf<Codec<{ a: { n: bigint; scores: Map<string, number> }[] }>>()
    // @ts-expect-error a field is missing further in
    sent(nested, { a: [{ n: 1n }] })
  })

  test('refuse a part that goes one way only next to one that goes both ways', () => {
    const number = z.string().transform(Number)
    expectTypeOf(json(z.object({ at: date, a: z.number() }))).toEqualTypeOf<Codec<{ at: Date; a: number }>>()
    // @ts-expect-error a field of an object
    unrun(() => json(z.object({ at: date, a: number })))

    expectTypeOf(json(z.object({ at: date, a: z.array(z.union([z.null(), z.number()])) }))).toEqualTypeOf<
      Codec<{ at: Date; a: (number | null)[] }>
    >()
    // @ts-expect-error an item deep within
    unrun(() => msgpack(z.object({ at: date, a: z.object({ b: z.array(z.union([z.null(), number])) }) })))

    expectTypeOf(json(z.object({ at: date, a: z.record(z.string(), z.number().optional()) }))).toEqualTypeOf<
      Codec<{ at: Date; a: Record<string, number | undefined> }>
    >()
    // @ts-expect-error the value of a record, optional
    unrun(() => json(z.object({ at: date, a: z.record(z.string(), number.optional()) })))

    expectTypeOf(json(z.tuple([date, z.number()]))).toEqualTypeOf<Codec<[Date, number]>>()
    // @ts-expect-error a part of a tuple
    unrun(() => json(z.tuple([date, number])))

    expectTypeOf(json(z.object({ at: date, a: z.lazy(() => z.number()) }))).toEqualTypeOf<
      Codec<{ at: Date; a: number }>
    >()
    // @ts-expect-error what is behind a lazy schema
    unrun(() => json(z.object({ at: date, a: z.lazy(() => number) })))

    expectTypeOf(json(z.object({ at: date }).and(z.object({ a: z.number() })))).toEqualTypeOf<
      Codec<{ at: Date } & { a: number }>
    >()
    // @ts-expect-error a side of an intersection
    unrun(() => json(z.object({ at: date }).and(z.object({ a: number }))))

    const time = z.codec(z.number(), z.date(), { decode: (n) => new Date(n), encode: (value) => value.getTime() })
    expectTypeOf(json(time)).toEqualTypeOf<Codec<Date>>()
    // @ts-expect-error the wire's side of a codec
    unrun(() => json(z.codec(number, z.date(), { decode: (n) => new Date(n), encode: (value) => value.getTime() })))

    expectTypeOf(json(z.unknown().pipe(z.object({ at: date })))).toEqualTypeOf<Codec<{ at: Date }>>()
    // @ts-expect-error a preprocess
    unrun(() => json(z.object({ at: date, a: z.preprocess(String, z.string()) })))

    expectTypeOf(json(z.string().pipe(date))).toEqualTypeOf<Codec<Date>>()
    // @ts-expect-error a coercion of what is a string
    unrun(() => json(z.object({ at: date, a: z.string().pipe(z.coerce.number()) })))

    expectTypeOf(json(z.object({ at: date, a: z.coerce.number() }))).toEqualTypeOf<Codec<{ at: Date; a: number }>>()
    // @ts-expect-error a coercion alone
    unrun(() => json(z.string().pipe(z.coerce.date())))
  })

  test('may be of zod/mini, of a type that is written down, and of a function of the user’s', () => {
    expectTypeOf(json(mini.object({ at: miniDate }))).toEqualTypeOf<Codec<{ at: Date }>>()
    // @ts-expect-error a transform of zod/mini
    unrun(() => json(mini.object({ at: miniDate, a: mini.pipe(mini.string(), mini.transform(Number)) })))

    expectTypeOf(json(annotated)).toEqualTypeOf<Codec<Node>>()
    // @ts-expect-error the type on the wire
    sent(json(annotated), { at: '1970-01-01T00:00:00.000Z' } satisfies Wire)

    expectTypeOf(either(z.object({ at: date }))).toEqualTypeOf<Codec<{ at: Date }>>()
    // @ts-expect-error a transform within
    unrun(() => either(z.object({ at: date, a: z.string().transform(Number) })))

    expectTypeOf(either(v.object({ a: v.string() }))).toEqualTypeOf<Codec<{ a: string }>>()
    // @ts-expect-error a transform of valibot
    unrun(() => either(v.pipe(v.string(), v.transform(Number))))

    expectTypeOf(either(type({ a: 'string' }))).toEqualTypeOf<Codec<{ a: string }>>()
    // @ts-expect-error a transform of arktype
    unrun(() => either(type('string.numeric.parse')))

    const written: Codec<Node> = json(z.object({ at: date }))
    expectTypeOf(written.decode).returns.toEqualTypeOf<Node>()
    // @ts-expect-error another message
    unrun((): Codec<Quote> => json(z.object({ at: date })))
  })

  test('converter, validator: have the type of the message', () => {
    const dates = converter(z.object({ at: date }))
    expectTypeOf(dates).toEqualTypeOf<Converter<{ at: Date }>>()
    // @ts-expect-error validator goes one way
    unrun(() => validator(z.object({ at: date })))

    expectTypeOf(dates.encode).parameter(0).toEqualTypeOf<{ at: Date }>()
    // @ts-expect-error what is on the wire is not said
    unrun(() => dates.encode({ at: new Date(0) }).at)

    expectTypeOf(validator(z.object({ a: z.number() }))).toEqualTypeOf<(value: unknown) => { a: number }>()
    // @ts-expect-error a field that no message has
    unrun(() => validator(z.object({ a: z.number() }))({}).b)

    expectTypeOf(converter(v.object({ a: v.number() }))).toEqualTypeOf<Converter<{ a: number }>>()
    // @ts-expect-error valibot has no way back
    unrun(() => converter(v.object({ a: v.pipe(v.string(), v.transform(Number)) })))
  })
})

describe('json, msgpack: where to validate', () => {
  test('is one of three words, and for schemas alone', () => {
    expectTypeOf<SchemaOptions['validate']>().toEqualTypeOf<'receive' | 'both' | 'none' | undefined>()
    // @ts-expect-error a misspelt place
    unrun(() => json(date, { validate: 'send' }))

    expectTypeOf(json(z.object({ at: date }), { validate: 'both' })).toEqualTypeOf<Codec<{ at: Date }>>()
    // @ts-expect-error what it was called elsewhere
    unrun(() => json(z.object({ at: date }), { validate: true }))

    expectTypeOf(json(z.object({ a: z.number() }), { validate: 'none' })).toEqualTypeOf<Codec<{ a: number }>>()
    // @ts-expect-error without a schema there is nothing to validate
    unrun(() => json<Quote>({ validate: 'none' }))

    expectTypeOf(msgpack(v.object({ a: v.number() }), { validate: 'both' })).toEqualTypeOf<Codec<{ a: number }>>()
    // @ts-expect-error a misspelt option
    unrun(() => msgpack(v.object({ a: v.number() }), { validates: 'both' }))
  })
})

describe('msgpack: extensions', () => {
  const url = extension(1, {
    is: (value) => value instanceof URL,
    encode: ({ href }) => new TextEncoder().encode(href),
    decode: (bytesOfIt) => new URL(new TextDecoder().decode(bytesOfIt)),
  })
  const schema = z.object({ a: z.instanceof(URL), b: z.coerce.bigint() })

  test('are typed by their values', () => {
    expectTypeOf(url).toEqualTypeOf<MsgpackExtension<URL>>()
    // @ts-expect-error nothing says what the values are
    unrun(() => extension(1, { is: () => true, encode: (_url: URL) => received, decode: () => new URL('') }))

    expectTypeOf(url.encode).parameter(0).toEqualTypeOf<URL>()
    // @ts-expect-error text is no bytes
    unrun(() => extension(1, { is: (x) => x instanceof URL, encode: ({ href }) => href, decode: () => new URL('') }))

    expectTypeOf(url.decode).returns.toEqualTypeOf<URL>()
    // @ts-expect-error the values that are made are others
    unrun(() => extension(1, { is: (x) => x instanceof URL, encode: () => received, decode: () => 'text' }))

    expectTypeOf(url.is).guards.toEqualTypeOf<URL>()
    // @ts-expect-error a value of another class
    unrun(() => url.encode(new Date(0)))
  })

  test('leave the type of the message alone', () => {
    expectTypeOf(msgpack<{ a: URL }>({ extensions: [url] })).toEqualTypeOf<Codec<{ a: URL }>>()
    // @ts-expect-error the message says what may be sent
    sent(msgpack<{ a: URL }>({ extensions: [url] }), { a: 'http://localhost/' })

    expectTypeOf(msgpack({ extensions: [url] })).toEqualTypeOf<Codec<unknown>>()
    // @ts-expect-error an extension doesn't say what comes
    unrun(() => msgpack({ extensions: [url] }).decode(received).href)

    expectTypeOf(msgpack(schema, { extensions: [url] })).toEqualTypeOf<Codec<{ a: URL; b: bigint }>>()
    // @ts-expect-error a bigint, although a number may come
    sent(msgpack(schema, { extensions: [url] }), { a: new URL('http://localhost'), b: 1 })

    expectTypeOf(msgpack(schema, { validate: 'both', extensions: [url] })).toEqualTypeOf<Codec<{ a: URL; b: bigint }>>()
    // @ts-expect-error without a schema there is nothing to check
    unrun(() => msgpack({ extensions: [url], validate: 'both' }))

    expectTypeOf(msgpack<ExtData | null>()).toEqualTypeOf<Codec<ExtData | null>>()
    // @ts-expect-error an extension without its number
    unrun((): MsgpackExtension<URL> => ({ is: url.is, encode: url.encode, decode: url.decode }))
  })

  test('are for msgpack', () => {
    expectTypeOf(msgpack).toBeCallableWith({ extensions: [url] })
    // @ts-expect-error JSON has no extensions
    unrun(() => json(schema, { extensions: [url] }))
  })
})

describe('bytes', () => {
  test('are Uint8Arrays', () => {
    expectTypeOf(bytes()).toEqualTypeOf<Codec<Uint8Array>>()
    // @ts-expect-error text is no bytes
    sent(bytes(), 'abcd')

    expectTypeOf(bytes(4)).toEqualTypeOf<Codec<Uint8Array>>()
    // @ts-expect-error a list of numbers is no bytes
    sent(bytes(4), [1, 2, 3, 4])

    expectTypeOf(bytes).parameter(0).toEqualTypeOf<number | undefined>()
    // @ts-expect-error a size is a number
    unrun(() => bytes('4'))

    sent(bytes(4), Buffer.alloc(4))
    // @ts-expect-error the memory of bytes is no bytes
    sent(bytes(4), new ArrayBuffer(4))

    expectTypeOf(bytes().decode).returns.toEqualTypeOf<Uint8Array>()
    // @ts-expect-error what comes is no Buffer, although one may be sent
    unrun(() => bytes().decode(received).readUInt8(0))
  })
})

describe('oneOf', () => {
  const schema = z.object({ a: z.number() })
  const kindOf = z.enum(['a', 'b'])

  test('takes codecs of one type of message', () => {
    expectTypeOf(oneOf(msgpack(schema), json(schema))).toEqualTypeOf<Codec<{ a: number }>>()
    // @ts-expect-error another type
    unrun(() => oneOf(json<{ a: number }>(), msgpack<{ a: string }>()))

    expectTypeOf(oneOf(struct({ a: u16 }), json(schema))).toEqualTypeOf<Codec<{ a: number }>>()
    // @ts-expect-error a record with another type of field
    unrun(() => oneOf(json(schema), struct({ a: bool })))

    expectTypeOf(oneOf(json<Quote>())).toEqualTypeOf<Codec<Quote>>()
    // @ts-expect-error none at all
    unrun(() => oneOf())

    // What is not written down follows from the first.
    expectTypeOf(oneOf(json<Quote>(), msgpack())).toEqualTypeOf<Codec<Quote>>()
    const untyped = msgpack()
    // @ts-expect-error anything at all
    unrun(() => oneOf(json<Quote>(), untyped))
  })

  test('takes no codec of more or less', () => {
    expectTypeOf(oneOf(json<{ a: 1 | 2 }>(), msgpack<{ a: 1 | 2 }>())).toEqualTypeOf<Codec<{ a: 1 | 2 }>>()
    // @ts-expect-error more than the first has
    unrun(() => oneOf(json<{ a: number }>(), msgpack<{ a: number; b: number }>()))

    expectTypeOf(oneOf(json<Quote>(), oneOf(msgpack<Quote>()))).toEqualTypeOf<Codec<Quote>>()
    // @ts-expect-error less than the first has
    unrun(() => oneOf(json<{ a: number; b: number }>(), msgpack<{ a: number }>()))

    expectTypeOf(oneOf(msgpack(z.object({ n: big })), json(z.object({ n: big })))).toEqualTypeOf<Codec<{ n: bigint }>>()
    // @ts-expect-error a bigint in one, a text in the other
    unrun(() => oneOf(msgpack(z.object({ n: big })), json(z.object({ n: z.string() }))))

    expectTypeOf(oneOf(json(kindOf), msgpack(kindOf))).toEqualTypeOf<Codec<'a' | 'b'>>()
    // @ts-expect-error fewer kinds than the first has
    unrun(() => oneOf(json(kindOf), msgpack(z.literal('a'))))
  })
})

describe('MessageOf', () => {
  test('is the message of a codec', () => {
    const codec = oneOf(struct({ delay: u16 }), json<{ delay: number }>())
    expectTypeOf<MessageOf<typeof codec>>().toEqualTypeOf<{ delay: number }>()
    // @ts-expect-error a misspelt field
    unrun((): MessageOf<typeof codec> => ({ deley: 1 }))

    expectTypeOf<MessageOf<Codec<Date>>>().toEqualTypeOf<Date>()
    // @ts-expect-error the codec is no message
    unrun((dates: Codec<Date>): MessageOf<Codec<Date>> => dates)

    expectTypeOf<MessageOf<string>>().toBeNever()
    // @ts-expect-error a schema is no codec
    unrun((): MessageOf<typeof date> => new Date(0))
  })
})

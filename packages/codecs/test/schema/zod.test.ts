/** Inspection of zod schemas when a codec is made. */
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import * as core from 'zod/v4/core'
import * as mini from 'zod/mini'
import { converter, json, msgpack, validator } from '../../src/index.ts'
import type { StandardSchema } from '../../src/index.ts'
import { codecError, encodeAnything, utf8Bytes } from '../support/support.ts'

const upper = z.string().transform((text) => text.toUpperCase())
const date = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
})

interface Tree {
  name: string
  children: Tree[]
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ name: upper, children: z.array(tree) }))
const list = z.object({
  get next() {
    return z.union([list, z.object({ last: upper })])
  },
})

/** A lazy schema that is another each time. */
const endless = (last: z.ZodType): z.ZodType =>
  z.lazy(() => z.object({ value: last, left: endless(last), right: endless(last) }))

const oneWay: readonly (readonly [path: string, schema: core.$ZodType])[] = [
  ['message', upper],
  ['message', z.preprocess(String, z.string())],
  ['message', z.success(z.string())],
  ['message', mini.pipe(mini.string(), mini.transform(Number))],
  ['a', z.object({ a: upper })],
  ['["a b"].c', z.object({ 'a b': z.object({ c: upper }) })],
  ['a', z.object({ a: z.preprocess(String, z.string()) })],
  ['*', z.object({ a: z.string() }).catchall(upper)],
  ['a.*', z.object({ a: z.looseObject({}).catchall(upper) })],
  ['[]', z.array(upper)],
  ['orders[].at', z.object({ orders: z.array(z.object({ at: z.string().transform((text) => new Date(text)) })) })],
  ['orders[].at', mini.object({ orders: mini.array(mini.object({ at: mini.pipe(mini.string(), mini.transform(Number)) })) })],
  ['[1]', z.tuple([z.string(), upper])],
  ['[]', z.tuple([z.string()], upper)],
  ['prices[]', z.object({ prices: z.record(z.string(), upper) })],
  ['prices(key)', z.object({ prices: z.record(upper, z.string()) })],
  ['a(key)', z.object({ a: z.map(upper, z.string()) })],
  ['a[]', z.object({ a: z.map(z.string(), upper) })],
  ['a[]', z.object({ a: z.set(upper) })],
  ['a', z.object({ a: z.union([z.number(), upper]) })],
  ['a.b', z.object({ a: z.discriminatedUnion('t', [z.object({ t: z.literal(1), b: upper })]) })],
  ['a.b', z.object({ a: z.object({}).and(z.object({ b: upper })) })],
  ['a', z.object({ a: upper.optional() })],
  ['a', z.object({ a: upper.nullable() })],
  ['a', z.object({ a: upper.default('X') })],
  ['a', z.object({ a: upper.prefault('x') })],
  ['a', z.object({ a: upper.catch('X') })],
  ['a', z.object({ a: upper.optional().nonoptional() })],
  ['a', z.object({ a: upper }).readonly()],
  ['a', z.object({ a: upper }).partial()],
  ['a', z.object({ a: upper.refine(() => true).describe('shouted') })],
  ['a', z.object({ a: z.string().pipe(upper) })],
  ['a', z.object({ a: upper.pipe(z.string()) })],
  ['a', z.object({ a: z.lazy(() => upper) })],
  ['a', z.object({ a: z.codec(upper, z.date(), { decode: (text) => new Date(text), encode: String }) })],
  ['b', z.object({ a: date, b: upper })],
  ['name', tree],
  ['next.last', list],
  ['left.value', z.object({ left: endless(upper) })],
  ['a', z.object({ a: z.string().pipe(z.coerce.number()) })],
  ['a', z.object({ a: z.string().min(1).pipe(z.coerce.date()).optional() })],
] // prettier-ignore

test.each(oneWay)('json, msgpack: refuse a schema that goes one way only at %s', (path, schema) => {
  for (const validate of ['receive', 'both', 'none'] as const) {
    const makes = [json<StandardSchema>, msgpack<StandardSchema>, converter<StandardSchema>]
    for (const make of makes) {
      const error = codecError('INVALID_CODEC', () => make(schema, { validate }))
      expect(error).toMatchObject({ side: 'local', fatal: false })
      expect(error.message).toMatch(/: a .* that goes one way only; use z\.codec/)
      expect(error.message.slice(0, error.message.indexOf(': '))).toBe(path)
    }
  }
})

test('json: says what goes one way only, and what to use instead', () => {
  const messageOf = (schema: core.$ZodType): string =>
    codecError('INVALID_CODEC', () => json<StandardSchema>(schema)).message
  const instead = 'that goes one way only; use z.codec'
  expect(messageOf(upper)).toBe(`message: a transform ${instead}, or overwrite where the type stays`)
  expect(messageOf(z.preprocess(String, z.string()))).toBe(`message: a preprocess ${instead}`)
  expect(messageOf(z.success(z.string()))).toBe(`message: a z.success ${instead}`)
  expect(messageOf(z.string().pipe(z.coerce.number()))).toBe(`message: a pipe into z.coerce ${instead}`)
})

test('validator: refuses a schema that goes one way only', () => {
  expect(codecError('INVALID_CODEC', () => validator(upper)).message).toContain('one way only')
})

const plain: readonly (readonly [what: string, schema: core.$ZodType, text: string])[] = [
  ['formats', z.object({ a: z.iso.date(), b: z.email(), c: z.uuid(), d: z.int() }), '{"a":"2020-01-01","b":"a@b.co","c":"00000000-0000-4000-8000-000000000000","d":1}'],
  ['checks that change the value', z.string().trim().toLowerCase().normalize().overwrite((text) => text), '"a"'],
  ['refinements', z.string().refine(() => true).superRefine(() => {}), '"a"'],
  ['a default', z.object({ a: z.string().default('x').catch('y') }), '{"a":"x"}'],
  ['a brand', z.string().brand<'Id'>(), '"a"'],
  ['a coercion', z.coerce.number(), '1'],
  ['a coercion of what is no matter', z.unknown().pipe(z.coerce.number()), '1'],
  ['a coercion of a coercion', z.coerce.string().pipe(z.coerce.number()), '1'],
  ['a coercion to the same type', z.string().pipe(z.coerce.string()), '"a"'],
  ['a pipe', z.string().pipe(z.email()), '"a@b.co"'],
  ['a recursion', z.json(), '[{"a":null}]'],
  ['a custom check', z.custom((value) => value === 1), '1'],
  ['a template', z.templateLiteral(['a', z.number()]), '"a1"'],
  ['literals', z.union([z.literal('a'), z.enum(['b']), z.null()]), '"a"'],
  ['endless laziness', endless(z.string()).nullable(), 'null'],
  ['a schema of zod/mini', mini.object({ a: mini.optional(mini.string().check(mini.minLength(1))) }), '{"a":"b"}'],
  ['a schema of zod/v4/core', new core.$ZodString({ type: 'string' }), '"a"'],
] // prettier-ignore

test.each(plain)('json: accepts %s unchanged', (_, schema, text) => {
  const codec = json<StandardSchema>(schema)
  const message = codec.decode(utf8Bytes(text))
  expect(message).toEqual(JSON.parse(text))
  expect(encodeAnything(codec, message)).toEqual(utf8Bytes(text))
  // A schema without codecs does not run when a message is sent.
  expect(encodeAnything(codec, { anything: true })).toEqual(utf8Bytes('{"anything":true}'))
})

test('json: inspects a schema once, and no message', () => {
  const getter = vi.fn<() => z.ZodType>(() => z.string())
  const codec = json<StandardSchema>(z.object({ a: z.lazy(getter) }))
  expect(getter).toHaveBeenCalledTimes(1)
  for (let count = 0; count < 3; count++) codec.decode(utf8Bytes('{"a":"b"}'))
  expect(getter).toHaveBeenCalledTimes(1)
})

test('json: names the path of a schema that is not available yet', () => {
  const cause = new ReferenceError("Cannot access 'Order' before initialization")
  const late = z.lazy((): z.ZodType => {
    throw cause
  })
  const error = codecError('INVALID_CODEC', () => json<StandardSchema>(z.object({ orders: z.array(late) })))
  expect(error.message).toBe(`orders[]: its schema is not available yet: ${cause.message}`)
  expect(error.cause).toBe(cause)
  expect(codecError('INVALID_CODEC', () => json<StandardSchema>(late)).message).toMatch(
    /^message: its schema is not available/,
  )
})

test('json: refuses a codec in a schema of zod/v4/core, which cannot run backwards', () => {
  const schema = new core.$ZodArray({ type: 'array', element: date })
  expect(codecError('INVALID_CODEC', () => json<StandardSchema>(schema)).message).toContain('zod/v4/core')
})

test.each([
  ['a', z.object({ a: z.promise(z.string()) })],
  ['[]', z.array(z.codec(z.string(), z.number(), { decode: async (text) => Number(text), encode: String }))],
  ['[]', z.array(z.codec(z.string(), z.number(), { decode: Number, encode: async (value) => `${value}` }))],
])('json: refuses a part that is certainly asynchronous, at %s', (path, schema: core.$ZodType) => {
  const { message } = codecError('ASYNC_SCHEMA', () => json<StandardSchema>(schema))
  expect(message).toBe(`${path}: a promise; a codec needs the answer at once`)
})

test('json: refuses a message when a check throws, with the cause', () => {
  const cause = new TypeError('the check has a bug')
  const schema = z.object({
    a: z.string().refine(() => {
      throw cause
    }),
  })
  const error = codecError('INVALID_MESSAGE', () => json(schema).decode(utf8Bytes('{"a":"b"}')))
  expect(error.cause).toBe(cause)
})

import * as v from 'valibot'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { json, msgpack, validator } from '../../src/index.ts'
import type { Schema, SchemaIssue, StandardSchema } from '../../src/index.ts'
import { codecError, failing, nested, utf8Bytes } from '../support/support.ts'

/** A schema that returns a given result. */
function schemaOf<T>(validate: StandardSchema<T, T>['~standard']['validate']): Schema<T> {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

const refusing = (...issues: SchemaIssue[]): Schema<string> => schemaOf(() => ({ issues }))

test('validator: hands out what the schema hands out', () => {
  expect(validator(z.object({ a: z.string().default('x') }))({})).toEqual({ a: 'x' })
  expect(validator(v.object({ a: v.optional(v.string(), 'x') }))({ b: 1 })).toEqual({ a: 'x' })
})

test('validator: takes a schema that is a function', () => {
  const schema: Schema<string> = Object.assign(
    () => 0,
    schemaOf<string>(() => ({ value: 'checked' })),
  )
  expect(validator(schema)('x')).toBe('checked')
})

test.each([
  ['zod', validator(z.object({ orders: z.array(z.object({ price: z.number() })) }))],
  ['valibot', validator(v.object({ orders: v.array(v.object({ price: v.number() })) }))],
])('validator: says which field %s refuses, and why', (_, check) => {
  const error = codecError('INVALID_MESSAGE', () => check({ orders: [{ price: 1 }, { price: 'a lot' }] }))
  expect(error.issues.map((issue) => issue.path)).toEqual([['orders', 1, 'price']])
  expect(error.message).toMatch(/^orders\[1\]\.price: /)
  expect(error.message).toContain(error.issues[0]?.message)
  expect(error).toMatchObject({ side: 'remote', fatal: true })
})

const symbol = Symbol('s')

test.each<[path: SchemaIssue['path'], path: PropertyKey[], name: string]>([
  [undefined, [], 'message'],
  [[], [], 'message'],
  [['a'], ['a'], 'a'],
  [['a', 'b', 0, 'c'], ['a', 'b', 0, 'c'], 'a.b[0].c'],
  [[0], [0], '[0]'],
  [[{ key: 'a' }, { key: 1 }], ['a', 1], 'a[1]'],
  [['a b'], ['a b'], '["a b"]'],
  [['a', ''], ['a', ''], 'a[""]'],
  [['labels', 'x-y'], ['labels', 'x-y'], 'labels["x-y"]'],
  [[symbol], [symbol], '[Symbol(s)]'],
])('validator: names the field at %o', (path, expected, name) => {
  const error = codecError('INVALID_MESSAGE', () => validator(refusing({ message: 'wrong', path }))('x'))
  expect(error.message).toBe(`${name}: wrong`)
  expect(error.issues).toEqual([{ message: 'wrong', path: expected }])
})

test('validator: names the first of several issues and counts the others', () => {
  const check = validator(refusing({ message: 'short', path: ['a'] }, { message: 'late' }, { message: 'odd' }))
  const error = codecError('INVALID_MESSAGE', () => check('x'))
  expect(error.message).toBe('a: short (and 2 more)')
  expect(error.issues).toHaveLength(3)
})

test('validator: refuses a message for an empty list of issues', () => {
  expect(codecError('INVALID_MESSAGE', () => validator(refusing())('x')).message).toBe('the schema refused it')
})

test('validator: keeps 100 issues at most, and little of a long text', () => {
  const issues = Array.from({ length: 5000 }, () => ({ message: 'm'.repeat(9999), path: ['k'.repeat(9999)] }))
  const error = codecError('INVALID_MESSAGE', () => validator(refusing(...issues))('x'))
  expect(error.issues).toHaveLength(100)
  expect(error.message.length).toBeLessThan(500)
  expect(error.message).toContain('(and 4999 more)')
})

test('validator: refuses a message when the schema throws, with the cause', () => {
  const cause = new Error('the check has a bug')
  const check = validator(
    schemaOf<string>(() => {
      throw cause
    }),
  )
  const error = codecError('INVALID_MESSAGE', () => check('x'))
  expect(error.cause).toBe(cause)
  expect(error.message).toContain('the check has a bug')
})

test('validator: refuses a message when the result of the schema is invalid', () => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a schema library may have a bug
  const check = validator(schemaOf<string>(() => undefined as never))
  expect(() => check('x')).toThrow(failing('INVALID_MESSAGE'))
})

test.each([undefined, null, 5, {}, { '~standard': {} }, () => true])('validator: refuses %o as a schema', (schema) => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a program without types may pass
  expect(() => validator(schema as unknown as Schema<string>)).toThrow(failing('INVALID_CODEC'))
})

test('json, msgpack: refuse what is no schema when they are made', () => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a program without types may pass
  const schema = {} as unknown as Schema<string>
  expect(() => json(schema)).toThrow(failing('INVALID_CODEC'))
  expect(() => msgpack(schema)).toThrow(failing('INVALID_CODEC'))
})

test.each([
  ['zod', z.object({ a: z.string().refine(async () => true) }), 'zod'],
  ['test', schemaOf<string>(() => Promise.reject(new Error('no'))), 'test'],
  [
    'valibot',
    v.pipeAsync(
      v.string(),
      v.checkAsync(async () => Promise.reject(new Error('no'))),
    ),
    'valibot',
  ],
])('validator: refuses a promise, and lets it reject unheard (%s)', async (_, schema: StandardSchema, vendor) => {
  const unhandled = vi.fn<(reason: unknown) => void>()
  process.on('unhandledRejection', unhandled)
  const check = validator<unknown, unknown>(schema)
  const error = codecError('ASYNC_SCHEMA', () => check(vendor === 'zod' && 'shape' in schema ? { a: 'x' } : 'x'))
  expect(error).toMatchObject({ side: 'local', fatal: false })
  expect(error.message).toContain(vendor)
  await new Promise((resolve) => setTimeout(resolve, 20))
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

interface Tree {
  children: Tree[]
}
const zodTree: z.ZodType<Tree, Tree> = z.lazy(() => z.object({ children: z.array(zodTree) }))
const valibotTree: v.GenericSchema<Tree> = v.lazy(() => v.object({ children: v.array(valibotTree) }))

const tree = (levels: number): Uint8Array =>
  utf8Bytes('{"children":['.repeat(levels) + '{"children":[]}' + ']}'.repeat(levels))

test.each([
  ['zod', json(zodTree)],
  ['valibot', json(valibotTree)],
])('json: survives nesting that a recursive %s schema does not', (_, codec) => {
  expect(codec.decode(tree(10)).children).toHaveLength(1)
  const error = codecError('INVALID_MESSAGE', () => codec.decode(tree(50_000)))
  expect(error).toMatchObject({ side: 'remote', fatal: true })
})

test('validator: measures the nesting of any message that a promise answers', () => {
  const check = validator(schemaOf<unknown>(() => Promise.resolve({ value: 1 })))
  expect(() => check(nested(400))).toThrow(failing('ASYNC_SCHEMA'))
  expect(() => check({ a: null, b: [1, 'x', undefined] })).toThrow(failing('ASYNC_SCHEMA'))
  expect(() => check(nested(100_000))).toThrow(failing('INVALID_MESSAGE'))
})

test('a schema that is given and undefined is refused, by json and msgpack', () => {
  // What a program without types hands over, or an import of a module that has not run yet.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the point of this test
  const later = undefined as unknown as Schema<string>
  for (const make of [() => json(later), () => msgpack(later), () => json(later, {}), () => msgpack(later, {})]) {
    expect(codecError('INVALID_CODEC', make).message).toBe('the schema is undefined')
  }
})

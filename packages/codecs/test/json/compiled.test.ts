import * as fc from 'fast-check'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import * as mini from 'zod/mini'
import { ByteWriter, json } from '../../src/index.ts'
import type { StandardSchema } from '../../src/index.ts'
import { CompiledJson } from '../../src/json/compiled.ts'
import { maxNumberBytes, writeNumber } from '../../src/json/write-values.ts'
import { shapeOf } from '../../src/schema/shape.ts'
import { assertSameReading, assertSameWriting, jsonPair } from '../support/json-pairs.ts'
import type { JsonPair } from '../support/json-pairs.ts'
import { libraries } from '../support/schema-libraries.ts'
import { numbers } from '../support/json-shapes.ts'
import { utf8Bytes } from '../support/support.ts'

function pairOf(schema: StandardSchema): JsonPair {
  const pair = jsonPair(schema)
  if (pair === undefined) throw new Error('no code is made for this schema')
  return pair
}

/** Asserts that both codecs write the message in the same way. Returns whether the compiled code did. */
function isWritten(schema: StandardSchema, message: unknown, limit = Infinity): boolean {
  const pair = pairOf(schema)
  assertSameWriting(pair, message, limit)
  return pair.code.written > 0
}

const Quote = z.object({ symbol: z.string(), price: z.number(), note: z.string().optional() })
const quote = { symbol: 'SAP', price: 196.5 }

const Tree = z.object({
  get inner() {
    return z.array(Tree)
  },
})

class Named {
  readonly symbol = 'SAP'
  readonly price = 1
}

const withGetter = {
  symbol: 'SAP',
  get price(): number {
    return 5
  },
}

describe('a compiled writer writes', () => {
  test.each<[string, StandardSchema, unknown]>([
    ['an object', Quote, quote],
    ['an optional field', Quote, { ...quote, note: 'x' }],
    ['a field that is undefined', Quote, { ...quote, note: undefined }],
    ['an object without a prototype', Quote, Object.assign(Object.create(null) as object, quote)],
    ['a getter', Quote, withGetter],
    ['a frozen object', Quote, Object.freeze({ ...quote })],
    ['a property that is a symbol', Quote, { ...quote, [Symbol('s')]: 1 }],
    ['a proxy', Quote, new Proxy(quote, {})],
    ['NaN and infinities', z.array(z.number()), [Number.NaN, Infinity, -Infinity, -0, 1e21, 1e-7]],
    ['long texts', z.array(z.string()), ['x'.repeat(20_000), 'é'.repeat(10_000), '"'.repeat(10_000)]],
    ['a tuple', z.tuple([z.string(), z.number()]), ['a', 1]],
    ['a record', z.record(z.string(), z.number()), { b: 1, a: 2, 1: 3, '"': 4, é: 5, x: undefined }],
    ['an own property __proto__', z.record(z.string(), z.number()), JSON.parse('{"__proto__":1}')],
    ['null', Quote.nullable(), null],
    ['a union', z.union([z.string(), z.array(z.number()), Quote]), quote],
    [
      'odd keys',
      z.object({ '"\\\n': z.number(), '\ud800é日\u2028': z.number() }),
      { '"\\\n': 1, '\ud800é日\u2028': 2 },
    ],
    ['what the schema refuses', z.object({ a: z.string().email() }), { a: 'x' }],
    ['a subclass of Array', z.array(z.number()), Object.setPrototypeOf([1], class extends Array {}.prototype)],
  ])('%s', (_name, schema, message) => {
    expect(isWritten(schema, message)).toBe(true)
  })
})

describe('a compiled writer leaves to JSON.stringify', () => {
  test.each<[string, StandardSchema, unknown]>([
    ['another order of keys', Quote, { price: 1, symbol: 'SAP' }],
    ['what needs much memory', z.array(z.string()), ['x'.repeat(100_000), 'é'.repeat(100_000), '"'.repeat(10_000)]],
    ['an unknown key', Quote, { ...quote, more: 1 }],
    ['a missing key', Quote, { symbol: 'SAP' }],
    ['another type', Quote, { ...quote, price: '1' }],
    ['a bigint', Quote, { ...quote, price: 1n }],
    ['a boxed text', Quote, { ...quote, symbol: Object('SAP') }],
    ['a function', Quote, { ...quote, note: () => 1 }],
    ['a function as the message', Quote, () => 1],
    ['undefined', Quote, undefined],
    ['an instance of a class', Quote, new Named()],
    ['inherited properties', Quote, Object.create(quote)],
    ['an object of another realm', Quote, runInNewContext('({ symbol: "SAP", price: 1 })')],
    ['a property that is not enumerable', Quote, Object.defineProperty({ symbol: 'SAP' }, 'price', { value: 1 })],
    [
      'an optional one that is not enumerable',
      Quote,
      Object.defineProperty({ ...quote }, 'toJSON', { value: () => 1 }),
    ],
    ['a toJSON', Quote, { ...quote, toJSON: () => 'own' }],
    ['a toJSON of an array', z.array(z.number()), Object.assign([1], { toJSON: () => 'own' })],
    ['holes', z.array(z.number()), [1, , 2]], // oxlint-disable-line no-sparse-arrays -- the point
    ['an item that is undefined', z.array(z.string()), ['a', undefined]],
    ['a tuple of another length', z.tuple([z.string()]), ['a', 'b']],
    ['an array instead of an object', z.object({ 0: z.number() }), [1]],
    ['an empty record', z.record(z.string(), z.number()), {}],
    ['no fields', z.object({ a: z.string().optional() }), {}],
    ['a boxed number', z.object({ a: z.string().optional() }), Object.setPrototypeOf(Object(5), Object.prototype)],
    ['a date', z.record(z.string(), z.number()), new Date(0)],
    ['a getter that throws', Quote, Object.defineProperty({ ...quote }, 'symbol', { get: thrower, enumerable: true })],
  ])('%s', (_name, schema, message) => {
    expect(isWritten(schema, message)).toBe(false)
  })

  test('a cycle', () => {
    const items: unknown[] = []
    items.push(items)
    expect(isWritten(z.array(z.array(z.array(z.number()))), items)).toBe(false)
  })

  test('an optional property that is inherited or hidden', () => {
    const hidden = Object.defineProperty({ ...quote }, 'note', { value: 'hidden' })
    expect(isWritten(Quote, hidden)).toBe(true)
    expect(isWritten(Quote, Object.assign(Object.create({ note: 'inherited' }) as object, quote))).toBe(false)
  })

  test('everything, while all objects have a property', () => {
    const pair = pairOf(Quote)
    // oxlint-disable-next-line no-extend-native -- as a vulnerable program might
    Object.defineProperty(Object.prototype, 'price', { value: 1, enumerable: true, configurable: true })
    try {
      assertSameWriting(pair, { symbol: 'SAP' })
    } finally {
      Reflect.deleteProperty(Object.prototype, 'price')
    }
    expect(pair.code.written).toBe(0)
    expect(isWritten(Quote, quote)).toBe(true)
  })
})

test.each([0, 1, 20, 40, 41, 60, 100])('a compiled writer keeps to a limit of %i bytes', (limit) => {
  for (const symbol of ['', 'x'.repeat(limit), 'é'.repeat(limit), 'x'.repeat(10 * limit), '\n'.repeat(limit)]) {
    const written = [
      isWritten(Quote, { symbol, price: 1 }, limit),
      isWritten(z.array(z.string()), [symbol, symbol], limit),
      isWritten(z.record(z.string(), z.number()), { [symbol]: 1.5 }, limit),
    ]
    expect(symbol.length > limit && written.includes(true)).toBe(false)
  }
})

test('writeNumber writes what String makes of a number', () => {
  const bytes = new Uint8Array(maxNumberBytes)
  const isSame = (value: number): boolean => {
    const due = JSON.stringify(value)
    return Buffer.from(bytes.subarray(0, writeNumber(bytes, 0, value))).toString() === due
  }
  expect(() => fc.assert(fc.property(numbers, isSame), { numRuns: 20_000 })).not.toThrow()
  for (let power = 0; power < 24; power++) {
    for (const near of [-1, 0, 1]) for (const sign of [-1, 1]) expect(isSame(sign * (10 ** power + near))).toBe(true)
    for (const digit of [1, 5, 9, 123_456]) expect(isSame(digit / 10 ** power)).toBe(true)
  }
})

test.each<[string, unknown]>([
  ['unknown', z.object({ a: z.unknown() })],
  ['a part that refers to itself', Tree],
  ['a lazy part', z.array(z.lazy(() => z.string()))],
  ['an intersection', z.intersection(z.object({ a: z.string() }), z.object({ b: z.string() }))],
  ['no fields', z.object({})],
  ['very many fields', z.object(Object.fromEntries(Array.from({ length: 31 }, (_, index) => [`f${index}`, z.int()])))],
  ['a field that all objects have', z.object({ toString: z.string() })],
  ['a rest', z.tuple([z.string()], z.number())],
])('json: no code is made for a schema with %s', (_name, schema) => {
  expect(json(schema as never).compiled).toBe(false)
})

test('json: says whether there is code', () => {
  expect(json(Quote).compiled).toBe(true)
  expect(json(mini.object({ a: mini.string() })).compiled).toBe(true)
  expect(json(Quote, { compile: false }).compiled).toBe(false)
  expect(json().compiled).toBe(false)
  for (const [name, schema] of libraries) expect([name, json(schema).compiled]).toEqual([name, name.startsWith('zod')])
})

test.each([2, 10, 11, 30])('an object of %i fields, whichever of them are there, is written and read', (length) => {
  for (const every of [1, 2, 3]) {
    const names = Array.from({ length }, (_, index) => `field "${index}" é`)
    const shape = names.map((name, index) => [name, index % every === 0 ? z.int().optional() : z.string()] as const)
    const pair = pairOf(z.object(Object.fromEntries(shape)))
    for (let absent = 0; absent <= length; absent++) {
      const there = shape.filter(([, { type }], index) => type === 'string' || index >= absent || index % 2 === 1)
      const message = Object.fromEntries(there.map(([name, { type }]) => [name, type === 'string' ? 'é"' : absent]))
      assertSameWriting(pair, message)
      assertSameReading(pair, JSON.stringify(message))
    }
    expect(pair.code.written).toBeGreaterThanOrEqual(length)
    expect(pair.code.received).toBeGreaterThanOrEqual(3 * length)
  }
})

test('CompiledJson: compiles after some messages, and pauses after some misses', () => {
  const shape = shapeOf(Quote)
  if (shape === undefined) throw new Error('no code is made for this schema')
  const code = new CompiledJson(shape, { warmUp: 3, maxMisses: 2, pause: 4 })
  const [hit, miss] = ['{"symbol":"SAP","price":1}', '{}'].map(utf8Bytes) as [Uint8Array, Uint8Array]
  const read = (bytes: Uint8Array): boolean => code.read(bytes, 0, bytes.length) !== undefined
  const write = (message: unknown): boolean => code.write(message, new ByteWriter())
  for (const [run, good, bad] of [
    [read, hit, miss],
    [write, quote, {}],
  ] as const) {
    const tries = (given: readonly unknown[]): boolean[] => given.map((one) => run(one as never))
    expect(tries([good, good, good, good])).toEqual([false, false, false, true])
    expect(tries([bad, good, bad, bad])).toEqual([false, true, false, false])
    expect(tries([good, good, good, good, good, good])).toEqual([false, false, false, false, false, true])
  }
})

describe('where code is forbidden', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.resetModules()
  })

  test('json: makes none, and tries once', async () => {
    vi.resetModules()
    let tries = 0
    vi.stubGlobal('Function', function refused() {
      tries++
      throw new EvalError('Code generation from strings disallowed for this context')
    })
    const { json: forbidden } = await import('../../src/index.ts')
    expect(forbidden(Quote).compiled).toBe(false)
    expect(forbidden(z.object({ a: z.string() })).compiled).toBe(false)
    expect(tries).toBe(1)
  })
})

test('json: compiled is false once the platform has refused', async () => {
  vi.resetModules()
  const { json: refused } = await import('../../src/index.ts')
  // For objects zod makes a function too.
  const codec = refused(z.array(z.number()))
  expect(codec.compiled).toBe(true)
  vi.stubGlobal('Function', function refuse() {
    throw new EvalError('Code generation from strings disallowed for this context')
  })
  const bytes = utf8Bytes('[1]')
  for (let count = 0; count < 501; count++) expect(codec.decode(bytes)).toEqual([1])
  expect(codec.compiled).toBe(false)
  vi.unstubAllGlobals()
  vi.resetModules()
})

function thrower(): never {
  throw new Error('no price yet')
}

import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ByteWriter } from '../../src/index.ts'
import type { Codec, StandardSchema } from '../../src/index.ts'
import { assertSameWriting, encodedBy, jsonPair } from '../support/json-pairs.ts'
import type { JsonPair } from '../support/json-pairs.ts'

function pairOf(schema: StandardSchema): JsonPair {
  const pair = jsonPair(schema)
  if (pair === undefined) throw new Error('no code is made for this schema')
  return pair
}

const withField = (value: object, prototype: object | null): object =>
  Object.assign(Object.setPrototypeOf(value, prototype) as object, { a: 'x' })
const withLength = (length: unknown): unknown =>
  new Proxy([1, 2, 3], { get: (target, key) => (key === 'length' ? length : (Reflect.get(target, key) as unknown)) })
const A = z.object({ a: z.string() })
const Numbers = z.array(z.number())
const { rawJSON } = JSON as { readonly rawJSON?: (text: string) => object }

describe('a compiled writer leaves to JSON.stringify', () => {
  test.each<[string, StandardSchema, unknown]>([
    [
      'an array with the prototype of objects',
      z.object({ 0: z.number() }),
      Object.setPrototypeOf([1], Object.prototype),
    ],
    ['an array without a prototype', z.object({ 0: z.number() }), Object.setPrototypeOf([1], null)],
    ['such an array in a union', z.union([z.object({ 0: z.number() }), z.string()]), Object.setPrototypeOf([1], null)],
    ['a boxed number', A, withField(Object(5) as object, Object.prototype)],
    ['a boxed text', A, withField(Object('') as object, Object.prototype)],
    ['a boxed boolean', A, withField(Object(true) as object, null)],
    ['an array of half an item more', Numbers, withLength(2.5)],
    ['an array whose length is a text', Numbers, withLength('2')],
    ['an array of a negative length', Numbers, withLength(-1)],
    [
      'what looks like JSON.rawJSON',
      z.record(z.string(), z.string()),
      Object.assign(Object.create(null) as object, { rawJSON: 'x' }),
    ],
    ...(rawJSON === undefined
      ? []
      : [['a raw text', z.record(z.string(), z.string()), rawJSON('1')] satisfies [string, StandardSchema, unknown]]),
  ])('%s', (_name, schema, message) => {
    const pair = pairOf(schema)
    assertSameWriting(pair, message)
    assertSameWriting(pair, message, 1_000)
    expect(pair.code.written).toBe(0)
  })
})

describe('a compiled writer asks getters in the order of JSON.stringify', () => {
  const schema = z.object({ a: z.object({ x: z.number() }), b: z.number().optional(), c: z.array(z.number()) })
  const logged = (log: string[]): object => ({
    get a() {
      log.push('a')
      return {
        get x() {
          log.push('x')
          return 1
        },
      }
    },
    get b() {
      log.push('b')
      return 2
    },
    get c() {
      log.push('c')
      return []
    },
  })

  test('each is asked when its turn comes', () => {
    const pair = pairOf(schema)
    const logs = [pair.compiled, pair.plain].map((codec) => {
      const log: string[] = []
      encodedBy(codec, logged(log), Infinity)
      return log
    })
    expect(logs).toEqual([
      ['a', 'x', 'b', 'c'],
      ['a', 'x', 'b', 'c'],
    ])
    expect(pair.code.written).toBe(1)
  })

  /** A message of which one getter sets a property of another part. */
  const changing = (name: 'a' | 'b', path: (message: Message) => object, key: string, value: unknown): Message => {
    const message: Message = { a: { x: 1 }, b: 2, c: [1] }
    const own = message[name]
    const get = (): unknown => {
      Reflect.set(path(message), key, value)
      return own
    }
    return Object.defineProperty(message, name, { get, enumerable: true })
  }

  test.each<[string, () => object]>([
    ['a part before', () => changing('b', ({ a }) => a, 'x', 99)],
    ['a part after', () => changing('a', ({ c }) => c, '1', 5)],
    ['whether a field is there', () => changing('a', (message) => message, 'b', undefined)],
    ['the type of a field', () => changing('a', (message) => message, 'c', 'x')],
  ])('a getter that changes %s', (_name, make) => {
    const pair = pairOf(schema)
    // With a limit, JSON.stringify asks each getter twice.
    expect(encodedBy(pair.compiled, make(), Infinity)).toEqual(encodedBy(pair.plain, make(), Infinity))
  })
})

interface Message {
  a: { x: number }
  b: number | undefined
  c: number[]
}

/** Counts what is made of memory. */
class CountingWriter extends ByteWriter {
  peak = 0
  made = 0

  protected override grow(size: number): void {
    super.grow(size)
    this.peak = Math.max(this.peak, this.bytes.length)
    this.made += this.bytes.length
  }
}

describe('a compiled writer makes no more memory than JSON.stringify', () => {
  const limit = 1024 * 1024
  const schema = z.array(z.string())
  const many = (length: number): string[] => Array.from({ length }, () => 'x'.repeat(10))
  const memoryOf = (codec: Codec<unknown>, message: unknown): CountingWriter => {
    const out = new CountingWriter(0)
    out.limit(limit)
    try {
      codec.encode(message, out)
    } catch {}
    return out
  }

  test.each<[string, unknown]>([
    ['that is too long in UTF-8', ['é'.repeat(limit - 100)]],
    ['of one text that fits', ['x'.repeat(limit - 100)]],
    ['of one text in UTF-8 that fits', ['é'.repeat(limit / 2 - 100)]],
    ['of one text with escapes', ['"'.repeat(limit / 2 - 100)]],
    ['of one text that is too long', ['x'.repeat(10), 'x'.repeat(10 * limit)]],
    ['of many texts that fit', many(limit / 14)],
    ['of many texts that do not fit', many(limit)],
  ])('for a message %s', (_name, message) => {
    const { compiled, plain } = pairOf(schema)
    // It may make the memory of a small message first.
    const small = 128 * 1024
    expect(memoryOf(compiled, message).peak).toBeLessThanOrEqual(Math.max(small, memoryOf(plain, message).peak))
    expect(memoryOf(compiled, message).made).toBeLessThanOrEqual(2 * small + memoryOf(plain, message).made)
  })

  test('and none that is not used afterwards, where a message fits', () => {
    const pair = pairOf(schema)
    const out = new CountingWriter(256)
    pair.compiled.encode(many(100), out)
    expect(pair.code.written).toBe(1)
    expect(out.bytes.length).toBeLessThanOrEqual(2 * out.position)
  })
})

import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ByteWriter, json } from '../../src/index.ts'
import { compileReader } from '../../src/json/read-code.ts'
import { compileWriter } from '../../src/json/write-code.ts'
import { shapeOf } from '../../src/schema/shape.ts'
import type { Shape } from '../../src/schema/shape.ts'
import { assertSameReading, assertSameWriting, jsonPair } from '../support/json-pairs.ts'

/** Unions within unions, each of `options` objects that a first field tells apart. */
function nested(depth: number, options: number): z.ZodType {
  if (depth === 0) return z.number()
  const inner = nested(depth - 1, options)
  const objects = Array.from({ length: options }, (_, index) => z.object({ kind: z.literal(`k${index}`), x: inner }))
  return z.discriminatedUnion('kind', objects as never)
}

function messageOf(depth: number, kind: string, leaf: unknown): unknown {
  return depth === 0 ? leaf : { kind, x: messageOf(depth - 1, kind, leaf) }
}

function shapeFor(schema: z.ZodType): Shape {
  const shape = shapeOf(schema)
  if (shape === undefined) throw new Error('no code is made for this schema')
  return shape.shape
}

/** How often the code looks at a byte, or at a property. */
function looksOfReader(shape: Shape, text: string): number {
  let looks = 0
  const bytes = new Proxy(Buffer.from(text), {
    get(target, key) {
      if (typeof key === 'string' && /^[0-9]+$/.test(key)) looks++
      return Reflect.get(target, key) as unknown
    },
  })
  compileReader(shape)?.(bytes, 0, text.length)
  return looks
}

function looksOfWriter(shape: Shape, message: unknown): number {
  let looks = 0
  const counted = (value: unknown): unknown =>
    typeof value === 'object' && value !== null
      ? new Proxy(value, {
          get(target, key) {
            looks++
            return counted(Reflect.get(target, key))
          },
        })
      : value
  compileWriter(shape)?.(counted(message), new ByteWriter(100_000))
  return looks
}

describe.each([
  ['that is valid', 'k9', 1],
  ['whose last value is of another type', 'k9', 'x'],
  ['of an unknown kind', 'k', 1],
])('unions within unions take linear time for a message %s', (_name, kind, leaf) => {
  test('reading and writing', () => {
    const looks = [4, 8, 12].map((depth) => {
      const shape = shapeFor(nested(depth, 10))
      const message = messageOf(depth, kind, leaf)
      return [looksOfReader(shape, JSON.stringify(message)), looksOfWriter(shape, message)] as const
    })
    for (const side of [0, 1] as const) {
      const [four, eight, twelve] = looks.map((both) => both[side]) as [number, number, number]
      expect(eight - four).toBe(twelve - eight)
      expect(eight).toBeGreaterThan(0)
    }
  })
})

const late = (...kinds: readonly string[]): z.ZodType =>
  z.union(kinds.map((kind) => z.object({ x: z.array(z.number()), kind: z.literal(kind) })) as never)

test.each<[string, z.ZodType]>([
  ['a discriminator that comes late', late('a', 'b')],
  ['the same first field', z.union([z.object({ x: z.int(), y: z.string() }), z.object({ x: z.int(), y: z.int() })])],
  [
    'the same literal twice',
    z.union([z.object({ kind: z.literal('a') }), z.object({ kind: z.literal('a'), b: z.int() })]),
  ],
  ['a first field that may be absent', z.union([z.object({ a: z.int().optional() }), z.object({ b: z.int() })])],
  ['an object and a record', z.union([z.object({ a: z.int() }), z.record(z.string(), z.string())])],
  ['two arrays', z.union([z.array(z.int()), z.array(z.string())])],
  ['an array and a tuple', z.union([z.array(z.int()), z.tuple([z.string()])])],
  ['two kinds of text', z.union([z.email(), z.url()])],
  ['two kinds of number', z.union([z.int(), z.number()])],
  ['a union within that is the same', z.union([z.object({ a: z.int() }).nullable(), z.object({ a: z.string() })])],
])('json: no code is made for a union with %s', (_name, schema) => {
  expect(json(schema as never).compiled).toBe(false)
})

test.each<[string, z.ZodType, readonly unknown[]]>([
  ['other first fields', z.union([z.object({ a: z.int() }), z.object({ b: z.int() })]), [{ a: 1 }, { b: 2 }]],
  [
    'an object or nothing, or a text',
    z.union([z.object({ a: z.int() }).nullable(), z.string()]),
    [{ a: 1 }, null, 'x'],
  ],
  [
    'an array, a record, a text and a number',
    z.union([z.array(z.int()), z.record(z.string(), z.int()), z.string(), z.number()]),
    [[1], { a: 1 }, 'x', 2],
  ],
  [
    'unions of unions',
    z.union([
      z.union([z.object({ kind: z.literal(1) }), z.object({ kind: z.literal(2), b: z.int() })]),
      z.object({ kind: z.literal(null) }),
    ]),
    [{ kind: 1 }, { kind: 2, b: 1 }, { kind: null }],
  ],
])('a union of %s is written and read', (_name, schema, messages) => {
  const pair = jsonPair(z.array(schema))
  for (const message of messages.map((one) => [one])) {
    if (pair === undefined) continue
    assertSameWriting(pair, message)
    assertSameReading(pair, JSON.stringify(message))
  }
  expect(pair?.code.written).toBe(messages.length)
  expect(pair?.code.received).toBe(3 * messages.length)
})

const long = 'x'.repeat(10_000)
test.each<[string, z.ZodType]>([
  ['a long literal', z.literal(long)],
  ['many literals', z.literal(Array.from({ length: 2_000 }, (_, index) => index))],
  ['long names', z.object({ [long]: z.int() })],
  [
    'long names in parts',
    z.tuple(Array.from({ length: 10 }, (_, index) => z.object({ [`${index}${'k'.repeat(1_000)}`]: z.int() })) as never),
  ],
  ['many parts', z.tuple(Array.from({ length: 1_001 }, () => z.int()) as never)],
])('json: no code is made for a schema with %s', (_name, schema) => {
  expect(json(schema as never).compiled).toBe(false)
})

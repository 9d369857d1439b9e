import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import * as oldest from 'zod-4.0'
import * as older from 'zod-4.4'
import type { StandardSchema } from '../../src/index.ts'
import { shapeOf } from '../../src/schema/shape.ts'
import { assertSameReading, jsonPair } from '../support/json-pairs.ts'

const versions = [
  ['4.0', oldest.z as unknown as typeof z],
  ['4.4', older.z as unknown as typeof z],
  ['latest', z],
] as const

/** Asserts that both codecs read the texts in the same way, for each value of `validate`. */
function isSame(schema: StandardSchema, ...texts: readonly string[]): boolean {
  for (const validate of ['receive', 'both', 'none'] as const) {
    const pair = jsonPair(schema, { validate })
    if (pair === undefined) throw new Error('no code is made for this schema')
    for (const text of texts) assertSameReading(pair, text)
  }
  return true
}

const astral = [
  '',
  'a',
  'ab',
  'abcd',
  '🚀',
  '🚀🚀',
  '🚀🚀🚀',
  '🚀🚀🚀🚀',
  'é',
  'éé',
  'e\u0301',
  '👨‍👩‍👧',
  '\ud83d',
  'a\udc00',
].flatMap((text) => [JSON.stringify(text), `"${text.replaceAll('🚀', String.raw`\ud83d\ude80`)}"`])
const longNumbers = [
  '9'.repeat(309),
  '9'.repeat(310),
  `-${'9'.repeat(400)}`,
  `${'1'.repeat(400)}.5`,
  `0.${'0'.repeat(400)}1`,
]
const inherited = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', 'isPrototypeOf', '__proto__', 'x']

describe.each(versions)('the code and zod %s accept the same', (name, zod) => {
  test('the version is the one in the title', () => {
    const { version } = createRequire(import.meta.url)(
      name === 'latest' ? 'zod/package.json' : `zod-${name}/package.json`,
    ) as { version: string }
    expect(name === 'latest' || version.startsWith(`${name}.`)).toBe(true)
    expect(shapeOf(zod.object({ a: zod.string().min(1), b: zod.int() }))?.isExact).toBe(true)
  })

  test('lengths of texts', () => {
    for (const length of [0, 1, 2, 4]) {
      for (const schema of [zod.string().min(length), zod.string().max(length), zod.string().length(length)]) {
        expect(isSame(schema, ...astral)).toBe(true)
      }
    }
  })

  test('numbers of many digits', () => {
    for (const schema of [zod.number(), zod.number().min(0), zod.int(), zod.union([zod.number(), zod.string()])]) {
      expect(
        isSame(schema, ...longNumbers, '9007199254740991', '9007199254740992', '-0', '-0.0', '1.7976931348623157'),
      ).toBe(true)
    }
  })

  test('records with keys that all objects have', () => {
    expect(isSame(zod.record(zod.string(), zod.string()), ...inherited.map((key) => `{"${key}":"x","a":"y"}`))).toBe(
      true,
    )
    expect(
      isSame(zod.object({ a: zod.record(zod.string(), zod.int()) }), ...inherited.map((key) => `{"a":{"${key}":1}}`)),
    ).toBe(true)
  })

  test('a schema that was used before is as exact', () => {
    const schema = zod.object({
      a: zod.array(zod.object({ b: zod.tuple([zod.int()]) })),
      c: zod.record(zod.string(), zod.int()),
    })
    expect(shapeOf(schema)?.isExact).toBe(true)
    schema.parse({ a: [{ b: [1] }], c: { d: 1 } })
    expect(shapeOf(schema)?.isExact).toBe(true)
  })
})

const ZodEvenNumber = z.core.$constructor('ZodEvenNumber', (inst: z.ZodNumber, def: z.core.$ZodNumberDef) => {
  z.ZodNumber.init(inst, def)
  addCheck(inst, 'parse', (value) => value === 4 || value === 2)
})
const MyMin = z.core.$constructor('MyMin', (inst: z.core.$ZodCheckMinLength, def: z.core.$ZodCheckMinLengthDef) => {
  z.core.$ZodCheckMinLength.init(inst, def)
  addCheck(inst, 'check', (value) => value !== 'bad')
})

/** Makes a function of zod's refuse more. */
function addCheck(
  { _zod: target }: { readonly _zod: object },
  name: string,
  accepts: (value: unknown) => boolean,
): void {
  const functions = target as Record<string, (payload: z.core.ParsePayload, context: unknown) => z.core.ParsePayload>
  const inner = functions[name] as (typeof functions)[string]
  const wasBoth = functions['run'] === functions['parse']
  const outer: typeof inner = (payload, context) => {
    const result = inner(payload, context) as z.core.ParsePayload | undefined
    if (!accepts(payload.value))
      payload.issues.push({ code: 'custom', message: 'refused', input: payload.value, path: [] } as never)
    return result as z.core.ParsePayload
  }
  functions[name] = outer
  if (wasBoth && name === 'run') functions['parse'] = outer
}

function changed<S extends object>(schema: S, change: (schema: S) => void): S {
  change(schema)
  return schema
}

describe('the schema itself decides', () => {
  test.each<[string, StandardSchema, string]>([
    ['a derived type', z.object({ a: new ZodEvenNumber({ type: 'number' }) }), '{"a":3}'],
    ['a derived check', z.string().check(new MyMin({ check: 'min_length', minimum: 1 })), '"bad"'],
    [
      'a wrapped run',
      changed(z.string().min(1), (inner) => addCheck(inner, 'run', (value) => value !== 'bad')),
      '"bad"',
    ],
    [
      'a wrapped run and parse',
      changed(z.string(), (inner) => addCheck(inner, 'run', (value) => value !== 'bad')),
      '"bad"',
    ],
    [
      'a wrapped parse',
      changed(z.string().min(1), (inner) => addCheck(inner, 'parse', (value) => value !== 'bad')),
      '"bad"',
    ],
    [
      'a wrapped check',
      changed(z.string().min(1), ({ def }) =>
        addCheck((def.checks ?? [])[0] as z.core.$ZodCheck, 'check', (value) => value !== 'bad'),
      ),
      '"bad"',
    ],
    [
      'a wrapped safeParse',
      Object.assign(Object.create(z.string()) as z.ZodString, {
        safeParse: () => ({ success: false, error: { issues: [{ message: 'refused', path: [] }] } }),
      }),
      '"bad"',
    ],
  ])('%s', (_name, schema, text) => {
    expect(shapeOf(schema)?.isExact).toBe(false)
    expect(isSame(schema, text)).toBe(true)
  })

  test('samples are tried before, since the next version of zod may have other rules', () => {
    // It looks like zod's own.
    const Other = z.core.$constructor('ZodNumber', (inst: z.ZodNumber, def: z.core.$ZodNumberDef) => {
      z.core.$ZodNumber.init(inst, def)
      addCheck(inst, 'parse', (value) => value !== 3)
    })
    const schema = z.object({ a: z.array(new Other({ type: 'number' })) })
    expect(shapeOf(schema)?.isExact).toBe(true)
    expect(isSame(schema, '{"a":[3]}', '{"a":[4]}', '{"a":[1,2,3]}')).toBe(true)
  })
})

describe('what all objects have does not swallow data', () => {
  test.each<[string, StandardSchema, string, object, string]>([
    ['a field', z.object({ a: z.string() }), '{"a":"y"}', Object.prototype, 'a'],
    ['a later field', z.object({ a: z.string(), b: z.int() }), '{"a":"y","b":1}', Object.prototype, 'b'],
    [
      'an optional field',
      z.object({ a: z.int().optional(), b: z.int().optional() }),
      '{"a":1,"b":2}',
      Object.prototype,
      'b',
    ],
    ['a key of a record', z.record(z.string(), z.int()), '{"b":1,"a":2}', Object.prototype, 'a'],
    ['an item', z.array(z.int()), '[7,8,9]', Array.prototype, '1'],
    ['an item of an object', z.array(z.int()), '[7,8,9]', Object.prototype, '2'],
    ['an item of a tuple', z.tuple([z.int(), z.int()]), '[7,8]', Array.prototype, '0'],
  ])('%s', (_name, schema, text, prototype, key) => {
    const pair = jsonPair(schema, { validate: 'none' })
    const bytes = Buffer.from(text)
    const read = (): (unknown[] | undefined)[] => {
      // oxlint-disable-next-line no-extend-native -- as a vulnerable program might
      Object.defineProperty(prototype, key, { configurable: true, get: () => 'inherited', set: () => {} })
      try {
        return [pair?.compiled, pair?.plain].map((codec) => entriesOf(codec?.decode(bytes)))
      } finally {
        Reflect.deleteProperty(prototype, key)
        if (Array.isArray(prototype)) Reflect.set(prototype, 'length', 0)
      }
    }
    const [compiled, plain] = read()
    expect(compiled).toEqual(plain)
    expect(compiled).toEqual(entriesOf(JSON.parse(text)))
    expect(pair?.compiled.decode(bytes)).toEqual(JSON.parse(text))
  })
})

/** The own properties, whatever is inherited. Arrays of theirs would have what all arrays have. */
function entriesOf(value: unknown): unknown[] {
  return Object.entries(Object.getOwnPropertyDescriptors(value as object)).map(
    ([key, { value: of }]) => `${key}=${String(of)}`,
  )
}

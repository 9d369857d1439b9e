import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  array,
  bool,
  choice,
  CodecError,
  f32,
  f64,
  i16,
  i32,
  i64,
  i8,
  raw,
  text,
  u16,
  u32,
  u64,
  u8,
} from '../../src/index.ts'
import type { AnyFieldType, Codec, StructLayout } from '../../src/index.ts'
import { compiled, interpreted, versions } from '../support/struct-support.ts'
import { testCodec } from '../support/suite.ts'
import { codecError, encoded, utf8Bytes } from '../support/support.ts'

/** A type, and messages for it. */
interface Sample {
  readonly type: AnyFieldType
  readonly values: fc.Arbitrary<unknown>
}

const integer = (bits: number, min: number): fc.Arbitrary<number> => fc.integer({ min, max: min + 2 ** bits - 1 })
const scalars: readonly Sample[] = [
  { type: u8, values: integer(8, 0) },
  { type: u16, values: integer(16, 0) },
  { type: u32, values: integer(32, 0) },
  { type: i8, values: integer(8, -(2 ** 7)) },
  { type: i16, values: integer(16, -(2 ** 15)) },
  { type: i32, values: integer(32, -(2 ** 31)) },
  { type: u64, values: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
  { type: i64, values: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
  { type: f32, values: fc.float() },
  { type: f64, values: fc.double() },
  { type: bool, values: fc.boolean() },
]

/** Text that fits: characters that do not fit are left out. */
const textOf = (size: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'binary', maxLength: size }).map((all) => {
    let fitting = all.replaceAll('\0', '')
    while (utf8Bytes(fitting).length > size) fitting = Array.from(fitting).slice(0, -1).join('')
    return fitting
  })

const sized = fc.integer({ min: 1, max: 40 })
const leaves: fc.Arbitrary<Sample> = fc.oneof(
  fc.constantFrom(...scalars),
  sized.map((size) => ({ type: text(size), values: textOf(size) })),
  sized.map((size) => ({ type: raw(size), values: fc.uint8Array({ minLength: size, maxLength: size }) })),
  fc
    .uniqueArray(fc.stringMatching(/^[\w+./-]{1,5}$/), { minLength: 1, maxLength: 5 })
    .map(([first = '', ...others]) => ({ type: choice(first, ...others), values: fc.constantFrom(first, ...others) })),
)
const names = fc.stringMatching(/^[A-Za-z_$][\w$]{0,6}$/)

const records = (
  fields: fc.Arbitrary<Sample>,
  maxLength: number,
): fc.Arbitrary<Sample & { readonly type: StructLayout }> =>
  fc.array(fc.tuple(names, fields), { minLength: 1, maxLength }).map((all) => {
    const byName = Object.fromEntries(all)
    const entries = Object.entries(byName)
    const values = Object.fromEntries(entries.map(([name, sample]) => [name, sample.values]))
    return {
      type: Object.fromEntries(entries.map(([name, sample]) => [name, sample.type])),
      values: fc.record(values, { noNullPrototype: true }),
    }
  })

const { types } = fc.letrec<{ types: Sample }>((tie) => ({
  types: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    leaves,
    fc.tuple(tie('types'), fc.integer({ min: 1, max: 4 })).map(([{ type, values }, length]) => ({
      type: array(type, length),
      values: fc.array(values, { minLength: length, maxLength: length }),
    })),
    records(tie('types'), 4),
  ),
}))
const endians = fc.constantFrom('big' as const, 'little' as const)

/** Both codecs of a layout, shown as the layout when a test fails. */
function codecsOf(type: StructLayout, endian: 'big' | 'little'): readonly [Codec<unknown>, Codec<unknown>] {
  const codecs = [compiled(type, endian), interpreted(type, endian)] as const
  return Object.assign(codecs, { [fc.toStringMethod]: () => codecs[0].contentType })
}

/** A layout and a message of it, with both codecs. */
const samples = fc.tuple(records(types, 11), endians).chain(([{ type, values }, endian]) =>
  values.map((message) => ({
    message,
    says: compiled(type, endian).contentType,
    codecs: codecsOf(type, endian),
  })),
)

/** The result, or the text of the CodecError. */
function outcome(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    if (error instanceof CodecError) return `${error.code} ${error.message}`
    throw error
  }
}

/** The message with `junk` in the place that `picks` lead to. */
function spoiled(value: unknown, [pick, ...picks]: readonly number[], junk: unknown): unknown {
  if (pick === undefined || typeof value !== 'object' || value === null || value instanceof Uint8Array) return junk
  const entries: [string, unknown][] = Object.entries(value)
  const at = pick % entries.length
  const changed = entries.map(
    ([key, inner], index) => [key, index === at ? spoiled(inner, picks, junk) : inner] as const,
  )
  return Array.isArray(value) ? changed.map(([, inner]) => inner) : Object.fromEntries(changed)
}

const notTheseBytes = /^DECODE_FAILED [\w$.[\]]+: these bytes are not /
const notThisValue = /^ENCODE_FAILED [\w$.[\]]+: expected .+, got /

describe('struct, of any layout', () => {
  test('returns what was sent, compiled and interpreted, in the same bytes', () => {
    const property = fc.property(samples, ({ message, codecs: [fast, plain] }) => {
      const bytes = encoded(fast, message)
      expect(bytes.length).toBe(fast.size)
      expect(encoded(plain, message)).toEqual(bytes)
      expect(fast.decode(bytes)).toStrictEqual(message)
      expect(plain.decode(bytes)).toStrictEqual(message)
    })
    expect(fc.defaultReportMessage(fc.check(property, { numRuns: 500 }))).toBeUndefined()
  })

  test('refuses a record that is cut or too long', () => {
    const property = fc.property(samples, fc.nat(), ({ message, codecs }, cut) => {
      const bytes = encoded(codecs[0], message)
      for (const codec of codecs) {
        codecError('DECODE_FAILED', () => codec.decode(bytes.subarray(0, cut % bytes.length)))
        codecError('DECODE_FAILED', () => codec.decode(Uint8Array.of(...bytes, 0)))
      }
    })
    expect(fc.defaultReportMessage(fc.check(property))).toBeUndefined()
  })

  test('has the same result for any bytes, compiled and interpreted, and encodes what it decodes', () => {
    const noise = fc.infiniteStream(fc.oneof(fc.nat({ max: 2 }), fc.nat({ max: 255 })))
    const property = fc.property(samples, noise, ({ codecs: [fast, plain] }, stream) => {
      const bytes = Uint8Array.from(stream.take(fast.size ?? 0))
      const message = outcome(() => fast.decode(bytes))
      expect(outcome(() => plain.decode(bytes))).toStrictEqual(message)
      const again = typeof message === 'string' ? message : outcome(() => fast.decode(encoded(fast, message)))
      expect(again).toStrictEqual(message)
      expect(typeof message !== 'string' || notTheseBytes.test(message)).toBe(true)
    })
    expect(fc.defaultReportMessage(fc.check(property, { numRuns: 500 }))).toBeUndefined()
  })

  test('has the same result for a message with one wrong value, compiled and interpreted', () => {
    const picks = fc.array(fc.nat(), { minLength: 1, maxLength: 5 })
    const junk = fc.constantFrom<unknown>(undefined, null, 1e300, -1n, 2n ** 65n, '\0', '\uD800', [], {}, Symbol('s'))
    const property = fc.property(samples, picks, junk, ({ message, codecs: [fast, plain] }, path, value) => {
      const changed = spoiled(message, path, value)
      const bytes = outcome(() => encoded(fast, changed))
      expect(outcome(() => encoded(plain, changed))).toEqual(bytes)
      expect(bytes).toEqual(expect.toSatisfy((said) => typeof said !== 'string' || notThisValue.test(said)))
    })
    expect(fc.defaultReportMessage(fc.check(property, { numRuns: 500 }))).toBeUndefined()
  })
})

const everything = {
  id: u32,
  name: text(6),
  key: raw(3),
  side: choice('buy', 'sell', 'hold'),
  at: { x: f32, y: f64, deep: { ok: bool } },
  path: array({ x: i16, label: text(2) }, 3),
  grid: array(array(u8, 2), 2),
} as const
const messages = fc.record(
  {
    id: integer(32, 0),
    name: textOf(6),
    key: fc.uint8Array({ minLength: 3, maxLength: 3 }),
    side: fc.constantFrom('buy' as const, 'sell' as const, 'hold' as const),
    at: fc.record(
      { x: fc.float(), y: fc.double(), deep: fc.record({ ok: fc.boolean() }, { noNullPrototype: true }) },
      { noNullPrototype: true },
    ),
    path: fc.array(fc.record({ x: integer(16, -(2 ** 15)), label: textOf(2) }, { noNullPrototype: true }), {
      minLength: 3,
      maxLength: 3,
    }),
    grid: fc.array(fc.array(integer(8, 0), { minLength: 2, maxLength: 2 }), { minLength: 2, maxLength: 2 }),
  },
  { noNullPrototype: true },
)

for (const [version, make] of versions) {
  testCodec(`struct of all types, ${version}`, make(everything), {
    messages,
    refused: [undefined, null, 5, 'record', [], {}, { id: 1, name: 'x' }],
    broken: [new Uint8Array(0), new Uint8Array(42), new Uint8Array(44), new Uint8Array(43).fill(3)],
  })
}

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { StandardSchema } from '../../src/index.ts'
import { cursor, readNumber, readText } from '../../src/json/read-values.ts'
import { shapeOf } from '../../src/schema/shape.ts'
import { assertSameReading, jsonPair } from '../support/json-pairs.ts'
import { numbers } from '../support/json-shapes.ts'
import { utf8Bytes } from '../support/support.ts'

/** Asserts that both codecs read the text in the same way. Returns whether the compiled code did. */
function isRead(schema: StandardSchema, text: string | Uint8Array): boolean {
  const pair = jsonPair(schema)
  if (pair === undefined) throw new Error('no code is made for this schema')
  assertSameReading(pair, text)
  return pair.code.received > 0
}

const Quote = z.object({ symbol: z.string(), price: z.number(), note: z.string().optional() })
const Shape = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('circle'), radius: z.number() }),
  z.object({ kind: z.literal('square'), side: z.number(), label: z.string().nullish() }),
])
const letters = Array.from({ length: 26 }, (_, index) => String.fromCodePoint(0x61 + index))
/** Longer than what is scanned byte by byte. */
const longText = 'x'.repeat(300)
const isoDate = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
})

describe('a compiled reader reads', () => {
  test.each<[string, StandardSchema, string]>([
    ['an object', Quote, '{"symbol":"SAP","price":196.5}'],
    ['an optional field', Quote, '{"symbol":"SAP","price":-0,"note":""}'],
    ['an optional field that comes first', z.object({ a: z.int().optional(), b: z.int() }), '{"b":1}'],
    ['what the schema refuses', z.object({ a: z.email() }), '{"a":"x"}'],
    ['what the schema changes', z.object({ a: z.string().trim() }), '{"a":" x "}'],
    ['what a codec converts', z.object({ at: isoDate }), '{"at":"1970-01-01T00:00:00.000Z"}'],
    ['a frozen message', Quote.readonly(), '{"symbol":"SAP","price":1}'],
    [
      'text in UTF-8',
      z.array(z.string()),
      '["é","日本","🚀","\\ufffd","\uFFFD","\uFEFF","\u2028"]'.replace('\\ufffd', 'x'),
    ],
    ['escapes', z.array(z.string()), '["\\u0041\\n","\\\\","\\"é","\\ud800","\\ud83d\\ude80"]'],
    ['long texts', z.array(z.string()), JSON.stringify(['x'.repeat(100_000), 'é'.repeat(100_000)])],
    ['a quote in a long text', z.array(z.string()), JSON.stringify([`${longText}"${longText}"`, `${longText}\\`, 'x'])],
    [
      'backslashes at the end of a long text',
      z.array(z.string()),
      JSON.stringify([`${longText}\\\\`, `${longText}\\"`, longText]),
    ],
    [
      'numbers',
      z.array(z.number()),
      '[0,-0,1.5,-0.25,5.666666666666667,9007199254740993,123456789012345678901234567890]',
    ],
    ['integers', z.array(z.int()), '[0,-1,9007199254740991]'],
    ['scalars', z.tuple([z.boolean(), z.boolean(), z.null()]), '[true,false,null]'],
    ['empty arrays', z.tuple([z.array(z.string()), z.tuple([])]), '[[],[]]'],
    ['literals', z.array(z.literal(['a', 'ab', 'é"', 1, 12, true, null, -0])), '["ab","a","é\\"",12,1,true,null,0]'],
    ['an enum', z.array(z.enum(['buy', 'sell'])), '["buy","sell"]'],
    ['a large enum', z.array(z.enum(letters)), '["a","z"]'],
    ['a union', z.array(z.union([z.string(), z.number(), Quote, z.null()])), '["a",1,{"symbol":"x","price":1},null]'],
    ['a discriminated union', z.array(Shape), '[{"kind":"square","side":1,"label":null},{"kind":"circle","radius":2}]'],
    ['a record', z.record(z.string(), z.number()), '{"b":1,"2":2,"1":3,"b":4,"toString":5,"":6}'],
    ['odd keys', z.object({ '"\\': z.int(), 'é日\u2028': z.int() }), '{"\\"\\\\":1,"é日\u2028":2}'],
    ['a union that one option must match', z.xor([z.string(), z.literal('a')]), '"a"'],
    ['a default that is not needed', z.object({ a: z.int().default(5) }), '{"a":1}'],
    ['a length', z.array(z.string().min(1).max(3)).length(2), '["a","abc"]'],
  ])('%s', (_name, schema, text) => {
    expect(isRead(schema, text)).toBe(true)
  })
})

describe('a compiled reader leaves to JSON.parse', () => {
  test.each<[string, StandardSchema, string | Uint8Array]>([
    ['another order of keys', Quote, '{"price":1,"symbol":"SAP"}'],
    ['white space', Quote, '{"symbol": "SAP","price":1}'],
    ['white space at the end', Quote, '{"symbol":"SAP","price":1} '],
    ['an unknown key', Quote, '{"symbol":"SAP","price":1,"more":2}'],
    ['a key that comes twice', Quote, '{"symbol":"SAP","symbol":"X","price":1}'],
    ['a missing key', Quote, '{"symbol":"SAP"}'],
    ['another type', Quote, '{"symbol":5,"price":1}'],
    ['an invalid escape', Quote, '{"symbol":"\\x","price":1}'],
    ['an escape at the end', Quote, '{"symbol":"\\'],
    ['a control character behind an escape', Quote, '{"symbol":"\\n\n","price":1}'],
    ['an escape in a key', Quote, '{"\\u0073ymbol":"A","price":1}'],
    ['a control character', Quote, '{"symbol":"a\nb","price":1}'],
    ['a lone surrogate', z.string(), Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)],
    ['invalid UTF-8', z.string(), Uint8Array.of(0x22, 0xc3, 0x22)],
    ['a byte order mark', z.string(), '\uFEFF"a"'],
    ['a control character far in a text', Quote, `{"symbol":"${longText}\n","price":1}`],
    ['an invalid escape far in a text', Quote, `{"symbol":"${longText}\\x","price":1}`],
    ['a long text without an end', Quote, `{"symbol":"${longText}`],
    ['a long text that ends in an escape', Quote, `{"symbol":"${longText}\\"`],
    ['invalid UTF-8 far in a text', z.string(), Buffer.from(`"${longText}\xc3"`, 'latin1')],
    ['an exponent', z.number(), '1e5'],
    ['a zero in front', z.array(z.number()), '[01]'],
    ['a point without digits', z.array(z.number()), '[1.]'],
    ['a sign without digits', z.array(z.number()), '[-]'],
    ['what is no integer', z.array(z.int()), '[1.5]'],
    ['an unsafe integer', z.array(z.int()), '[9007199254740992]'],
    ['a number beyond its range', z.array(z.number().min(0).lt(24)), '[24]'],
    ['a text that is too long', z.string().max(2), '"abc"'],
    ['an array that is too short', z.array(z.int()).min(1), '[]'],
    ['a comma at the end', z.array(z.int()), '[1,]'],
    ['a tuple of another length', z.tuple([z.int()]), '[1,2]'],
    ['a key __proto__', z.record(z.string(), z.int()), '{"__proto__":1}'],
    ['an empty record', z.record(z.string(), z.int()), '{}'],
    ['a default that is needed', z.object({ a: z.int().default(5), b: z.int() }), '{"b":1}'],
    ['a text that ends early', Quote, '{"symbol":"SAP","pri'],
    ['nothing', Quote, ''],
    ['two texts', Quote, '{"symbol":"SAP","price":1}{}'],
    ['an unknown option', Shape, '{"kind":"star","radius":2}'],
  ])('%s', (_name, schema, text) => {
    expect(isRead(schema, text)).toBe(false)
  })
})

test.each<[boolean, string, z.ZodType]>([
  [true, 'types alone', Quote],
  [true, 'comparisons', z.object({ a: z.int().min(0), b: z.string().max(5), c: z.array(z.int32()).nonempty() })],
  [true, 'an exclusive union', Shape],
  [false, 'a format', z.object({ a: z.email() })],
  [false, 'a refinement', Quote.refine(() => true)],
  [false, 'a union whose first option accepts all', z.union([z.enum(['a']).catch('a'), z.enum(['b'])])],
  [false, 'a coercion', z.object({ a: z.coerce.number() })],
  [false, 'a record with checked keys', z.record(z.string().min(1), z.int())],
  [false, 'a record with an enum', z.record(z.enum(['a', 'b']), z.int())],
  [false, 'a union that is not exclusive', z.union([Quote, z.object({ a: z.string() })])],
  [false, 'a union of which one option is any text', z.xor([z.string(), z.literal('a')])],
  [false, 'an optional default', z.object({ a: z.string().default('x').optional() })],
])('shapeOf: the schema is exact: %s, for %s', (isExact, _what, schema) => {
  expect(shapeOf(schema)?.isExact).toBe(isExact)
})

test('readText reads texts of each length around the first that the platform reads, with a quote or an escape at each end', () => {
  for (let length = 250; length < 262; length++) {
    for (const end of ['', '"', '\\', '\\"', '\n', 'é', '"x']) {
      const text = 'x'.repeat(length) + end
      const bytes = utf8Bytes(`${JSON.stringify(text)},"y"`)
      cursor.at = 0
      expect(readText(bytes)).toBe(text)
      expect(cursor.at).toBe(bytes.length - 4)
    }
  }
})

test('readNumber reads what Number makes of a text', () => {
  const isSame = (text: string): boolean => {
    cursor.at = 1
    const bytes = utf8Bytes(`[${text}]`)
    const value = readNumber(bytes)
    return text.includes('e') || (Object.is(value, Number(text)) && cursor.at === text.length + 1)
  }
  const finite = numbers.filter(Number.isFinite)
  const digits = fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.stringMatching(/^[0-9]{1,20}$/))
  const long = digits.map(([whole, decimals]) => `${whole}.${decimals}`)
  const isAlways = fc.property(finite, long, (value, text) => isSame(JSON.stringify(value)) && isSame(text))
  expect(() => fc.assert(isAlways, { numRuns: 20_000 })).not.toThrow()
})

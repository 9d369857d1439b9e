import type { Codec } from '@h2channel/codecs'
import { ByteWriter } from '@h2channel/codecs'
import { codecSuite } from '@h2channel/codecs/testing'
import { Tagged } from 'cborg'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

import { cbor } from '../src/cbor.ts'

const cycle: unknown[] = []
cycle.push(cycle)

const samples = {
  messages: [
    null,
    false,
    -1,
    1.1,
    -1e300,
    Number.NaN,
    Number.MAX_SAFE_INTEGER,
    2n ** 64n - 1n,
    -(2n ** 64n),
    '',
    'grüße 🎈',
    '\uFEFFa byte order mark',
    'x'.repeat(300),
    new Uint8Array(),
    Uint8Array.from({ length: 300 }, (_, index) => index),
    [],
    [[], {}, [null, [true]]],
    Array.from({ length: 300 }, (_, index) => index),
    { sensor: '28-000005e2fdc3', celsius: 25.0625, frame: Uint8Array.of(0x91, 1, 0x4b), more: { deep: [{}] } },
    JSON.parse('{ "__proto__": 1, "constructor": 2, "": 3 }'),
  ] as readonly unknown[],
  refused: [
    undefined,
    [undefined],
    () => 1,
    Symbol('s'),
    2n ** 64n,
    -(2n ** 64n) - 1n,
    'a lone \uD800',
    { '\uDC00': 1 },
    new Date(0),
    new Map([['a', 1]]),
    new Set([1]),
    new Error('no message'),
    /a/,
    new Tagged(1, 0),
    Promise.resolve(),
    cycle,
  ],
  broken: [
    '', // nothing
    '0102', // two items
    '19 03', // truncated
    '62 c3 28', // text that is not UTF-8
    '61 ff',
    '5f 42 0102 43 030405 ff', // unknown lengths: bytes,
    '9f ff', // an array,
    'bf 61 61 01 ff', // an object
    'ff', // a break outside, or in place of a value
    'a1 61 61 ff',
    'f7', // undefined
    'f0', // a simple value without a meaning
    'f8 18',
    '1c', // reserved values
    'a1 01 02', // a key that is not text
    'a2 61 61 01 61 61 02', // a key twice
    'c1 00', // tags
    `c2 5a 00 10 00 00 ${'ff'.repeat(0x10_00_00)}`, // one that would make a number of 8,388,608 bits
    '9b ff ff ff ff ff ff ff ff', // lengths that lie
    'bb 00 0f ff ff ff ff ff ff',
    '5b 00 0f ff ff ff ff ff ff',
    '7a ff ff ff ff 61',
    '81'.repeat(1_000_000), // deeper than the stack
  ].map(hex),
}

const Reading = z.object({ sensor: z.string(), celsius: z.number(), frame: z.instanceof(Uint8Array) })
const milliseconds = z.codec(z.int(), z.date(), {
  decode: (time) => new Date(time),
  encode: (date) => date.getTime(),
})

// oxlint-disable-next-line vitest/expect-expect -- the suite asserts
for (const { name, run } of codecSuite(cbor(), samples)) test(`cbor(): ${name}`, run)

const reading = { sensor: '28-000005e2fdc3', celsius: 25.0625, frame: Uint8Array.of(0x91, 1), at: new Date(1e12) }
const suiteOfSchema = codecSuite(cbor(Reading.extend({ at: milliseconds })), {
  messages: [reading, { ...reading, celsius: -0.5, at: new Date(0) }],
  refused: [undefined, {}, { ...reading, at: 0 }, { ...reading, at: new Date(Number.NaN) }],
  broken: [hex('a0'), hex('f6'), ...samples.broken],
})
// oxlint-disable-next-line vitest/expect-expect -- the suite asserts
for (const { name, run } of suiteOfSchema) test(`cbor(schema): ${name}`, run)

// RFC 8949, appendix A.
describe('the examples of the RFC', () => {
  const both: readonly (readonly [message: unknown, digits: string])[] = [
    [0, '00'],
    [1, '01'],
    [10, '0a'],
    [23, '17'],
    [24, '1818'],
    [25, '1819'],
    [100, '1864'],
    [1000, '1903e8'],
    [1_000_000, '1a000f4240'],
    [1_000_000_000_000, '1b000000e8d4a51000'],
    [18446744073709551615n, '1bffffffffffffffff'],
    [-18446744073709551616n, '3bffffffffffffffff'],
    [-1, '20'],
    [-10, '29'],
    [-100, '3863'],
    [-1000, '3903e7'],
    [1.1, 'fb3ff199999999999a'],
    [1.5, 'f93e00'],
    [3.4028234663852886e38, 'fa7f7fffff'],
    [1e300, 'fb7e37e43c8800759c'],
    [5.960464477539063e-8, 'f90001'],
    [0.00006103515625, 'f90400'],
    [-4.1, 'fbc010666666666666'],
    [Number.POSITIVE_INFINITY, 'f97c00'],
    [Number.NaN, 'f97e00'],
    [Number.NEGATIVE_INFINITY, 'f9fc00'],
    [false, 'f4'],
    [true, 'f5'],
    [null, 'f6'],
    [hex(''), '40'],
    [hex('01020304'), '4401020304'],
    ['', '60'],
    ['a', '6161'],
    ['IETF', '6449455446'],
    ['"\\', '62225c'],
    ['\u00FC', '62c3bc'],
    ['\u6C34', '63e6b0b4'],
    ['\uD800\uDD51', '64f0908591'],
    [[], '80'],
    [[1, 2, 3], '83010203'],
    [[1, [2, 3], [4, 5]], '8301820203820405'],
    [Array.from({ length: 25 }, (_, index) => index + 1), '98190102030405060708090a0b0c0d0e0f101112131415161718181819'],
    [{}, 'a0'],
    [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
    [['a', { b: 'c' }], '826161a161626163'],
    [{ a: 'A', b: 'B', c: 'C', d: 'D', e: 'E' }, 'a56161614161626142616361436164614461656145'],
  ]
  test.each(both)('%o is %s, in both directions', (message, digits) => {
    expect(encoded(cbor(), message)).toEqual(hex(digits))
    expect(cbor().decode(hex(digits))).toEqual(message)
  })

  // JavaScript does not know that a number without a fraction was a float.
  test.each([
    [0, 'f90000'],
    [-0, 'f98000'],
    [1, 'f93c00'],
    [65504, 'f97bff'],
    [100_000, 'fa47c35000'],
    [-4, 'f9c400'],
    [Number.POSITIVE_INFINITY, 'fa7f800000'],
    [Number.NaN, 'fb7ff8000000000000'],
  ])('%o is read of %s', (message, digits) => {
    expect(cbor().decode(hex(digits))).toBe(message)
  })

  test.each([
    ['a bignum', 'c249010000000000000000'],
    ['a date', 'c074323031332d30332d32315432303a30343a30305a'],
    ['a URI', 'd82076687474703a2f2f7777772e6578616d706c652e636f6d'],
    ['undefined', 'f7'],
    ['simple(16)', 'f0'],
    ['simple(255)', 'f8ff'],
    ['an object whose keys are numbers', 'a201020304'],
    ['bytes of unknown length', '5f42010243030405ff'],
    ['text of unknown length', '7f657374726561646d696e67ff'],
    ['an array of unknown length', '9f018202039f0405ffff'],
    ['an object of unknown length', 'bf6346756ef563416d7421ff'],
  ])('%s is refused: %s', (_what, digits) => {
    expect(() => cbor().decode(hex(digits))).toThrow(expect.objectContaining({ code: 'DECODE_FAILED' }))
  })
})

describe('cbor', () => {
  test.each<[what: string, sent: unknown, came: unknown]>([
    ['a property that is undefined is left out', { a: undefined, b: 1 }, { b: 1 }],
    ['a bigint that a number holds is that number', [5n, -5n], [5, -5]],
    ['-0 is 0', -0, 0],
    ['a view is a Uint8Array', new Int8Array([1, -1]), hex('01ff')],
    ['an ArrayBuffer is a Uint8Array', new Int8Array([1, -1]).buffer, hex('01ff')],
    ['an object of a class is its own properties', new ByteLength(3), { bytes: 3 }],
  ])('what arrives in another form: %s', (_what, sent, came) => {
    expect(cbor().decode(encoded(cbor(), sent))).toStrictEqual(came)
  })

  test('keeps the error that the library threw', () => {
    expect(() => encoded(cbor(), new Date(0))).toThrow(
      expect.objectContaining({
        code: 'ENCODE_FAILED',
        message: 'CBOR encode error: unsupported type: Date',
        cause: expect.any(Error),
      }),
    )
    expect(() => cbor().decode(hex('8201'))).toThrow(
      expect.objectContaining({
        code: 'DECODE_FAILED',
        message: expect.stringContaining('array but not enough entries'),
        cause: expect.any(Error),
      }),
    )
  })

  test('keeps a thrown value that is not an Error', () => {
    const message = {
      get a(): never {
        // oxlint-disable-next-line typescript/only-throw-error -- a getter can throw anything
        throw 'a string'
      },
    }
    expect(() => encoded(cbor(), message)).toThrow(
      expect.objectContaining({ code: 'ENCODE_FAILED', cause: 'a string' }),
    )
  })

  test('has the codes of the schema for a message that the schema refuses', () => {
    const readings = cbor(Reading, { validate: 'both' })
    const wrong = { sensor: 7, celsius: 1, frame: hex('') }
    const refusal = (code: string): unknown =>
      expect.objectContaining({ code, message: expect.stringMatching(/^sensor: /) })
    // @ts-expect-error -- a number, where the schema has a string
    expect(() => readings.encode(wrong, new ByteWriter())).toThrow(refusal('ENCODE_FAILED'))
    expect(() => readings.decode(encoded(cbor(), wrong))).toThrow(refusal('INVALID_MESSAGE'))
  })

  test('returns bytes with their own memory', () => {
    const chunk = hex('83 42 0102 42 0304 00')
    const decoded = cbor<[Uint8Array, Uint8Array, number]>().decode(chunk)
    chunk.fill(0xff)
    expect(decoded).toEqual([hex('0102'), hex('0304'), 0])
    expect(decoded[0].buffer.byteLength).toBe(2)
  })

  test('is typed by its schema', () => {
    expectTypeOf(cbor<number>()).toEqualTypeOf<Codec<number>>()
    expectTypeOf(cbor(z.object({ at: milliseconds }))).toEqualTypeOf<Codec<{ at: Date }>>()
    // @ts-expect-error -- no way back from the number to the text
    expect(() => cbor(z.string().transform(Number))).toThrow(expect.objectContaining({ code: 'INVALID_CODEC' }))
  })
})

class ByteLength {
  readonly bytes: number
  constructor(bytes: number) {
    this.bytes = bytes
  }
}

function encoded<T>(codec: Codec<T>, message: T): Uint8Array {
  const out = new ByteWriter()
  codec.encode(message, out)
  return Uint8Array.from(out.written())
}

/** The bytes that hexadecimal digits stand for. */
function hex(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits.replaceAll(' ', ''), 'hex'))
}

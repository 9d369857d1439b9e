import { encode as reference, ExtData as LibraryExtData } from '@msgpack/msgpack'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ByteWriter, ExtData, msgpack } from '../../src/index.ts'
import { codecError, encodeAnything, encoded, failing, hex, nested } from '../support/support.ts'

const roundTrip = (message: unknown): unknown => msgpack().decode(encoded(msgpack(), message))

test('msgpack: says what it is', () => {
  expect(msgpack()).toMatchObject({ name: 'msgpack', contentType: 'application/vnd.h2channel+msgpack' })
  expect(msgpack().size).toBeUndefined()
  expect(msgpack().line).toBeUndefined()
})

describe('msgpack: numbers', () => {
  test.each([
    [0, '00'],
    [127, '7f'],
    [128, 'cc 80'],
    [0xffff, 'cd ff ff'],
    [0xffffffff, 'ce ff ff ff ff'],
    [2 ** 32, 'cf 00 00 00 01 00 00 00 00'],
    [Number.MAX_SAFE_INTEGER, 'cf 00 1f ff ff ff ff ff ff'],
    [255, 'cc ff'],
    [256, 'cd 01 00'],
    [0x10000, 'ce 00 01 00 00'],
    [-1, 'ff'],
    [-32, 'e0'],
    [-33, 'd0 df'],
    [-128, 'd0 80'],
    [-129, 'd1 ff 7f'],
    [-0x8000, 'd1 80 00'],
    [-0x8001, 'd2 ff ff 7f ff'],
    [-(2 ** 31), 'd2 80 00 00 00'],
    [-(2 ** 31) - 1, 'd3 ff ff ff ff 7f ff ff ff'],
    [Number.MIN_SAFE_INTEGER, 'd3 ff e0 00 00 00 00 00 01'],
    [1.5, 'cb 3f f8 00 00 00 00 00 00'],
    [2 ** 53, 'cb 43 40 00 00 00 00 00 00'],
    [Infinity, 'cb 7f f0 00 00 00 00 00 00'],
  ])('%d travels as %s and arrives', (number, bytes) => {
    expect(encoded(msgpack(), number)).toEqual(hex(bytes))
    expect(msgpack().decode(hex(bytes))).toBe(number)
  })

  test('a time in milliseconds arrives as a number', () => {
    expect(roundTrip({ ts: 1_763_834_400_123 })).toEqual({ ts: 1_763_834_400_123 })
  })

  test('every number arrives as itself, -0 as 0', () => {
    expect(roundTrip(-0)).toBe(0)
    fc.assert(
      fc.property(
        fc.double().map((x) => x + 0),
        (number) => Object.is(roundTrip(number), number),
      ),
    )
    fc.assert(fc.property(fc.maxSafeInteger(), (number) => Object.is(roundTrip(number), number + 0)))
  })

  test('what other encoders write is read too (PACK-2)', () => {
    expect(msgpack().decode(hex('ca 3f c0 00 00'))).toBe(1.5)
    expect(msgpack().decode(hex('cf 00 00 00 00 00 00 00 05'))).toBe(5)
    expect(msgpack().decode(hex('d3 ff ff ff ff ff ff ff fb'))).toBe(-5)
    expect(msgpack().decode(hex('d1 ff fb'))).toBe(-5)
  })

  test.each([
    [2n ** 53n, 'cf 00 20 00 00 00 00 00 00'],
    [2n ** 63n - 1n, 'cf 7f ff ff ff ff ff ff ff'],
    [2n ** 64n - 1n, 'cf ff ff ff ff ff ff ff ff'],
    [-(2n ** 53n), 'd3 ff e0 00 00 00 00 00 00'],
    [-(2n ** 63n), 'd3 80 00 00 00 00 00 00 00'],
  ])('%d, which a number does not hold, travels as %s and arrives as a bigint', (bigint, bytes) => {
    expect(encoded(msgpack(), bigint)).toEqual(hex(bytes))
    expect(msgpack().decode(hex(bytes))).toBe(bigint)
  })

  test('a 64-bit integer is never rounded, from either side of what a number holds', () => {
    const bigints = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.bigInt({ min: 2n ** 53n - 9n, max: 2n ** 53n + 9n }),
      fc.bigInt({ min: -(2n ** 53n) - 9n, max: -(2n ** 53n) + 9n }),
    )
    fc.assert(
      fc.property(bigints, (bigint) => {
        const isSafe = BigInt.asIntN(54, bigint) === bigint && bigint !== -(2n ** 53n)
        expect(encoded(msgpack(), bigint)).toHaveLength(9)
        expect(roundTrip({ bigint })).toStrictEqual({ bigint: isSafe ? Number(bigint) : bigint })
      }),
    )
  })

  test.each([2n ** 64n, -(2n ** 63n) - 1n, 10n ** 30n])('%d does not fit, and is refused', (bigint) => {
    const { message } = codecError('ENCODE_FAILED', () => encodeAnything(msgpack(), { id: bigint }))
    expect(message).toContain('-(2^63) to 2^64 - 1')
  })

  test('a schema makes a bigint of any that arrives', () => {
    const ids = msgpack(z.object({ id: z.coerce.bigint() }))
    for (const id of [0n, 5n, -5n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n, -(2n ** 63n)]) {
      expect(ids.decode(encoded(ids, { id }))).toEqual({ id })
    }
    expect(ids.decode(encoded(msgpack(), { id: 5 }))).toEqual({ id: 5n })
  })
})

describe('msgpack: values', () => {
  test.each([
    [undefined, null],
    [null, null],
    [{ a: undefined, b: null }, { b: null }],
    [
      [undefined, 1],
      [null, 1],
    ],
    [new Date(1_763_834_400_123), new Date(1_763_834_400_123)],
    [new Date(-1), new Date(-1)],
    [new Date(8.64e15), new Date(8.64e15)],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
    [Uint16Array.of(0x0201), Uint8Array.of(1, 2)],
    [new ExtData(7, Uint8Array.of(1)), new ExtData(7, Uint8Array.of(1))],
    ['Größe 日本 🚀', 'Größe 日本 🚀'],
    [
      { Größe: 1, 日本語の長い鍵: 2 },
      { Größe: 1, 日本語の長い鍵: 2 },
    ],
    ['日'.repeat(100_000), '日'.repeat(100_000)],
    [
      new (class Point {
        x = 1
      })(),
      { x: 1 },
    ],
  ])('%o arrives as %o', (message, expected) => {
    expect(roundTrip(message)).toEqual(expected)
  })

  test.each(['x'.repeat(31), 'x'.repeat(32), 'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(65_535), 'x'.repeat(65_536)])(
    'a string of any header arrives (%#)',
    (message) => {
      expect(roundTrip(message)).toBe(message)
    },
  )

  test.each([0, 255, 256, 65_535, 65_536])('%i bytes arrive', (length) => {
    expect(roundTrip(new Uint8Array(length).fill(7))).toEqual(new Uint8Array(length).fill(7))
  })

  test.each([0, 15, 16, 65_535, 65_536])('an array of %i arrives, and a map', (length) => {
    const array = Array.from({ length }, (_, index) => index)
    expect(roundTrip(array)).toEqual(array)
    const map = Object.fromEntries(array.map((index) => [`k${index}`, index]))
    expect(roundTrip(map)).toEqual(map)
  })

  test.each([1, 2, 4, 8, 16, 17, 256, 65_536])('an extension of %i bytes arrives', (length) => {
    const message = new ExtData(1, new Uint8Array(length).fill(1))
    expect(roundTrip(message)).toEqual(message)
  })

  test('a number as a key is read as a property name', () => {
    expect(msgpack().decode(hex('81 05 a1 61'))).toEqual({ 5: 'a' })
    expect(msgpack().decode(hex('81 ff 01'))).toEqual({ '-1': 1 })
    expect(msgpack().decode(hex('81 cf ff ff ff ff ff ff ff ff 01'))).toEqual({ '18446744073709551615': 1 })
  })

  test('a key __proto__ is an ordinary property', () => {
    const message: unknown = JSON.parse('{"a":{"__proto__":{"evil":1},"b":2},"constructor":1,"toString":null}')
    const arrived = roundTrip(message)
    expect(JSON.stringify(arrived)).toBe(JSON.stringify(message))
    expect(Object.getOwnPropertyDescriptor(roundTrip(JSON.parse('{"__proto__":1}')), '__proto__')).toEqual({
      value: 1,
      writable: true,
      enumerable: true,
      configurable: true,
    })
    expect(Object.getPrototypeOf(roundTrip(JSON.parse('{"__proto__":{"evil":1}}')))).toBe(Object.prototype)
    expect('evil' in {}).toBe(false)
  })

  test('a key that comes twice counts the second time, as in JSON', () => {
    expect(msgpack().decode(hex('82 a1 61 01 a1 61 02'))).toEqual({ a: 2 })
  })

  test('properties are read once, and those left out do not count', () => {
    let reads = 0
    const message = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`k${index}`, index % 2 || undefined]))
    Object.defineProperty(message, 'once', { enumerable: true, get: () => (reads++ === 0 ? 'first' : undefined) })
    const expected = { ...JSON.parse(JSON.stringify(message)), once: 'first' }
    reads = 0
    const bytes = encoded(msgpack(), message)
    expect(msgpack().decode(bytes)).toEqual(expected)
    expect(bytes[0]).toBe(0x8b)
    expect(reads).toBe(1)
  })

  test.each([
    ['a Map', new Map(), 'class Map'],
    ['a Set', new Set(), 'class Set'],
    ['an ArrayBuffer', new ArrayBuffer(1), 'class ArrayBuffer'],
    ['an invalid Date', new Date(Number.NaN), 'an invalid Date'],
    ['a RegExp', /x/, 'class RegExp'],
    ['an Error', new TypeError('x'), 'class Error'],
    ['a boxed number', Object(5), 'class Number'],
    ['a function', () => 1, 'a function'],
    ['a symbol', Symbol('s'), 'a symbol'],
    ['an extension of no type', new ExtData(200, Uint8Array.of(1)), 'int8'],
  ])('%s is refused where it would get lost', (_, message: unknown, expected) => {
    expect(codecError('ENCODE_FAILED', () => encodeAnything(msgpack(), { a: [message] })).message).toContain(expected)
  })

  test.each([
    ['a key that is an array', hex('81 90 01')],
    ['a key that is nil', hex('81 c0 01')],
    ['a key that is true', hex('81 c3 01')],
    ['a key that is binary', hex('81 c4 01 61 01')],
    ['a timestamp of 5 bytes', hex('c7 05 ff 00 00 00 00 00')],
    ['a timestamp of no bytes', hex('c7 00 ff')],
    ['a timestamp out of range', hex('c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff')],
    ['a timestamp of a whole second of nanoseconds', hex('d7 ff ee 6b 28 00 00 00 00 00')],
    ['the same in 96 bits', hex('c7 0c ff 3b 9a ca 00 00 00 00 00 00 00 00 00')],
  ])('%s is refused', (_, bytes) => {
    expect(codecError('DECODE_FAILED', () => msgpack().decode(bytes)).message).toContain('not a MessagePack message')
  })

  test.each([
    ['d6 ff 00 00 00 01', 1000],
    ['d6 ff ff ff ff ff', 0xffffffff * 1000],
    ['d7 ff ee 6b 27 fc 00 00 00 00', 999],
    ['d7 ff 00 00 00 03 ff ff ff ff', 0x3ffffffff * 1000],
    ['c7 0c ff 3b 9a c9 ff ff ff ff ff ff ff ff ff', -1],
    ['c7 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff', -1000],
  ])('the timestamp %s arrives as %i ms (PACK-3)', (bytes, milliseconds) => {
    expect(msgpack().decode(hex(bytes))).toEqual(new Date(milliseconds))
  })

  test('every Date arrives', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        expect(roundTrip(date)).toEqual(date)
      }),
    )
  })
})

describe('msgpack: strings', () => {
  test.each(['a\ud800', '\udc00', 'x'.repeat(60) + '\ud800', '\ud800'.repeat(3), '\ud800é\udfff日'])(
    'a lone surrogate arrives as U+FFFD, in short strings and long ones (%#)',
    (text) => {
      const expected = text.replaceAll(/[\ud800-\udfff]/g, '\uFFFD')
      expect(roundTrip(text)).toBe(expected)
      expect(roundTrip({ [text]: [text] })).toEqual({ [expected]: [expected] })
    },
  )

  test('binary data that looks like a surrogate stays as it is', () => {
    const message = [hex('ed a0 80'), '\ud800', '퟿한', 0xeda0]
    expect(roundTrip(message)).toEqual([hex('ed a0 80'), '\uFFFD', '퟿한', 0xeda0])
  })

  test.each(['a2 c3 28', 'a3 ed a0 80', 'a1 80', 'a2 c0 80', '81 a1 e6 01', 'd9 02 e6 97', '81 a2 c3 28 01'])(
    'what is not UTF-8 is refused: %s',
    (bytes) => {
      expect(codecError('DECODE_FAILED', () => msgpack().decode(hex(bytes))).message).toContain('UTF-8')
    },
  )

  test('what is not UTF-8 is refused in a long string', () => {
    const bytes = Uint8Array.of(0xda, 0x01, 0x2c, ...new Uint8Array(299).fill(0x61), 0xff)
    expect(() => msgpack().decode(bytes)).toThrow(failing('DECODE_FAILED'))
  })
})

describe('msgpack: memory', () => {
  test('received binary data is a plain view of the chunk', () => {
    const chunk = Buffer.concat([
      Buffer.from('..'),
      encoded(msgpack(), { data: Uint8Array.of(1, 2) }),
      Buffer.from('.'),
    ])
    const { data } = msgpack<{ data: Uint8Array }>().decode(chunk.subarray(2, -1))
    expect(data.constructor).toBe(Uint8Array)
    expect(data.buffer).toBe(chunk.buffer)
    expect(data).toEqual(Uint8Array.of(1, 2))
  })

  test('what was encoded is not touched by the next message', () => {
    const out = new ByteWriter()
    msgpack().encode('first', out)
    const first = Uint8Array.from(out.written())
    msgpack().encode('other', new ByteWriter())
    expect(Uint8Array.from(out.written())).toEqual(first)
  })

  test('encode may be called again while it runs', () => {
    const codec = msgpack()
    const out = new ByteWriter()
    const message = {
      before: 'a'.repeat(40),
      get inner() {
        const inner = new ByteWriter()
        codec.encode({ inner: 'b'.repeat(5000) }, inner)
        return Uint8Array.from(inner.written())
      },
      after: 'c'.repeat(40),
    }
    codec.encode(message, out)
    expect(codec.decode(out.written())).toEqual({
      before: message.before,
      inner: encoded(codec, { inner: 'b'.repeat(5000) }),
      after: message.after,
    })
  })

  test('encode works after a getter threw inside it, and after a large message', () => {
    const thrown = new Error('not now')
    const message = {
      get price() {
        throw thrown
      },
    }
    expect(codecError('ENCODE_FAILED', () => encodeAnything(msgpack(), message)).cause).toBe(thrown)
    const large = 'x'.repeat(3_000_000)
    expect(roundTrip(large)).toBe(large)
    expect(roundTrip([1])).toEqual([1])
  })

  test.each([
    ['an array', hex('dd ff ff ff ff')],
    ['a map', hex('df ff ff ff ff')],
    ['a string', hex('db ff ff ff ff')],
    ['binary data', hex('c6 ff ff ff ff')],
    ['an extension', hex('c9 ff ff ff ff 01')],
  ])('%s that claims 4 GiB costs nothing', (_, bytes) => {
    expect(() => msgpack().decode(bytes)).toThrow(failing('DECODE_FAILED'))
  })

  test('nested arrays that each claim the size of the frame cost nothing', () => {
    const bytes = new Uint8Array(1_000_000)
    const view = new DataView(bytes.buffer)
    for (let at = 0; at + 5 <= bytes.length; at += 5) {
      view.setUint8(at, 0xdd)
      view.setUint32(at + 1, bytes.length)
    }
    const before = process.memoryUsage().heapUsed
    codecError('DECODE_FAILED', () => msgpack().decode(bytes))
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(10_000_000)
  })
})

describe('msgpack: nesting', () => {
  test('512 levels travel, 513 do not (PACK-4)', () => {
    const bytes = encodeAnything(msgpack(), nested(512))
    expect(bytes).toHaveLength(512)
    expect(encodeAnything(msgpack(), msgpack().decode(bytes))).toEqual(bytes)
    codecError('ENCODE_FAILED', () => encodeAnything(msgpack(), nested(513)))
    codecError('DECODE_FAILED', () => msgpack().decode(Uint8Array.of(...new Uint8Array(513).fill(0x91), 0xc0)))
  })

  test.each([
    ['arrays', '91', 'c0'],
    ['maps', '81 a1 61', 'c0'],
    ['arrays of two', '92 c0', 'c0'],
    ['nothing but arrays', '91', ''],
  ])('100,000 levels of %s end in a CodecError', (_, level, end) => {
    const bytes = hex(`${level} `.repeat(100_000) + end)
    expect(() => msgpack().decode(bytes)).toThrow(failing('DECODE_FAILED'))
  })

  test('100,000 levels are refused when they are sent', () => {
    expect(() => encodeAnything(msgpack(), nested(100_000))).toThrow(failing('ENCODE_FAILED'))
  })
})

test('msgpack: writes what the reference encoder writes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (message) => {
      expect(encoded(msgpack(), message)).toEqual(reference(message, { maxDepth: 512 }))
    }),
  )
})

test.each([0, 1, 2, 3, 4, 8, 16, 17, 255, 256, 65_535, 65_536])(
  'msgpack: writes extension data of %i bytes as the reference encoder does',
  (length) => {
    const message = [new ExtData(-7, new Uint8Array(length).fill(7))]
    expect(encoded(msgpack(), message)).toEqual(reference(message))
  },
)

test.each([0, 1, 4, 16, 17, 300])(
  'msgpack: writes extension data of %i bytes that a function computes as the reference encoder does',
  (length) => {
    const message = new LibraryExtData(7, (position) => new Uint8Array(length).fill(position))
    expect(encoded(msgpack(), message)).toEqual(reference(message))
  },
)

test('msgpack: writes every Date as the reference encoder does', () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true }), (date) => {
      expect(encoded(msgpack(), date)).toEqual(reference(date))
    }),
  )
})

test('msgpack: validates what it decodes', () => {
  const codec = msgpack(z.object({ symbol: z.string(), size: z.number().default(1) }))
  expect(codec.decode(encoded(msgpack(), { symbol: 'SAP' }))).toEqual({ symbol: 'SAP', size: 1 })
  const error = codecError('INVALID_MESSAGE', () => codec.decode(encoded(msgpack(), { symbol: 7 })))
  expect(error.issues[0]?.path).toEqual(['symbol'])
})

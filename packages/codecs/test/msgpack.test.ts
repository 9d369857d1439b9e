import { encode as reference, ExtData } from '@msgpack/msgpack'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ByteWriter, msgpack } from '../src/index.ts'
import { codecError, encodeAnything, encoded, failing, hex, nested } from './support.ts'

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
    [-1, 'ff'],
    [-33, 'd0 df'],
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

  test('what other encoders write is read too', () => {
    expect(msgpack().decode(hex('ca 3f c0 00 00'))).toBe(1.5)
    expect(msgpack().decode(hex('cf 00 00 00 00 00 00 00 05'))).toBe(5)
    expect(msgpack().decode(hex('d3 ff ff ff ff ff ff ff fb'))).toBe(-5)
    expect(msgpack().decode(hex('d1 ff fb'))).toBe(-5)
  })

  test.each([
    'cf 00 20 00 00 00 00 00 00',
    'cf ff ff ff ff ff ff ff ff',
    'd3 ff e0 00 00 00 00 00 00',
    'd3 80 00 00 00 00 00 00 00',
  ])('an integer that a number can not hold is refused: %s', (bytes) => {
    expect(codecError('DECODE_FAILED', () => msgpack().decode(hex(bytes))).message).toContain('2^53')
  })

  test('a bigint is refused', () => {
    expect(codecError('ENCODE_FAILED', () => encodeAnything(msgpack(), { id: 5n })).message).toContain('a bigint')
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
  })

  test.each([
    ['a Map', new Map(), 'class Map'],
    ['a Set', new Set(), 'class Set'],
    ['an ArrayBuffer', new ArrayBuffer(1), 'class ArrayBuffer'],
    ['an invalid Date', new Date(Number.NaN), 'an invalid Date'],
    ['a key __proto__', JSON.parse('{"__proto__":1}'), 'a key __proto__'],
  ])('%s is refused where it would get lost', (_, message: unknown, expected) => {
    expect(codecError('ENCODE_FAILED', () => encodeAnything(msgpack(), [message])).message).toContain(expected)
  })

  test.each([
    ['a key __proto__', hex('81 a9 5f 5f 70 72 6f 74 6f 5f 5f 01')],
    ['a key that is an array', hex('81 90 01')],
    ['a key that is nil', hex('81 c0 01')],
    ['a timestamp of 5 bytes', hex('c7 05 ff 00 00 00 00 00')],
    ['a timestamp out of range', hex('c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff')],
  ])('%s is refused', (_, bytes) => {
    expect(codecError('DECODE_FAILED', () => msgpack().decode(bytes)).cause).toBeInstanceOf(Error)
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
  test('512 levels travel, 513 do not', () => {
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
      fc.pre(!JSON.stringify(message).includes('__proto__'))
      expect(encoded(msgpack(), message)).toEqual(reference(message, { maxDepth: 512 }))
    }),
  )
})

test('msgpack: validates what it decodes', () => {
  const codec = msgpack(z.object({ symbol: z.string(), size: z.number().default(1) }))
  expect(codec.decode(encoded(msgpack(), { symbol: 'SAP' }))).toEqual({ symbol: 'SAP', size: 1 })
  const error = codecError('INVALID_MESSAGE', () => codec.decode(encoded(msgpack(), { symbol: 7 })))
  expect(error.issues[0]?.path).toEqual(['symbol'])
})

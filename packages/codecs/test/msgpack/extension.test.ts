import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ByteWriter, ExtData, extension, f64, json, msgpack, struct } from '../../src/index.ts'
import type { Codec } from '../../src/index.ts'
import { codecError, encodeAnything, encoded, failing, hex, resultOrCode, utf8Bytes } from '../support/support.ts'

class Point {
  readonly x: number
  readonly y: number

  constructor(x: number, y: number) {
    this.x = x
    this.y = y
  }
}

const isPoint = (value: unknown): value is Point => value instanceof Point

const point = extension(1, {
  is: isPoint,
  encode: ({ x, y }) => Uint8Array.of(x, y),
  decode: ([x = 0, y = 0]) => new Point(x, y),
})

/** A list in itself: its parts are written by the codec that it belongs to. */
class Group {
  readonly members: readonly unknown[]

  constructor(members: readonly unknown[]) {
    this.members = members
  }
}

/** A codec with groups, each of which uses that very codec. */
function groups(): Codec<unknown> {
  const codec: Codec<unknown> = msgpack({
    extensions: [
      point,
      extension(2, {
        is: (value) => value instanceof Group,
        encode: ({ members }) => encoded(codec, members),
        decode: (bytes) => new Group(codec.decode(bytes) as unknown[]),
      }),
    ],
  })
  return codec
}

describe('extension: a type', () => {
  test('travels as its bytes under its id', () => {
    const codec = msgpack<{ at: Point; path: Point[] }>({ extensions: [point] })
    const message = { at: new Point(1, 2), path: [new Point(3, 4), new Point(5, 6)] }
    const bytes = hex('82 a2 61 74 d5 01 01 02 a4 70 61 74 68 92 d5 01 03 04 d5 01 05 06')
    expect(encoded(codec, message)).toEqual(bytes)
    expect(codec.decode(bytes)).toStrictEqual(message)
  })

  test('goes with a schema', () => {
    const codec = msgpack(z.object({ at: z.instanceof(Point) }), { extensions: [point], validate: 'both' })
    expect(codec.decode(encoded(codec, { at: new Point(1, 2) }))).toStrictEqual({ at: new Point(1, 2) })
    codecError('INVALID_MESSAGE', () => codec.decode(encoded(msgpack(), { at: { x: 1, y: 2 } })))
    codecError('ENCODE_FAILED', () => encodeAnything(codec, { at: 5 }))
  })

  test('may have any length', () => {
    const blob = extension(127, {
      is: (value) => value instanceof Map,
      encode: (map: Map<string, Uint8Array>) => map.get('data') ?? new Uint8Array(0),
      decode: (bytes) => new Map([['data', bytes.slice()]]),
    })
    const codec = msgpack<Map<string, Uint8Array>>({ extensions: [blob] })
    for (const length of [0, 1, 2, 3, 4, 8, 16, 17, 255, 256, 65_535, 65_536, 3_000_000]) {
      const data = new Uint8Array(length).fill(length)
      const arrived = codec.decode(encoded(codec, new Map([['data', data]])))
      expect(Buffer.compare(arrived.get('data') ?? hex('ff'), data)).toBe(0)
    }
  })

  test('comes before what is built in: arrays, Dates, bytes, bigints, symbols, functions', () => {
    const seen: unknown[] = []
    const watching = extension(3, {
      is(value): value is never {
        seen.push(value)
        return false
      },
      encode: () => new Uint8Array(0),
      decode: (bytes) => bytes as never,
    })
    const message = [
      null,
      true,
      1,
      'a',
      undefined,
      5n,
      new Date(0),
      Uint8Array.of(1),
      new ExtData(9, hex('01')),
      { a: 1 },
    ]
    encoded(msgpack({ extensions: [watching] }), message)
    expect(seen).toEqual([message, ...message.slice(5)])
    const large = extension(4, {
      is: (value) => typeof value === 'bigint',
      encode: (value) => utf8Bytes(value.toString(16)),
      decode: (bytes) => BigInt(`0x${Buffer.from(bytes).toString()}`),
    })
    const codec = msgpack<bigint>({ extensions: [large] })
    for (const value of [5n, 10n ** 40n]) expect(codec.decode(encoded(codec, value))).toBe(value)
  })

  test('matches a value before the extensions that follow it in the list', () => {
    const second = extension(2, { is: isPoint, encode: () => new Uint8Array(0), decode: () => new Point(0, 0) })
    expect(encoded(msgpack({ extensions: [second, point] }), new Point(1, 2))).toEqual(hex('c7 00 02'))
    expect(encoded(msgpack({ extensions: [point, second] }), new Point(1, 2))).toEqual(hex('d5 01 01 02'))
  })

  test('gets a plain view of the chunk', () => {
    let given: Uint8Array = new Uint8Array(0)
    const keeping = extension(1, {
      is: isPoint,
      encode: () => new Uint8Array(0),
      decode(bytes) {
        given = bytes
        return new Point(0, 0)
      },
    })
    const chunk = Buffer.from('....d5010102..'.replaceAll('.', '0'), 'hex')
    msgpack({ extensions: [keeping] }).decode(chunk.subarray(2, 6))
    expect(given.constructor).toBe(Uint8Array)
    expect(given.buffer).toBe(chunk.buffer)
    expect(given).toEqual(Uint8Array.of(1, 2))
  })

  test('that is unknown arrives as ExtData, and may be sent on (PACK-3)', () => {
    const bytes = hex('92 d5 07 01 02 d4 fe 05')
    const message = msgpack({ extensions: [point] }).decode(bytes)
    expect(message).toStrictEqual([new ExtData(7, Uint8Array.of(1, 2)), new ExtData(-2, Uint8Array.of(5))])
    expect(encoded(msgpack(), message)).toEqual(bytes)
  })

  test('does not touch other codecs, nor timestamps', () => {
    const codec = msgpack({ extensions: [point] })
    expect(encoded(msgpack(), new Point(1, 2))).toEqual(hex('82 a1 78 01 a1 79 02'))
    expect(msgpack().decode(hex('d5 01 01 02'))).toStrictEqual(new ExtData(1, Uint8Array.of(1, 2)))
    expect(codec.decode(encoded(codec, new Date(5)))).toEqual(new Date(5))
  })
})

describe('extension: errors', () => {
  const type = { is: isPoint, encode: () => new Uint8Array(0), decode: () => new Point(0, 0) }

  test.each([-1, 128, 1.5, Number.NaN, '1' as unknown as number])('the id %s is invalid', (id) => {
    expect(codecError('INVALID_CODEC', () => extension(id, type)).message).toContain('0 to 127')
    expect(() => msgpack({ extensions: [{ id, ...type }] })).toThrow(failing('INVALID_CODEC'))
  })

  test('the same id may not come twice', () => {
    const extensions = [extension(0, type), extension(127, type), extension(0, type)]
    expect(codecError('INVALID_CODEC', () => msgpack({ extensions })).message).toBe('two extensions have the id 0')
    expect(() => msgpack(z.unknown(), { extensions })).toThrow(failing('INVALID_CODEC'))
  })

  test('what it throws is the cause', () => {
    const [first, second, third] = [new Error('is'), new Error('encode'), new Error('decode')]
    const throwing = (what: Partial<typeof type>): Codec<unknown> =>
      msgpack({ extensions: [extension(1, { ...type, ...what })] })
    const fail = (error: Error) => (): never => {
      throw error
    }
    const isThrowing = { is: fail(first) as unknown as typeof isPoint }
    expect(codecError('ENCODE_FAILED', () => encoded(throwing(isThrowing), [{}])).cause).toBe(first)
    const codec = throwing({ encode: fail(second), decode: fail(third) })
    expect(codecError('ENCODE_FAILED', () => encoded(codec, [new Point(1, 2)])).cause).toBe(second)
    expect(codecError('DECODE_FAILED', () => codec.decode(hex('91 d4 01 00'))).cause).toBe(third)
    expect(codec.decode(encoded(codec, [1]))).toEqual([1])
  })

  test('what a codec inside it refuses keeps its code when that says the same, and is the cause when not', () => {
    const inner = struct({ x: f64 })
    const write = (value: Point): Uint8Array => encodeAnything(inner, { x: value.x === 0 ? 'zero' : value.x })
    const codec = msgpack({
      extensions: [extension(1, { is: isPoint, encode: write, decode: (bytes) => inner.decode(bytes) as Point })],
    })
    codecError('ENCODE_FAILED', () => encoded(codec, new Point(0, 0)))
    codecError('DECODE_FAILED', () => codec.decode(hex('d4 01 00')))
    const checked = json(z.object({ x: z.number(), y: z.number() }))
    const other = msgpack({ extensions: [extension(1, { ...type, decode: (bytes) => checked.decode(bytes) })] })
    const error = codecError('DECODE_FAILED', () => other.decode(hex('d5 01 7b 7d')))
    expect(error.cause).toMatchObject({ code: 'INVALID_MESSAGE' })
  })

  test('it must make bytes', () => {
    const codec = msgpack({ extensions: [extension(9, { ...type, encode: () => 'text' as unknown as Uint8Array })] })
    const { message } = codecError('ENCODE_FAILED', () => encoded(codec, new Point(1, 2)))
    expect(message).toContain('extension 9 made a string')
  })
})

describe('extension: a codec inside itself', () => {
  test('writes and reads at any depth, and continues afterwards', () => {
    const codec = groups()
    const trees = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        fc.string(),
        fc.double().map((number) => number + 0),
        fc.constant(new Point(7, 8)),
        fc.uint8Array(),
        fc.array(tie('tree')),
        fc.dictionary(fc.string(), tie('tree'), { noNullPrototype: true }),
        fc.array(tie('tree')).map((members) => new Group(members)),
      ),
    })).tree
    fc.assert(
      fc.property(trees, (tree) => {
        const message = { before: 1.5, tree, after: ['x', 2.5] }
        expect(codec.decode(encoded(codec, message))).toStrictEqual(message)
      }),
      { numRuns: 500 },
    )
  })

  test('counts as so many levels more', () => {
    const codec = groups()
    let fits: unknown = 'x'
    // A group and the array of its members are two levels.
    for (let level = 0; level < 256; level++) fits = new Group([fits])
    expect(codec.decode(encoded(codec, fits))).toStrictEqual(fits)
    codecError('ENCODE_FAILED', () => encoded(codec, [fits]))
    const cycle: unknown[] = []
    cycle.push(new Group(cycle))
    expect(codecError('ENCODE_FAILED', () => encoded(codec, cycle)).message).toContain('512 levels')
    let bytes = hex('c0')
    for (let level = 0; level < 600; level++)
      bytes = Uint8Array.of(0x91, 0xc8, bytes.length >> 8, bytes.length, 2, ...bytes)
    expect(codecError('DECODE_FAILED', () => codec.decode(bytes)).message).toContain('512 levels')
  })

  test('works after any of it failed', () => {
    const codec = groups()
    const message = { group: new Group([1, new Group([new Point(1, 2)])]), after: 0.5 }
    const bytes = encoded(codec, message)
    for (let length = 0; length < bytes.length; length++) {
      codecError('DECODE_FAILED', () => codec.decode(bytes.subarray(0, length)))
      codecError('ENCODE_FAILED', () => encoded(codec, new Group([message, Symbol('s')])))
      expect(codec.decode(bytes)).toStrictEqual(message)
      expect(encoded(codec, message)).toEqual(bytes)
    }
  })

  test('works from a getter', () => {
    const codec = groups()
    const inner = new Group([1, 2])
    const message = {
      a: [1],
      get b() {
        return codec.decode(encoded(codec, inner))
      },
      c: 'x',
    }
    const out = new ByteWriter(1)
    codec.encode(message, out)
    expect(codec.decode(out.written())).toStrictEqual({ a: [1], b: inner, c: 'x' })
  })
})

test('extension: 20,000 inputs end in a message or in DECODE_FAILED', () => {
  const codec = groups()
  const heads = fc.constantFrom(0x91, 0x92, 0x81, 0xa1, 0xc7, 0xc8, 0xd4, 0xd5, 0xd6, 0xd7, 1, 2, 2, 3, 0xff)
  const inputs = fc.array(fc.oneof(heads, fc.nat({ max: 255 })), { maxLength: 30 })
  const ends = new Set(['message', 'DECODE_FAILED'])
  const property = fc.property(inputs, (bytes) => {
    const decode = (): string => (codec.decode(Uint8Array.from(bytes)), 'message')
    return ends.has(resultOrCode(decode))
  })
  expect(fc.defaultReportMessage(fc.check(property, { numRuns: 20_000 }))).toBeUndefined()
})

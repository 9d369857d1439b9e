import { describe, expect, test } from 'vitest'
import {
  array,
  bool,
  ByteWriter,
  choice,
  f32,
  f64,
  i16,
  i32,
  i64,
  i8,
  raw,
  struct,
  text,
  u16,
  u32,
  u64,
  u8,
} from '../../src/index.ts'
import type { FieldType } from '../../src/index.ts'
import { checkStructCase, structCases } from '../support/struct-cases.ts'
import { versions } from '../support/struct-support.ts'
import { codecError, encodeAnything, encoded, failing, hex } from '../support/support.ts'

test('struct: has a name, a content type and a size', () => {
  const codec = struct({ delay: i16, distance: u16, time: f32 })
  expect(codec).toMatchObject({
    name: 'struct',
    contentType: 'application/vnd.h2channel+struct; layout="delay:i16,distance:u16,time:f32"',
    size: 8,
  })
  expect(struct({ a: u8 }, { endian: 'big' }).contentType).toBe('application/vnd.h2channel+struct; layout="a:u8"')
  expect(struct({ a: u8 }, { endian: 'little' }).contentType).toBe(
    'application/vnd.h2channel+struct; layout="a:u8"; endian=little',
  )
})

test('struct: behaves as its example says (STRUCT-3)', () => {
  const orders = struct({ id: u32, side: choice('buy', 'sell'), at: { x: f32, y: f32 }, tags: array(text(4), 2) })
  expect(orders.contentType).toBe(
    'application/vnd.h2channel+struct; layout="id:u32,side:choice(buy|sell),at:{x:f32,y:f32},tags:text(4)[2]"',
  )
  expect(orders.size).toBe(21)
})

describe.each(versions)('struct, %s', (_, make) => {
  test.each(structCases)('$name (STRUCT-3, STRUCT-4)', (one) => {
    expect(() => checkStructCase(make(one.layout, one.endian), one)).not.toThrow()
  })

  const limits: [type: FieldType<unknown>, accepted: unknown[], refused: unknown[]][] = [
    [u8, [0, 255], [-1, 256, 0.5]],
    [i8, [-128, 127], [-129, 128, 0.5]],
    [u16, [0, 65_535], [-1, 65_536, 0.5]],
    [i16, [-32_768, 32_767], [-32_769, 32_768, 0.5]],
    [u32, [0, 4_294_967_295], [-1, 4_294_967_296, 0.5]],
    [i32, [-2_147_483_648, 2_147_483_647], [-2_147_483_649, 2_147_483_648, 0.5]],
    [u64, [0n, 2n ** 64n - 1n], [-1n, 2n ** 64n]],
    [i64, [-(2n ** 63n), 2n ** 63n - 1n], [-(2n ** 63n) - 1n, 2n ** 63n]],
    [f32, [0.5, -0, Infinity, -Infinity, Number.NaN, 3.4028234663852886e38], [3.5e38, -1e300, Number.MAX_VALUE]],
    [f64, [0.1, -0, Infinity, -Infinity, Number.NaN, 5e-324, Number.MAX_VALUE], []],
    [bool, [true, false], []],
  ]
  const wrongKinds: unknown[] = [undefined, null, 'x', '1', [], {}, Symbol('s'), { valueOf: () => 1 }, () => 1]

  test.each(limits)('$name accepts its limits and refuses values beyond them', (type, accepted, refused) => {
    const codec = make({ x: type })
    for (const x of accepted) expect(codec.decode(encodeAnything(codec, { x }))).toStrictEqual({ x })
    const kinds = [typeof accepted[0] === 'bigint' ? 1 : 1n, typeof accepted[0] === 'boolean' ? 1 : true]
    const notNumbers = type === f32 || type === f64 || typeof accepted[0] !== 'number' ? [] : [Number.NaN, Infinity]
    for (const x of [...refused, ...kinds, ...notNumbers, ...wrongKinds]) {
      const error = codecError('ENCODE_FAILED', () => encodeAnything(codec, { x }))
      expect(error.message).toContain(`x: expected ${type.range}, got `)
      expect(error).toMatchObject({ side: 'local', fatal: false })
    }
  })

  test('reads -0 as 0 in an integer, and keeps it in a float', () => {
    const codec = make({ i: i16, u: u32, f: f32, d: f64 })
    expect(codec.decode(encoded(codec, { i: -0, u: -0, f: -0, d: -0 }))).toStrictEqual({ i: 0, u: 0, f: -0, d: -0 })
  })

  test('rounds to f32 precision only', () => {
    const codec = make({ x: f32 })
    expect(codec.decode(encoded(codec, { x: 0.1 }))).toEqual({ x: Math.fround(0.1) })
    expect(codec.decode(encoded(codec, { x: Math.fround(0.1) }))).toEqual({ x: Math.fround(0.1) })
    expect(codec.decode(encoded(codec, { x: 1e-60 }))).toEqual({ x: 0 })
  })

  test('writes nothing when a later field is refused', () => {
    const codec = make({ a: u8, b: u8 })
    const out = new ByteWriter()
    expect(() => codec.encode({ a: 1, b: 256 }, out)).toThrow('b: expected an integer from 0 to 255, got 256')
    expect(out.position).toBe(0)
  })

  test('names a field that is missing', () => {
    const error = codecError('ENCODE_FAILED', () => encodeAnything(make({ a: u8, b: u8 }), { a: 1 }))
    expect(error.message).toBe('b: expected an integer from 0 to 255, got undefined')
  })

  test('reads the fields of any object, and no others', () => {
    class Sample {
      readonly extra = 1
      get a() {
        return 5
      }
    }
    expect(encodeAnything(make({ a: u8 }), new Sample())).toEqual(hex('05'))
    expect(encodeAnything(make({ a: u8 }), { a: 1, b: 2 })).toEqual(hex('01'))
  })

  test('wraps what a getter throws', () => {
    const cause = new Error('not now')
    const throwing = {
      get a() {
        throw cause
      },
    }
    expect(codecError('ENCODE_FAILED', () => encodeAnything(make({ a: u8 }), throwing)).cause).toBe(cause)
  })

  test.each([2, 0x80, 0xff])('refuses a bool of %i (STRUCT-4)', (byte) => {
    const codec = make({ a: u8, ok: bool })
    const error = codecError('DECODE_FAILED', () => codec.decode(Uint8Array.of(2, byte)))
    expect(error.message).toBe('ok: these bytes are not a boolean')
    expect(error).toMatchObject({ side: 'remote', fatal: true })
  })

  test('accepts names that mean something elsewhere', () => {
    const layout = { constructor: u8, toString: u8, class: u8, view: u8, at: u8, $: u8, _: u8, v0: u8, message: u8 }
    const codec = make(layout)
    const sent = Object.fromEntries(Object.keys(layout).map((name, index) => [name, index]))
    expect(codec.decode(encodeAnything(codec, sent))).toStrictEqual(sent)
  })

  test('makes own fields where inherited ones are read-only, as with a frozen Object.prototype', () => {
    const layout = { id: u8, toString: u8, inner: { valueOf: u8 } }
    const codec = make(layout)
    const everyObject: object = Object.prototype
    const { toString, valueOf } = Object.getOwnPropertyDescriptors(Object.prototype)
    Object.defineProperties(everyObject, {
      toString: { ...toString, writable: false },
      valueOf: { ...valueOf, writable: false },
    })
    try {
      const message = codec.decode(hex('01 02 03'))
      expect(JSON.stringify(message)).toBe('{"id":1,"toString":2,"inner":{"valueOf":3}}')
    } finally {
      Object.defineProperties(everyObject, { toString, valueOf })
    }
  })

  test('reads records of different chunks in turn', () => {
    const codec = make({ a: u16 })
    const chunks = [hex('00 01 00 02'), hex('00 03 00 04')]
    const read = [0, 2].flatMap((at) => chunks.map((chunk) => codec.decode(chunk.subarray(at, at + 2)).a))
    expect(read).toEqual([1, 3, 2, 4])
  })

  test('quotes a bigint that is out of range, unless it is long', () => {
    const codec = make({ a: u64 })
    expect(() => encodeAnything(codec, { a: 2n ** 64n })).toThrow('got 18446744073709551616n')
    expect(() => encodeAnything(codec, { a: 2n ** 200n })).toThrow('got a bigint')
  })

  test('does not quote a refused text', () => {
    for (const a of ['secret', 'sec']) {
      const error = codecError('ENCODE_FAILED', () => encodeAnything(make({ a: text(2), b: u8 }), { a, b: a }))
      expect(error.message).not.toContain('sec')
    }
  })

  test('accepts any array and any Uint8Array, and returns plain ones', () => {
    const codec = make({ list: array(u8, 2), key: raw(2) })
    class List extends Array<number> {}
    const received = codec.decode(encoded(codec, { list: List.of(1, 2), key: Buffer.from([3, 4]) }))
    expect(received).toStrictEqual({ list: [1, 2], key: Uint8Array.of(3, 4) })
    expect(received.key.constructor).toBe(Uint8Array)
  })

  test('returns raw bytes as a view into the chunk, wherever they begin', () => {
    const codec = make({ a: u8, key: raw(2), more: array({ key: raw(1) }, 2) })
    const chunk = Buffer.from(hex('ff ff 01 02 03 04 05').buffer)
    const { key, more } = codec.decode(chunk.subarray(2))
    expect([key, more[0]?.key, more[1]?.key]).toStrictEqual([hex('02 03'), hex('04'), hex('05')])
    expect([key.buffer, key.byteOffset, key.constructor]).toEqual([chunk.buffer, 3, Uint8Array])
  })

  test('overwrites what was in the memory before', () => {
    const codec = make({ a: text(60), b: text(3), c: bool })
    const out = new ByteWriter()
    out.bytes.fill(0xa5)
    codec.encode({ a: 'x', b: '', c: false }, out)
    expect(Array.from(out.written()).filter((byte) => byte !== 0)).toEqual([0x78])
  })

  test('reads and writes long text and long arrays', () => {
    const codec = make({ title: text(10_000), xs: array(i32, 100_000) })
    const message = { title: 'né'.repeat(3000), xs: Array.from({ length: 100_000 }, (_each, index) => 7 - index) }
    expect(codec.size).toBe(410_000)
    expect(codec.decode(encoded(codec, message))).toStrictEqual(message)
    message.xs[99_999] = 0.5
    expect(() => encoded(codec, message)).toThrow('xs[99999]: expected an integer')
  })

  test('distinguishes 256 names', () => {
    const [first = '', ...others] = Array.from({ length: 256 }, (_each, index) => `n${index}`)
    const codec = make({ a: choice(first, ...others) })
    expect(encoded(codec, { a: 'n255' })).toEqual(hex('ff'))
    expect(codec.decode(hex('ff'))).toEqual({ a: 'n255' })
    expect(() => encoded(codec, { a: 'n256' })).toThrow('a: expected one of 256 names, got "n256"')
  })

  test('refuses names that every object or array has', () => {
    const codec = make({ a: choice('x') })
    for (const a of ['toString', 'length', '0', '__proto__', Symbol.iterator]) {
      expect(() => encodeAnything(codec, { a })).toThrow(failing('ENCODE_FAILED'))
    }
  })

  test('refuses a message that writes while it is read', () => {
    const codec = make({ a: u8, b: u8 })
    const out = new ByteWriter(2)
    const writing = {
      a: 1,
      get b() {
        codec.encode({ a: 3, b: 4 }, out)
        return 2
      },
    }
    expect(() => codec.encode(writing, out)).toThrow('a getter of the message wrote into the same place')
    const growing = {
      a: 1,
      get b() {
        out.reserve(1000)
        return 2
      },
    }
    expect(() => codec.encode(growing, out)).toThrow('a getter of the message wrote into the same place')
  })

  test('reads each field once, in order', () => {
    const seen: string[] = []
    const spy = (name: string, value: unknown): unknown =>
      typeof value === 'object' && value !== null
        ? new Proxy(value, {
            get: (target, key, receiver): unknown => {
              if (typeof key === 'string') seen.push(`${name}${key}`)
              return spy(`${name}${String(key)}.`, Reflect.get(target, key, receiver))
            },
          })
        : value
    encodeAnything(make({ a: { b: u8 }, xs: array(u8, 2) }), spy('', { a: { b: 1 }, xs: [1, 2] }))
    expect(seen).toEqual(['a', 'a.b', 'xs', 'xs.length', 'xs.0', 'xs.1'])
  })
})

test.each([0, 1, 3])('struct: refuses %i bytes for 2 (STRUCT-5)', (length) => {
  const error = codecError('DECODE_FAILED', () => struct({ a: u16 }).decode(new Uint8Array(length)))
  expect(error.message).toBe(`expected a record of 2 bytes, got ${length}`)
})

test('struct: gives every message the same shape, field by field in order', () => {
  const codec = struct({ b: u8, a: u8 })
  expect(Object.keys(codec.decode(hex('01 02')))).toEqual(['b', 'a'])
})

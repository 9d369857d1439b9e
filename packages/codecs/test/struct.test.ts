import { afterEach, describe, expect, test, vi } from 'vitest'
import { bool, f32, f64, i16, i32, i64, i8, struct, u16, u32, u64, u8 } from '../src/index.ts'
import { type AnyFieldType, ByteWriter, type StructLayout } from '../src/index.ts'
import { compileRecord, interpretRecord, type RecordLayout } from '../src/struct-record.ts'
import { codecError, encodeAnything, encoded, failing, hex } from './support.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

test('struct: says what it is', () => {
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

const all = { a: u8, b: i8, c: u16, d: i16, e: u32, f: i32, g: u64, h: i64, i: f32, j: f64, k: bool }
const message = { a: 1, b: -2, c: 3, d: -4, e: 5, f: -6, g: 7n, h: -8n, i: 1.5, j: -2.5, k: true }
const big =
  '01 fe 00 03 ff fc 00 00 00 05 ff ff ff fa 00 00 00 00 00 00 00 07 ff ff ff ff ff ff ff f8 3f c0 00 00 c0 04 00 00 00 00 00 00 01'
const little =
  '01 fe 03 00 fc ff 05 00 00 00 fa ff ff ff 07 00 00 00 00 00 00 00 f8 ff ff ff ff ff ff ff 00 00 c0 3f 00 00 00 00 00 00 04 c0 01'

/** The two ways in which a record can be read and written must not differ. */
const platforms: [name: string, prepare: () => void][] = [
  ['compiled', () => {}],
  [
    'interpreted',
    () => {
      vi.stubGlobal('Function', function refused() {
        throw new EvalError('Code generation from strings disallowed for this context')
      })
    },
  ],
]

describe.each(platforms)('struct, %s', (_, prepare) => {
  const make = <const L extends StructLayout>(layout: L, endian: 'big' | 'little' = 'big') => {
    prepare()
    const codec = struct(layout, { endian })
    vi.unstubAllGlobals()
    return codec
  }

  test.each([
    ['big', big],
    ['little', little],
  ] as const)('lays its fields one after the other, %s-endian', (endian, bytes) => {
    const codec = make(all, endian)
    expect(encoded(codec, message)).toEqual(hex(bytes))
    expect(codec.decode(hex(bytes))).toStrictEqual(message)
    expect(Object.keys(codec.decode(hex(bytes)))).toEqual(Object.keys(all))
  })

  const limits: [type: AnyFieldType, accepted: unknown[], refused: unknown[]][] = [
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

  test.each(limits)('$name takes its limits and refuses what lies beyond', (type, accepted, refused) => {
    const codec = make<{ x: AnyFieldType }>({ x: type })
    for (const x of accepted) expect(codec.decode(encodeAnything(codec, { x }))).toStrictEqual({ x })
    const kinds = [typeof accepted[0] === 'bigint' ? 1 : 1n, typeof accepted[0] === 'boolean' ? 1 : true]
    const notNumbers = type === f32 || type === f64 || typeof accepted[0] !== 'number' ? [] : [Number.NaN, Infinity]
    for (const x of [...refused, ...kinds, ...notNumbers, ...wrongKinds]) {
      const error = codecError('ENCODE_FAILED', () => encodeAnything(codec, { x }))
      expect(error.message).toContain(`field x: expected ${type.range}, got `)
      expect(error).toMatchObject({ side: 'local', fatal: false })
    }
  })

  test('takes -0 for 0 where it is an integer, and keeps it where it is not', () => {
    const codec = make({ i: i16, u: u32, f: f32, d: f64 })
    expect(codec.decode(encoded(codec, { i: -0, u: -0, f: -0, d: -0 }))).toStrictEqual({ i: 0, u: 0, f: -0, d: -0 })
  })

  test('rounds to f32 and no further', () => {
    const codec = make({ x: f32 })
    expect(codec.decode(encoded(codec, { x: 0.1 }))).toEqual({ x: Math.fround(0.1) })
    expect(codec.decode(encoded(codec, { x: Math.fround(0.1) }))).toEqual({ x: Math.fround(0.1) })
    expect(codec.decode(encoded(codec, { x: 1e-60 }))).toEqual({ x: 0 })
  })

  test('writes nothing when a later field is refused', () => {
    const codec = make({ a: u8, b: u8 })
    const out = new ByteWriter()
    expect(() => codec.encode({ a: 1, b: 256 }, out)).toThrow(
      'field b: expected an integer from 0 to 255, got the number 256',
    )
    expect(out.position).toBe(0)
  })

  test('names a field that is missing', () => {
    const error = codecError('ENCODE_FAILED', () => encodeAnything(make({ a: u8, b: u8 }), { a: 1 }))
    expect(error.message).toBe('field b: expected an integer from 0 to 255, got undefined')
  })

  test('reads any object that has the fields, and no more than them', () => {
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

  test.each([2, 0x80, 0xff])('refuses a bool of %i', (byte) => {
    const codec = make({ a: u8, ok: bool })
    const error = codecError('DECODE_FAILED', () => codec.decode(Uint8Array.of(2, byte)))
    expect(error.message).toContain('field ok')
    expect(error).toMatchObject({ side: 'remote', fatal: true })
  })

  test('takes names that mean something elsewhere', () => {
    const layout = { constructor: u8, toString: u8, class: u8, view: u8, at: u8, $: u8, _: u8, v0: u8, message: u8 }
    const codec = make(layout)
    const sent = Object.fromEntries(Object.keys(layout).map((name, index) => [name, index]))
    expect(codec.decode(encodeAnything(codec, sent))).toStrictEqual(sent)
  })

  test('reads records of different chunks by turns', () => {
    const codec = make({ a: u16 })
    const chunks = [hex('00 01 00 02'), hex('00 03 00 04')]
    const read = [0, 2].flatMap((at) => chunks.map((chunk) => codec.decode(chunk.subarray(at, at + 2)).a))
    expect(read).toEqual([1, 3, 2, 4])
  })
})

test.each([
  ['an empty layout', {}],
  ['an empty name', { '': u8 }],
  ['a name with a space', { 'a b': u8 }],
  ['a name with a quote', { 'a"b': u8 }],
  ['a name that is a number', { 1: u8 }],
  ['a name beyond ASCII', { Größe: u8 }],
  ['a name with a line end', { 'a\n': u8 }],
  ['__proto__', { ['__proto__']: u8 }],
  ['a type that is a string', { a: 'u8' }],
  ['no type', { a: undefined }],
  ['a type of its own making', { a: { ...u8 } }],
])('struct: refuses %s', (_, layout) => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a program without types may pass
  const error = codecError('INVALID_CODEC', () => struct(layout as unknown as StructLayout))
  expect(error).toMatchObject({ side: 'local', fatal: false })
})

test('struct: refuses an order of bytes that there is none of', () => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a program without types may pass
  expect(() => struct({ a: u8 }, { endian: 'middle' as 'big' })).toThrow(failing('INVALID_CODEC'))
})

test.each([0, 1, 3])('struct: refuses %i bytes for 2', (length) => {
  const error = codecError('DECODE_FAILED', () => struct({ a: u16 }).decode(new Uint8Array(length)))
  expect(error.message).toBe(`expected a record of 2 bytes, got ${length}`)
})

test('struct: gives every message the same shape, field by field in order', () => {
  const codec = struct({ b: u8, a: u8 })
  expect(Object.keys(codec.decode(hex('01 02')))).toEqual(['b', 'a'])
})

test('compileRecord: is undefined where code can not be compiled', () => {
  const layout: RecordLayout = { fields: [{ name: 'a', type: u8, offset: 0 }], size: 1, littleEndian: false }
  expect(compileRecord(layout)).toBeDefined()
  platforms[1]?.[1]()
  expect(compileRecord(layout)).toBeUndefined()
  expect(interpretRecord(layout).read(new DataView(new ArrayBuffer(1)), 0)).toEqual({ a: 0 })
})

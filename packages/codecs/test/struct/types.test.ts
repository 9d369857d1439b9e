/** What compiles and, right below it, a similar use that must not. `pnpm types` fails where either changes. */
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  array,
  bool,
  choice,
  f32,
  f64,
  i16,
  i32,
  i64,
  i8,
  json,
  oneOf,
  raw,
  struct,
  text,
  u16,
  u32,
  u64,
  u8,
} from '../../src/index.ts'
import type {
  AnyFieldType,
  Codec,
  FieldType,
  FieldValue,
  MessageOf,
  StructLayout,
  StructMessage,
} from '../../src/index.ts'
import { encodeAnything, failing } from '../support/support.ts'

const point = { x: f32, y: f64 }
const order = struct({
  id: u64,
  name: text(8),
  key: raw(16),
  side: choice('buy', 'sell'),
  ok: bool,
  at: { ...point, deep: { from: i64 } },
  xs: array(i16, 3),
  grid: array(array(choice('x', 'o'), 3), 3),
  path: array({ at: point, label: text(4) }, 2),
})
interface Order {
  id: bigint
  name: string
  key: Uint8Array
  side: 'buy' | 'sell'
  ok: boolean
  at: { x: number; y: number; deep: { from: bigint } }
  xs: number[]
  grid: ('x' | 'o')[][]
  path: { at: { x: number; y: number }; label: string }[]
}

/** Accepts code that only the compiler reads. */
const unrun = (_body: (...given: never[]) => unknown): void => {}

/** Encodes a record of one field: what the type of the field holds. */
const held = <T>(type: FieldType<T>, value: NoInfer<T>): Uint8Array => encodeAnything(struct({ type }), { type: value })

const encodeMessage = <T>(codec: Codec<T>, message: NoInfer<T>): Uint8Array => encodeAnything(codec, message)

const refused = failing('ENCODE_FAILED')

describe('struct: what the types of fields hold', () => {
  test.each([u8, i8, u16, i16, u32, i32])('$name: a number', (type) => {
    expectTypeOf(type).toEqualTypeOf<FieldType<number>>()
    expect(held(type, 7)).toHaveLength(type.size)
    // @ts-expect-error a bigint is no number
    expect(() => held(type, 7n)).toThrow(refused)
  })

  test.each([f32, f64])('$name: a number', (type) => {
    expectTypeOf(type).toEqualTypeOf<FieldType<number>>()
    expect(held(type, 0.5)).toHaveLength(type.size)
    // @ts-expect-error text is no number
    expect(() => held(type, '0.5')).toThrow(refused)
  })

  test.each([u64, i64])('$name: a bigint', (type) => {
    expectTypeOf(type).toEqualTypeOf<FieldType<bigint>>()
    expect(held(type, 7n)).toHaveLength(8)
    // @ts-expect-error a number is no bigint
    expect(() => held(type, 7)).toThrow(refused)
  })

  test('bool: a boolean', () => {
    expectTypeOf(bool).toEqualTypeOf<FieldType<boolean>>()
    expect(held(bool, true)).toHaveLength(1)
    // @ts-expect-error its form on the wire
    expect(() => held(bool, 1)).toThrow(refused)
  })

  test('text: a string', () => {
    expectTypeOf(text(8)).toEqualTypeOf<FieldType<string>>()
    expect(held(text(8), 'SAP')).toHaveLength(8)
    // @ts-expect-error its form on the wire
    expect(() => held(text(8), new Uint8Array(8))).toThrow(refused)

    expectTypeOf(text).parameter(0).toEqualTypeOf<number>()
    // @ts-expect-error without a size
    expect(() => text()).toThrow(failing('INVALID_CODEC'))
  })

  test('raw: bytes', () => {
    expectTypeOf(raw(2)).toEqualTypeOf<FieldType<Uint8Array>>()
    expect(held(raw(2), new Uint8Array(2))).toHaveLength(2)
    // @ts-expect-error text is no bytes
    expect(() => held(raw(2), 'ab')).toThrow(refused)

    expect(held(raw(2), Buffer.alloc(2))).toHaveLength(2)
    // @ts-expect-error a list of numbers is no bytes
    expect(() => held(raw(2), [1, 2])).toThrow(refused)
  })

  test('choice: one of its names', () => {
    expectTypeOf(choice('buy', 'sell')).toEqualTypeOf<FieldType<'buy' | 'sell'>>()
    expect(held(choice('buy', 'sell'), 'sell')).toHaveLength(1)
    // @ts-expect-error no such name
    expect(() => held(choice('buy', 'sell'), 'hold')).toThrow(refused)

    expectTypeOf(choice('one')).toEqualTypeOf<FieldType<'one'>>()
    // @ts-expect-error its number on the wire
    expect(() => held(choice('one'), 0)).toThrow(refused)

    const sides = ['buy', 'sell'] as const
    expectTypeOf(choice(...sides)).toEqualTypeOf<FieldType<'buy' | 'sell'>>()
    // @ts-expect-error there may be none in a list that is not constant
    unrun((names: string[]) => choice(...names))

    const names = (): [string, ...string[]] => ['a', 'b']
    expectTypeOf(choice(...names())).toEqualTypeOf<FieldType<string>>()
    // @ts-expect-error names are strings
    expect(() => choice('a', 1)).toThrow(failing('INVALID_CODEC'))

    expectTypeOf(choice('a', 'b', 'c')).toEqualTypeOf<FieldType<'a' | 'b' | 'c'>>()
    // @ts-expect-error a choice has a name at least
    expect(() => choice()).toThrow(failing('INVALID_CODEC'))
  })

  test('array: an array of what its type holds', () => {
    expectTypeOf(array(u64, 2)).toEqualTypeOf<FieldType<bigint[]>>()
    expect(held(array(u64, 2), [1n, 2n])).toHaveLength(16)
    // @ts-expect-error an item of another type
    expect(() => held(array(u64, 2), [1n, 2])).toThrow(refused)

    expectTypeOf(array(array(bool, 2), 2)).toEqualTypeOf<FieldType<boolean[][]>>()
    // @ts-expect-error the items of all in one array
    expect(() => held(array(array(bool, 2), 2), [true, true, true, true])).toThrow(refused)

    expectTypeOf(array({ x: f32, side: choice('buy', 'sell') }, 2)).toEqualTypeOf<
      FieldType<{ x: number; side: 'buy' | 'sell' }[]>
    >()
    // @ts-expect-error an item without one of its fields
    expect(() => held(array({ x: f32, side: choice('buy', 'sell') }, 1), [{ x: 1 }])).toThrow(refused)

    expectTypeOf(array).parameter(1).toEqualTypeOf<number>()
    // @ts-expect-error without a length
    expect(() => array(u8)).toThrow(failing('INVALID_CODEC'))
  })
})

describe('struct: the message', () => {
  test('reads like one', () => {
    expectTypeOf(order).toEqualTypeOf<Codec<{ [Name in keyof Order]: Order[Name] }>>()
    // @ts-expect-error another message
    unrun((): Codec<Omit<Order, 'id'> & { id: number }> => order)

    expectTypeOf<MessageOf<typeof order>>().toEqualTypeOf<{ [Name in keyof Order]: Order[Name] }>()
    // @ts-expect-error a misspelt field
    unrun((message: MessageOf<typeof order>) => message.sied)

    expectTypeOf<MessageOf<typeof order>['side']>().toEqualTypeOf<'buy' | 'sell'>()
    // @ts-expect-error there is no such side
    unrun((message: MessageOf<typeof order>) => message.side === 'hold')

    expectTypeOf<MessageOf<typeof order>['at']>().toEqualTypeOf<Order['at']>()
    // @ts-expect-error a bigint and a number, further in
    unrun((message: MessageOf<typeof order>) => message.at.deep.from + 1)

    expectTypeOf<MessageOf<typeof order>['path'][number]>().toEqualTypeOf<Order['path'][number]>()
    // @ts-expect-error an item of an array, which may not be there
    unrun((message: MessageOf<typeof order>) => message.path[0].label)

    expectTypeOf(order.size).toEqualTypeOf<number | undefined>()
    // @ts-expect-error a codec of any kind need not have a size
    unrun(() => order.size * 2)
  })

  test('is the same for a layout that is written apart, constant or not', () => {
    const constant = { a: u8, at: { b: choice('x', 'y') } } as const
    expectTypeOf(struct(constant)).toEqualTypeOf<Codec<{ a: number; at: { b: 'x' | 'y' } }>>()
    // @ts-expect-error no such name
    expect(() => encodeMessage(struct(constant), { a: 1, at: { b: 'z' } })).toThrow(refused)

    expectTypeOf(struct({ point })).toEqualTypeOf<Codec<{ point: { x: number; y: number } }>>()
    // @ts-expect-error the fields of the layout that is within
    expect(() => encodeMessage(struct({ point }), { x: 1, y: 1 })).toThrow(refused)

    expectTypeOf(struct({ a: u16 }, { endian: 'little' })).toEqualTypeOf<Codec<{ a: number }>>()
    // @ts-expect-error there is no such order of bytes
    expect(() => struct({ a: u16 }, { endian: 'middle' })).toThrow(failing('INVALID_CODEC'))
  })

  test('may have fields that a type of a field has too', () => {
    const codec = struct({ name: text(4), size: u8, range: { name: bool } })
    expectTypeOf(codec).toEqualTypeOf<Codec<{ name: string; size: number; range: { name: boolean } }>>()
    const message = { name: 'x', size: 1, range: { name: true } }
    expect(codec.decode(encodeMessage(codec, message))).toEqual(message)
    // @ts-expect-error which doesn't make them types
    expect(() => encodeMessage(codec, { ...message, range: true })).toThrow(refused)
  })

  test('can be changed, unlike its layout', () => {
    const codec = struct({ at: { x: f32 } } as const)
    expectTypeOf(codec).toEqualTypeOf<Codec<{ at: { x: number } }>>()
    unrun((message: MessageOf<typeof codec>) => (message.at.x = 1))
    // @ts-expect-error a type of a field is what it is
    unrun(() => (u8.size = 2))
  })

  test('goes where another codec of the same message goes', () => {
    const codec = struct({ side: choice('buy', 'sell'), at: { x: f64 } })
    const schema = z.object({ side: z.enum(['buy', 'sell']), at: z.object({ x: z.number() }) })
    expectTypeOf(oneOf(codec, json(schema))).toEqualTypeOf<Codec<{ side: 'buy' | 'sell'; at: { x: number } }>>()
    // @ts-expect-error any text is no side
    unrun(() => oneOf(codec, json(schema.extend({ side: z.string() }))))

    expectTypeOf(order).toExtend<Codec<Order>>()
    // @ts-expect-error a bigint where the schema has a number
    unrun(() => oneOf(struct({ id: u64 }), json(z.object({ id: z.number() }))))
  })

  test('has a value for every field, of its type', () => {
    const codec = struct({ side: choice('buy', 'sell'), at: { x: f32 }, xs: array(u8, 2), id: u64 })
    const message = { side: 'buy' as const, at: { x: 1 }, xs: [1, 2], id: 1n }
    expect(encodeMessage(codec, message)).toHaveLength(15)
    // @ts-expect-error no such side
    expect(() => encodeMessage(codec, { ...message, side: 'hold' })).toThrow(refused)

    expect(encodeMessage(codec, { ...message, id: 2n })).toHaveLength(15)
    // @ts-expect-error a number is no bigint
    expect(() => encodeMessage(codec, { ...message, id: 1 })).toThrow(refused)

    expect(encodeMessage(codec, { ...message, at: { x: 2 } })).toHaveLength(15)
    // @ts-expect-error a field is missing further in
    expect(() => encodeMessage(codec, { ...message, at: {} })).toThrow(refused)

    expect(encodeMessage(codec, { ...message, xs: [3, 4] })).toHaveLength(15)
    // @ts-expect-error no array at all
    expect(() => encodeMessage(codec, { ...message, xs: 1 })).toThrow(refused)
  })
})

describe('struct: the layout', () => {
  const invalid = failing('INVALID_CODEC')

  test('has types of fields, and layouts', () => {
    expectTypeOf(u8).toExtend<AnyFieldType>()
    // @ts-expect-error a string is no type
    expect(() => struct({ a: 'u16' })).toThrow(invalid)

    expectTypeOf(point).toExtend<StructLayout>()
    // @ts-expect-error nor is a number, further in
    expect(() => struct({ a: { b: 16 } })).toThrow(invalid)

    expectTypeOf(text).returns.toExtend<AnyFieldType>()
    // @ts-expect-error the function is not called
    expect(() => struct({ a: text })).toThrow(invalid)

    expectTypeOf(order).not.toExtend<AnyFieldType>()
    // @ts-expect-error a codec is no type, but its layout is
    expect(() => struct({ a: struct({ b: u8 }) })).toThrow(invalid)

    expectTypeOf<FieldType<number>>().toHaveProperty('range')
    // @ts-expect-error looks like one
    expect(() => struct({ a: { name: 'u8', size: 1, range: '' } })).toThrow(invalid)
  })

  test('StructMessage, FieldValue: are what a layout and a type hold', () => {
    expectTypeOf<StructMessage<{ a: typeof u64; at: typeof point }>>().toEqualTypeOf<{
      a: bigint
      at: { x: number; y: number }
    }>()
    // @ts-expect-error a layout has types, not what they hold
    unrun((message: StructMessage<{ a: bigint }>) => message)

    expectTypeOf<FieldValue<typeof point>>().toEqualTypeOf<{ x: number; y: number }>()
    // @ts-expect-error a field is missing
    unrun((): FieldValue<typeof point> => ({ x: 1 }))

    expectTypeOf<FieldValue<FieldType<'a' | 'b'>>>().toEqualTypeOf<'a' | 'b'>()
    // @ts-expect-error no such name
    unrun((): FieldValue<FieldType<'a' | 'b'>> => 'c')

    expectTypeOf<FieldValue<string>>().toBeNever()
    // @ts-expect-error what is no type holds nothing
    unrun((): FieldValue<'u16'> => 1)

    const make = <const L extends StructLayout>(layout: L): Codec<StructMessage<L>> => struct(layout)
    expectTypeOf(make({ a: u8, b: { c: bool } })).toEqualTypeOf<Codec<{ a: number; b: { c: boolean } }>>()
    // @ts-expect-error a function of a user refuses what struct refuses
    expect(() => make({ a: 'u8' })).toThrow(invalid)
  })
})

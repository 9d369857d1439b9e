import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  type AnyFieldType,
  array,
  bool,
  choice,
  type Codec,
  f32,
  f64,
  type FieldType,
  type FieldValue,
  i16,
  i64,
  json,
  type MessageOf,
  oneOf,
  raw,
  struct,
  type StructLayout,
  type StructMessage,
  text,
  u16,
  u32,
  u64,
  u8,
} from '../src/index.ts'
import { encodeAnything, failing } from './support.ts'

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

test('types of fields: say what they hold', () => {
  expectTypeOf(u32).toEqualTypeOf<FieldType<number>>()
  expectTypeOf(i64).toEqualTypeOf<FieldType<bigint>>()
  expectTypeOf(bool).toEqualTypeOf<FieldType<boolean>>()
  expectTypeOf(text(8)).toEqualTypeOf<FieldType<string>>()
  expectTypeOf(raw(8)).toEqualTypeOf<FieldType<Uint8Array>>()
  expectTypeOf(choice('buy', 'sell')).toEqualTypeOf<FieldType<'buy' | 'sell'>>()
  expectTypeOf(choice('one')).toEqualTypeOf<FieldType<'one'>>()
  expectTypeOf(array(u64, 2)).toEqualTypeOf<FieldType<bigint[]>>()
  expectTypeOf(array(array(bool, 2), 2)).toEqualTypeOf<FieldType<boolean[][]>>()
  expectTypeOf(array({ x: f32, side: choice('buy', 'sell') }, 2)).toEqualTypeOf<
    FieldType<{ x: number; side: 'buy' | 'sell' }[]>
  >()
})

test('choice: takes names from a list that is constant', () => {
  const sides = ['buy', 'sell'] as const
  expectTypeOf(choice(...sides)).toEqualTypeOf<FieldType<'buy' | 'sell'>>()
  const names = (): [string, ...string[]] => ['a', 'b']
  expectTypeOf(choice(...names())).toEqualTypeOf<FieldType<string>>()
})

test('struct: has a message that reads like one', () => {
  expectTypeOf(order).toEqualTypeOf<Codec<{ [Name in keyof Order]: Order[Name] }>>()
  expectTypeOf<MessageOf<typeof order>>().toEqualTypeOf<{ [Name in keyof Order]: Order[Name] }>()
  expectTypeOf<MessageOf<typeof order>['side']>().toEqualTypeOf<'buy' | 'sell'>()
  expectTypeOf<MessageOf<typeof order>['at']>().toEqualTypeOf<Order['at']>()
  expectTypeOf<MessageOf<typeof order>['path'][number]>().toEqualTypeOf<Order['path'][number]>()
  expectTypeOf(order).toExtend<Codec<Order>>()
  expectTypeOf(order.size).toEqualTypeOf<number | undefined>()
})

test('struct: has the same message for a layout that is written apart, constant or not', () => {
  const constant = { a: u8, at: { b: choice('x', 'y') } } as const
  expectTypeOf(struct(constant)).toEqualTypeOf<Codec<{ a: number; at: { b: 'x' | 'y' } }>>()
  expectTypeOf(struct({ point })).toEqualTypeOf<Codec<{ point: { x: number; y: number } }>>()
  expectTypeOf(struct({ a: u16 }, { endian: 'little' })).toEqualTypeOf<Codec<{ a: number }>>()
})

test('struct: takes layouts with fields that a type of a field has too', () => {
  const codec = struct({ name: text(4), size: u8, range: { name: bool } })
  expectTypeOf(codec).toEqualTypeOf<Codec<{ name: string; size: number; range: { name: boolean } }>>()
  const message = { name: 'x', size: 1, range: { name: true } }
  expect(codec.decode(encodeAnything(codec, message))).toEqual(message)
})

test('struct: goes where another codec of its message goes', () => {
  const schema = z.object({ side: z.enum(['buy', 'sell']), at: z.object({ x: z.number() }) })
  const codec = struct({ side: choice('buy', 'sell'), at: { x: f64 } })
  expectTypeOf(oneOf(codec, json(schema))).toEqualTypeOf<Codec<{ side: 'buy' | 'sell'; at: { x: number } }>>()
})

test('StructMessage, FieldValue: are what a layout and a type hold', () => {
  expectTypeOf<StructMessage<{ a: typeof u64; at: typeof point }>>().toEqualTypeOf<{
    a: bigint
    at: { x: number; y: number }
  }>()
  expectTypeOf<FieldValue<typeof point>>().toEqualTypeOf<{ x: number; y: number }>()
  expectTypeOf<FieldValue<FieldType<'a' | 'b'>>>().toEqualTypeOf<'a' | 'b'>()
  expectTypeOf<FieldValue<string>>().toBeNever()
  expectTypeOf(point).toExtend<StructLayout>()
  expectTypeOf(u8).toExtend<AnyFieldType>()
  expectTypeOf(order).not.toExtend<AnyFieldType>()
  const make = <const L extends StructLayout>(layout: L): Codec<StructMessage<L>> => struct(layout)
  expectTypeOf(make({ a: u8, b: { c: bool } })).toEqualTypeOf<Codec<{ a: number; b: { c: boolean } }>>()
})

test('struct: refuses layouts that are none', () => {
  // @ts-expect-error a string is no type
  expect(() => struct({ a: 'u16' })).toThrow(failing('INVALID_CODEC'))
  // @ts-expect-error nor further in
  expect(() => struct({ a: { b: 16 } })).toThrow(failing('INVALID_CODEC'))
  // @ts-expect-error the function is not called
  expect(() => struct({ a: text })).toThrow(failing('INVALID_CODEC'))
  // @ts-expect-error a codec is no type, but its layout is
  expect(() => struct({ a: struct({ b: u8 }) })).toThrow(failing('INVALID_CODEC'))
  // @ts-expect-error looks like one
  expect(() => struct({ a: { name: 'u8', size: 1, range: '' } })).toThrow(failing('INVALID_CODEC'))
  // @ts-expect-error a choice has a name at least
  expect(() => choice()).toThrow(failing('INVALID_CODEC'))
  // @ts-expect-error names are strings
  expect(() => choice('a', 1)).toThrow(failing('INVALID_CODEC'))
  // @ts-expect-error without a length
  expect(() => array(u8)).toThrow(failing('INVALID_CODEC'))
})

test('struct: refuses messages of another type', () => {
  const codec = struct({ side: choice('buy', 'sell'), at: { x: f32 }, xs: array(u8, 2), id: u64 })
  const encode = (message: MessageOf<typeof codec>): unknown => encodeAnything(codec, message)
  const message = { side: 'buy' as const, at: { x: 1 }, xs: [1, 2], id: 1n }
  expect(encode(message)).toHaveLength(15)
  // @ts-expect-error no such side
  expect(() => encode({ ...message, side: 'hold' })).toThrow(failing('ENCODE_FAILED'))
  // @ts-expect-error a number is no bigint
  expect(() => encode({ ...message, id: 1 })).toThrow(failing('ENCODE_FAILED'))
  // @ts-expect-error a field is missing further in
  expect(() => encode({ ...message, at: {} })).toThrow(failing('ENCODE_FAILED'))
  // @ts-expect-error an item of another type
  expect(() => encode({ ...message, xs: [1, '2'] })).toThrow(failing('ENCODE_FAILED'))
  // @ts-expect-error no array at all
  expect(() => encode({ ...message, xs: 1 })).toThrow(failing('ENCODE_FAILED'))
})

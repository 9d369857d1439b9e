import type { Scalar, ScalarName, Shape } from './shape.ts'

declare const held: unique symbol

/**
 * The type of one field of a {@link struct}. Those of this module are all there are: constants such as {@link u16}, and
 * what {@link text}, {@link raw}, {@link choice} and {@link array} return.
 *
 * @typeParam T - what the field holds in a message.
 */
export interface FieldType<T> {
  /** As in the content type. */
  readonly name: string

  /** Unit: bytes. */
  readonly size: number

  /** What it takes, in words. */
  readonly range: string

  /** Only the compiler knows of this. */
  readonly [held]: T
}

const MAX_F32 = 3.4028234663852886e38

const shapes = new WeakMap<object, Shape>()

/** Makes a type of a field, which only this function can. */
export function fieldType<T>(shape: Shape): FieldType<T> {
  const { name, size, range } = shape
  const type = Object.freeze({ name, size, range })
  shapes.set(type, shape)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- T is for the compiler alone
  return type as FieldType<T>
}

/** What is inside a type that {@link fieldType} has made. */
export function shapeOfType(type: object): Shape | undefined {
  return shapes.get(type)
}

function scalar<T>(name: ScalarName, size: number, parts: Pick<Scalar, 'accepts' | 'range' | 'write'>): FieldType<T> {
  return fieldType<T>({ kind: 'scalar', name, size, depth: 0, count: 1, ...parts })
}

/** An integer of one byte, from 0 to 255. */
export const u8: FieldType<number> = scalar('u8', 1, {
  range: 'an integer from 0 to 255',
  accepts: (value) => typeof value === 'number' && (value & 0xff) === value,
  write: (view, at, value) => view.setUint8(at, value),
})

/** An integer of two bytes, from 0 to 65535. */
export const u16: FieldType<number> = scalar('u16', 2, {
  range: 'an integer from 0 to 65535',
  accepts: (value) => typeof value === 'number' && (value & 0xffff) === value,
  write: (view, at, value, littleEndian) => view.setUint16(at, value, littleEndian),
})

/** An integer of four bytes, from 0 to 4294967295. */
export const u32: FieldType<number> = scalar('u32', 4, {
  range: 'an integer from 0 to 4294967295',
  accepts: (value) => typeof value === 'number' && value >>> 0 === value,
  write: (view, at, value, littleEndian) => view.setUint32(at, value, littleEndian),
})

/** A bigint of eight bytes, from 0 to 2^64 - 1. */
export const u64: FieldType<bigint> = scalar('u64', 8, {
  range: 'a bigint from 0 to 18446744073709551615',
  accepts: (value) => typeof value === 'bigint' && BigInt.asUintN(64, value) === value,
  write: (view, at, value, littleEndian) => view.setBigUint64(at, value, littleEndian),
})

/** An integer of one byte, from -128 to 127. */
export const i8: FieldType<number> = scalar('i8', 1, {
  range: 'an integer from -128 to 127',
  accepts: (value) => typeof value === 'number' && (value << 24) >> 24 === value,
  write: (view, at, value) => view.setInt8(at, value),
})

/** An integer of two bytes, from -32768 to 32767. */
export const i16: FieldType<number> = scalar('i16', 2, {
  range: 'an integer from -32768 to 32767',
  accepts: (value) => typeof value === 'number' && (value << 16) >> 16 === value,
  write: (view, at, value, littleEndian) => view.setInt16(at, value, littleEndian),
})

/** An integer of four bytes, from -2147483648 to 2147483647. */
export const i32: FieldType<number> = scalar('i32', 4, {
  range: 'an integer from -2147483648 to 2147483647',
  accepts: (value) => typeof value === 'number' && (value | 0) === value,
  write: (view, at, value, littleEndian) => view.setInt32(at, value, littleEndian),
})

/** A bigint of eight bytes, from -2^63 to 2^63 - 1. */
export const i64: FieldType<bigint> = scalar('i64', 8, {
  range: 'a bigint from -9223372036854775808 to 9223372036854775807',
  accepts: (value) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  write: (view, at, value, littleEndian) => view.setBigInt64(at, value, littleEndian),
})

/**
 * A number of four bytes, IEEE 754 binary32. What is sent is rounded to the nearest one, so `0.1` arrives as
 * `0.10000000149011612`; what `Math.fround` leaves as it is arrives bit for bit. `NaN` and infinities travel too; a
 * finite number that only infinity is near enough to is refused.
 */
export const f32: FieldType<number> = scalar('f32', 4, {
  range: `a number from -${MAX_F32} to ${MAX_F32}, an infinity or NaN`,
  accepts: (value) => typeof value === 'number' && (Number.isFinite(Math.fround(value)) || !Number.isFinite(value)),
  write: (view, at, value, littleEndian) => view.setFloat32(at, value, littleEndian),
})

/** A number of eight bytes, IEEE 754 binary64: any number, `NaN`, `-0` and infinities included, bit for bit. */
export const f64: FieldType<number> = scalar('f64', 8, {
  range: 'a number',
  accepts: (value) => typeof value === 'number',
  write: (view, at, value, littleEndian) => view.setFloat64(at, value, littleEndian),
})

/** A boolean of one byte: 0 or 1, and nothing else is decoded. */
export const bool: FieldType<boolean> = scalar('bool', 1, {
  range: 'a boolean',
  accepts: (value) => typeof value === 'boolean',
  write: (view, at, value) => view.setUint8(at, value ? 1 : 0),
})

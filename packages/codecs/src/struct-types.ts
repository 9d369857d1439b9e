/** What a field of a record may hold. */
export type FieldValue = number | bigint | boolean

/**
 * The type of one field of a {@link struct}. The constants of this module, such as {@link u16}, are all there are.
 *
 * @typeParam T - what the field holds in a message.
 */
export interface FieldType<T extends FieldValue> {
  /** As in the content type. */
  readonly name: 'u8' | 'u16' | 'u32' | 'u64' | 'i8' | 'i16' | 'i32' | 'i64' | 'f32' | 'f64' | 'bool'

  /** Unit: bytes. */
  readonly size: 1 | 2 | 4 | 8

  /** What it takes, in words. */
  readonly range: string

  /** Whether it takes `value`: as it is, or, for `f32`, rounded. */
  accepts(value: unknown): value is T

  /** Writes a value that it accepts, at byte `at` of `view`. */
  write(view: DataView, at: number, value: T, littleEndian: boolean): void

  /** Reads the value at byte `at` of `view`; `undefined` when there is none in these bytes. */
  read(view: DataView, at: number, littleEndian: boolean): T | undefined
}

/** A field of any type. */
export type AnyFieldType = FieldType<number> | FieldType<bigint> | FieldType<boolean>

const MAX_F32 = 3.4028234663852886e38

/** An integer of one byte, from 0 to 255. */
export const u8: FieldType<number> = {
  name: 'u8',
  size: 1,
  range: 'an integer from 0 to 255',
  accepts: (value): value is number => typeof value === 'number' && (value & 0xff) === value,
  write: (view, at, value) => view.setUint8(at, value),
  read: (view, at) => view.getUint8(at),
}

/** An integer of two bytes, from 0 to 65535. */
export const u16: FieldType<number> = {
  name: 'u16',
  size: 2,
  range: 'an integer from 0 to 65535',
  accepts: (value): value is number => typeof value === 'number' && (value & 0xffff) === value,
  write: (view, at, value, littleEndian) => view.setUint16(at, value, littleEndian),
  read: (view, at, littleEndian) => view.getUint16(at, littleEndian),
}

/** An integer of four bytes, from 0 to 4294967295. */
export const u32: FieldType<number> = {
  name: 'u32',
  size: 4,
  range: 'an integer from 0 to 4294967295',
  accepts: (value): value is number => typeof value === 'number' && value >>> 0 === value,
  write: (view, at, value, littleEndian) => view.setUint32(at, value, littleEndian),
  read: (view, at, littleEndian) => view.getUint32(at, littleEndian),
}

/** A bigint of eight bytes, from 0 to 2^64 - 1. */
export const u64: FieldType<bigint> = {
  name: 'u64',
  size: 8,
  range: 'a bigint from 0 to 18446744073709551615',
  accepts: (value): value is bigint => typeof value === 'bigint' && BigInt.asUintN(64, value) === value,
  write: (view, at, value, littleEndian) => view.setBigUint64(at, value, littleEndian),
  read: (view, at, littleEndian) => view.getBigUint64(at, littleEndian),
}

/** An integer of one byte, from -128 to 127. */
export const i8: FieldType<number> = {
  name: 'i8',
  size: 1,
  range: 'an integer from -128 to 127',
  accepts: (value): value is number => typeof value === 'number' && (value << 24) >> 24 === value,
  write: (view, at, value) => view.setInt8(at, value),
  read: (view, at) => view.getInt8(at),
}

/** An integer of two bytes, from -32768 to 32767. */
export const i16: FieldType<number> = {
  name: 'i16',
  size: 2,
  range: 'an integer from -32768 to 32767',
  accepts: (value): value is number => typeof value === 'number' && (value << 16) >> 16 === value,
  write: (view, at, value, littleEndian) => view.setInt16(at, value, littleEndian),
  read: (view, at, littleEndian) => view.getInt16(at, littleEndian),
}

/** An integer of four bytes, from -2147483648 to 2147483647. */
export const i32: FieldType<number> = {
  name: 'i32',
  size: 4,
  range: 'an integer from -2147483648 to 2147483647',
  accepts: (value): value is number => typeof value === 'number' && (value | 0) === value,
  write: (view, at, value, littleEndian) => view.setInt32(at, value, littleEndian),
  read: (view, at, littleEndian) => view.getInt32(at, littleEndian),
}

/** A bigint of eight bytes, from -2^63 to 2^63 - 1. */
export const i64: FieldType<bigint> = {
  name: 'i64',
  size: 8,
  range: 'a bigint from -9223372036854775808 to 9223372036854775807',
  accepts: (value): value is bigint => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  write: (view, at, value, littleEndian) => view.setBigInt64(at, value, littleEndian),
  read: (view, at, littleEndian) => view.getBigInt64(at, littleEndian),
}

/**
 * A number of four bytes, IEEE 754 binary32. What is sent is rounded to the nearest one, so `0.1` arrives as
 * `0.10000000149011612`; what `Math.fround` leaves as it is arrives bit for bit. `NaN` and infinities travel too; a
 * finite number that only infinity is near enough to is refused.
 */
export const f32: FieldType<number> = {
  name: 'f32',
  size: 4,
  range: `a number from -${MAX_F32} to ${MAX_F32}, an infinity or NaN`,
  accepts: (value): value is number =>
    typeof value === 'number' && (Number.isFinite(Math.fround(value)) || !Number.isFinite(value)),
  write: (view, at, value, littleEndian) => view.setFloat32(at, value, littleEndian),
  read: (view, at, littleEndian) => view.getFloat32(at, littleEndian),
}

/** A number of eight bytes, IEEE 754 binary64: any number, `NaN`, `-0` and infinities included, bit for bit. */
export const f64: FieldType<number> = {
  name: 'f64',
  size: 8,
  range: 'a number',
  accepts: (value): value is number => typeof value === 'number',
  write: (view, at, value, littleEndian) => view.setFloat64(at, value, littleEndian),
  read: (view, at, littleEndian) => view.getFloat64(at, littleEndian),
}

/** A boolean of one byte: 0 or 1, and nothing else is decoded. */
export const bool: FieldType<boolean> = {
  name: 'bool',
  size: 1,
  range: 'a boolean',
  accepts: (value): value is boolean => typeof value === 'boolean',
  write: (view, at, value) => view.setUint8(at, value ? 1 : 0),
  read: (view, at) => {
    const byte = view.getUint8(at)
    return byte > 1 ? undefined : byte === 1
  },
}

/** All there are. */
export const fieldTypes: readonly AnyFieldType[] = [u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, bool]

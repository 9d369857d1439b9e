import { bigInts, bigUints, doubles, floats, highWord, lowWord, words } from '../core/scratch.ts'

declare const held: unique symbol

/**
 * The type of one field of a {@link struct}: a constant such as {@link u16}, or what {@link text}, {@link raw},
 * {@link choice} and {@link array} return. There are no others.
 *
 * @typeParam T - what the field holds in a message.
 */
export interface FieldType<T> {
  /** As in the content type. */
  readonly name: string

  /** Unit: bytes. */
  readonly size: number

  /** The values that it accepts, in words. */
  readonly range: string

  /** For the compiler alone: no object has it. */
  readonly [held]: T
}

/** What all types of a field have in common. */
export interface ShapeBase extends Pick<FieldType<unknown>, 'name' | 'size' | 'range'> {
  /** How many records and arrays lie in one another here. 0 for a type that holds no other type. */
  readonly depth: number
  /** How many types are written down here, this one included. */
  readonly count: number
}

/** The sizes that `DataView` writes and `interpret.ts` reads. Unit: bytes. */
type ScalarSize = 1 | 2 | 4 | 8

/** How the compiled and the interpreted code read and write one scalar of type `T`. */
interface ScalarCode<T> {
  /** Whether `value` can be written: as it is, or, for `f32`, rounded. */
  accepts(value: unknown): boolean
  /** Writes an accepted value. */
  set(view: DataView, at: number, value: T, littleEndian: boolean): void
  /** The method that `set` calls. Compiled code calls it too. */
  readonly setter: keyof DataView & `set${string}`
  /** Set when some bytes are no value: `get` returns `undefined` for them. */
  readonly isPartial?: true
  /**
   * Reads a value. `low` holds the last four bytes, or all of fewer, and `high` the four before them, with the most
   * significant byte first in both.
   */
  get(low: number, high: number): T | undefined
  /** The expression of `get` for compiled code, where a call costs more. `nameOf` names a value in that code. */
  source(low: string, high: string, nameOf: (value: unknown) => string): string
}

/** A number, a bigint or a boolean. */
export interface ScalarShape extends ShapeBase, ScalarCode<unknown> {
  readonly kind: 'scalar'
  readonly size: ScalarSize
}

/** Text in UTF-8 with zeros after it, or plain bytes. */
export interface BytesShape extends ShapeBase {
  readonly kind: 'text' | 'raw'
}

/** One of some names, as its index. */
export interface ChoiceShape extends ShapeBase {
  readonly kind: 'choice'
  readonly names: readonly string[]
  readonly indexes: ReadonlyMap<unknown, number>
}

export interface ArrayShape extends ShapeBase {
  readonly kind: 'array'
  readonly item: FieldShape
  readonly length: number
}

export interface RecordShape extends ShapeBase {
  readonly kind: 'record'
  readonly fields: readonly Field[]
}

export interface Field {
  readonly name: string
  readonly shape: FieldShape
  /** Unit: bytes from the start of the record. */
  readonly offset: number
}

/** What is inside a type of a field. */
export type FieldShape = ScalarShape | BytesShape | ChoiceShape | ArrayShape | RecordShape

/** Reads and writes the records of one layout. The compiled and the interpreted one have the same results. */
export interface RecordCode {
  /**
   * Writes a record at `at`, where there is room for it, or throws `ENCODE_FAILED` after a part of it. `view` and
   * `bytes` are the same memory.
   */
  write(message: object, view: DataView, bytes: Uint8Array, at: number): void

  /** Reads the record in the `length` bytes at `at`, which must be there, or throws `DECODE_FAILED`. */
  read(bytes: Uint8Array, at: number, length: number): unknown
}

const shapes = new WeakMap<object, FieldShape>()

/** Makes a type of a field. No other object is accepted as one. */
export function fieldType<T>(shape: FieldShape): FieldType<T> {
  const { name, size, range } = shape
  const type = Object.freeze({ name, size, range })
  shapes.set(type, shape)
  return type as FieldType<T>
}

/** What is inside a type that {@link fieldType} has made. */
export function shapeOfType(type: object): FieldShape | undefined {
  return shapes.get(type)
}

function scalar<T>(name: string, size: ScalarSize, range: string, code: ScalarCode<T>): FieldType<T> {
  return fieldType({ kind: 'scalar', name, size, range, depth: 0, count: 1, ...(code as ScalarCode<unknown>) })
}

/** Reads a number of eight bytes by way of the memory that `numbers` shows. */
function inMemory<T>(numbers: ArrayLike<T>): Pick<ScalarCode<T>, 'get' | 'source'> {
  return {
    get(low, high) {
      words[highWord] = high
      words[lowWord] = low
      return numbers[0]
    },
    source(low, high, nameOf) {
      const memory = nameOf(words)
      return `(${memory}[${highWord}] = ${high}, ${memory}[${lowWord}] = ${low}, ${nameOf(numbers)}[0])`
    },
  }
}

const maxF32 = 3.4028234663852886e38

// The table of scalars. Both codecs use it: a new scalar is one row here, and its name in the exports.

/** An integer of one byte, from 0 to 255. */
export const u8: FieldType<number> = scalar('u8', 1, 'an integer from 0 to 255', {
  accepts: (value) => typeof value === 'number' && (value & 0xff) === value,
  set: (view, at, value) => view.setUint8(at, value),
  setter: 'setUint8',
  get: (low) => low,
  source: (low) => low,
})

/** An integer of two bytes, from 0 to 65535. */
export const u16: FieldType<number> = scalar('u16', 2, 'an integer from 0 to 65535', {
  accepts: (value) => typeof value === 'number' && (value & 0xffff) === value,
  set: (view, at, value, littleEndian) => view.setUint16(at, value, littleEndian),
  setter: 'setUint16',
  get: (low) => low,
  source: (low) => low,
})

/** An integer of four bytes, from 0 to 4294967295. */
export const u32: FieldType<number> = scalar('u32', 4, 'an integer from 0 to 4294967295', {
  accepts: (value) => typeof value === 'number' && value >>> 0 === value,
  set: (view, at, value, littleEndian) => view.setUint32(at, value, littleEndian),
  setter: 'setUint32',
  get: (low) => low >>> 0,
  source: (low) => `(${low}) >>> 0`,
})

/** A bigint of eight bytes, from 0 to 2^64 - 1. */
export const u64: FieldType<bigint> = scalar('u64', 8, 'a bigint from 0 to 18446744073709551615', {
  accepts: (value) => typeof value === 'bigint' && BigInt.asUintN(64, value) === value,
  set: (view, at, value, littleEndian) => view.setBigUint64(at, value, littleEndian),
  setter: 'setBigUint64',
  ...inMemory(bigUints),
})

/** An integer of one byte, from -128 to 127. */
export const i8: FieldType<number> = scalar('i8', 1, 'an integer from -128 to 127', {
  accepts: (value) => typeof value === 'number' && (value << 24) >> 24 === value,
  set: (view, at, value) => view.setInt8(at, value),
  setter: 'setInt8',
  get: (low) => (low << 24) >> 24,
  source: (low) => `(${low}) << 24 >> 24`,
})

/** An integer of two bytes, from -32768 to 32767. */
export const i16: FieldType<number> = scalar('i16', 2, 'an integer from -32768 to 32767', {
  accepts: (value) => typeof value === 'number' && (value << 16) >> 16 === value,
  set: (view, at, value, littleEndian) => view.setInt16(at, value, littleEndian),
  setter: 'setInt16',
  get: (low) => (low << 16) >> 16,
  source: (low) => `(${low}) << 16 >> 16`,
})

/** An integer of four bytes, from -2147483648 to 2147483647. */
export const i32: FieldType<number> = scalar('i32', 4, 'an integer from -2147483648 to 2147483647', {
  accepts: (value) => typeof value === 'number' && (value | 0) === value,
  set: (view, at, value, littleEndian) => view.setInt32(at, value, littleEndian),
  setter: 'setInt32',
  get: (low) => low,
  source: (low) => low,
})

/** A bigint of eight bytes, from -2^63 to 2^63 - 1. */
export const i64: FieldType<bigint> = scalar('i64', 8, 'a bigint from -9223372036854775808 to 9223372036854775807', {
  accepts: (value) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  set: (view, at, value, littleEndian) => view.setBigInt64(at, value, littleEndian),
  setter: 'setBigInt64',
  ...inMemory(bigInts),
})

/**
 * A number of four bytes, IEEE 754 binary32. A sent number is rounded to the nearest one, so `0.1` arrives as
 * `0.10000000149011612`. A number that `Math.fround` does not change arrives bit for bit. `NaN` and infinities are
 * accepted. A finite number that would be rounded to infinity is not.
 */
export const f32: FieldType<number> = scalar('f32', 4, `a number from -${maxF32} to ${maxF32}, an infinity or NaN`, {
  accepts: (value) => typeof value === 'number' && (Number.isFinite(Math.fround(value)) || !Number.isFinite(value)),
  set: (view, at, value, littleEndian) => view.setFloat32(at, value, littleEndian),
  setter: 'setFloat32',
  get(low) {
    words[0] = low
    return floats[0]
  },
  source: (low, _, nameOf) => `(${nameOf(words)}[0] = ${low}, ${nameOf(floats)}[0])`,
})

/** A number of eight bytes, IEEE 754 binary64. Any number arrives bit for bit, `NaN`, `-0` and infinities included. */
export const f64: FieldType<number> = scalar('f64', 8, 'a number', {
  accepts: (value) => typeof value === 'number',
  set: (view, at, value, littleEndian) => view.setFloat64(at, value, littleEndian),
  setter: 'setFloat64',
  ...inMemory(doubles),
})

/** A boolean of one byte: 0 or 1. Other bytes are not decoded. */
export const bool: FieldType<boolean> = scalar('bool', 1, 'a boolean', {
  accepts: (value) => typeof value === 'boolean',
  set: (view, at, value) => view.setUint8(at, value ? 1 : 0),
  setter: 'setUint8',
  isPartial: true,
  get: (low) => (low > 1 ? undefined : low === 1),
  source: (low) => `(${low}) > 1 ? undefined : (${low}) === 1`,
})

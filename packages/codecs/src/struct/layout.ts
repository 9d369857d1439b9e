import { describe } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import type { Field, FieldShape, FieldType, RecordShape } from './types.ts'
import { fieldType, shapeOfType } from './types.ts'

/** A type of a field, or a layout for an object in the object. */
export type AnyFieldType = FieldType<unknown> | StructLayout

/** The fields of a record, in the order in which they lie in memory. */
export interface StructLayout {
  readonly [name: string]: AnyFieldType
}

/** What a field of type `F` holds in a message. */
export type FieldValue<F> =
  F extends FieldType<infer T>
    ? T
    : F extends StructLayout
      ? { -readonly [Name in keyof F]: FieldValue<F[Name]> }
      : never

/** The message that a layout describes. It is a conditional type so that editors show the fields, not this name. */
export type StructMessage<L extends StructLayout> = L extends StructLayout
  ? { -readonly [Name in keyof L]: FieldValue<L[Name]> }
  : never

/** The limits of a layout. */
const limits = {
  /** What the thirty bits of a length prefix can express. Unit: bytes. */
  size: 2 ** 30 - 1,
  /** Records and arrays in one another. Unit: levels. */
  depth: 32,
  /** Types that are written down: there is code for each. */
  count: 1024,
  /** The layout as text, in braces. It travels in a header without them, so with 8,190 at most. Unit: characters. */
  text: 8192,
  /** The names of a choice: its index is one byte. */
  names: 256,
  /** The names that an error message lists. */
  listedNames: 16,
} as const

/**
 * Text of at most `size` bytes in UTF-8, with zeros after it up to that size. In the content type: `text(8)`.
 *
 * Text that is longer, or contains U+0000 or a lone surrogate, is not encoded, because it would not arrive as it was
 * sent. Bytes that are not well-formed UTF-8, or others than zeros after the first zero, are not decoded.
 *
 * @param size - a positive integer. Unit: bytes. A character has one to four.
 *
 * @throws CodecError `INVALID_CODEC` for an invalid `size`.
 */
export function text(size: number): FieldType<string> {
  checkSizeOf('text', size)
  const range = `text of at most ${size} bytes of UTF-8`
  return fieldType({ kind: 'text', name: `text(${size})`, size, range, depth: 0, count: 1 })
}

/**
 * Exactly `size` bytes, as a `Uint8Array`. In the content type: `raw(16)`.
 *
 * Decoded bytes are a view into the received chunk, as with `bytes`. To keep them for long, keep a `slice()`: the view
 * keeps the whole chunk. Sent bytes are copied.
 *
 * @param size - a positive integer. Unit: bytes.
 *
 * @throws CodecError `INVALID_CODEC` for an invalid `size`.
 */
export function raw(size: number): FieldType<Uint8Array> {
  checkSizeOf('raw', size)
  const range = `a Uint8Array of ${size} bytes`
  return fieldType({ kind: 'raw', name: `raw(${size})`, size, range, depth: 0, count: 1 })
}

/**
 * One of up to 256 names, in one byte: the index of the name, from 0. In the content type: `choice(buy|sell)`.
 *
 * @param names - all different. Each consists of ASCII letters, digits, `_`, `-`, `+`, `.` and `/`.
 *
 * @throws CodecError `INVALID_CODEC` for invalid names.
 *
 * @example
 * struct({ side: choice('buy', 'sell') }) // Codec<{ side: 'buy' | 'sell' }>
 */
export function choice<const N extends string>(...names: readonly [N, ...N[]]): FieldType<N> {
  if (names.length < 1 || names.length > limits.names) {
    throw layoutError(`choice accepts from 1 to ${limits.names} names, not ${names.length}`)
  }
  for (const name of names) {
    if (typeof name !== 'string') throw layoutError(`choice accepts strings, got ${describe(name)}`)
    if (!/^[\w+./-]+$/.test(name)) {
      throw layoutError(`${JSON.stringify(name)} is not a valid name of a choice: use letters, digits, _ - + . / only`)
    }
  }
  const indexes = new Map(names.map((name, index) => [name, index]))
  if (indexes.size < names.length) throw layoutError('the names of a choice must be different')
  const range = names.length > limits.listedNames ? `one of ${names.length} names` : `one of ${names.join(', ')}`
  const name = `choice(${names.join('|')})`
  return fieldType({ kind: 'choice', name, size: 1, range, depth: 0, count: 1, names: [...names], indexes })
}

/**
 * Exactly `length` items of one type, one after the other. In the content type: `u16[3]`. `u16[2][3]` is an array of
 * three arrays of two.
 *
 * @param type - of the items: any type, or a layout.
 * @param length - a positive integer. Unit: items.
 *
 * @throws CodecError `INVALID_CODEC` for an invalid type or length.
 *
 * @example
 * struct({ path: array({ x: f32, y: f32 }, 4) }) // Codec<{ path: { x: number; y: number }[] }>
 */
export function array<const F extends AnyFieldType>(type: F, length: number): FieldType<FieldValue<F>[]> {
  const item = shapeOf(type, 'the items of an array', { depth: 2, left: limits.count - 1 })
  if (!Number.isSafeInteger(length) || length < 1) {
    throw layoutError(`array(type, length) expects a positive integer, got ${describe(length)}`)
  }
  const name = checkText(`${item.name}[${length}]`)
  const size = checkSize(item.size * length)
  const range = `an array of ${length}`
  return fieldType({ kind: 'array', name, size, range, depth: item.depth + 1, count: item.count + 1, item, length })
}

/** Checks a layout and returns its shape. */
export function recordShape(layout: StructLayout): RecordShape {
  if (typeof layout !== 'object' || layout === null) throw layoutError(`expected a layout, got ${describe(layout)}`)
  return shapeOfRecord(layout, '', { depth: 1, left: limits.count })
}

/** An `INVALID_CODEC` error about a layout or an option of `struct`. */
export function layoutError(why: string): CodecError {
  return new CodecError('INVALID_CODEC', `struct: ${why}`)
}

/**
 * How deep the current record is, and how many types may still follow. It ends the walk early through an object that
 * contains itself, or that many objects contain twice.
 */
interface Budget {
  readonly depth: number
  left: number
}

function shapeOf(type: unknown, path: string, budget: Budget): FieldShape {
  if (typeof type !== 'object' || type === null || Array.isArray(type)) {
    throw layoutError(`${path}: expected a type such as u16, or a layout, got ${describe(type)}`)
  }
  const shape = shapeOfType(type)
  // Every value of the layout is checked.
  if (shape === undefined) return shapeOfRecord(type as StructLayout, path, budget)
  budget.left -= shape.count
  checkBudget(budget, shape.depth - 1)
  return shape
}

function shapeOfRecord(layout: StructLayout, path: string, budget: Budget): RecordShape {
  budget.left--
  checkBudget(budget, 0)
  let size = 0
  let depth = 0
  const inner = { depth: budget.depth + 1, left: budget.left }
  const fields = Object.entries(layout).map(([name, type]): Field => {
    if (!/^[A-Za-z_$][\w$]*$/.test(name) || name === '__proto__') {
      throw layoutError(`${JSON.stringify(name)} is not a valid name of a field`)
    }
    const shape = shapeOf(type, path === '' ? name : `${path}.${name}`, inner)
    const offset = size
    size = checkSize(size + shape.size)
    depth = Math.max(depth, shape.depth)
    return { name, shape, offset }
  })
  const count = budget.left - inner.left + 1
  budget.left = inner.left
  if (fields.length === 0) throw layoutError(`${path === '' ? 'a record' : path} must have at least one field`)
  const name = checkText(`{${fields.map((field) => `${field.name}:${field.shape.name}`).join()}}`)
  return { kind: 'record', name, size, range: 'an object', depth: depth + 1, count, fields }
}

function checkBudget({ depth, left }: Budget, below: number): void {
  if (depth + below > limits.depth) throw layoutError(`more than ${limits.depth} layouts and arrays in one another`)
  if (left < 0) throw layoutError(`more than ${limits.count} types`)
}

function checkSize(size: number): number {
  if (size > limits.size) throw layoutError(`more than ${limits.size} bytes`)
  return size
}

function checkSizeOf(what: string, size: number): void {
  if (Number.isSafeInteger(size) && size >= 1 && size <= limits.size) return
  throw layoutError(`${what}(size) expects an integer from 1 to ${limits.size}, got ${describe(size)}`)
}

function checkText(name: string): string {
  if (name.length > limits.text) throw layoutError(`more than ${limits.text} characters: ${name.slice(0, 100)}…`)
  return name
}

import { describe, quote } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'

/** How an error message names a field. */
export interface FieldLabel {
  /** As a program would write it, without the indexes: `orders[].price`. */
  readonly path: string
  /** The values that the field accepts, in words. */
  readonly range: string
}

/** The indexes that a path leaves out, from the outermost array to the innermost. */
export type Indexes = readonly number[]

/** A bigint of more bits is not quoted. */
const maxQuotedBits = 128

/** Throws `ENCODE_FAILED` for a value that the field does not accept. */
export function throwEncodeError(
  label: FieldLabel,
  value: unknown,
  indexes: Indexes,
  got: string = describeExactly(value),
): never {
  throw new CodecError('ENCODE_FAILED', `${pathOf(label, indexes)}: expected ${label.range}, got ${got}`)
}

/** Throws `DECODE_FAILED` for bytes that are no value of the field. */
export function throwDecodeError(label: FieldLabel, indexes: Indexes): never {
  throw new CodecError('DECODE_FAILED', `${pathOf(label, indexes)}: these bytes are not ${label.range}`)
}

/** Throws `DECODE_FAILED` for a record of another size. Units: bytes. */
export function throwSizeError(size: number, length: number): never {
  throw new CodecError('DECODE_FAILED', `expected a record of ${size} bytes, got ${length}`)
}

function pathOf({ path }: FieldLabel, indexes: Indexes): string {
  let level = 0
  return path.replaceAll('[]', () => `[${indexes[level++]}]`)
}

/** Describes a number by its value: the reader compares it with the range. */
function describeExactly(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'bigint' && BigInt.asIntN(maxQuotedBits, value) === value) return `${value}n`
  return describe(value)
}

/** Describes a value where a choice was expected: a text is quoted, because it is another name. */
export function describeName(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(quote(value)) : describeExactly(value)
}

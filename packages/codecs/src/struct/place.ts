import { describe, quote } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'

/** A field for error messages. */
export interface Place {
  /** As one would write it in code, without the indexes: `orders[].price`. */
  readonly path: string
  /** What it takes, in words. */
  readonly range: string
}

/** Where a type lies, for those who make its code. */
export interface Where {
  /** As in {@link Place}. */
  readonly path: string
  /** Unit: bytes from the start of the record or, within an array, of the item. */
  readonly offset: number
  readonly littleEndian: boolean
}

/** The indexes that a place's path leaves out, from the outermost array to the innermost. */
export type Trail = readonly number[]

/** Beyond this many bits a bigint is not quoted. */
const LONG_BIGINT = 128

/** Throws `ENCODE_FAILED` for a value that the place doesn't take. */
export function refuse(place: Place, value: unknown, trail: Trail, got: string = describeExactly(value)): never {
  throw new CodecError('ENCODE_FAILED', `${pathOf(place, trail)}: expected ${place.range}, got ${got}`)
}

/** Throws `DECODE_FAILED` for bytes that say nothing in this place. */
export function reject(place: Place, trail: Trail): never {
  throw new CodecError('DECODE_FAILED', `${pathOf(place, trail)}: these bytes are not ${place.range}`)
}

/** Throws `DECODE_FAILED` for a record of another size. Units: bytes. */
export function refuseSize(size: number, length: number): never {
  throw new CodecError('DECODE_FAILED', `expected a record of ${size} bytes, got ${length}`)
}

function pathOf({ path }: Place, trail: Trail): string {
  let level = 0
  return path.replaceAll('[]', () => `[${trail[level++]}]`)
}

/** {@link describe}, with the number where there is one: it is what a range is compared with. */
function describeExactly(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'bigint' && BigInt.asIntN(LONG_BIGINT, value) === value) return `${value}n`
  return describe(value)
}

/** Says what a value is in the place of a choice's name: text is quoted, being another name. */
export function describeName(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(quote(value)) : describeExactly(value)
}

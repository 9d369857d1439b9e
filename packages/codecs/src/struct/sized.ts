import { describe } from '../core/describe.ts'
import { invalidStruct, longest } from './limits.ts'
import { type FieldType, fieldType } from './types.ts'

/**
 * Text of at most `size` bytes in UTF-8, with zeros after it up to that size. In the content type: `text(8)`.
 *
 * Text that is longer, or has U+0000 or half a surrogate pair somewhere, is refused: it would not arrive as it was sent.
 * Bytes that are not well-formed UTF-8, or others than zeros after the first zero, are not decoded.
 *
 * @param size - a positive integer. Unit: bytes, of which a character takes one to four.
 *
 * @throws CodecError `INVALID_CODEC` from a `size` that can't be one.
 */
export function text(size: number): FieldType<string> {
  checkSize('text', size)
  const range = `text of at most ${size} bytes of UTF-8`
  return fieldType({ kind: 'text', name: `text(${size})`, size, range, depth: 0, count: 1 })
}

/**
 * Exactly `size` bytes, as a `Uint8Array`. In the content type: `raw(16)`.
 *
 * What is decoded is a view into the received chunk, as with `bytes`: read it, and keep `slice()` of it rather than the
 * view for long. What is sent is copied.
 *
 * @param size - a positive integer. Unit: bytes.
 *
 * @throws CodecError `INVALID_CODEC` from a `size` that can't be one.
 */
export function raw(size: number): FieldType<Uint8Array> {
  checkSize('raw', size)
  const range = `a Uint8Array of ${size} bytes`
  return fieldType({ kind: 'raw', name: `raw(${size})`, size, range, depth: 0, count: 1 })
}

/**
 * One of up to 256 names, in one byte: the name's index, from 0. In the content type: `choice(buy|sell)`.
 *
 * @param names - all different. Each is made of ASCII letters, digits, `_`, `-`, `+`, `.` and `/`.
 *
 * @throws CodecError `INVALID_CODEC` from names that can't be such.
 *
 * @example
 * struct({ side: choice('buy', 'sell') }) // Codec<{ side: 'buy' | 'sell' }>
 */
export function choice<const N extends string>(...names: readonly [N, ...N[]]): FieldType<N> {
  if (names.length < 1 || names.length > MAX_NAMES) {
    throw invalidStruct(`choice takes from 1 to ${MAX_NAMES} names, not ${names.length}`)
  }
  for (const name of names) {
    if (typeof name !== 'string') throw invalidStruct(`choice takes strings, got ${describe(name)}`)
    if (!/^[\w+./-]+$/.test(name)) {
      throw invalidStruct(`${JSON.stringify(name)} is no name of a choice: they have letters, digits, _ - + . / alone`)
    }
  }
  const indexes = new Map(names.map((name, index) => [name, index]))
  if (indexes.size < names.length) throw invalidStruct('the names of a choice are all different')
  const range = names.length > MANY_NAMES ? `one of ${names.length} names` : `one of ${names.join(', ')}`
  const name = `choice(${names.join('|')})`
  return fieldType({ kind: 'choice', name, size: 1, range, depth: 0, count: 1, names: [...names], indexes })
}

/** What one byte can tell apart. */
const MAX_NAMES = 256

/** An error message doesn't list more. */
const MANY_NAMES = 16

function checkSize(what: string, size: number): void {
  if (Number.isSafeInteger(size) && size >= 1 && size <= longest.record) return
  throw invalidStruct(`${what}(size) takes an integer from 1 to ${longest.record}, got ${describe(size)}`)
}

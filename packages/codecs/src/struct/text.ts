import { describe } from '../core/describe.ts'
import { maxShortText, readShortAscii } from '../text/ascii.ts'
import { utf8 } from '../text/utf8.ts'

/** The bytes of a longer text are not counted for an error message. Unit: UTF-16 units. */
const maxCounted = 100_000

/**
 * Writes `text` as UTF-8 to the bytes from `from` up to `to`, and zeros after it. Returns `false` when it is not a
 * string, contains U+0000 or a lone surrogate, or is too long: some of it is written then.
 */
export function writePaddedText(bytes: Uint8Array, from: number, to: number, text: unknown): boolean {
  // A unit of UTF-16 has at least one byte.
  if (typeof text !== 'string' || text.length > to - from) return false
  let at = from
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit === 0) return false
    if (unit < 0x80) {
      if (at === to) return false
      bytes[at++] = unit
      continue
    }
    const code = isSurrogate(unit) ? (text.codePointAt(index) ?? 0) : unit
    if (isSurrogate(code)) return false
    const size = sizeOf(code)
    if (to - at < size) return false
    if (size === 4) index++
    writeCodePoint(bytes, at, size, code)
    at += size
  }
  if (to - at > maxShortText) bytes.fill(0, at, to)
  else while (at < to) bytes[at++] = 0
  return true
}

/** Writes a code point of `size` bytes, from two to four. */
function writeCodePoint(bytes: Uint8Array, at: number, size: number, code: number): void {
  let rest = code
  for (let last = at + size - 1; last > at; last--) {
    bytes[last] = 0x80 | (rest & 0x3f)
    rest >>= 6
  }
  bytes[at] = ((0xf00 >> size) & 0xff) | rest
}

/** Reads what {@link writePaddedText} wrote. Returns `undefined` for bytes that it never writes. */
export function readPaddedText(bytes: Uint8Array, from: number, to: number): string | undefined {
  let end = from
  while (end < to && bytes[end] !== 0) end++
  for (let rest = end; rest < to; rest++) if (bytes[rest] !== 0) return undefined
  try {
    return readShortAscii(bytes, from, end) ?? utf8.read(bytes, from, end)
  } catch {
    return undefined
  }
}

/** A plain view of some of the bytes, also where they are a `Buffer`. */
export function viewOf(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from)
}

/** Says why {@link writePaddedText} has not written `value`. */
export function describeText(value: unknown): string {
  if (typeof value !== 'string') return describe(value)
  if (value.length > maxCounted) return `a text of ${value.length} UTF-16 units`
  if (value.includes('\0')) return 'text with U+0000'
  let size = 0
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0
    if (isSurrogate(code)) return 'text with half a surrogate pair'
    size += sizeOf(code)
  }
  return `${size} bytes`
}

/** Unit: bytes. */
function sizeOf(code: number): number {
  if (code < 0x80) return 1
  if (code < 0x800) return 2
  return code < 0x10000 ? 3 : 4
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff
}

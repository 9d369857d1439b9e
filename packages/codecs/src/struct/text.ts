import { describe } from '../core/describe.ts'
import { utf8 } from '../text/utf8.ts'

/** Below this length a loop is faster than calling the platform. Unit: bytes. */
const SHORT = 24

/** A longer text is not counted for an error message. Unit: UTF-16 units. */
const MAX_COUNTED = 100_000

/**
 * Writes `text` as UTF-8 to the bytes from `from` up to `to`, and zeros after it. Returns whether it could: nothing that is
 * not text, has U+0000 or a lone surrogate, or is too long.
 */
export function writeText(bytes: Uint8Array, from: number, to: number, text: unknown): boolean {
  // No unit of UTF-16 takes less than a byte.
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
    const size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
    if (to - at < size) return false
    if (size === 4) index++
    writeLong(bytes, at, size, code)
    at += size
  }
  if (to - at > SHORT) bytes.fill(0, at, to)
  else while (at < to) bytes[at++] = 0
  return true
}

/** A code point that takes `size` bytes, of which there are two to four. */
function writeLong(bytes: Uint8Array, at: number, size: number, code: number): void {
  let rest = code
  for (let last = at + size - 1; last > at; last--) {
    bytes[last] = 0x80 | (rest & 0x3f)
    rest >>= 6
  }
  bytes[at] = ((0xf00 >> size) & 0xff) | rest
}

/** Reads what {@link writeText} wrote; `undefined` when these bytes are nothing that it writes. */
export function readText(bytes: Uint8Array, from: number, to: number): string | undefined {
  let end = from
  let all = 0
  for (; end < to && bytes[end] !== 0; end++) all |= bytes[end] ?? 0
  for (let rest = end; rest < to; rest++) if (bytes[rest] !== 0) return undefined
  if (all < 0x80 && end - from <= SHORT) return readAscii(bytes, from, end)
  try {
    return utf8.read(slice(bytes, from, end))
  } catch {
    return undefined
  }
}

function readAscii(bytes: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at] ?? 0)
  return text
}

/** A plain view of some of the bytes, also where they are a `Buffer`'s. */
export function slice(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from)
}

/** Why {@link writeText} has refused `value`, in words. */
export function describeText(value: unknown): string {
  if (typeof value !== 'string') return describe(value)
  if (value.length > MAX_COUNTED) return `a text of ${value.length} UTF-16 units`
  if (value.includes('\0')) return 'text with U+0000'
  let size = 0
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0
    if (isSurrogate(code)) return 'text with half a surrogate pair'
    size += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  }
  return `${size} bytes`
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff
}

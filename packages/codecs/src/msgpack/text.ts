import { type BufferClass, bufferUtf8, utf8 } from '../text/utf8.ts'

/** Up to this length, text of ASCII is quicker copied by a loop than by the platform. Unit: bytes. */
export const SHORT_TEXT = 24

/** A power of two. */
const KEPT_KEYS = 1024

const platform = globalThis as { readonly Buffer?: BufferClass }

/** Reads a part without making a view of it first, where the platform has that. */
const slice = bufferUtf8(platform.Buffer) === undefined ? undefined : platform.Buffer?.prototype.utf8Slice

/** An array of each length up to {@link SHORT_TEXT}, to be filled. */
const units = Array.from({ length: SHORT_TEXT + 1 }, (_, length) => Array.from({ length }, () => 0))

/** Keys that were read before, each where its hash says. Another key takes the place. */
const keptKeys = Array.from({ length: KEPT_KEYS }, () => '')

/**
 * The text from `from` up to `to`, which are inside `bytes`.
 *
 * @throws CodecError `DECODE_FAILED` when that is not well-formed UTF-8.
 */
export function readText(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= SHORT_TEXT) {
    const text = readAscii(bytes, from, to)
    if (text !== undefined) return text
  }
  if (slice === undefined) return utf8.read(bytes, from, to)
  const text = slice.call(bytes, from, to)
  // `slice` puts U+FFFD in the place of what is wrong. The text may also hold a U+FFFD that was sent as one.
  return text.includes('\uFFFD') ? utf8.read(bytes, from, to) : text
}

/** {@link readText} for short keys of maps, which come again and again. */
export function readKey(bytes: Uint8Array, from: number, to: number): string {
  let hash = to - from
  for (let next = from; next < to; next++) hash = (Math.imul(hash, 31) + (bytes[next] ?? 0)) | 0
  const place = (hash ^ (hash >>> 10)) & (KEPT_KEYS - 1)
  const kept = keptKeys[place] ?? ''
  if (isSame(kept, bytes, from, to)) return kept
  const key = readText(bytes, from, to)
  if (key.length === to - from) keptKeys[place] = key
  return key
}

/** Only text of ASCII has as many units as bytes. */
function isSame(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[from + index]) return false
  }
  return true
}

function readAscii(bytes: Uint8Array, from: number, to: number): string | undefined {
  const all = units[to - from] ?? []
  let bits = 0
  for (let index = 0; index < all.length; index++) {
    const byte = bytes[from + index] ?? 0
    bits |= byte
    all[index] = byte
  }
  return bits < 0x80 ? String.fromCharCode(...all) : undefined
}

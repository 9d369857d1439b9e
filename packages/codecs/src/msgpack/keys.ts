import { readShortAscii } from '../text/ascii.ts'
import { utf8 } from '../text/utf8.ts'

/** A power of two. */
const maxKeptKeys = 1024

/** Keys that were read before, each at the index that its hash gives. Another key with this index replaces it. */
const keptKeys = Array.from({ length: maxKeptKeys }, () => '')

/**
 * Reads the key of a map from the bytes from `from` up to `to`. Short ASCII keys are cached, since they recur.
 *
 * @throws CodecError `DECODE_FAILED` when the bytes are not well-formed UTF-8.
 */
export function readKey(bytes: Uint8Array, from: number, to: number): string {
  let hash = to - from
  for (let next = from; next < to; next++) hash = (Math.imul(hash, 31) + (bytes[next] ?? 0)) | 0
  const index = (hash ^ (hash >>> 10)) & (maxKeptKeys - 1)
  const kept = keptKeys[index] ?? ''
  if (isSame(kept, bytes, from, to)) return kept
  const key = readShortAscii(bytes, from, to) ?? utf8.read(bytes, from, to)
  if (key.length === to - from) keptKeys[index] = key
  return key
}

/** Only ASCII text has as many units as bytes. */
function isSame(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[from + index]) return false
  }
  return true
}

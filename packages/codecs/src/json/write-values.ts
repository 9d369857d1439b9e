import type { ByteWriter } from '../core/byte-writer.ts'
import { utf8 } from '../text/utf8.ts'

/** The most bytes of a number, such as `-1.7976931348623157e+308`. */
export const maxNumberBytes = 25

/** With more fields, the code of an object calls a loop for each key: the engine does not optimise large functions. */
export const maxInlined = 10

/** Up to this length, a loop writes ASCII text faster than a call of the platform. Unit: UTF-16 units. */
const maxLoopText = 32

/** 1 for each byte that stands for itself in a JSON string of ASCII. */
const plainAscii = Uint8Array.from({ length: 256 }, (_, byte) => Number(isPlain(byte) && byte < 0x80))

/** 1 for these bytes, and for those of UTF-8. U+FFFD, which starts with 0xEF, may stand for a lone surrogate. */
const plainUtf8 = Uint8Array.from({ length: 256 }, (_, byte) => Number(isPlain(byte) && byte !== 0xef))

function isPlain(byte: number): boolean {
  return byte >= 0x20 && byte !== 0x22 && byte !== 0x5c
}

/**
 * Code makes no larger memory than this for a message: the size of one that does not fit is estimated before memory is
 * made for it. Unit: bytes.
 */
const maxMade = 64 * 1024

/** Makes room for `size` bytes at `at`. Returns whether there is room. */
export function makeRoom(out: ByteWriter, at: number, size: number): boolean {
  out.position = at
  if (size > out.left || at + size > maxMade) return false
  out.reserve(size)
  return true
}

/**
 * Writes the text of a JSON string without its quotes, and makes room for `rest` bytes behind it. Returns the end, or
 * -1 if the message would be too large. The memory may be another one afterwards.
 */
export function writeText(out: ByteWriter, at: number, text: string, rest: number): number {
  const { length } = text
  if (length > maxLoopText) return writeLongText(out, at, text, rest)
  if (out.bytes.length - at < length + rest && !makeRoom(out, at, length + rest)) return -1
  const { bytes } = out
  for (let index = 0; index < length; index++) {
    const unit = text.charCodeAt(index)
    if (plainAscii[unit] !== 1) return writeLongText(out, at, text, rest)
    bytes[at + index] = unit
  }
  return at + length
}

function writeLongText(out: ByteWriter, at: number, text: string, rest: number): number {
  const { length } = text
  out.position = at
  if (length > out.left || (out.bytes.length - at < length + rest && !makeRoom(out, at, length + rest))) return -1
  utf8.write(text, out)
  if (!isPlainUtf8(out, at, out.position)) {
    out.position = at
    const escaped = JSON.stringify(text)
    if (escaped.length > out.left) return -1
    utf8.write(escaped.slice(1, -1), out)
  }
  const end = out.position
  return out.bytes.length - end < rest && !makeRoom(out, end, rest) ? -1 : end
}

const { toString } = Object.prototype

/** Whether an object is an array or a boxed value, whatever its prototype is. */
export function isSpecial(value: object): boolean {
  return toString.call(value) !== '[object Object]'
}

/** Whether all bytes stand for themselves in a JSON string. It looks at four at once, as long as all are ASCII. */
function isPlainUtf8({ bytes, view }: ByteWriter, from: number, to: number): boolean {
  let at = from
  let found = 0
  for (; at + 4 <= to; at += 4) {
    const four = view.getInt32(at, true)
    const quotes = (four ^ 0x22_22_22_22) - 0x01_01_01_01
    const backslashes = (four ^ 0x5c_5c_5c_5c) - 0x01_01_01_01
    const controls = four - 0x20_20_20_20
    // A byte that borrows from the next one raises a false alarm at most.
    found |= four | quotes | backslashes | controls
  }
  return isPlainBytes(bytes, (found & 0x80_80_80_80) === 0 ? at : from, to)
}

function isPlainBytes(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (plainUtf8[bytes[at] as number] !== 1) return false
  return true
}

/** Writes bytes for which there is room. Returns the end. */
export function writeBytes(bytes: Uint8Array, at: number, source: Uint8Array): number {
  for (let index = 0; index < source.length; index++) bytes[at + index] = source[index] as number
  return at + source.length
}

/** Writes `true` or `false`. Returns the end. */
export function writeBoolean(bytes: Uint8Array, at: number, value: boolean): number {
  return value ? writeWord(bytes, at, 0x74, 0x72, 0x75, 0x65) : writeWord(bytes, at, 0x66, 0x61, 0x6c, 0x73, 0x65)
}

/** Writes `null`. Returns the end. */
export function writeNull(bytes: Uint8Array, at: number): number {
  return writeWord(bytes, at, 0x6e, 0x75, 0x6c, 0x6c)
}

function writeWord(bytes: Uint8Array, at: number, a: number, b: number, c: number, d: number, e?: number): number {
  bytes[at] = a
  bytes[at + 1] = b
  bytes[at + 2] = c
  bytes[at + 3] = d
  if (e === undefined) return at + 4
  bytes[at + 4] = e
  return at + 5
}

const billion = 1e9

/** The decimals that are tried before {@link String}: with at most 15 digits, a decimal is the shortest one. */
const million = 1e6

/** Writes a number as `JSON.stringify` does. Returns the end. */
export function writeNumber(bytes: Uint8Array, at: number, value: number): number {
  // Also -0, which is written as 0.
  const integer = value | 0
  if (integer === value && integer > -billion) {
    if (integer >= 0) return writeDigits(bytes, at, integer)
    bytes[at] = 0x2d
    return writeDigits(bytes, at + 1, -integer)
  }
  const size = Math.abs(value)
  const whole = Math.floor(size)
  const start = value < 0 ? at + 1 : at
  bytes[at] = 0x2d
  if (whole === size && size <= Number.MAX_SAFE_INTEGER) return writeWhole(bytes, start, whole)
  if (size >= billion) return writeOtherNumber(bytes, at, value)
  const millionths = Math.round(size * million)
  if (millionths === 0 || millionths / million !== size) return writeOtherNumber(bytes, at, value)
  return writeFraction(bytes, writeDigits(bytes, start, whole | 0), (millionths - whole * million) | 0)
}

/** Writes an integer from 0. */
function writeWhole(bytes: Uint8Array, at: number, value: number): number {
  if (value < billion) return writeDigits(bytes, at, value | 0)
  let high = Math.floor(value / billion)
  // The quotient may have been rounded up.
  if (high * billion > value) high--
  const low = value - high * billion
  return writePadded(bytes, writeDigits(bytes, at, high | 0), low | 0, 9)
}

/** Writes a point and millionths, without zeros at the end. */
function writeFraction(bytes: Uint8Array, at: number, millionths: number): number {
  bytes[at] = 0x2e
  let end = writePadded(bytes, at + 1, millionths, 6)
  while (bytes[end - 1] === 0x30) end--
  return end
}

/** Writes an integer from 0 to 2^31 - 1. */
function writeDigits(bytes: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    bytes[at] = 0x30 + value
    return at + 1
  }
  if (value < 1e5) return writePadded(bytes, at, value, value < 100 ? 2 : value < 1e3 ? 3 : value < 1e4 ? 4 : 5)
  return writePadded(bytes, at, value, value < 1e6 ? 6 : value < 1e7 ? 7 : value < 1e8 ? 8 : value < billion ? 9 : 10)
}

/** Writes the last `size` digits of an integer from 0 to 2^31 - 1. */
function writePadded(bytes: Uint8Array, at: number, value: number, size: number): number {
  let left = value | 0
  for (let index = at + size - 1; index >= at; index--) {
    const tenth = (left / 10) | 0
    bytes[index] = 0x30 + left - Math.imul(tenth, 10)
    left = tenth
  }
  return at + size
}

function writeOtherNumber(bytes: Uint8Array, at: number, value: number): number {
  if (!Number.isFinite(value)) return writeNull(bytes, at)
  const text = String(value)
  for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index)
  return at + text.length
}

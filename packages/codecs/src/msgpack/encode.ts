import { Encoder, ExtData } from '@msgpack/msgpack'
import type { ByteWriter } from '../core/byte-writer.ts'
import { describe, isUint8Array, reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import { MAX_DEPTH } from './decode.ts'
import type { MsgpackExtension } from './extension.ts'
import { maxShortText, writeAscii } from '../text/ascii.ts'
import { utf8 } from '../text/utf8.ts'

/** The longest header: a byte that says what it is, and a length of four. */
const MAX_HEADER = 5

/**
 * By how much a message may be longer while it is written: a map that turns out to have fewer properties moves back by up to four
 * bytes. Who calls the codec looks at the size of the whole. Unit: bytes.
 */
const MAX_MOVED = 4 * MAX_DEPTH

/** An encoder keeps its memory for the next value, unless one made it larger than this. Unit: bytes. */
const MAX_KEPT_MEMORY = 1024 * 1024

/** Classes whose content is not in their properties: it would not arrive. As `Object.prototype.toString` names them. */
const CONTENT_GETS_LOST: ReadonlySet<string> = new Set(
  ['Map', 'Set', 'WeakMap', 'WeakSet', 'WeakRef', 'Promise', 'ArrayBuffer', 'SharedArrayBuffer', 'RegExp', 'Error']
    .concat(['Number', 'String', 'Boolean'])
    .map((name) => `[object ${name}]`),
)

/** Writes timestamps and extension data that is there already. */
let libraryEncoder = new Encoder()

/** Appends values as MessagePack, in as few bytes as each can have. */
export class MsgpackEncoder {
  private readonly extensions: readonly MsgpackExtension[]
  private depth = 0

  constructor(extensions: readonly MsgpackExtension[]) {
    this.extensions = extensions
  }

  /**
   * Appends `message`. An extension or a getter may call this while it runs, with a writer of its own: what that writes
   * counts as deeper levels.
   *
   * @throws CodecError `ENCODE_FAILED`.
   */
  encode(message: unknown, out: ByteWriter): void {
    const outerDepth = this.depth
    try {
      this.writeValue(message, out)
    } catch (cause) {
      if (cause instanceof CodecError && cause.code === 'ENCODE_FAILED') throw cause
      throw refuse(reasonOf(cause), cause)
    } finally {
      this.depth = outerDepth
    }
  }

  private writeValue(value: unknown, out: ByteWriter): void {
    if (typeof value === 'string') writeString(value, out)
    else if (typeof value === 'number') writeNumber(value, out)
    else if (typeof value === 'boolean') writeByte(value ? 0xc3 : 0xc2, out)
    else if (value === null || value === undefined) writeByte(0xc0, out)
    else if (this.extensions.length === 0 || !this.wroteExtension(value, out)) this.writeOther(value, out)
  }

  private writeOther(value: unknown, out: ByteWriter): void {
    if (typeof value === 'bigint') writeBigint(value, out)
    else if (typeof value !== 'object' || value === null) throw refuse(describe(value))
    else if (Array.isArray(value)) this.writeArray(value, out)
    else if (ArrayBuffer.isView(value)) writeBinary(value, out)
    else if (isPlain(value)) this.writeMap(value, out)
    else if (isDate(value)) writeDate(value, out)
    else if (value instanceof ExtData) writeByLibrary(value, out)
    else this.writeMap(contentOf(value), out)
  }

  private wroteExtension(value: unknown, out: ByteWriter): boolean {
    for (const type of this.extensions) {
      if (!type.is(value)) continue
      this.enter()
      const data = type.encode(value)
      this.depth--
      if (!isUint8Array(data)) throw refuse(`extension ${type.id} made ${describe(data)}, not a Uint8Array`)
      writeByLibrary(new ExtData(type.id, data), out)
      return true
    }
    return false
  }

  private writeArray(array: readonly unknown[], out: ByteWriter): void {
    this.enter()
    const { length } = array
    const header = collectionHeader(length)
    // Each item takes a byte at least, also one that is missing: `items[2 ** 30] = 1` makes a billion of them.
    if (length > out.left + MAX_MOVED) out.overflow()
    out.reserve(MAX_HEADER + length)
    putCollectionHeader(out, out.position, 0x90, 0xdc, length)
    out.position += header
    for (let index = 0; index < length; index++) this.writeValue(array[index], out)
    this.depth--
  }

  /** Reads each property once, since a getter may answer differently, so the size is known at the end. */
  private writeMap(map: object, out: ByteWriter): void {
    this.enter()
    const keys = Object.keys(map)
    const header = collectionHeader(keys.length)
    out.reserve(MAX_HEADER)
    const start = out.position
    out.position += header
    let size = 0
    for (const key of keys) {
      const value = (map as Readonly<Record<string, unknown>>)[key]
      if (value === undefined) continue
      writeString(key, out)
      this.writeValue(value, out)
      size++
    }
    moveBehindHeader(out, start, header, collectionHeader(size))
    putCollectionHeader(out, start, 0x80, 0xde, size)
    this.depth--
  }

  private enter(): void {
    if (++this.depth > MAX_DEPTH) throw refuse(`nested deeper than ${MAX_DEPTH} levels, or a cycle`)
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Objects of classes travel as their own properties. */
function contentOf(value: object): object {
  const tag = Object.prototype.toString.call(value)
  if (CONTENT_GETS_LOST.has(tag)) throw refuse(`an object of class ${tag.slice('[object '.length, -1)}`)
  return value
}

function writeNumber(value: number, out: ByteWriter): void {
  out.reserve(9)
  const { bytes, view, position } = out
  if (!Number.isSafeInteger(value)) {
    bytes[position] = 0xcb
    view.setFloat64(position + 1, value)
    out.position = position + 9
  } else if (value >= 0x1_0000_0000 || value < -0x8000_0000) {
    bytes[position] = value < 0 ? 0xd3 : 0xcf
    view.setUint32(position + 1, Math.floor(value / 0x1_0000_0000))
    view.setUint32(position + 5, value)
    out.position = position + 9
  } else if (value >= 0) {
    out.position = position + putUnsigned(value, out)
  } else {
    out.position = position + putNegative(value, out)
  }
}

function putUnsigned(value: number, { bytes, view, position }: ByteWriter): number {
  if (value < 0x80) {
    bytes[position] = value
    return 1
  }
  if (value < 0x100) {
    bytes[position] = 0xcc
    bytes[position + 1] = value
    return 2
  }
  if (value < 0x1_0000) {
    bytes[position] = 0xcd
    view.setUint16(position + 1, value)
    return 3
  }
  bytes[position] = 0xce
  view.setUint32(position + 1, value)
  return 5
}

function putNegative(value: number, { bytes, view, position }: ByteWriter): number {
  if (value >= -0x20) {
    bytes[position] = value
    return 1
  }
  if (value >= -0x80) {
    bytes[position] = 0xd0
    bytes[position + 1] = value
    return 2
  }
  if (value >= -0x8000) {
    bytes[position] = 0xd1
    view.setInt16(position + 1, value)
    return 3
  }
  bytes[position] = 0xd2
  view.setInt32(position + 1, value)
  return 5
}

function writeBigint(value: bigint, out: ByteWriter): void {
  const fits = value < 0n ? BigInt.asIntN(64, value) === value : BigInt.asUintN(64, value) === value
  if (!fits) throw refuse('a bigint outside -(2^63) to 2^64 - 1')
  out.reserve(9)
  out.bytes[out.position] = value < 0n ? 0xd3 : 0xcf
  out.view.setBigUint64(out.position + 1, BigInt.asUintN(64, value))
  out.position += 9
}

function writeString(text: string, out: ByteWriter): void {
  const { length } = text
  if (length <= maxShortText) {
    out.reserve(1 + length)
    const { bytes, position } = out
    if (writeAscii(text, bytes, position + 1)) {
      bytes[position] = 0xa0 + length
      out.position = position + 1 + length
      return
    }
  }
  writeLongString(text, out)
}

/** Leaves as much room for the header as the text takes if it is ASCII. */
function writeLongString(text: string, out: ByteWriter): void {
  const start = out.position
  const header = stringHeader(text.length)
  out.reserve(header)
  out.position += header
  utf8.write(text, out)
  const size = out.position - start - header
  moveBehindHeader(out, start, header, stringHeader(size))
  if (size < 0x20) out.bytes[start] = 0xa0 + size
  else putHeader(out, start, 0xd9, size)
}

function writeBinary(data: ArrayBufferView, out: ByteWriter): void {
  const { byteLength } = data
  if (byteLength > out.left + MAX_MOVED) out.overflow()
  if (byteLength > 0xffff_ffff) throw refuse(`${byteLength} bytes of binary data`)
  out.reserve(MAX_HEADER + byteLength)
  out.position += putHeader(out, out.position, 0xc4, byteLength)
  append(isUint8Array(data) ? data : new Uint8Array(data.buffer, data.byteOffset, byteLength), out)
}

/** Of this realm or another. */
function isDate(value: object): value is Date {
  return Object.prototype.toString.call(value) === '[object Date]'
}

function writeDate(date: Date, out: ByteWriter): void {
  const time = date.getTime()
  if (Number.isNaN(time)) throw refuse('an invalid Date')
  // The library knows those of its own realm alone.
  writeByLibrary(date instanceof Date ? date : new Date(time), out)
}

function writeByLibrary(value: Date | ExtData, out: ByteWriter): void {
  if (value instanceof ExtData && (value.type << 24) >> 24 !== value.type) throw refuse('an ExtData of no int8 type')
  const bytes = libraryEncoder.encodeSharedRef(value)
  if (bytes.length > MAX_KEPT_MEMORY) libraryEncoder = new Encoder()
  append(bytes, out)
}

/** `out.write`, but for what {@link MAX_MOVED} allows. */
function append(bytes: Uint8Array, out: ByteWriter): void {
  if (bytes.length > out.left + MAX_MOVED) out.overflow()
  out.reserve(bytes.length)
  out.bytes.set(bytes, out.position)
  out.position += bytes.length
}

function writeByte(byte: number, out: ByteWriter): void {
  out.reserve(1)
  out.bytes[out.position++] = byte
}

/** How long the header of a string of so many bytes is. Unit: bytes. */
function stringHeader(size: number): number {
  if (size < 0x20) return 1
  if (size < 0x100) return 2
  return size < 0x1_0000 ? 3 : 5
}

/** How long the header of an array or a map of so many items is. Unit: bytes. */
function collectionHeader(size: number): number {
  if (size < 0x10) return 1
  return size < 0x1_0000 ? 3 : 5
}

/** Writes `first`, or one of the two after it, and the length behind it in 1, 2 or 4 bytes. Returns how long that is. */
function putHeader({ bytes, view }: ByteWriter, at: number, first: number, size: number): number {
  if (size < 0x100) {
    bytes[at] = first
    bytes[at + 1] = size
    return 2
  }
  return putWideHeader(bytes, view, at, first + 1, size)
}

/** The same for what has no header with a length of 1 byte, but one that holds a length below 16. */
function putCollectionHeader(
  { bytes, view }: ByteWriter,
  at: number,
  fixed: number,
  first: number,
  size: number,
): void {
  if (size < 0x10) bytes[at] = fixed + size
  else putWideHeader(bytes, view, at, first, size)
}

function putWideHeader(bytes: Uint8Array, view: DataView, at: number, first: number, size: number): number {
  if (size < 0x1_0000) {
    bytes[at] = first
    view.setUint16(at + 1, size)
    return 3
  }
  bytes[at] = first + 1
  view.setUint32(at + 1, size)
  return 5
}

/** Moves what follows the room of `left` bytes at `start`, when the header turns out to need `needed`. */
function moveBehindHeader(out: ByteWriter, start: number, left: number, needed: number): void {
  if (needed === left) return
  if (needed > left) out.reserve(needed - left)
  out.bytes.copyWithin(start + needed, start + left, out.position)
  out.position += needed - left
}

function refuse(why: string, cause?: unknown): CodecError {
  const text = `the message has no MessagePack form: ${why}`
  return new CodecError('ENCODE_FAILED', text, cause === undefined ? {} : { cause })
}

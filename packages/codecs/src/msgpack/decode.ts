import { decodeTimestampToTimeSpec, EXT_TIMESTAMP, ExtData } from '@msgpack/msgpack'
import { reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import type { MsgpackExtension } from './extension.ts'
import { readKey } from './keys.ts'
import { readShortAscii } from '../text/ascii.ts'
import { utf8 } from '../text/utf8.ts'
import { doubles, floats, highWord, lowWord, words } from '../core/scratch.ts'

/** Deeper nesting is refused on both sides. Unit: arrays, maps and extensions inside each other. */
export const MAX_DEPTH = 512

/** From here on an array is made faster at its full length than item by item. Unit: items. */
const LONG_ARRAY = 16

const nothing = new Uint8Array(0)

/**
 * Builds values of MessagePack's bytes. A length is compared with the bytes that are left before it is used, and those of
 * arrays and maps inside each other together, so what a message costs follows from its size.
 */
export class MsgpackDecoder {
  private readonly extensions: ReadonlyMap<number, MsgpackExtension>
  private bytes: Uint8Array = nothing
  /** Where the message lies, and how far it is read. */
  private start = 0
  private end = 0
  private position = 0
  private depth = 0
  /** How many values the open arrays and maps still claim. */
  private owed = 0

  constructor(extensions: ReadonlyMap<number, MsgpackExtension>) {
    this.extensions = extensions
  }

  /**
   * Reads the one value that is all of `bytes` from `start` to `end`. An extension may call this while it runs: what that reads counts as deeper levels.
   *
   * @throws CodecError `DECODE_FAILED`.
   */
  decode(bytes: Uint8Array, start: number, end: number): unknown {
    const { bytes: outerBytes, start: outerStart, end: outerEnd, position, depth, owed } = this
    this.bytes = bytes
    this.start = start
    this.end = end
    this.position = start
    this.owed = 0
    try {
      const value = this.readValue()
      const extra = end - this.position
      if (extra > 0) throw refuse(`${extra} bytes after the value`)
      return value
    } catch (cause) {
      if (cause instanceof CodecError && cause.code === 'DECODE_FAILED') throw cause
      throw refuse(reasonOf(cause), cause)
    } finally {
      this.bytes = outerBytes
      this.start = outerStart
      this.end = outerEnd
      this.position = position
      this.depth = depth
      this.owed = owed
    }
  }

  private readValue(): unknown {
    const head = this.readByte()
    if (head < 0x80) return head
    if (head >= 0xe0) return head - 0x100
    if (head < 0x90) return this.readMap(head - 0x80)
    if (head < 0xa0) return this.readArray(head - 0x90)
    if (head < 0xc0) return this.readString(head - 0xa0)
    switch (head) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.readBytes(this.readByte())
      case 0xc5:
        return this.readBytes(this.readUint16())
      case 0xc6:
        return this.readBytes(this.readUint32())
      case 0xc7:
        return this.readExtension(this.readByte())
      case 0xc8:
        return this.readExtension(this.readUint16())
      case 0xc9:
        return this.readExtension(this.readUint32())
      case 0xca:
        return this.readFloat32()
      case 0xcb:
        return this.readFloat64()
      case 0xcc:
        return this.readByte()
      case 0xcd:
        return this.readUint16()
      case 0xce:
        return this.readUint32()
      case 0xcf:
        return this.readInteger64(this.readUint32())
      case 0xd0:
        return (this.readByte() << 24) >> 24
      case 0xd1:
        return (this.readUint16() << 16) >> 16
      case 0xd2:
        return this.readUint32() | 0
      case 0xd3:
        return this.readInteger64(this.readUint32() | 0)
      case 0xd4:
        return this.readExtension(1)
      case 0xd5:
        return this.readExtension(2)
      case 0xd6:
        return this.readExtension(4)
      case 0xd7:
        return this.readExtension(8)
      case 0xd8:
        return this.readExtension(16)
      case 0xd9:
        return this.readString(this.readByte())
      case 0xda:
        return this.readString(this.readUint16())
      case 0xdb:
        return this.readString(this.readUint32())
      case 0xdc:
        return this.readArray(this.readUint16())
      case 0xdd:
        return this.readArray(this.readUint32())
      case 0xde:
        return this.readMap(this.readUint16())
      case 0xdf:
        return this.readMap(this.readUint32())
      default:
        throw refuse('the byte c1 begins no value')
    }
  }

  private readMap(size: number): unknown {
    this.enter(2 * size)
    const map: Record<string, unknown> = {}
    for (let left = size; left > 0; left--) {
      this.owed -= 2
      const key = this.readMapKey()
      const value = this.readValue()
      if (key === '__proto__') {
        Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true })
      } else {
        map[key] = value
      }
    }
    this.depth--
    return map
  }

  private readMapKey(): string {
    const head = this.bytes[this.position] ?? 0
    if (head >= 0xa0 && head < 0xc0) {
      this.position++
      const from = this.take(head - 0xa0)
      return readKey(this.bytes, from, this.position)
    }
    const key = this.readValue()
    if (typeof key === 'string') return key
    if (typeof key === 'number' || typeof key === 'bigint') return String(key)
    throw refuse('a key that is neither a string nor a number')
  }

  private readArray(size: number): unknown[] {
    this.enter(size)
    const array = size < LONG_ARRAY ? this.readItems(size) : this.readManyItems(size)
    this.depth--
    return array
  }

  private readItems(size: number): unknown[] {
    const array: unknown[] = []
    for (let left = size; left > 0; left--) {
      this.owed--
      array.push(this.readValue())
    }
    return array
  }

  private readManyItems(size: number): unknown[] {
    // oxlint-disable-next-line unicorn/no-new-array -- a length, and no more than there are bytes
    const array: unknown[] = new Array(size)
    for (let index = 0; index < size; index++) {
      this.owed--
      array[index] = this.readValue()
    }
    return array
  }

  private readString(size: number): string {
    const from = this.take(size)
    return readShortAscii(this.bytes, from, this.position) ?? utf8.read(this.bytes, from, this.position)
  }

  /** A plain view: a `Buffer` differs from a `Uint8Array` in what `slice` does and how it prints. */
  private readBytes(size: number): Uint8Array {
    const from = this.take(size)
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + from, size)
  }

  private readExtension(size: number): unknown {
    const id = (this.readByte() << 24) >> 24
    const data = this.readBytes(size)
    if (id === EXT_TIMESTAMP) return readTimestamp(data)
    const type = this.extensions.get(id)
    if (type === undefined) return new ExtData(id, data)
    this.enter(0)
    const value = type.decode(data)
    this.depth--
    return value
  }

  /** `high` has the sign. What a number would round is a bigint. */
  private readInteger64(high: number): number | bigint {
    const low = this.readUint32()
    const value = high * 0x1_0000_0000 + low
    return Number.isSafeInteger(value) ? value : (BigInt(high) << 32n) + BigInt(low)
  }

  private readFloat32(): number {
    words[0] = this.readUint32()
    return floats[0] ?? 0
  }

  private readFloat64(): number {
    words[highWord] = this.readUint32()
    words[lowWord] = this.readUint32()
    return doubles[0] ?? 0
  }

  private readUint32(): number {
    const from = this.take(4)
    const { bytes } = this
    const high = ((bytes[from] ?? 0) << 8) | (bytes[from + 1] ?? 0)
    return high * 0x1_0000 + (((bytes[from + 2] ?? 0) << 8) | (bytes[from + 3] ?? 0))
  }

  private readUint16(): number {
    const from = this.take(2)
    return ((this.bytes[from] ?? 0) << 8) | (this.bytes[from + 1] ?? 0)
  }

  private readByte(): number {
    return this.bytes[this.take(1)] ?? 0
  }

  /** Moves past `size` bytes, which must be there. Returns where they begin. */
  private take(size: number): number {
    const from = this.position
    if (size > this.end - from) throw refuse(`ends after ${this.end - this.start} bytes, inside a value`)
    this.position = from + size
    return from
  }

  /** Goes one level down, into `values` values more, each of which takes a byte at least. */
  private enter(values: number): void {
    this.owed += values
    const left = this.end - this.position
    if (this.owed > left) throw refuse(`${this.owed} values claimed, with ${left} bytes left`)
    if (++this.depth > MAX_DEPTH) throw refuse(`nested deeper than ${MAX_DEPTH} levels`)
  }
}

/** A `Date` has milliseconds: what is finer is cut off. */
function readTimestamp(data: Uint8Array): Date {
  const { sec, nsec } = decodeTimestampToTimeSpec(data)
  const date = new Date(sec * 1000 + Math.floor(nsec / 1e6))
  if (nsec >= 1e9 || Number.isNaN(date.getTime())) throw refuse('a timestamp out of range')
  return date
}

function refuse(why: string, cause?: unknown): CodecError {
  return new CodecError('DECODE_FAILED', `not a MessagePack message: ${why}`, cause === undefined ? {} : { cause })
}

import { decodeTimestampToTimeSpec, EXT_TIMESTAMP, ExtData } from '@msgpack/msgpack'
import { reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import type { MsgpackExtension } from './extension.ts'
import { readKey } from './keys.ts'
import { readShortAscii } from '../text/ascii.ts'
import { utf8 } from '../text/utf8.ts'
import { doubles, floats, highWord, lowWord, words } from '../core/scratch.ts'

/** Maximum nesting, in both directions. Unit: arrays, maps and extensions inside each other. */
export const maxDepth = 512

/** Arrays of at least this length are faster allocated at full length than grown item by item. Unit: items. */
const minPresized = 16

const noBytes = new Uint8Array(0)

/**
 * Reads MessagePack values. Every length is checked against the remaining bytes before it is used, and the lengths of
 * nested arrays and maps are checked together. So the memory that a message costs is bounded by its size.
 */
export class MsgpackDecoder {
  readonly #extensions: ReadonlyMap<number, MsgpackExtension>
  #bytes: Uint8Array = noBytes
  /** The message lies from `start` to `end` in `bytes`, and is read up to `position`. */
  #start = 0
  #end = 0
  #position = 0
  #depth = 0
  /** Number of values that the enclosing arrays and maps still expect. */
  #claimed = 0

  constructor(extensions: ReadonlyMap<number, MsgpackExtension>) {
    this.#extensions = extensions
  }

  /**
   * Reads the value that fills `bytes` from `start` to `end`. An extension may call this recursively. Its values then
   * count as deeper levels.
   *
   * @throws CodecError `DECODE_FAILED`.
   */
  decode(bytes: Uint8Array, start: number, end: number): unknown {
    const outerBytes = this.#bytes
    const outerStart = this.#start
    const outerEnd = this.#end
    const position = this.#position
    const depth = this.#depth
    const claimed = this.#claimed
    this.#bytes = bytes
    this.#start = start
    this.#end = end
    this.#position = start
    this.#claimed = 0
    try {
      const value = this.#readValue()
      const extra = end - this.#position
      if (extra > 0) throw decodeError(`${extra} bytes after the value`)
      return value
    } catch (cause) {
      if (cause instanceof CodecError && cause.code === 'DECODE_FAILED') throw cause
      throw decodeError(reasonOf(cause), cause)
    } finally {
      this.#bytes = outerBytes
      this.#start = outerStart
      this.#end = outerEnd
      this.#position = position
      this.#depth = depth
      this.#claimed = claimed
    }
  }

  #readValue(): unknown {
    const head = this.#readByte()
    if (head < 0x80) return head
    if (head >= 0xe0) return head - 0x100
    if (head < 0x90) return this.#readMap(head - 0x80)
    if (head < 0xa0) return this.#readArray(head - 0x90)
    if (head < 0xc0) return this.#readString(head - 0xa0)
    switch (head) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.#readBytes(this.#readByte())
      case 0xc5:
        return this.#readBytes(this.#readUint16())
      case 0xc6:
        return this.#readBytes(this.#readUint32())
      case 0xc7:
        return this.#readExtension(this.#readByte())
      case 0xc8:
        return this.#readExtension(this.#readUint16())
      case 0xc9:
        return this.#readExtension(this.#readUint32())
      case 0xca:
        return this.#readFloat32()
      case 0xcb:
        return this.#readFloat64()
      case 0xcc:
        return this.#readByte()
      case 0xcd:
        return this.#readUint16()
      case 0xce:
        return this.#readUint32()
      case 0xcf:
        return this.#readInteger64(this.#readUint32())
      case 0xd0:
        return (this.#readByte() << 24) >> 24
      case 0xd1:
        return (this.#readUint16() << 16) >> 16
      case 0xd2:
        return this.#readUint32() | 0
      case 0xd3:
        return this.#readInteger64(this.#readUint32() | 0)
      case 0xd4:
        return this.#readExtension(1)
      case 0xd5:
        return this.#readExtension(2)
      case 0xd6:
        return this.#readExtension(4)
      case 0xd7:
        return this.#readExtension(8)
      case 0xd8:
        return this.#readExtension(16)
      case 0xd9:
        return this.#readString(this.#readByte())
      case 0xda:
        return this.#readString(this.#readUint16())
      case 0xdb:
        return this.#readString(this.#readUint32())
      case 0xdc:
        return this.#readArray(this.#readUint16())
      case 0xdd:
        return this.#readArray(this.#readUint32())
      case 0xde:
        return this.#readMap(this.#readUint16())
      case 0xdf:
        return this.#readMap(this.#readUint32())
      default:
        throw decodeError('the byte c1 does not begin a value')
    }
  }

  #readMap(size: number): unknown {
    this.#enter(2 * size)
    const map: Record<string, unknown> = {}
    for (let left = size; left > 0; left--) {
      this.#claimed -= 2
      const key = this.#readMapKey()
      const value = this.#readValue()
      if (key === '__proto__') {
        Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true })
      } else {
        map[key] = value
      }
    }
    this.#depth--
    return map
  }

  #readMapKey(): string {
    const head = this.#bytes[this.#position] ?? 0
    if (head >= 0xa0 && head < 0xc0) {
      this.#position++
      const from = this.#advance(head - 0xa0)
      return readKey(this.#bytes, from, this.#position)
    }
    const key = this.#readValue()
    if (typeof key === 'string') return key
    if (typeof key === 'number' || typeof key === 'bigint') return String(key)
    throw decodeError('a key that is neither a string nor a number')
  }

  #readArray(size: number): unknown[] {
    this.#enter(size)
    const array = size < minPresized ? this.#readItems(size) : this.#readManyItems(size)
    this.#depth--
    return array
  }

  #readItems(size: number): unknown[] {
    const array: unknown[] = []
    for (let left = size; left > 0; left--) {
      this.#claimed--
      array.push(this.#readValue())
    }
    return array
  }

  #readManyItems(size: number): unknown[] {
    // oxlint-disable-next-line unicorn/no-new-array -- a length, at most the number of bytes left
    const array: unknown[] = new Array(size)
    for (let index = 0; index < size; index++) {
      this.#claimed--
      array[index] = this.#readValue()
    }
    return array
  }

  #readString(size: number): string {
    const from = this.#advance(size)
    return readShortAscii(this.#bytes, from, this.#position) ?? utf8.read(this.#bytes, from, this.#position)
  }

  /** Returns a plain `Uint8Array`: the `slice` of a `Buffer` does not copy, and a `Buffer` prints differently. */
  #readBytes(size: number): Uint8Array {
    const from = this.#advance(size)
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + from, size)
  }

  #readExtension(size: number): unknown {
    const id = (this.#readByte() << 24) >> 24
    const data = this.#readBytes(size)
    if (id === EXT_TIMESTAMP) return readTimestamp(data)
    const type = this.#extensions.get(id)
    if (type === undefined) return new ExtData(id, data)
    this.#enter(0)
    const value = type.decode(data)
    this.#depth--
    return value
  }

  /** Reads the low half of an integer. `high` has the sign. The result is a bigint where a number would be rounded. */
  #readInteger64(high: number): number | bigint {
    const low = this.#readUint32()
    const value = high * 0x1_0000_0000 + low
    return Number.isSafeInteger(value) ? value : (BigInt(high) << 32n) + BigInt(low)
  }

  #readFloat32(): number {
    words[0] = this.#readUint32()
    return floats[0] ?? 0
  }

  #readFloat64(): number {
    words[highWord] = this.#readUint32()
    words[lowWord] = this.#readUint32()
    return doubles[0] ?? 0
  }

  #readUint32(): number {
    const from = this.#advance(4)
    const bytes = this.#bytes
    const high = ((bytes[from] ?? 0) << 8) | (bytes[from + 1] ?? 0)
    return high * 0x1_0000 + (((bytes[from + 2] ?? 0) << 8) | (bytes[from + 3] ?? 0))
  }

  #readUint16(): number {
    const from = this.#advance(2)
    return ((this.#bytes[from] ?? 0) << 8) | (this.#bytes[from + 1] ?? 0)
  }

  #readByte(): number {
    return this.#bytes[this.#advance(1)] ?? 0
  }

  /** Moves past the next `size` bytes, which must exist. Returns their offset. */
  #advance(size: number): number {
    const from = this.#position
    if (size > this.#end - from) throw decodeError(`ends after ${this.#end - this.#start} bytes, inside a value`)
    this.#position = from + size
    return from
  }

  /** Enters one more level, with `values` values of at least one byte each. */
  #enter(values: number): void {
    this.#claimed += values
    const left = this.#end - this.#position
    if (this.#claimed > left) throw decodeError(`${this.#claimed} values claimed, with ${left} bytes left`)
    if (++this.#depth > maxDepth) throw decodeError(`nested deeper than ${maxDepth} levels`)
  }
}

/** Reads a timestamp. A `Date` has milliseconds, so anything finer is cut off. */
function readTimestamp(data: Uint8Array): Date {
  const { sec, nsec } = decodeTimestampToTimeSpec(data)
  const date = new Date(sec * 1000 + Math.floor(nsec / 1e6))
  if (nsec >= 1e9 || Number.isNaN(date.getTime())) throw decodeError('a timestamp out of range')
  return date
}

function decodeError(why: string, cause?: unknown): CodecError {
  return new CodecError('DECODE_FAILED', `not a MessagePack message: ${why}`, cause === undefined ? {} : { cause })
}

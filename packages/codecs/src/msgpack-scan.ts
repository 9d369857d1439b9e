import { CodecError } from './errors.ts'

/** Deeper nesting is refused on both sides. Unit: arrays and maps inside each other. */
export const MAX_DEPTH = 512

/** What a scan does with each string that is not plain ASCII: `bytes` from `from` up to `to`. */
export type StringCheck = (bytes: Uint8Array, from: number, to: number) => void

/** After the header bytes c0 to df: how many bytes hold a length, and how many hold data besides that length. */
const LENGTH_BYTES = [0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4]
const DATA_BYTES = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, 0, 0, 0, 0, 0, 0, 0]

/**
 * Walks over one MessagePack value without building it, so that nothing is ever allocated on the word of a header.
 * A scanner serves any number of scans, one after the other.
 */
export class Scanner {
  /** Whether the last scan met binary or extension data, which a decoder hands out as views. */
  hasBinary = false

  private readonly checkString: StringCheck
  private readonly wanted = new Uint32Array(MAX_DEPTH + 1)
  private bytes: Uint8Array = new Uint8Array(0)
  private position = 0

  constructor(checkString: StringCheck) {
    this.checkString = checkString
  }

  /**
   * Returns when `bytes` is exactly one whole value, all lengths lie inside it, arrays and maps claim no more items than
   * there are bytes left, nesting is at most {@link MAX_DEPTH} deep, and every integer is exact as a number.
   *
   * @throws CodecError `DECODE_FAILED` when one of these is not so; whatever the string check throws.
   */
  scan(bytes: Uint8Array): void {
    this.bytes = bytes
    this.position = 0
    this.hasBinary = false
    this.walk()
    const extra = bytes.length - this.position
    if (extra > 0) throw refuse(`${extra} bytes after the value`)
  }

  /** `owed` counts the values still to come; `wanted` has the share of each open array and map, outermost first. */
  private walk(): void {
    const { wanted, bytes } = this
    let depth = 0
    let owed = 1
    wanted[0] = 1
    while (owed > 0) {
      const items = this.skipHeader()
      owed += items - 1
      if (owed > bytes.length - this.position) throw refuse(`${owed} more values claimed than there are bytes for`)
      wanted[depth] = (wanted[depth] ?? 0) - 1
      if (items > 0) {
        if (++depth > MAX_DEPTH) throw refuse(`nested deeper than ${MAX_DEPTH} levels`)
        wanted[depth] = items
      }
      while (depth > 0 && wanted[depth] === 0) depth--
    }
  }

  /** Moves past one scalar, or past the header of an array or map. Returns how many values are in that. */
  private skipHeader(): number {
    const head = this.bytes[this.position] ?? 0
    this.skip(1)
    if (head < 0x80 || head >= 0xe0) return 0
    if (head < 0x90) return 2 * (head - 0x80)
    if (head < 0xa0) return head - 0x90
    if (head < 0xc0) return this.skipString(head - 0xa0)
    const length = this.unsigned(LENGTH_BYTES[head - 0xc0] ?? 0)
    if (head >= 0xde) return 2 * length
    if (head >= 0xdc) return length
    if (head >= 0xd9) return this.skipString(length)
    if (head === 0xcf || head === 0xd3) return this.skipInteger64(head === 0xd3)
    if (head === 0xc1) throw refuse('the byte c1 begins no value')
    if ((head >= 0xc4 && head <= 0xc9) || head >= 0xd4) this.hasBinary = true
    this.skip(length + (DATA_BYTES[head - 0xc0] ?? 0))
    return 0
  }

  private skipString(length: number): 0 {
    const from = this.position
    this.skip(length)
    const { bytes, position } = this
    let bits = 0
    for (let next = from; next < position; next++) bits |= bytes[next] ?? 0
    if (bits >= 0x80) this.checkString(bytes, from, position)
    return 0
  }

  private skipInteger64(signed: boolean): 0 {
    const high = this.unsigned(4)
    const value = (signed ? high | 0 : high) * 0x1_0000_0000 + this.unsigned(4)
    if (!Number.isSafeInteger(value)) throw refuse('an integer beyond ±(2^53 - 1), which a number does not hold')
    return 0
  }

  /** Reads a big-endian unsigned integer of 0, 1, 2 or 4 bytes. */
  private unsigned(size: number): number {
    const from = this.position
    this.skip(size)
    const { bytes, position } = this
    let value = 0
    for (let next = from; next < position; next++) value = value * 256 + (bytes[next] ?? 0)
    return value
  }

  private skip(size: number): void {
    if (size > this.bytes.length - this.position) throw refuse(`ends after ${this.bytes.length} bytes, inside a value`)
    this.position += size
  }
}

function refuse(why: string): CodecError {
  return new CodecError('DECODE_FAILED', `not a MessagePack message: ${why}`)
}

import { CodecError } from './errors.ts'

/** Memory for `size` bytes, not zeroed where the platform allows it. A `Buffer` where there is one. Unit: bytes. */
export function allocateBytes(size: number): Uint8Array<ArrayBuffer> {
  return platform.Buffer === undefined ? new Uint8Array(size) : platform.Buffer.allocUnsafeSlow(size)
}

const nothing = new Uint8Array(0)

const platform = globalThis as {
  readonly Buffer?: { allocUnsafeSlow(size: number): Uint8Array<ArrayBuffer> }
}

/** How many times as much as is left may be reserved: a UTF-16 unit takes at most three bytes of UTF-8, often one. */
const MAX_RESERVED = 4

/** How much may be reserved beyond that, by a codec that rounds up. Unit: bytes. */
const RESERVED_BEYOND = 64 * 1024

/**
 * A growing buffer that codecs append to. The rule of use: `reserve(n)`, then write at most `n` bytes at
 * `bytes[position]` and after, then move `position` on.
 *
 * `reserve` may replace `bytes` and `view`, so read them again after it.
 */
export class ByteWriter {
  /** The memory. What stands before `position` is written; what follows is undefined. */
  bytes: Uint8Array<ArrayBuffer>

  /** Made when it is asked for: most messages are written without. */
  #view: DataView<ArrayBuffer> | undefined

  /** Where the next byte goes. Unit: bytes from the start of `bytes`. */
  position = 0

  #limit = Infinity
  #hasOverflowed = false

  constructor(capacity = 256) {
    this.bytes = capacity === 0 ? nothing : allocateBytes(capacity)
  }

  /** The same memory, for numbers of more than one byte. */
  get view(): DataView<ArrayBuffer> {
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
    return this.#view
  }

  /** How much the message may still take. Infinite where nobody limits it. Unit: bytes. */
  get left(): number {
    return this.#limit - this.position
  }

  /**
   * For who calls codecs: the message that begins at `position` may take so many bytes, or any number with `Infinity`. Takes
   * back what {@link hasOverflowed} says. A message may be larger by what there was room for already: its size is to be looked
   * at once more when it is complete.
   */
  limit(size: number): void {
    this.#limit = this.position + size
    this.#hasOverflowed = false
  }

  /** Whether a codec was refused room since the last {@link limit}, whatever it made of that error. */
  get hasOverflowed(): boolean {
    return this.#hasOverflowed
  }

  /**
   * Makes room for `size` more bytes after `position`.
   *
   * @throws CodecError `ENCODE_FAILED` when the message gets larger than the channel allows. A `size` may be an estimate from
   *   above, of up to four times what is then written.
   */
  reserve(size: number): void {
    if (this.bytes.length - this.position >= size) return
    if (size > MAX_RESERVED * this.left + RESERVED_BEYOND) this.overflow()
    this.grow(size)
  }

  /**
   * For codecs that find out before they write anything: gives a message up that does not fit in what is {@link left}.
   *
   * @throws CodecError `ENCODE_FAILED`, always.
   */
  overflow(): never {
    this.#hasOverflowed = true
    throw new CodecError('ENCODE_FAILED', 'the message is larger than allowed')
  }

  /** Appends a copy of `source`. */
  write(source: Uint8Array): void {
    if (source.length > this.left) this.overflow()
    this.reserve(source.length)
    this.bytes.set(source, this.position)
    this.position += source.length
  }

  /** What has been written so far, as a view on the memory. */
  written(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.position)
  }

  /** Replaces the memory by a larger one that holds what was written and `size` bytes more. */
  protected grow(size: number): void {
    this.replace(allocateBytes(Math.max(this.bytes.length * 2, this.position + size)))
  }

  /** Goes over to `next`, taking what was written along. */
  protected replace(next: Uint8Array<ArrayBuffer>): void {
    if (this.position > 0) next.set(this.written())
    this.bytes = next
    this.#view = undefined
  }
}

import { CodecError } from './errors.ts'

/** Allocates `size` bytes, uninitialised where the platform allows it: a `Buffer` on platforms with `Buffer`. */
export function allocateBytes(size: number): Uint8Array<ArrayBuffer> {
  return platform.Buffer === undefined ? new Uint8Array(size) : platform.Buffer.allocUnsafeSlow(size)
}

const noBytes = new Uint8Array(0)

const platform = globalThis as {
  readonly Buffer?: { allocUnsafeSlow(size: number): Uint8Array<ArrayBuffer> }
}

/** How many times the remaining room may be reserved: a UTF-16 unit takes one to three bytes of UTF-8. */
const maxReservedFactor = 4

/** How much more may be reserved, by a codec that rounds up. Unit: bytes. */
const maxRounding = 64 * 1024

/**
 * A growing buffer that codecs append to. Call `reserve(n)`, write at most `n` bytes at `bytes[position]` and after,
 * then advance `position`.
 *
 * `reserve` may replace `bytes` and `view`, so read them again after each call.
 */
export class ByteWriter {
  /** The memory. It is written up to `position`. The content of the rest is undefined. */
  bytes: Uint8Array<ArrayBuffer>

  /** Made on demand, since most messages do not need it. */
  #view: DataView<ArrayBuffer> | undefined

  /** Offset of the next byte in `bytes`. Unit: bytes. */
  position = 0

  #limit = Infinity
  #hasOverflowed = false

  constructor(capacity = 256) {
    this.bytes = capacity === 0 ? noBytes : allocateBytes(capacity)
  }

  /** A view of `bytes`, for numbers of more than one byte. */
  get view(): DataView<ArrayBuffer> {
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
    return this.#view
  }

  /** How many more bytes the message may have. Infinite without a limit. Unit: bytes. */
  get left(): number {
    return this.#limit - this.position
  }

  /**
   * Limits the message that begins at `position` to `size` bytes, and resets {@link hasOverflowed}. `Infinity` removes
   * the limit. It is for callers of codecs. A message can exceed the limit within memory that was reserved before, so
   * the caller checks the size of the complete message. Unit: bytes.
   */
  limit(size: number): void {
    this.#limit = this.position + size
    this.#hasOverflowed = false
  }

  /** Whether a message exceeded its limit since the last {@link limit}, even if the codec caught the error. */
  get hasOverflowed(): boolean {
    return this.#hasOverflowed
  }

  /**
   * Makes room for `size` more bytes after `position`. `size` may be an upper estimate, of up to four times the bytes
   * that are then written. Unit: bytes.
   *
   * @throws CodecError `ENCODE_FAILED` when the message is larger than the channel allows.
   */
  reserve(size: number): void {
    if (this.bytes.length - this.position >= size) return
    if (size > maxReservedFactor * (this.#limit - this.position) + maxRounding) this.overflow()
    this.grow(size)
  }

  /**
   * Rejects a message as too large. It is for codecs that know before they write that a message exceeds {@link left}.
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

  /** Returns a view of the bytes written so far. */
  written(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.position)
  }

  /** Replaces the memory by a larger one with room for `size` more bytes. */
  protected grow(size: number): void {
    this.replace(allocateBytes(Math.max(this.bytes.length * 2, this.position + size)))
  }

  /** Replaces the memory by `next`, and copies the written bytes. */
  protected replace(next: Uint8Array<ArrayBuffer>): void {
    if (this.position > 0) next.set(this.written())
    this.bytes = next
    this.#view = undefined
  }
}

/** Memory for `size` bytes, not zeroed where the platform allows it. A `Buffer` where there is one. Unit: bytes. */
export function allocateBytes(size: number): Uint8Array<ArrayBuffer> {
  return platform.Buffer === undefined ? new Uint8Array(size) : platform.Buffer.allocUnsafeSlow(size)
}

const nothing = new Uint8Array(0)

const platform = globalThis as {
  readonly Buffer?: { allocUnsafeSlow(size: number): Uint8Array<ArrayBuffer> }
}

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

  constructor(capacity = 256) {
    this.bytes = capacity === 0 ? nothing : allocateBytes(capacity)
  }

  /** The same memory, for numbers of more than one byte. */
  get view(): DataView<ArrayBuffer> {
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
    return this.#view
  }

  /** Makes room for `size` more bytes after `position`. */
  reserve(size: number): void {
    if (this.bytes.length - this.position < size) this.grow(size)
  }

  /** Appends a copy of `source`. */
  write(source: Uint8Array): void {
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

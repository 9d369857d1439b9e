import { allocateBytes } from '@h2channel/codecs/internal'

import type { FrameDecoder } from './framing.ts'

const empty = new Uint8Array(0)

/** Memory to allocate at first, for a frame of which little has arrived, and from `minLarge` on. Unit: bytes. */
const minSmall = 1_024
const minLarge = 64 * 1024
const largeFrom = 4 * 1024

/**
 * Joins the pieces of a frame that spans chunks. Its memory is at most four times what has arrived, or 64 KiB once 4
 * KiB are there. It does not grow with a size that was only announced.
 */
export class Assembly {
  #bytes = empty
  #size = 0

  /** The bytes that have arrived. */
  get size(): number {
    return this.#size
  }

  /** The memory that it holds. Unit: bytes. */
  get held(): number {
    return this.#bytes.length
  }

  /** Appends a copy of `piece`. `expected` is the size of the whole frame, as far as it is known. */
  append(piece: Uint8Array, expected: number): void {
    const needed = this.#size + piece.length
    if (needed > this.#bytes.length) {
      // A buffer that a larger one replaces is garbage, and after a few MiB of it V8 collects all garbage.
      const wanted = Math.min(expected, Math.max(4 * needed, needed < largeFrom ? minSmall : minLarge))
      const grown = allocateBytes(Math.max(needed, wanted))
      grown.set(this.#bytes.subarray(0, this.#size))
      this.#bytes = grown
    }
    this.#bytes.set(piece, this.#size)
    this.#size = needed
  }

  /** Returns the frame, and begins with the next. The caller owns the bytes. */
  detach(): Uint8Array {
    const frame = this.#bytes.subarray(0, this.#size)
    this.#bytes = empty
    this.#size = 0
    return frame
  }
}

/** The base of every decoder: holds the chunk, its read position, and the parts of a frame that spans chunks. */
export abstract class ChunkDecoder implements FrameDecoder {
  control: boolean = false
  bytes: Uint8Array = empty
  offset = 0
  length = 0
  protected chunk: Uint8Array = empty
  protected position = 0
  /** Made for the first frame that spans chunks: most channels never need it. */
  protected parts: Assembly | undefined

  get buffered(): number {
    return this.chunk.length - this.position + this.kept
  }

  get held(): number {
    return this.parts?.held ?? 0
  }

  /** The bytes that the parts have. */
  protected get kept(): number {
    return this.parts?.size ?? 0
  }

  push(chunk: Uint8Array): void {
    this.chunk = chunk
    this.position = 0
  }

  settle(): void {
    const { chunk, bytes, offset } = this
    if (chunk.byteLength >= chunk.buffer.byteLength / 8) return
    const start = bytes === chunk ? offset : this.position
    this.chunk = new Uint8Array(chunk.subarray(start))
    this.position -= start
    if (bytes !== chunk) return
    this.bytes = this.chunk
    this.offset = 0
  }

  abstract next(): boolean

  abstract end(): void

  /**
   * Makes the kept parts and the bytes after them the frame, `size` bytes in all. Returns whether they have arrived.
   */
  protected take(size: number): boolean {
    const start = this.position
    const { kept } = this
    if (kept === 0 && this.chunk.length - start >= size) {
      this.bytes = this.chunk
      this.offset = start
      this.length = size
      this.position = start + size
      return true
    }
    const piece = this.chunk.subarray(start, start + size - kept)
    if (piece.length > 0) this.keep(piece, size)
    if (piece.length < size - kept) {
      this.drop()
      return false
    }
    this.position = start + piece.length
    this.takeParts()
    return true
  }

  /** Adds a copy of `piece` to the parts. `expected` is the size of the whole frame, as far as it is known. */
  protected keep(piece: Uint8Array, expected: number): void {
    this.parts ??= new Assembly()
    this.parts.append(piece, expected)
  }

  /** Makes the parts the frame. */
  protected takeParts(): void {
    this.bytes = this.parts?.detach() ?? empty
    this.parts = undefined
    this.offset = 0
    this.length = this.bytes.length
  }

  /** Releases the chunk, of which all is read or kept. Returns that no frame is complete. */
  protected drop(): false {
    this.bytes = empty
    this.chunk = empty
    this.position = 0
    return false
  }
}

import { Assembly } from './assembly.ts'
import type { FrameDecoder } from './framing.ts'

/** What the decoders of all framings share: the chunk, how far it was read, and the parts of a frame that spans chunks. */
export abstract class ChunkDecoder implements FrameDecoder {
  control: boolean = false
  bytes: Uint8Array = empty
  offset = 0
  length = 0
  protected chunk: Uint8Array = empty
  protected position = 0
  protected readonly parts: Assembly = new Assembly()

  get buffered(): number {
    return this.chunk.length - this.position + this.parts.size
  }

  get held(): number {
    return this.parts.held
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

  /** Makes the next `size` bytes the frame, together with those that were kept. Returns whether they are there. */
  protected take(size: number): boolean {
    const start = this.position
    const kept = this.parts.size
    if (kept === 0 && this.chunk.length - start >= size) {
      this.bytes = this.chunk
      this.offset = start
      this.length = size
      this.position = start + size
      return true
    }
    const piece = this.chunk.subarray(start, start + size - kept)
    if (piece.length > 0) this.parts.append(piece, size)
    if (piece.length < size - kept) {
      this.drop()
      return false
    }
    this.position = start + piece.length
    this.takeParts()
    return true
  }

  /** Makes the parts the frame. */
  protected takeParts(): void {
    this.bytes = this.parts.take()
    this.offset = 0
    this.length = this.bytes.length
  }

  /** All of the chunk is read, or kept: it is not held any longer. */
  protected drop(): void {
    this.bytes = empty
    this.chunk = empty
    this.position = 0
  }
}

const empty = new Uint8Array(0)

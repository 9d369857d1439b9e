import { inOwnMemory } from './own-memory.ts'

/** The number of chunks at which the transport is paused, however small they are: each is an object. */
const maxChunks = 32

/** Chunks that no read waited for: one, the `readAhead`, and any that the transport could not hold back. */
export class HeldChunks {
  readonly #chunks: Uint8Array[] = []
  #bytes = 0

  get isEmpty(): boolean {
    return this.#chunks.length === 0
  }

  /** Whether the transport is to be paused, which may send `readAhead` bytes before a read asks for them. */
  isFull(readAhead: number): boolean {
    return this.#bytes >= readAhead || this.#chunks.length >= maxChunks
  }

  add(chunk: Uint8Array): void {
    // The chunk may wait for any time.
    const bytes = inOwnMemory(chunk)
    this.#chunks.push(bytes)
    this.#bytes += bytes.length
  }

  take(): Uint8Array | undefined {
    const first = this.#chunks.shift()
    this.#bytes -= first?.length ?? 0
    return first
  }
}

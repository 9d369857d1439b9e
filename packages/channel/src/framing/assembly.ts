import { allocateBytes } from '@h2channel/codecs'

/** What is taken at least: for a little that has come, and for a part of a chunk or more. Unit: bytes. */
const smallest = 1_024
const usual = 64 * 1024
/** From so much on it is a part of a chunk. Unit: bytes. */
const considerable = 4 * 1024

const empty = new Uint8Array(0)

/**
 * Puts together what arrives in pieces. Memory is at most four times what has arrived, or 64 KiB once 4 KiB are there, and does not
 * grow with what was only announced.
 */
export class Assembly {
  #bytes = empty
  #size = 0

  /** How many bytes are there. */
  get size(): number {
    return this.#size
  }

  /** How much memory it holds. Unit: bytes. */
  get held(): number {
    return this.#bytes.length
  }

  /** Appends a copy of `piece`. `expected` is how many bytes there will be in all, as far as anybody knows. */
  append(piece: Uint8Array, expected: number): void {
    const needed = this.#size + piece.length
    if (needed > this.#bytes.length) {
      // Buffers that are given up for larger ones are garbage, of which V8 has to collect all after a few MiB.
      const wanted = Math.min(expected, Math.max(4 * needed, needed < considerable ? smallest : usual))
      const grown = allocateBytes(Math.max(needed, wanted))
      grown.set(this.#bytes.subarray(0, this.#size))
      this.#bytes = grown
    }
    this.#bytes.set(piece, this.#size)
    this.#size = needed
  }

  /** Gives what is there away, and starts anew. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#size)
    this.#bytes = empty
    this.#size = 0
    return taken
  }
}

import { allocateBytes } from '@h2channel/codecs'

/** Unit: bytes. */
const smallest = 1_024

const empty = new Uint8Array(0)

/**
 * Puts together what arrives in pieces. Memory is at most four times what has arrived, and does not grow with what was only
 * announced.
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
      const wanted = Math.min(expected, Math.max(smallest, needed * (needed <= 4 * smallest ? 4 : 2)))
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

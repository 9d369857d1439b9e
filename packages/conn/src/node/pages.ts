/** Unit: bytes. */
const pageSize = 4 * 1024

/**
 * Gathers small pieces in pages, each of which then is one chunk. A peer may send a window of 1 MiB in frames of one byte: an
 * object for each takes a hundred times as much as the bytes.
 */
export class Pages {
  #page: Buffer | undefined
  #used = 0

  /** Whether a piece is small enough to be gathered. */
  static takes(piece: Uint8Array): boolean {
    return piece.length <= pageSize / 4
  }

  /** Appends a copy of `piece`. Returns the page before, once that is full. */
  add(piece: Uint8Array): Buffer | undefined {
    const full = this.#used + piece.length > pageSize ? this.take() : undefined
    this.#page ??= Buffer.allocUnsafeSlow(pageSize)
    this.#page.set(piece, this.#used)
    this.#used += piece.length
    return full
  }

  /** Gives away what was gathered, if anything was. */
  take(): Buffer | undefined {
    const taken = this.#page?.subarray(0, this.#used)
    this.#page = undefined
    this.#used = 0
    return taken
  }
}

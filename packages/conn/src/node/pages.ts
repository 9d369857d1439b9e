/** Whether `chunk` is bytes, also of another realm: Node's chunks are not of the realm of a test runner's sandbox. */
export function isBytes(chunk: unknown): chunk is Uint8Array {
  return ArrayBuffer.isView(chunk)
}

/** Unit: bytes. */
const pageSize = 4 * 1024

/**
 * Gathers small pieces in pages, each of which becomes one chunk. A peer may send a window of 1 MiB in frames of one
 * byte, and an object for each frame takes a hundred times the memory of the byte.
 */
export class Pages {
  #page: Buffer | undefined
  #used = 0

  /** Whether a piece is small enough to be gathered. */
  static accepts(piece: Uint8Array): boolean {
    return piece.length <= pageSize / 4
  }

  /** Appends a copy of `piece`. Returns the previous page if that is full. */
  add(piece: Uint8Array): Buffer | undefined {
    const full = this.#used + piece.length > pageSize ? this.take() : undefined
    this.#page ??= Buffer.allocUnsafeSlow(pageSize)
    this.#page.set(piece, this.#used)
    this.#used += piece.length
    return full
  }

  /** Removes and returns the page that is not full yet, if there is one. */
  take(): Buffer | undefined {
    const taken = this.#page?.subarray(0, this.#used)
    this.#page = undefined
    this.#used = 0
    return taken
  }
}

import { Assembly } from './assembly.ts'
import { largestFrame } from './defaults.ts'
import { ChannelError } from './errors.ts'
import type { FrameDecoder, Framing } from './framing.ts'
import { messageTooLarge } from './length-prefixed.ts'

/**
 * No prefix at all: every message is `size` bytes, one right after the other. Only codecs of just that size go with it.
 *
 * @throws ChannelError `INVALID_ARGUMENT` when `size` is not a whole number above zero.
 */
export function fixedLength(size: number): Framing {
  if (!Number.isSafeInteger(size) || size < 1 || size > largestFrame) {
    throw new ChannelError('INVALID_ARGUMENT', `a frame's size must be from 1 to ${largestFrame}, not ${size}`)
  }
  return {
    name: `fixed-length ${size}`,
    control: false,
    carries: (codec) => codec.size === size,
    begin() {},
    end(out, start, limit) {
      const length = out.position - start
      if (length > limit) throw messageTooLarge(length, limit, 'local')
      if (length !== size)
        throw new ChannelError('ENCODE_FAILED', `a message of ${length} bytes where each has ${size}`)
    },
    decoder(limit) {
      if (size > limit) throw messageTooLarge(size, limit, 'local')
      return new FixedLengthDecoder(size)
    },
  }
}

class FixedLengthDecoder implements FrameDecoder {
  readonly control = false
  readonly #size: number
  #chunk: Uint8Array = empty
  #position = 0
  readonly #parts = new Assembly()

  constructor(size: number) {
    this.#size = size
  }

  get buffered(): number {
    return this.#chunk.length - this.#position + this.#parts.size
  }

  push(chunk: Uint8Array): void {
    this.#chunk = chunk
    this.#position = 0
  }

  next(): Uint8Array | null {
    const start = this.#position
    const end = start + this.#size - this.#parts.size
    const piece = this.#chunk.subarray(start, end)
    this.#position = start + piece.length
    const isWhole = start + piece.length === end
    if (isWhole && this.#parts.size === 0) return piece
    if (piece.length > 0) this.#parts.append(piece, this.#size)
    if (isWhole) return this.#parts.take()
    this.#chunk = empty
    this.#position = 0
    return null
  }

  end(): void {
    if (this.buffered === 0) return
    throw new ChannelError(
      'TRUNCATED_FRAME',
      `the stream ended after ${this.buffered} of ${this.#size} bytes of a message`,
    )
  }
}

const empty = new Uint8Array(0)

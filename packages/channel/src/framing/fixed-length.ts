import { ChunkDecoder } from './chunk-decoder.ts'
import { maxFrameBytes } from '../options.ts'
import { ChannelError } from '../errors.ts'
import type { Framing } from './framing.ts'
import { messageTooLarge } from './framing.ts'

/**
 * Frames without a prefix: every message has `size` bytes. It supports only codecs of exactly that size.
 *
 * @throws ChannelError `INVALID_ARGUMENT` when `size` is not a whole number above zero.
 */
export function fixedLength(size: number): Framing {
  if (!Number.isSafeInteger(size) || size < 1 || size > maxFrameBytes) {
    throw new ChannelError('INVALID_ARGUMENT', `a frame's size must be from 1 to ${maxFrameBytes}, not ${size}`)
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

class FixedLengthDecoder extends ChunkDecoder {
  readonly #size: number

  constructor(size: number) {
    super()
    this.#size = size
  }

  next(): boolean {
    return this.take(this.#size)
  }

  end(): void {
    if (this.buffered === 0) return
    throw new ChannelError(
      'TRUNCATED_FRAME',
      `the stream ended after ${this.buffered} of ${this.#size} bytes of a message`,
    )
  }
}

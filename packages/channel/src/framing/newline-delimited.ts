import { ChunkDecoder } from './chunk-decoder.ts'
import { ChannelError } from '../errors.ts'
import type { Framing } from './framing.ts'
import { messageTooLarge } from './framing.ts'

const newline = 0x0a
const carriageReturn = 0x0d

/**
 * One message a line, ended by `\n`: newline-delimited JSON, which Go's `json.NewEncoder` and any shell can write. It
 * supports only codecs whose messages are a line of text. Empty lines are ignored, and a `\r` before the `\n` is not
 * part of the line. Everything else is: white space, and a byte order mark.
 */
export function newlineDelimited(): Framing {
  return framing
}

const framing: Framing = {
  name: 'newline-delimited',
  control: false,
  carries: (codec) => codec.line === true,
  begin() {},
  end(out, start, limit) {
    const length = out.position - start
    if (length > limit) throw messageTooLarge(length, limit, 'local')
    out.reserve(1)
    out.bytes[out.position] = newline
    out.position += 1
  },
  decoder: (limit) => new NewlineDecoder(limit),
}

class NewlineDecoder extends ChunkDecoder {
  readonly #limit: number

  constructor(limit: number) {
    super()
    this.#limit = limit
  }

  next(): boolean {
    for (;;) {
      const start = this.position
      const found = this.chunk.indexOf(newline, start)
      if (found === -1) {
        this.#keep(this.chunk.subarray(start))
        this.drop()
        return false
      }
      this.position = found + 1
      this.#takeLine(start, found)
      if (this.length > 0) return true
    }
  }

  end(): void {
    if (this.buffered === 0) return
    throw new ChannelError('TRUNCATED_FRAME', `the stream ended after ${this.buffered} bytes of a line without its end`)
  }

  /** Makes the line that ends with these bytes of the chunk the frame. */
  #takeLine(start: number, end: number): void {
    if (this.kept > 0) {
      this.#keep(this.chunk.subarray(start, end))
      this.takeParts()
    } else {
      this.bytes = this.chunk
      this.offset = start
      this.length = end - start
    }
    if (this.length > 0 && this.bytes[this.offset + this.length - 1] === carriageReturn) this.length -= 1
    if (this.length > this.#limit) throw messageTooLarge(this.length, this.#limit, 'remote')
  }

  #keep(piece: Uint8Array): void {
    const size = this.kept + piece.length
    // One byte more than the limit may be the carriage return.
    if (size > this.#limit + 1) throw messageTooLarge(size, this.#limit, 'remote')
    // The length of the line is unknown. A guess that grows with it keeps the copies few.
    if (piece.length > 0) this.keep(piece, Math.min(size * 4, this.#limit + 1))
  }
}

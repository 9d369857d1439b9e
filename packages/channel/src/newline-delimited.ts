import { Assembly } from './assembly.ts'
import { ChannelError } from './errors.ts'
import type { FrameDecoder, Framing } from './framing.ts'
import { messageTooLarge } from './length-prefixed.ts'

const newline = 0x0a
const carriageReturn = 0x0d

/**
 * One message a line, ended by `\n`: newline-delimited JSON, which Go's `json.NewEncoder` writes and any shell can. Only
 * codecs whose messages are a line of text go with it. Blank lines are passed over, and a `\r` before the `\n` is not
 * part of the line.
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

class NewlineDecoder implements FrameDecoder {
  readonly control = false
  readonly #limit: number
  #chunk: Uint8Array = empty
  #position = 0
  /** The start of a line that spans chunks. */
  readonly #parts = new Assembly()

  constructor(limit: number) {
    this.#limit = limit
  }

  get buffered(): number {
    return this.#chunk.length - this.#position + this.#parts.size
  }

  push(chunk: Uint8Array): void {
    this.#chunk = chunk
    this.#position = 0
  }

  next(): Uint8Array | null {
    for (;;) {
      const start = this.#position
      const found = this.#chunk.indexOf(newline, start)
      if (found === -1) {
        this.#keep(this.#chunk.subarray(start))
        this.#chunk = empty
        this.#position = 0
        return null
      }
      this.#position = found + 1
      const line = this.#line(this.#chunk.subarray(start, found))
      if (line.length > 0) return line
    }
  }

  end(): void {
    if (this.buffered === 0) return
    throw new ChannelError('TRUNCATED_FRAME', `the stream ended after ${this.buffered} bytes of a line without its end`)
  }

  /** The whole line that ends with `tail`. */
  #line(tail: Uint8Array): Uint8Array {
    let line = tail
    if (this.#parts.size > 0) {
      this.#keep(tail)
      line = this.#parts.take()
    }
    if (line[line.length - 1] === carriageReturn) line = line.subarray(0, -1)
    if (line.length > this.#limit) throw messageTooLarge(line.length, this.#limit, 'remote')
    return line
  }

  #keep(piece: Uint8Array): void {
    const size = this.#parts.size + piece.length
    // One byte more than the limit may be the carriage return.
    if (size > this.#limit + 1) throw messageTooLarge(size, this.#limit, 'remote')
    // Nobody knows how long the line will be. A guess that grows with it keeps the copies few.
    if (piece.length > 0) this.#parts.append(piece, Math.min(size * 4, this.#limit + 1))
  }
}

const empty = new Uint8Array(0)

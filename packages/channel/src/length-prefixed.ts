import type { ByteWriter } from '@h2channel/codecs'

import { Assembly } from './assembly.ts'
import { ChannelError } from './errors.ts'
import type { FrameDecoder, Framing } from './framing.ts'

/** The length of the prefix. Unit: bytes. */
const prefixSize = 4
const controlFlag = 0x8000_0000
const reservedFlag = 0x4000_0000
const lengthMask = 0x3fff_ffff

/** No control frame has a longer body, whatever the limit of messages. Unit: bytes. */
export const largestControl = 1_024

/**
 * The default framing: the body's length as an unsigned 32-bit big-endian number, then the body.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-----------------------------------------------------------+
 *     |C|0|                     length (30 bits)                      |
 *     +-+-+-----------------------------------------------------------+
 *     |                       body (length bytes)                     …
 *
 * `C` marks a control frame, which only peers that announced it ever send. Without it, this is what tokio-util's
 * `LengthDelimitedCodec` and Netty's `LengthFieldBasedFrameDecoder(…, 0, 4, 0, 4)` speak.
 */
export function lengthPrefixed(): Framing {
  return framing
}

const framing: Framing = {
  name: 'length-prefixed',
  control: true,
  carries: () => true,
  begin(out) {
    out.reserve(prefixSize)
    out.position += prefixSize
  },
  end(out, start, limit) {
    const length = out.position - start - prefixSize
    if (length > limit) throw messageTooLarge(length, limit, 'local')
    out.view.setUint32(start, length)
  },
  decoder: (limit) => new LengthPrefixedDecoder(limit),
}

/** Marks the frame that starts at `start`, and has ended, as a control frame. */
export function markControl(out: ByteWriter, start: number): void {
  out.view.setUint32(start, out.view.getUint32(start) | controlFlag)
}

class LengthPrefixedDecoder implements FrameDecoder {
  control = false
  readonly #limit: number
  #chunk: Uint8Array = empty
  #position = 0
  /** The prefix, or the body, of a frame that spans chunks. */
  readonly #parts = new Assembly()
  /** How long the body is whose prefix was read, or −1 between frames. */
  #length = -1

  constructor(limit: number) {
    this.#limit = limit
  }

  get buffered(): number {
    return this.#chunk.length - this.#position + this.#parts.size + (this.#length === -1 ? 0 : prefixSize)
  }

  push(chunk: Uint8Array): void {
    this.#chunk = chunk
    this.#position = 0
  }

  next(): Uint8Array | null {
    if (this.#length === -1 && !this.#readPrefix()) return null
    const length = this.#length
    const start = this.#position
    if (this.#parts.size === 0 && this.#chunk.length - start >= length) {
      this.#position = start + length
      this.#length = -1
      return this.#chunk.subarray(start, start + length)
    }
    if (!this.#collect(length)) return null
    this.#length = -1
    return this.#parts.take()
  }

  end(): void {
    if (this.buffered === 0) return
    const got = this.#length === -1 ? `${this.buffered} of ${prefixSize} bytes of a prefix` : this.#progress()
    throw new ChannelError('TRUNCATED_FRAME', `the stream ended inside a frame, after ${got}`)
  }

  #progress(): string {
    return `${this.buffered - prefixSize} of ${this.#length} bytes of a body`
  }

  /** Reads a prefix into `#length`. Returns whether it was all there. */
  #readPrefix(): boolean {
    const chunk = this.#chunk
    const at = this.#position
    if (this.#parts.size === 0 && chunk.length - at >= prefixSize) {
      this.#position = at + prefixSize
      this.#check(readU32(chunk, at))
      return true
    }
    if (!this.#collect(prefixSize)) return false
    this.#check(readU32(this.#parts.take(), 0))
    return true
  }

  #check(prefix: number): void {
    if ((prefix & reservedFlag) !== 0) {
      throw new ChannelError('INVALID_FRAME', `the frame's prefix ${hex(prefix)} has a reserved bit set`)
    }
    const length = prefix & lengthMask
    this.control = prefix >= controlFlag
    if (this.control && length > largestControl) {
      throw new ChannelError(
        'INVALID_FRAME',
        `a control frame of ${length} bytes is over the limit of ${largestControl}`,
      )
    }
    if (!this.control && length > this.#limit) throw messageTooLarge(length, this.#limit, 'remote')
    this.#length = length
  }

  /** Moves bytes from the chunk to the parts until they are `size`. Returns whether they are. */
  #collect(size: number): boolean {
    const missing = size - this.#parts.size
    const piece = this.#chunk.subarray(this.#position, this.#position + missing)
    this.#position += piece.length
    if (piece.length > 0) this.#parts.append(piece, size)
    if (piece.length === missing) return true
    this.#chunk = empty
    this.#position = 0
    return false
  }
}

function readU32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16)
  const low = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
  return (high | low) >>> 0
}

function hex(prefix: number): string {
  return `0x${prefix.toString(16).padStart(8, '0')}`
}

/** The error of a body over the limit. `side` is who made it: a message refused here does not end the channel. */
export function messageTooLarge(size: number, limit: number, side: 'local' | 'remote'): ChannelError {
  const message = `a message of ${size} bytes is over the limit of ${limit}`
  return new ChannelError('MESSAGE_TOO_LARGE', message, { side, fatal: side === 'remote' })
}

const empty = new Uint8Array(0)

import { ChunkDecoder } from './chunk-decoder.ts'
import { ChannelError } from '../errors.ts'
import type { Framing } from './framing.ts'
import { maxControlBytes, messageTooLarge } from './framing.ts'

/** Length of the prefix. Unit: bytes. */
export const prefixSize = 4
const controlFlag = 0x8000_0000
const reservedFlag = 0x4000_0000
const lengthMask = 0x3fff_ffff

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
 * `C` marks a control frame, which is only sent to a peer that has announced that it understands them. Without it, this
 * is the framing of tokio-util's `LengthDelimitedCodec` and Netty's `LengthFieldBasedFrameDecoder(…, 0, 4, 0, 4)`.
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
    const { bytes } = out
    // By hand, since a `DataView` would have to be created for each flush.
    bytes[start] = length >>> 24
    bytes[start + 1] = length >>> 16
    bytes[start + 2] = length >>> 8
    bytes[start + 3] = length
  },
  markControl(out, start) {
    out.bytes[start] = (out.bytes[start] ?? 0) | (controlFlag >>> 24)
  },
  decoder: (limit) => new LengthPrefixedDecoder(limit),
}

class LengthPrefixedDecoder extends ChunkDecoder {
  readonly #limit: number
  /**
   * Length of the body whose prefix was read, or −1 between frames: a number, since a union would be an object a
   * message.
   */
  #size = -1

  constructor(limit: number) {
    super()
    this.#limit = limit
  }

  override get buffered(): number {
    const ofBody = this.chunk.length - this.position + (this.parts?.size ?? 0)
    return this.#size === -1 ? ofBody : ofBody + prefixSize
  }

  next(): boolean {
    const { chunk, position } = this
    if (position === chunk.length) return this.drop()
    // Most frames lie in one chunk.
    const body = position + prefixSize
    if (this.#size === -1 && this.parts === undefined && body <= chunk.length) {
      const prefix = readU32(chunk, position)
      const isMessage = prefix <= this.#limit
      const length = isMessage ? prefix : this.#check(prefix)
      if (isMessage) this.control = false
      if (body + length <= chunk.length) {
        this.bytes = chunk
        this.offset = body
        this.length = length
        this.position = body + length
        return true
      }
    }
    return this.#join()
  }

  /** Finds a frame that spans chunks. */
  #join(): boolean {
    if (this.#size === -1) {
      if (!this.take(prefixSize)) return false
      this.#size = this.#check(readU32(this.bytes, this.offset))
    }
    if (!this.take(this.#size)) return false
    this.#size = -1
    return true
  }

  end(): void {
    if (this.buffered === 0) return
    const got = this.#size === -1 ? `${this.buffered} of ${prefixSize} bytes of a prefix` : this.#progress()
    throw new ChannelError('TRUNCATED_FRAME', `the stream ended inside a frame, after ${got}`)
  }

  #progress(): string {
    return `${this.buffered - prefixSize} of ${this.#size} bytes of a body`
  }

  /** Returns the length of the body by its prefix. */
  #check(prefix: number): number {
    if ((prefix & reservedFlag) !== 0) {
      throw new ChannelError('INVALID_FRAME', `the frame's prefix ${hex(prefix)} has a reserved bit set`)
    }
    const length = prefix & lengthMask
    this.control = prefix >= controlFlag
    if (this.control && length > maxControlBytes) {
      throw new ChannelError(
        'INVALID_FRAME',
        `a control frame of ${length} bytes is over the limit of ${maxControlBytes}`,
      )
    }
    if (!this.control && length > this.#limit) throw messageTooLarge(length, this.#limit, 'remote')
    return length
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

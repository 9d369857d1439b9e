import type { Codec } from '../core/codec.ts'
import { describe, isUint8Array, plainBytes } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'

/**
 * Messages that are bytes. With `size`, every message has exactly that size and can travel without a length prefix.
 * Without it, a message has any size, also 0.
 *
 * `encode` copies the message, so the caller may reuse its memory afterwards. `decode` does not copy: the message is a
 * view of the received chunk. Nothing writes to the chunk again, but the view keeps it in memory, up to 64 KiB. To keep
 * a message for long, keep `message.slice()`. The message is a plain `Uint8Array`, also if the chunk is a `Buffer`.
 *
 * @param size - size of every message, a positive safe integer. Unit: bytes.
 *
 * @throws CodecError `INVALID_CODEC` for an invalid `size`. `ENCODE_FAILED` for a message that is not a `Uint8Array` of
 *   the size, `DECODE_FAILED` for received bytes of another size.
 *
 * @example
 * const samples = bytes(4096) // application/vnd.h2channel+bytes; size=4096
 */
export function bytes(size?: number): Codec<Uint8Array> {
  return size === undefined ? bytesOfAnySize : bytesOfSize(size)
}

const contentType = 'application/vnd.h2channel+bytes'

const bytesOfAnySize: Codec<Uint8Array> = {
  name: 'bytes',
  contentType,
  encode(message, out) {
    if (!isUint8Array(message)) throw notBytes('a Uint8Array', message)
    out.write(message)
  },
  decode: plainBytes,
}

function bytesOfSize(size: number): Codec<Uint8Array> {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new CodecError('INVALID_CODEC', `bytes(size) accepts a positive integer, got ${describe(size)}`)
  }
  return {
    name: 'bytes',
    contentType: `${contentType}; size=${size}`,
    size,
    encode(message, out) {
      if (!isUint8Array(message) || message.length !== size) throw notBytes(`a Uint8Array of ${size} bytes`, message)
      out.write(message)
    },
    decode(received) {
      if (received.length === size) return plainBytes(received)
      throw new CodecError('DECODE_FAILED', `expected a message of ${size} bytes, got ${received.length}`)
    },
  }
}

function notBytes(expected: string, message: unknown): CodecError {
  return new CodecError('ENCODE_FAILED', `expected ${expected}, got ${describe(message)}`)
}

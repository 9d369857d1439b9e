import type { Codec } from '../core/codec.ts'
import { describe, isUint8Array, plainBytes } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'

/**
 * Messages that are bytes already: each exactly `size` of them, which can then travel without a length prefix, or of
 * any size, none included, when `size` is left out.
 *
 * `encode` copies the message, so its bytes are the caller's again when it returns. `decode` does not copy: the
 * message is a view into the received chunk, which nobody writes to again but which stays in memory, up to 64 KiB of
 * it, for as long as the view does. Keep `message.slice()` rather than `message` for long. It is a plain `Uint8Array`,
 * also where the chunk is a `Buffer`.
 *
 * @param size - of every message. A positive safe integer. Unit: bytes.
 *
 * @throws CodecError `INVALID_CODEC` from a `size` that can't be one. `ENCODE_FAILED` from a message that is not a
 *   `Uint8Array` or not of the size, `DECODE_FAILED` from received bytes that are not.
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
    throw new CodecError('INVALID_CODEC', `bytes(size) takes a positive integer, got ${describe(size)}`)
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

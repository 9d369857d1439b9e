import { WriteBuffer } from '../core/write-buffer.ts'
import { ChannelError } from '../errors.ts'
import { encodeFailure } from '../framing/framing.ts'
import type { ChannelLimits } from '../options.ts'
import type { Format } from '../route/media-types.ts'

/** Messages that leave with a request, and again with each repetition of it. */
export interface Initial {
  readonly messages: number
  readonly bytes: Uint8Array
}

/**
 * Encodes the messages of a request, before anything of it is sent.
 *
 * @throws ChannelError what `send` would throw for one of them, and `SEND_BUFFER_FULL` for more than a channel buffers.
 */
export function encodeInitial<C>(messages: Iterable<C>, format: Format<C>, limits: ChannelLimits): Initial {
  const out = new WriteBuffer()
  let count = 0
  try {
    for (const message of messages) {
      if (out.position >= limits.maxBufferedBytes) throw tooMany(limits)
      append(message, out, format, limits)
      count += 1
    }
    return { messages: count, bytes: out.take() }
  } finally {
    // Gives the memory back after an error.
    out.position = 0
    out.take()
  }
}

function append<C>(message: C, out: WriteBuffer, { codec, framing }: Format<C>, limits: ChannelLimits): void {
  const { maxMessageBytes } = limits
  const start = out.position
  try {
    framing.begin(out)
    out.limit(maxMessageBytes)
    codec.encode(message, out)
    framing.end(out, start, maxMessageBytes)
  } catch (error) {
    throw encodeFailure(error, out, maxMessageBytes)
  } finally {
    out.limit(Infinity)
  }
}

function tooMany({ maxBufferedBytes }: ChannelLimits): ChannelError {
  const message = `more than ${maxBufferedBytes} bytes of initial messages: send the others when the channel is open`
  return new ChannelError('SEND_BUFFER_FULL', message, { retryable: false })
}

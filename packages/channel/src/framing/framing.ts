import type { ByteWriter, Codec } from '@h2channel/codecs'

import type { Side } from '../errors.ts'
import { ChannelError, textOf } from '../errors.ts'

/** The longest body of a control frame, whatever the limit of messages. Unit: bytes. */
export const maxControlBytes = 1_024

/**
 * Separates messages in a stream of bytes. A framing is pure: bytes in, frames out, with no promise, stream or timer in
 * it.
 */
export interface Framing {
  /** Names the framing in errors. */
  readonly name: string

  /** Whether frames have a flag that distinguishes control frames from messages. It requires {@link markControl}. */
  readonly control: boolean

  /** Whether this framing can separate messages of `codec`. */
  carries(codec: Codec<unknown>): boolean

  /** Begins a frame in `out`. The caller appends the body. */
  begin(out: ByteWriter): void

  /**
   * Ends the frame that was begun at `start`, which is where `out.position` stood before `begin`.
   *
   * @throws ChannelError `MESSAGE_TOO_LARGE` when the body is longer than `limit`, `ENCODE_FAILED` when the framing
   *   does not support it. The caller removes what was written.
   */
  end(out: ByteWriter, start: number, limit: number): void

  /**
   * Marks the frame that was begun at `start` and has been ended as a control frame. Its body has at most 1,024 bytes.
   */
  markControl?(out: ByteWriter, start: number): void

  /** Creates the decoder of one stream. `limit` is the longest body of a message that it accepts. Unit: bytes. */
  decoder(limit: number): FrameDecoder
}

/** Finds the frames in the bytes of one stream, however they were cut into chunks. */
export interface FrameDecoder {
  /** Whether the frame that `next` found last is a control frame. */
  readonly control: boolean

  /** Number of bytes that were pushed and belong to no complete frame yet. */
  readonly buffered: number

  /** Memory that the decoder has allocated for a frame that spans chunks. Unit: bytes. */
  readonly held: number

  /**
   * Adds a chunk, which is borrowed until its last frame was read. Call it only after `next` has returned `false`, or
   * before the first `next`.
   */
  push(chunk: Uint8Array): void

  /**
   * Called when the rest of the chunk has to wait. A chunk may be a small part of a large buffer that others use too: a
   * decoder with this method may copy the rest, and the frame that `next` found last, to memory that it allocates.
   */
  settle?(): void

  /**
   * The memory with the body of the frame that `next` found last: a chunk, or the decoder's for a frame that spans
   * several.
   */
  readonly bytes: Uint8Array

  /** Where the body begins in `bytes`. */
  readonly offset: number

  /** Length of the body. Unit: bytes. */
  readonly length: number

  /**
   * Finds the next frame. Returns whether it is complete; if not, more bytes are needed.
   *
   * @throws ChannelError `MESSAGE_TOO_LARGE` as soon as a frame claims more than the limit, or without a header has
   *   more; `INVALID_FRAME` when the bytes are not a frame. The decoder is unusable afterwards.
   */
  next(): boolean

  /**
   * Called at the end of the stream.
   *
   * @throws ChannelError `TRUNCATED_FRAME` inside a frame.
   */
  end(): void
}

/**
 * The error of a body over the limit.
 *
 * @param size - `undefined` for a message that was given up before its size was known.
 * @param side - which side made it: a message that this side refuses to send does not end the channel.
 */
export function messageTooLarge(size: number | undefined, limit: number, side: Side): ChannelError {
  const message = `a message${size === undefined ? '' : ` of ${size} bytes`} is over the limit of ${limit}`
  return new ChannelError('MESSAGE_TOO_LARGE', message, { side, fatal: side === 'remote' })
}

/** The error of a message that could not be encoded into `out`: what was thrown, or why. */
export function encodeFailure(thrown: unknown, out: ByteWriter, limit: number): ChannelError {
  if (thrown instanceof ChannelError) return thrown
  if (out.hasOverflowed) return messageTooLarge(undefined, limit, 'local')
  return new ChannelError('ENCODE_FAILED', textOf(thrown), { cause: thrown })
}

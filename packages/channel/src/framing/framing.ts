import type { ByteWriter, Codec } from '@h2channel/codecs'

/**
 * Where one message ends and the next begins. A framing is pure: bytes in, frames out, with no promise, stream or timer
 * in it.
 */
export interface Framing {
  readonly name: string

  /** Whether frames can carry a flag that tells control frames from messages. */
  readonly control: boolean

  /** Whether messages of `codec` can be told apart by this framing. */
  carries(codec: Codec<unknown>): boolean

  /** Begins a frame in `out`. What is appended after it is the frame's body. */
  begin(out: ByteWriter): void

  /**
   * Ends the frame that was begun at `start`, which is where `out.position` stood before `begin`.
   *
   * @throws ChannelError `MESSAGE_TOO_LARGE` when the body is longer than `limit`, `ENCODE_FAILED` when the framing can't
   *   carry it. The caller takes back what was written.
   */
  end(out: ByteWriter, start: number, limit: number): void

  /** A decoder of its own for one stream. `limit` is the longest body that it accepts. Unit: bytes. */
  decoder(limit: number): FrameDecoder
}

/** Finds the frames in the bytes of one stream, however they were cut into chunks. */
export interface FrameDecoder {
  /** Whether the frame that `next` gave last is a control frame. */
  readonly control: boolean

  /** How many bytes have been pushed that no frame was made of yet. */
  readonly buffered: number

  /** How much memory of its own it holds, for a frame that spans chunks. Unit: bytes. */
  readonly held: number

  /**
   * Takes a chunk, which is borrowed until its last frame was taken out. To be called only after `next` has given `false`,
   * or before it was ever called.
   */
  push(chunk: Uint8Array): void

  /**
   * What is left of the chunk has to wait. A chunk may lie in memory that is many times as large, with bytes of others: a decoder
   * that has this method may move the rest, and the frame that `next` found last, to memory of its own.
   */
  settle?(): void

  /** Where the body of the frame lies that `next` found last: in a chunk, or in memory of its own if it spans several. */
  readonly bytes: Uint8Array

  /** Where in `bytes` it begins. */
  readonly offset: number

  /** How long it is. Unit: bytes. */
  readonly length: number

  /**
   * Finds the next frame. Returns whether it is there as a whole; if not, more bytes are needed.
   *
   * @throws ChannelError `MESSAGE_TOO_LARGE` as soon as a frame claims, or without a header is, more than the limit;
   *   `INVALID_FRAME` when the bytes are no frame. The decoder is of no use afterwards.
   */
  next(): boolean

  /**
   * The stream is over.
   *
   * @throws ChannelError `TRUNCATED_FRAME` when that is inside a frame.
   */
  end(): void
}

import type { ByteWriter } from './byte-writer.ts'

/**
 * Turns messages into bytes and back. A codec is synchronous and keeps nothing of one message for the next, so one
 * codec object serves any number of channels at once.
 *
 * @typeParam T - the message, at both ends.
 */
export interface Codec<T> {
  /** A short name for logs and errors, such as `json`. */
  readonly name: string

  /** The media type of length-prefixed messages of this codec, such as `application/vnd.h2channel+json`. */
  readonly contentType: string

  /** Set when every message is exactly this many bytes, so that it can travel without a prefix too. Unit: bytes. */
  readonly size?: number

  /** Set when every message is one line of UTF-8 text, so that it can travel newline-delimited too. */
  readonly line?: true

  /** Set by {@link oneOf}: the codecs that it stands for, the preferred one first. The codec itself acts as the first. */
  readonly alternatives?: readonly Codec<T>[]

  /**
   * Appends one message to `out`. What a failed call has written is taken back by the caller, so there is no need to
   * clean up before throwing.
   *
   * @throws CodecError `ENCODE_FAILED` when the message can't be written by this codec.
   */
  encode(message: T, out: ByteWriter): void

  /**
   * Reads one message. `bytes` is borrowed: it is a view into a received chunk, valid for as long as the result refers
   * to it, and never to be written to.
   *
   * @throws CodecError `DECODE_FAILED` when the bytes are not of this codec, `INVALID_MESSAGE` when the schema refuses
   *   what they say.
   */
  decode(bytes: Uint8Array): T
}

/** The message type of a codec. */
export type MessageOf<C> = C extends Codec<infer T> ? T : never

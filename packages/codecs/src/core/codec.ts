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

  /**
   * Set when every message is a JSON text on one line, not an empty one, so that it can travel newline-delimited too, as
   * `application/x-ndjson`.
   */
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

  /**
   * Optional: what reads the messages of one stream faster than {@link decode} does, with the same results and errors, or
   * `undefined` for `decode` itself. A channel makes one for itself. Who makes another codec of this one by another `decode`
   * need not know of it: the readers of this package's codecs see that, and a reader of your own can (`this.decode`).
   */
  reader?(): MessageReader<T> | undefined
}

/** Reads messages where they lie, many to a chunk, and may keep what it learnt of a chunk until the next. */
export interface MessageReader<T> {
  /**
   * The same as {@link Codec.decode} of the `length` bytes at `offset` of `bytes`, without a view of them. The chunk is
   * borrowed like those. Chunks and messages may come in any order.
   */
  read(bytes: Uint8Array, offset: number, length: number): T

  /** No more messages of this chunk will come: it is not to be kept. */
  release(): void
}

/** The codec with a reader, which goes with its `decode`: a copy or an heir that has another one has no reader. */
export function withReader<T>(codec: Codec<T>, reader: () => MessageReader<T> | undefined): Codec<T> {
  const { decode } = codec
  return {
    ...codec,
    reader() {
      return this.decode === decode ? reader() : undefined
    },
  }
}

/** The message type of a codec. */
export type MessageOf<C> = C extends Codec<infer T> ? T : never

import type { ByteWriter } from './byte-writer.ts'

/**
 * Encodes messages as bytes and decodes them. A codec is synchronous and keeps no state between messages, so one codec
 * object serves any number of channels at once.
 *
 * @typeParam T - the type of the messages, the same at both ends.
 */
export interface Codec<T> {
  /** A short name for logs and errors, such as `json`. */
  readonly name: string

  /** The media type of length-prefixed messages of this codec, such as `application/vnd.h2channel+json`. */
  readonly contentType: string

  /** Set if every message has exactly this size, so that it can also travel without a length prefix. Unit: bytes. */
  readonly size?: number

  /**
   * Set if every message is a JSON text on one line, which is not empty. Such messages can also travel
   * newline-delimited, as `application/x-ndjson`.
   */
  readonly line?: true

  /**
   * Set by `json` alone: whether it compiles code for the messages of its schema, once there were some. `false` from
   * when the platform has refused. Of a `oneOf`, each of the `alternatives` has its own.
   */
  readonly compiled?: boolean

  /** Set by {@link oneOf}: the codecs to choose from, in order of preference. The codec itself acts as the first. */
  readonly alternatives?: readonly Codec<T>[]

  /**
   * Appends one message to `out`. If `encode` throws, the caller rolls back what it wrote.
   *
   * @throws CodecError `ENCODE_FAILED` when this codec cannot encode the message.
   */
  encode(message: T, out: ByteWriter): void

  /**
   * Reads one message. `bytes` is borrowed: it is a view of a received chunk. The message may refer to it, and nothing
   * may write to it. The result must not be `undefined`.
   *
   * @throws CodecError `DECODE_FAILED` when the bytes are not a message of this codec, `INVALID_MESSAGE` when the
   *   schema refuses the message.
   */
  decode(bytes: Uint8Array): T

  /**
   * Optional. Makes a reader that reads the messages of one channel faster than {@link decode}, with the same results
   * and errors. `undefined` stands for `decode` itself. A codec that is spread into a new one with another `decode`
   * loses its reader: `reader` of this package's codecs returns `undefined` when `this.decode` was replaced.
   */
  reader?(): MessageReader<T> | undefined
}

/** Reads many messages from one chunk, without a view of each. It may keep state about the chunk until the next one. */
export interface MessageReader<T> {
  /**
   * Reads the message in the `length` bytes at `offset` of `bytes`, as {@link Codec.decode} does. The chunk is
   * borrowed. Chunks and messages may come in any order.
   */
  read(bytes: Uint8Array, offset: number, length: number): T

  /** Drops the chunk, from which no more messages will be read. */
  release(): void
}

/** Adds a reader to a codec. A copy or a subclass with another `decode` has no reader. */
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

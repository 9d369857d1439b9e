import type { Codec, MessageReader } from '@h2channel/codecs'

/** Creates the reader of one stream: the codec's, or one that decodes a view of each message. */
export function createReader<R>(codec: Codec<R>): MessageReader<R> {
  return (
    codec.reader?.() ?? {
      read: (bytes, offset, length) => codec.decode(bytes.subarray(offset, offset + length)),
      release: () => {},
    }
  )
}

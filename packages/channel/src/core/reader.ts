import type { Codec, MessageReader } from '@h2channel/codecs'

/** Reads the messages of one stream: as the codec does that best, or else each from a view of its own. */
export function readerOf<R>(codec: Codec<R>): MessageReader<R> {
  return (
    codec.reader?.() ?? {
      read: (bytes, offset, length) => codec.decode(bytes.subarray(offset, offset + length)),
      release: () => {},
    }
  )
}

import type { Codec, MessageReader } from '@h2channel/codecs'

import type { FrameDecoder } from '../framing/framing.ts'

/** Reads the messages of one stream: by the reader of the codec, or by a view of each message. */
export function createReader<R>(codec: Codec<R>): MessageReader<R> {
  return (
    codec.reader?.() ?? {
      read: (bytes, offset, length) => codec.decode(bytes.subarray(offset, offset + length)),
      release: () => {},
    }
  )
}

/** The decoder of a stream that is not decoded any more. */
export const noFrames: FrameDecoder = {
  control: false,
  buffered: 0,
  held: 0,
  bytes: new Uint8Array(0),
  offset: 0,
  length: 0,
  push() {},
  next: () => false,
  end() {},
}

/** The end of an iteration. */
export const done: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** Turns a message, or the end, into the result of a wait. */
export type Wrap<R> = (message: R | undefined) => unknown

export const asMessage = <R>(message: R | undefined): R | undefined => message
export const asResult = <R>(message: R | undefined): IteratorResult<R, undefined> =>
  message === undefined ? done : { done: false, value: message }

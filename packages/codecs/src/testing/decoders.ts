/** The ways in which a codec decodes, and how decoding may end, whatever the bytes. */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'

import type { Codec, MessageReader } from '../core/codec.ts'
import { reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import { brief, nameOf } from './kit.ts'
import { inLittleMemory } from './memory.ts'

/** `decode`, or a reader. */
export interface Decoder<T> extends MessageReader<T> {
  readonly name: string
}

/** `decode`, and a reader of its own where the codec has them. */
export function decodersOf<T>(codec: Codec<T>): readonly Decoder<T>[] {
  const decode: Decoder<T> = {
    name: 'decode',
    read: (bytes, offset, length) => codec.decode(bytes.subarray(offset, offset + length)),
    release: () => {},
  }
  const reader = codec.reader?.()
  if (reader === undefined) return [decode]
  const read: Decoder<T> = {
    name: 'the reader',
    read: (bytes, offset, length) => reader.read(bytes, offset, length),
    release: () => reader.release(),
  }
  return [decode, read]
}

/** Runs `run` for each of the codec's decoders. A failure tells when it was the reader. */
export function eachDecoder<T>(codec: Codec<T>, run: (decoder: Decoder<T>) => void): void {
  for (const decoder of decodersOf(codec)) {
    try {
      run(decoder)
    } catch (cause) {
      throw decoder.name === 'decode' ? cause : new Error(`${decoder.name}: ${reasonOf(cause)}`, { cause })
    }
  }
}

/** How decoding ended. */
export type Outcome = { readonly message: unknown } | { readonly error: unknown }

export function outcomeOf<T>(decoder: Decoder<T>, bytes: Uint8Array, offset: number, length: number): Outcome {
  try {
    return { message: decoder.read(bytes, offset, length) }
  } catch (error) {
    return { error }
  }
}

/**
 * Asserts that decoding ends in a message or in a CodecError that blames the bytes, for all decoders in the same, and that
 * it takes little memory, which is sure only after a `collectGarbage`. `bytes` may not change afterwards: a reader may know
 * it again.
 */
export function assertEnds<T>(
  decoders: readonly Decoder<T>[],
  bytes: Uint8Array,
  offset: number = 0,
  length: number = bytes.length,
): void {
  let first: unknown
  for (const decoder of decoders) {
    try {
      const end = resultOf(inLittleMemory(bytes.length, () => outcomeOf(decoder, bytes, offset, length)))
      first ??= end
      if (first !== end) assertSame(end, first)
    } catch (cause) {
      const what = `${decoder.name}, of ${length} bytes, ${brief(bytes.subarray(offset, offset + length))}`
      throw new Error(`${what}: ${reasonOf(cause)}`, { cause })
    }
  }
}

/** Asserts that a reader ended as `decode` did. */
export function assertSame(came: unknown, due: unknown): void {
  if (!isDeepStrictEqual(came, due)) assert.fail(`the reader comes to ${brief(came)}, decode to ${brief(due)}`)
}

/** The outcome without what may differ: the message, or the error's code. */
export function resultOf(end: Outcome): Outcome | string {
  if ('message' in end) return end
  const { error } = end
  if (!(error instanceof CodecError)) {
    throw new Error(`${nameOf(error)} was thrown, where a CodecError was due: ${reasonOf(error)}`, { cause: error })
  }
  const isRemote = error.code === 'DECODE_FAILED' || error.code === 'INVALID_MESSAGE'
  assert.ok(isRemote, `${error.code}, where DECODE_FAILED or INVALID_MESSAGE was due: ${error.message}`)
  return error.code
}

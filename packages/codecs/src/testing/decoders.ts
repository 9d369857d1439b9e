/** Both ways to decode, by `decode` and by a reader, and the outcomes that are allowed for any bytes. */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'

import type { Codec, MessageReader } from '../core/codec.ts'
import { reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import { brief, nameOf } from './kit.ts'
import { inLittleMemory } from './memory.ts'

/** Either `decode` of a codec, or one of its readers. */
export interface Decoder<T> extends MessageReader<T> {
  readonly name: string
}

/** Returns `decode`, and a new reader if the codec has readers. */
export function createDecoders<T>(codec: Codec<T>): readonly Decoder<T>[] {
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

/** Runs `run` for each of the codec's decoders. A failure of the reader says so. */
export function eachDecoder<T>(codec: Codec<T>, run: (decoder: Decoder<T>) => void): void {
  for (const decoder of createDecoders(codec)) {
    try {
      run(decoder)
    } catch (cause) {
      throw decoder.name === 'decode' ? cause : new Error(`${decoder.name}: ${reasonOf(cause)}`, { cause })
    }
  }
}

/** The result of decoding. */
export type Outcome = { readonly message: unknown } | { readonly error: unknown }

/** Decodes, and returns the message or the error. */
export function tryDecode<T>(decoder: Decoder<T>, bytes: Uint8Array, offset: number, length: number): Outcome {
  try {
    return { message: decoder.read(bytes, offset, length) }
  } catch (error) {
    return { error }
  }
}

/**
 * Asserts that decoding ends in a message or in a CodecError about the bytes, that all decoders agree, and that
 * decoding uses little memory. The memory is certain only after `collectGarbage`. `bytes` must not change afterwards,
 * since a reader may keep it.
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
      const end = resultOf(inLittleMemory(bytes.length, () => tryDecode(decoder, bytes, offset, length)))
      first ??= end
      if (first !== end) assertSame(end, first)
    } catch (cause) {
      const what = `${decoder.name}, of ${length} bytes, ${brief(bytes.subarray(offset, offset + length))}`
      throw new Error(`${what}: ${reasonOf(cause)}`, { cause })
    }
  }
}

/** Asserts that a reader has the same result as `decode`. */
export function assertSame(came: unknown, due: unknown): void {
  if (!isDeepStrictEqual(came, due)) assert.fail(`the reader returns ${brief(came)}, decode returns ${brief(due)}`)
}

/** Returns the comparable part of an outcome: the message, or the code of the error. */
export function resultOf(end: Outcome): Outcome | string {
  if ('message' in end) return end
  const { error } = end
  if (!(error instanceof CodecError)) {
    throw new Error(`${nameOf(error)} was thrown instead of a CodecError: ${reasonOf(error)}`, { cause: error })
  }
  const isRemote = error.code === 'DECODE_FAILED' || error.code === 'INVALID_MESSAGE'
  assert.ok(isRemote, `${error.code} instead of DECODE_FAILED or INVALID_MESSAGE: ${error.message}`)
  return error.code
}

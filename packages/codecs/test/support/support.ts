import { expect } from 'vitest'
import { ByteWriter, CodecError } from '../../src/index.ts'
import type { Codec, CodecErrorCode } from '../../src/index.ts'

/** Returns the bytes of one message, in separate memory. */
export function encoded<T>(codec: Codec<T>, message: T): Uint8Array {
  const out = new ByteWriter()
  codec.encode(message, out)
  return Uint8Array.from(out.written())
}

/** Encodes a message of any type: a program without types can pass one. */
export function encodeAnything(codec: { encode(message: never, out: ByteWriter): void }, message: unknown): Uint8Array {
  const out = new ByteWriter()
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the point of these tests
  codec.encode(message as never, out)
  return Uint8Array.from(out.written())
}

/** Returns the CodecError that `run` throws. Fails for no error, another error and another code. */
export function codecError(code: CodecErrorCode, run: () => unknown): CodecError {
  let caught: unknown
  try {
    run()
  } catch (error) {
    caught = error
  }
  expect(caught).toBeInstanceOf(CodecError)
  if (!(caught instanceof CodecError)) throw new Error('unreachable')
  expect(caught.code).toBe(code)
  return caught
}

/** Returns a matcher for `toThrow` that matches a CodecError of this code. */
export function failing(code: CodecErrorCode): unknown {
  return expect.objectContaining({ name: 'CodecError', code })
}

/** Returns the result of `run`, or the code of the CodecError that it throws. Other errors are thrown again. */
export function resultOrCode<R>(run: () => R): R | CodecErrorCode {
  try {
    return run()
  } catch (error) {
    if (error instanceof CodecError) return error.code
    throw error
  }
}

export function utf8Bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Parses bytes as specifications write them: `hex('93 01 02 03')`. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.split(' ').filter(Boolean), (byte) => Number.parseInt(byte, 16))
}

/** Returns arrays nested so many levels deep: `[[[…]]]`. */
export function nested(levels: number): unknown[] {
  let value: unknown[] = []
  for (let level = 1; level < levels; level++) value = [value]
  return value
}

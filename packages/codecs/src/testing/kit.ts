/** Helpers of the suite for codecs. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'

import { ByteWriter } from '../core/byte-writer.ts'
import type { Codec } from '../core/codec.ts'
import { reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'

/** A writer with exactly the reserved room. Each `reserve` moves the memory and overwrites the old one. */
export class MovingWriter extends ByteWriter {
  constructor() {
    super(0)
  }

  override reserve(size: number): void {
    const before = this.bytes
    this.replace(new Uint8Array(this.position + size))
    before.fill(0xdb)
  }
}

/** Runs `run` for each sample. A failure names the sample. */
export function each<T>(what: string, samples: readonly T[], run: (sample: T, index: number) => void): void {
  for (const [index, sample] of samples.entries()) {
    try {
      run(sample, index)
    } catch (cause) {
      throw new Error(`${what} ${index}, ${brief(sample)}: ${reasonOf(cause)}`, { cause })
    }
  }
}

/** Returns the bytes of one message. */
export function encoded<T>(codec: Codec<T>, message: T): Uint8Array<ArrayBuffer> {
  return encodeAnything(codec, message)
}

/** Encodes a value of any type. Returns the bytes in separate memory. */
export function encodeAnything<T>(
  codec: Codec<T>,
  message: unknown,
  out: ByteWriter = new ByteWriter(),
): Uint8Array<ArrayBuffer> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- refused values are of any type
  codec.encode(message as T, out)
  return concat(out.written())
}

/** Returns what `run` throws, or `undefined`. */
export function caughtError(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}

/** Asserts that `run` throws a CodecError with one of the codes. */
export function assertCode(codes: readonly string[], run: () => unknown): void {
  const instead = `instead of a CodecError ${codes.join(' or ')}`
  const error = caughtError(run)
  if (error === undefined) assert.fail(`it was accepted ${instead}`)
  if (!(error instanceof CodecError)) {
    throw new Error(`${nameOf(error)} was thrown ${instead}: ${reasonOf(error)}`, { cause: error })
  }
  assert.ok(codes.includes(error.code), `${error.code} ${instead}: ${error.message}`)
}

/** Returns the name of an error for an error message. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'something else'
}

/** Asserts that the bytes are equal. */
export function assertBytes(came: Uint8Array, due: Uint8Array): void {
  assert.equal(Buffer.from(came).toString('hex'), Buffer.from(due).toString('hex'))
}

/** Describes a value in at most 101 characters. */
export function brief(value: unknown): string {
  const text =
    value instanceof Uint8Array
      ? Buffer.from(value.subarray(0, 51)).toString('hex')
      : inspect(value, { breakLength: Infinity })
  return text.length <= 100 ? text : `${text.slice(0, 100)}…`
}

/** Describes a value completely. */
export function show(value: unknown): string {
  return inspect(value, { depth: Infinity, maxArrayLength: null, maxStringLength: null })
}

/** Whether the value has a method `then`. */
export function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/**
 * Returns all positions of a message. For a long one, half are at its start, where headers are, and half in the rest.
 */
export function positions(length: number, max: number = 100): number[] {
  if (length <= max) return Array.from({ length }, (_, index) => index)
  const start = Math.floor(max / 2)
  const step = (length - start) / (max - start)
  return Array.from({ length: max }, (_, index) => (index < start ? index : start + Math.floor((index - start) * step)))
}

/** Joins the parts in separate memory. `Buffer.concat` would use a shared pool. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((size, { length }) => size + length, 0))
  let end = 0
  for (const part of parts) {
    whole.set(part, end)
    end += part.length
  }
  return whole
}

/** Returns up to 64 random bytes. */
export function randomBytes(random: () => number): Uint8Array {
  return Uint8Array.from({ length: random() % 65 }, random)
}

/** Returns a copy with bytes changed, removed, repeated or added. */
export function changed(bytes: Uint8Array, random: () => number): Uint8Array {
  const at = random() % (bytes.length + 1)
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)]
  switch (random() % 4) {
    case 0:
      return concat(head, Uint8Array.of(random()), tail.subarray(1))
    case 1:
      return concat(head, tail.subarray(random() % 9))
    case 2:
      return concat(head, randomBytes(random), tail)
    default:
      return concat(head, bytes.subarray(random() % (at + 1)))
  }
}

/** Makes a generator of 32-bit numbers by xorshift32. The seed determines the sequence. It never returns 0. */
export function randomNumbers(seed: number): () => number {
  // Without this, similar seeds would begin with similar numbers.
  let state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

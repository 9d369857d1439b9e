/** What the cases of the suite for codecs are made of. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'

import { ByteWriter } from '../core/byte-writer.ts'
import type { Codec } from '../core/codec.ts'
import { reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'

/** A writer whose memory moves each time that room is reserved, holds no byte more than that, and is lost when it has moved. */
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

/** Runs `run` for each sample. A failure tells which it was. */
export function each<T>(what: string, samples: readonly T[], run: (sample: T, index: number) => void): void {
  for (const [index, sample] of samples.entries()) {
    try {
      run(sample, index)
    } catch (cause) {
      throw new Error(`${what} ${index}, ${brief(sample)}: ${reasonOf(cause)}`, { cause })
    }
  }
}

export function encoded<T>(codec: Codec<T>, message: T): Uint8Array<ArrayBuffer> {
  return encodeAnything(codec, message)
}

/** In memory of its own. */
export function encodeAnything<T>(
  codec: Codec<T>,
  message: unknown,
  out: ByteWriter = new ByteWriter(),
): Uint8Array<ArrayBuffer> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- refused values are of any type
  codec.encode(message as T, out)
  return concat(out.written())
}

export function errorOf(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}

export function assertCode(codes: readonly string[], run: () => unknown): void {
  const due = `where a CodecError ${codes.join(' or ')} was due`
  const error = errorOf(run)
  if (error === undefined) assert.fail(`it was taken, ${due}`)
  if (!(error instanceof CodecError)) {
    throw new Error(`${nameOf(error)} was thrown, ${due}: ${reasonOf(error)}`, { cause: error })
  }
  assert.ok(codes.includes(error.code), `${error.code}, ${due}: ${error.message}`)
}

export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'something else'
}

export function assertBytes(came: Uint8Array, due: Uint8Array): void {
  assert.equal(Buffer.from(came).toString('hex'), Buffer.from(due).toString('hex'))
}

export function brief(value: unknown): string {
  const text =
    value instanceof Uint8Array
      ? Buffer.from(value.subarray(0, 51)).toString('hex')
      : inspect(value, { breakLength: Infinity })
  return text.length <= 100 ? text : `${text.slice(0, 100)}…`
}

export function show(value: unknown): string {
  return inspect(value, { depth: Infinity, maxArrayLength: null, maxStringLength: null })
}

export function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** Every position of a message; of a long one those at its start, where headers are, and as many of the rest. */
export function positions(length: number, most: number = 100): number[] {
  if (length <= most) return Array.from({ length }, (_, index) => index)
  const start = Math.floor(most / 2)
  const step = (length - start) / (most - start)
  return Array.from({ length: most }, (_, index) =>
    index < start ? index : start + Math.floor((index - start) * step),
  )
}

/** In memory of its own, which nothing else lies in: `Buffer.concat` would take it from a pool. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((size, { length }) => size + length, 0))
  let end = 0
  for (const part of parts) {
    whole.set(part, end)
    end += part.length
  }
  return whole
}

export function randomBytes(random: () => number): Uint8Array {
  return Uint8Array.from({ length: random() % 65 }, random)
}

/** A copy with bytes changed, lost, repeated or added. */
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

/** xorshift32: whole numbers of 32 bits, the same for the same seed, never 0. */
export function randomNumbers(seed: number): () => number {
  // Neighbouring seeds would begin with neighbouring numbers.
  let state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

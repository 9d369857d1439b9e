/** What every codec must do: named cases for whoever writes one, bound to no test runner. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'

import { ByteWriter } from './byte-writer.ts'
import type { Codec } from './codec.ts'
import { reasonOf } from './describe.ts'
import { CodecError } from './errors.ts'

/** What the suite needs to know of a codec besides the codec. */
export interface CodecSamples<T> {
  /**
   * Messages that arrive as they were sent, as `assert.deepStrictEqual` compares. At least one; the more they differ, the
   * more is found.
   */
  readonly messages: readonly T[]
  /** Values that `encode` refuses with `ENCODE_FAILED`, whatever their type: a program without types can hand them over. */
  readonly refused?: readonly unknown[] | undefined
  /** Bytes that `decode` refuses, with `DECODE_FAILED` or `INVALID_MESSAGE`. */
  readonly broken?: readonly Uint8Array[] | undefined
}

export interface CodecSuiteOptions {
  /** Where all that is random comes from: {@link codecSeed} unless said otherwise. */
  readonly seed?: number | undefined
  /** How many random inputs `decode` is given, half of them messages with changes: 20,000 unless said otherwise. */
  readonly inputs?: number | undefined
}

/** One thing that every codec must do. */
export interface CodecCase {
  /** Unique. */
  readonly name: string
  /**
   * Runs the case, in any order and as often as one likes. It needs no `this`.
   *
   * @throws Error that names the case, the sample and the seed, with the failed assertion or the codec's own error as its
   *   cause.
   */
  run(): void
}

/** The seed of a suite that is given none. */
export const codecSeed: number = 0x68_32_63_68

/**
 * Every case that there is, for one codec. What a codec promises stands in {@link Codec}; beyond that, equal messages
 * give equal bytes, since a codec serves any number of channels at once and keeps nothing of one message for the next.
 *
 * A codec that takes for ever, or longer the longer a message is, shows by a case that doesn't return, so give the test
 * runner a timeout that can stop a thread or a process. What the codec refuses is known from `refused` and `broken` alone:
 * without them, these cases find nothing.
 *
 * @throws Error when `samples` has no message.
 *
 * @example
 * ```ts
 * import { codecSuite } from '@h2channel/codecs/testing'
 * import { test } from 'node:test'
 *
 * for (const { name, run } of codecSuite(dates, { messages: [new Date(0)], broken: [new Uint8Array(7)] })) {
 *   void test(`dates: ${name}`, run)
 * }
 * ```
 */
export function codecSuite<T>(
  codec: Codec<T>,
  samples: CodecSamples<T>,
  { seed = codecSeed, inputs = 20_000 }: CodecSuiteOptions = {},
): readonly CodecCase[] {
  if (samples.messages.length === 0) throw new Error('codecSuite takes at least one message')
  const subject: Subject<T> = { ...samples, codec, seed, inputs, shown: show(samples.messages) }
  return Object.entries(cases).map(([name, body]) => ({
    name,
    run: () => {
      try {
        body(subject)
      } catch (cause) {
        throw new Error(`${codec.name}: ${name}: ${reasonOf(cause)} (seed ${seed})`, { cause })
      }
    },
  }))
}

interface Subject<T> extends CodecSamples<T> {
  readonly codec: Codec<T>
  readonly seed: number
  readonly inputs: number
  /** The messages as text, before any was encoded. */
  readonly shown: string
}

const cases: { readonly [name: string]: <T>(subject: Subject<T>) => void } = {
  'has a name and a media type': ({ codec }) => {
    assert.match(
      codec.name,
      /^[\w.+-]+$/,
      `the name ${brief(codec.name)} has other characters than letters, digits and _ . + -`,
    )
    assert.match(codec.contentType, mediaType, `${brief(codec.contentType)} is no media type (RFC 9110, section 8.3.1)`)
  },

  'hands out what it was given': ({ codec, messages }) => {
    each('message', messages, (message) => {
      const decoded = codec.decode(encoded(codec, message))
      assert.ok(!isThenable(decoded), 'decode is synchronous')
      assert.ok(decoded !== undefined, 'undefined stands for the end of a channel')
      assert.deepStrictEqual(decoded, message)
    })
  },

  'appends to what is there, and returns nothing': ({ codec, messages }) => {
    const before = Uint8Array.of(1, 2, 3, 4, 5)
    each('message', messages, (message) => {
      const out = new ByteWriter(1)
      out.write(before)
      // A program without types can return anything.
      const returned: unknown = codec.encode(message, out)
      assert.equal(returned, undefined, 'encode is synchronous')
      assertBytes(out.written(), concat(before, encoded(codec, message)))
    })
  },

  'writes where it has reserved room, in the memory that is there then': ({ codec, messages }) => {
    each('message', messages, (message) => {
      const out = new MovingWriter()
      codec.encode(message, out)
      assertBytes(out.written(), encoded(codec, message))
    })
  },

  'gives equal bytes for equal messages, whatever came between': ({ codec, messages, refused = [], broken = [] }) => {
    const all = messages.map((message) => ({ message, bytes: encoded(codec, message) }))
    for (const value of refused) errorOf(() => encodeAnything(codec, value))
    for (const bytes of broken) errorOf(() => codec.decode(bytes))
    each('message, the last first,', all.toReversed(), ({ message, bytes }) => {
      assertBytes(encoded(codec, message), bytes)
      assertBytes(encoded(codec, codec.decode(bytes)), bytes)
    })
  },

  'hands out messages that nothing later changes': ({ codec, messages }) => {
    const all = messages.map((message) => ({ message, bytes: encoded(codec, message) }))
    const decoded = all.map(({ message, bytes }) => ({ message, came: codec.decode(bytes) }))
    each('message', decoded, ({ message, came }) => assert.deepStrictEqual(came, message))
  },

  'leaves the message as it is': ({ codec, messages, shown }) => {
    for (const message of messages) encoded(codec, message)
    assert.equal(show(messages), shown)
  },

  'decodes wherever the bytes lie, whatever lies around them, a Buffer or not, and writes nowhere': (subject) => {
    const { codec } = subject
    each('message', subject.messages, (message) => {
      const bytes = encoded(codec, message)
      // As if it had come in two parts, split anywhere, and been put together behind something else.
      for (const split of positions(bytes.length)) {
        const before = split % 9
        const chunk = new Uint8Array(before + bytes.length + 9).fill(split % 2 === 0 ? 0xff : 0)
        chunk.set(bytes.subarray(0, split), before)
        chunk.set(bytes.subarray(split), before + split)
        const copy = chunk.slice()
        assert.deepStrictEqual(codec.decode(chunk.subarray(before, before + bytes.length)), message)
        assert.deepStrictEqual(codec.decode(Buffer.from(chunk.buffer, before, bytes.length)), message)
        assertBytes(chunk, copy)
      }
    })
  },

  'reads messages where they lie, many to a chunk, as it decodes them': ({ codec, messages, broken = [], seed }) => {
    if (codec.reader === undefined) return
    const random = randomNumbers(seed)
    const all = [...messages.map((message) => encoded(codec, message)), ...broken]
    const gaps = all.map((_, index) => new Uint8Array(random() % 5).fill([0, 0x20, 0xff][index % 3] ?? 0))
    const chunk = concat(...all.flatMap((bytes, index) => [gaps[index] ?? none, bytes]), Uint8Array.of(0xff))
    let end = 0
    const places = all.map(({ length }, index) => {
      end += (gaps[index]?.length ?? 0) + length
      return { offset: end - length, length }
    })
    const [reader, other] = [codec.reader(), codec.reader()]
    // In order, the other way round, in another chunk by turns; each too short and too long as well.
    for (const place of [...places, ...places.toReversed()]) {
      for (const length of [place.length, place.length - 1, place.length + 1]) {
        if (length < 0) continue
        const bytes = random() % 2 === 0 ? chunk : Uint8Array.from(chunk)
        const decoded = outcome(() => codec.decode(bytes.subarray(place.offset, place.offset + length)))
        assert.deepStrictEqual(
          outcome(() => reader.read(bytes, place.offset, length)),
          decoded,
        )
        assert.deepStrictEqual(
          outcome(() => other.read(chunk, place.offset, length)),
          decoded,
        )
      }
      if (random() % 4 === 0) reader.release()
    }
  },

  'keeps to the size and the line that it promises': ({ codec, messages }) => {
    each('message', messages, (message) => {
      const bytes = encoded(codec, message)
      if (codec.size !== undefined) assert.equal(bytes.length, codec.size, 'the size')
      if (codec.line !== true) return
      assert.ok(!bytes.includes(0x0a), 'a line has no line feed in it')
      assert.ok(bytes.length > 0 && bytes.at(-1) !== 0x0d, 'a line is not empty, nor ends with a carriage return')
      new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    })
    if (codec.size === undefined) return
    for (const size of [0, codec.size - 1, codec.size + 1]) {
      assertCode(['DECODE_FAILED'], () => codec.decode(new Uint8Array(size)))
    }
  },

  'refuses to encode what it has no form for, and leaves what was written': ({ codec, messages, refused = [] }) => {
    each('refused value', refused, (value) => {
      const out = new ByteWriter(1)
      out.write(Uint8Array.of(1, 2, 3))
      assertCode(['ENCODE_FAILED'], () => encodeAnything(codec, value, out))
      assertBytes(out.bytes.subarray(0, 3), Uint8Array.of(1, 2, 3))
    })
    for (const message of messages)
      assert.deepStrictEqual(codec.decode(encoded(codec, message)), message, 'a message after the refused ones')
  },

  'refuses to decode what is not its own': ({ codec, messages, broken = [] }) => {
    each('broken message', broken, (bytes) => {
      assertCode(['DECODE_FAILED', 'INVALID_MESSAGE'], () => codec.decode(bytes))
    })
    for (const message of messages)
      assert.deepStrictEqual(codec.decode(encoded(codec, message)), message, 'a message after the refused ones')
  },

  'ends in a message or a CodecError however a message is cut short': ({ codec, messages }) => {
    each('message', messages, (message) => {
      const bytes = encoded(codec, message)
      for (const length of positions(bytes.length)) decodes(codec, bytes.subarray(0, length))
    })
  },

  'ends in a message or a CodecError, in little memory, whatever length a header claims': ({ codec, messages }) => {
    const claims = [[0xff], [0x7f], [0xff, 0xff], [0x7f, 0xff, 0xff, 0xff], Array.from({ length: 9 }, () => 0xff)]
    inLittleMemory(() => {
      each('message', messages, (message) => {
        const bytes = encoded(codec, message)
        for (const at of positions(bytes.length)) {
          for (const claim of claims) {
            const claimed = concat(bytes, new Uint8Array(claim.length))
            claimed.set(claim, at)
            decodes(codec, claimed)
            decodes(codec, claimed.subarray(0, bytes.length))
          }
        }
      })
    })
  },

  'ends in a message or a CodecError, in little memory, however long the same byte follows the first': ({ codec }) => {
    const long = new Uint8Array(64 * 1024)
    inLittleMemory(() => {
      for (const rest of [0x00, 0x31, 0x91, 0xff]) {
        long.fill(rest)
        for (let first = 0; first < 256; first++) {
          long[0] = first
          decodes(codec, long)
        }
      }
    })
  },

  'ends in a message or a CodecError, in little memory, whatever the bytes': (subject) => {
    const { codec, broken = [] } = subject
    const all = [...subject.messages.map((message) => encoded(codec, message)), ...broken]
    const random = randomNumbers(subject.seed)
    inLittleMemory(() => {
      for (let input = 0; input < subject.inputs; input++) {
        decodes(codec, changed(input % 2 === 0 ? randomBytes(random) : (all[random() % all.length] ?? none), random))
      }
    })
  },
}

/** RFC 9110, section 8.3.1. */
const token = "[\\w!#$%&'*+.^`|~-]+"
const mediaType = new RegExp(`^${token}/${token}(; ${token}=(${token}|"([^"\\\\]|\\\\.)*"))*$`)

/** How much more memory the worst inputs may hold at once than there was before. Unit: bytes. */
const littleMemory = 256 * 1024 * 1024

/** How many positions of a long message are tried. */
const mostPositions = 100

/** A writer whose memory moves each time that room is reserved, holds no byte more than that, and is lost when it has moved. */
class MovingWriter extends ByteWriter {
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
function each<T>(what: string, samples: readonly T[], run: (sample: T, index: number) => void): void {
  for (const [index, sample] of samples.entries()) {
    try {
      run(sample, index)
    } catch (cause) {
      throw new Error(`${what} ${index}, ${brief(sample)}: ${reasonOf(cause)}`, { cause })
    }
  }
}

function encoded<T>(codec: Codec<T>, message: T): Uint8Array<ArrayBuffer> {
  return encodeAnything(codec, message)
}

/** In memory of its own. */
function encodeAnything<T>(codec: Codec<T>, message: unknown, out = new ByteWriter()): Uint8Array<ArrayBuffer> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- refused values are of any type
  codec.encode(message as T, out)
  return Uint8Array.from(out.written())
}

function errorOf(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}

/** What `run` returns, or the code of the error that it throws. */
function outcome(run: () => unknown): unknown {
  try {
    return { message: run() }
  } catch (error) {
    if (error instanceof CodecError) return error.code
    throw error
  }
}

function assertCode(codes: readonly string[], run: () => unknown): void {
  const error = errorOf(run)
  if (error === undefined) assert.fail(`it was taken, where ${codes.join(' or ')} was due`)
  if (!(error instanceof CodecError)) {
    throw new Error(
      `${nameOf(error)} was thrown, where a CodecError ${codes.join(' or ')} was due: ${reasonOf(error)}`,
      {
        cause: error,
      },
    )
  }
  assert.ok(codes.includes(error.code), `${error.code}, where ${codes.join(' or ')} was due: ${error.message}`)
}

/** Asserts that decoding ends as it may. */
function decodes<T>(codec: Codec<T>, bytes: Uint8Array): void {
  const error = errorOf(() => codec.decode(bytes))
  if (error === undefined) return
  if (!(error instanceof CodecError))
    throw new Error(
      `${nameOf(error)} was thrown, where a CodecError was due: ${reasonOf(error)}, from decoding ${brief(bytes)}`,
      { cause: error },
    )
  const isRemote = error.code === 'DECODE_FAILED' || error.code === 'INVALID_MESSAGE'
  assert.ok(isRemote, `${error.code}, from decoding ${brief(bytes)}: ${error.message}`)
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'something else'
}

function inLittleMemory(run: () => void): void {
  const peak = (): number => process.resourceUsage().maxRSS * 1024
  const before = peak()
  run()
  const grown = peak() - before
  assert.ok(
    grown < littleMemory,
    `the process took ${Math.round(grown / 2 ** 20)} MiB more memory, of at most ${littleMemory / 2 ** 20}`,
  )
}

function assertBytes(came: Uint8Array, due: Uint8Array): void {
  assert.equal(Buffer.from(came).toString('hex'), Buffer.from(due).toString('hex'))
}

function brief(value: unknown): string {
  const text =
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : inspect(value, { breakLength: Infinity })
  return text.length <= 100 ? text : `${text.slice(0, 100)}…`
}

function show(value: unknown): string {
  return inspect(value, { depth: Infinity, maxArrayLength: null, maxStringLength: null })
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

const none = new Uint8Array(0)

/** Every position of a message; of a long one, some of them. */
function positions(length: number): number[] {
  const count = Math.min(length, mostPositions)
  return Array.from({ length: count }, (_, index) => Math.floor((index * length) / count))
}

function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts))
}

function randomBytes(random: () => number): Uint8Array {
  return Uint8Array.from({ length: random() % 65 }, random)
}

/** A copy with bytes changed, lost, repeated or added. */
function changed(bytes: Uint8Array, random: () => number): Uint8Array {
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
function randomNumbers(seed: number): () => number {
  // Neighbouring seeds would begin with neighbouring numbers.
  let state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

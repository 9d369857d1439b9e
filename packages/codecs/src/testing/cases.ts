/** The cases of the suite for codecs. */
import assert from 'node:assert/strict'

import { ByteWriter } from '../core/byte-writer.ts'
import type { Codec } from '../core/codec.ts'
import { assertEnds, assertSame, createDecoders, eachDecoder, resultOf, tryDecode } from './decoders.ts'
import {
  assertBytes,
  assertCode,
  brief,
  changed,
  concat,
  each,
  encodeAnything,
  encoded,
  caughtError,
  isThenable,
  MovingWriter,
  positions,
  randomBytes,
  randomNumbers,
  show,
} from './kit.ts'
import { assertMediaType } from './media-type.ts'
import { collectGarbage } from './memory.ts'

/** Sample messages of a codec, for `codecSuite`. */
export interface CodecSamples<T> {
  /**
   * Messages that arrive as they were sent, compared by `assert.deepStrictEqual`. At least one. Varied messages find
   * more faults.
   */
  readonly messages: readonly T[]
  /** Values of any type that `encode` refuses with `ENCODE_FAILED`: a program without types can pass them. */
  readonly refused?: readonly unknown[] | undefined
  /** Bytes that `decode` refuses, with `DECODE_FAILED` or `INVALID_MESSAGE`. */
  readonly broken?: readonly Uint8Array[] | undefined
}

/** A codec under test, with its samples. */
export interface Subject<T> extends CodecSamples<T> {
  readonly codec: Codec<T>
  readonly seed: number
  readonly inputs: number
  /** The messages as text, taken before the first encoding. */
  readonly shown: string
}

/** The cases by their names. */
export const cases: { readonly [name: string]: <T>(subject: Subject<T>) => void } = {
  'has a name and a media type': ({ codec }) => {
    assert.match(
      codec.name,
      /^[\w.+-]+$/,
      `the name ${brief(codec.name)} has characters other than letters, digits and _ . + -`,
    )
    assertMediaType(codec.contentType)
  },

  'hands out what it was given': ({ codec, messages }) => {
    eachDecoder(codec, (decoder) =>
      each('message', messages, (message) => {
        const bytes = encoded(codec, message)
        const decoded = decoder.read(bytes, 0, bytes.length)
        assert.ok(!isThenable(decoded), 'decode is synchronous')
        assert.ok(decoded !== undefined, 'undefined stands for the end of a channel')
        assert.deepStrictEqual(decoded, message)
      }),
    )
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
    for (const value of refused) caughtError(() => encodeAnything(codec, value))
    for (const bytes of broken) caughtError(() => codec.decode(bytes))
    each('message, the last first,', all.toReversed(), ({ message, bytes }) => {
      assertBytes(encoded(codec, message), bytes)
      assertBytes(encoded(codec, codec.decode(bytes)), bytes)
    })
  },

  'hands out messages that nothing later changes': ({ codec, messages }) => {
    const all = messages.map((message) => ({ message, bytes: encoded(codec, message) }))
    const one = concat(...all.map(({ bytes }) => bytes))
    eachDecoder(codec, (decoder) => {
      let end = 0
      const decoded = all.map(({ message, bytes: { length } }) => {
        end += length
        return { message, came: decoder.read(one, end - length, length) }
      })
      decoder.release()
      // Each message again, in separate memory.
      for (const { message, bytes } of all) decoded.push({ message, came: decoder.read(bytes, 0, bytes.length) })
      each('message', decoded, ({ message, came }) => assert.deepStrictEqual(came, message))
    })
  },

  'leaves the message as it is': ({ codec, messages, shown }) => {
    for (const message of messages) encoded(codec, message)
    assert.equal(show(messages), shown)
  },

  'decodes wherever the bytes lie, whatever lies around them, a Buffer or not, and writes nowhere': (subject) => {
    const { codec } = subject
    eachDecoder(codec, (decoder) =>
      each('message', subject.messages, (message) => {
        const bytes = encoded(codec, message)
        for (const fill of [0x00, 0x31, 0xff]) {
          for (let offset = 0; offset < 9; offset++) {
            // The chunk continues far enough behind the message for a reader to read the chunk as a whole.
            const memory = new Uint8Array(1 + offset + 2 * bytes.length + 9).fill(fill)
            memory.set(bytes, 1 + offset)
            const before = memory.slice()
            for (const chunk of [memory.subarray(1), Buffer.from(memory.buffer, 1)]) {
              assert.deepStrictEqual(decoder.read(chunk, offset, bytes.length), message)
              decoder.release()
            }
            assertBytes(memory, before)
          }
        }
      }),
    )
  },

  'reads messages where they lie, many to a chunk, as it decodes them': ({ codec, messages, broken = [], seed }) => {
    const [decode, reader] = createDecoders(codec)
    const other = createDecoders(codec)[1]
    if (decode === undefined || reader === undefined || other === undefined) return
    const random = randomNumbers(seed)
    const all = [...messages.map((message) => encoded(codec, message)), ...broken]
    const gaps = all.map((_, index) => new Uint8Array(random() % 5).fill([0, 0x20, 0xff][index % 3] ?? 0))
    const chunk = concat(...all.flatMap((bytes, index) => [gaps[index] ?? none, bytes]), Uint8Array.of(0xff))
    let end = 0
    const places = all.map(({ length }, index) => {
      end += (gaps[index]?.length ?? 0) + length
      return { offset: end - length, length }
    })
    // In order and in reverse order, alternating between chunks, and each also too short and too long.
    each('place', [...places, ...places.toReversed()], ({ offset, length: whole }) => {
      for (const length of [whole, whole - 1, whole + 1]) {
        if (length < 0) continue
        const bytes = random() % 2 === 0 ? chunk : chunk.slice()
        const due = resultOf(tryDecode(decode, bytes, offset, length))
        assertSame(resultOf(tryDecode(reader, bytes, offset, length)), due)
        assertSame(resultOf(tryDecode(other, chunk, offset, length)), due)
      }
      if (random() % 4 === 0) reader.release()
    })
  },

  'keeps to the size and the line that it promises': ({ codec, messages }) => {
    each('message', messages, (message) => {
      const bytes = encoded(codec, message)
      if (codec.size !== undefined) assert.equal(bytes.length, codec.size, 'the size')
      if (codec.line !== true) return
      assert.ok(!bytes.includes(0x0a), 'a line has no line feed in it')
      assert.ok(
        bytes.length > 0 && bytes.at(-1) !== 0x0d,
        'a line is not empty and does not end with a carriage return',
      )
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
      const error = caughtError((): unknown => JSON.parse(text))
      assert.ok(error === undefined, `a line is one JSON text, not ${brief(text)}`)
    })
    const { size } = codec
    if (size === undefined) return
    eachDecoder(codec, (decoder) => {
      for (const wrong of new Set([0, size - 1, size + 1])) {
        if (wrong < 0 || wrong === size) continue
        assertCode(['DECODE_FAILED'], () => decoder.read(new Uint8Array(size + 2), 1, wrong))
      }
    })
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
    eachDecoder(codec, (decoder) => {
      each('broken message', broken, (bytes) => {
        assertCode(['DECODE_FAILED', 'INVALID_MESSAGE'], () => decoder.read(bytes, 0, bytes.length))
      })
      for (const message of messages) {
        const bytes = encoded(codec, message)
        const came = decoder.read(bytes, 0, bytes.length)
        assert.deepStrictEqual(came, message, 'a message after the refused ones')
      }
    })
  },

  'ends in a message or a CodecError however a message is cut short': ({ codec, messages }) => {
    const decoders = createDecoders(codec)
    collectGarbage()
    each('message', messages, (message) => {
      const bytes = encoded(codec, message)
      for (const length of positions(bytes.length)) assertEnds(decoders, bytes, 0, length)
    })
  },

  'ends in a message or a CodecError, in little memory, whatever length a header claims': ({ codec, messages }) => {
    const decoders = createDecoders(codec)
    collectGarbage()
    each('message', messages, (message) => {
      const bytes = encoded(codec, message)
      for (const at of positions(bytes.length, 40)) {
        for (const claim of claims) {
          const claimed = new Uint8Array(Math.max(bytes.length, at + claim.length))
          claimed.set(bytes)
          claimed.set(claim, at)
          assertEnds(decoders, claimed)
        }
      }
    })
  },

  'ends in a message or a CodecError, in little memory, however long the same byte follows the first': ({ codec }) => {
    const decoders = createDecoders(codec)
    collectGarbage()
    for (const rest of [0x00, 0x31, 0x91, 0xff]) {
      for (let first = 0; first < 256; first++) {
        const long = new Uint8Array(64 * 1024).fill(rest)
        long[0] = first
        assertEnds(decoders, long)
      }
    }
  },

  'ends in a message or a CodecError, in little memory, whatever the bytes': (subject) => {
    const { codec, broken = [] } = subject
    const decoders = createDecoders(codec)
    collectGarbage()
    const all = [...subject.messages.map((message) => encoded(codec, message)), ...broken]
    const random = randomNumbers(subject.seed)
    for (let input = 0; input < subject.inputs; input++) {
      const bytes = changed(input % 2 === 0 ? randomBytes(random) : (all[random() % all.length] ?? none), random)
      // Readers, whose chunk continues behind the message, read every other pair of inputs, to save time.
      if (input % 4 < 2) assertEnds(decoders, concat(bytes, bytes), 0, bytes.length)
      else assertEnds(decoders.slice(0, 1), bytes)
    }
  },
}

const none = new Uint8Array(0)

/** Lengths in one to nine bytes, in both byte orders, some as varints: plausible, but too large to exist. */
const claims: readonly (readonly number[])[] = [
  [0xff],
  [0x7f],
  [0xff, 0xff],
  [0x10, 0x00, 0x00],
  [0x00, 0x00, 0x10],
  [0x00, 0x10, 0x00, 0x00],
  [0x00, 0x00, 0x10, 0x00],
  [0x01, 0x00, 0x00, 0x00],
  [0x00, 0x00, 0x00, 0x01],
  [0x80, 0x80, 0x80, 0x08],
  [0x7f, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0x7f],
  Array.from({ length: 9 }, () => 0xff),
]

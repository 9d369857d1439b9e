import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter, type Codec, CodecError } from '../src/index.ts'
import { codecError, encodeAnything, encoded, resultOrCode } from './support.ts'

/** What the conformance suite needs to know of a codec besides the codec. */
export interface Sample<T> {
  /** Messages that arrive as they were sent. */
  readonly messages: fc.Arbitrary<T>
  /** Values that `encode` refuses with `ENCODE_FAILED`. */
  readonly refused: readonly unknown[]
  /** Bytes that `decode` refuses with `DECODE_FAILED`. */
  readonly broken: readonly Uint8Array[]
}

const RANDOM_INPUTS = 20_000
const CHANGED_MESSAGES = 5000

/** How decoding may end. */
const ENDS: ReadonlySet<string> = new Set(['message', 'DECODE_FAILED', 'INVALID_MESSAGE'])

/** What every codec promises, as tests. Runs once for each codec. */
export function testConformance<T>(name: string, codec: Codec<T>, { messages, refused, broken }: Sample<T>): void {
  const decoding = (bytes: Uint8Array): string =>
    resultOrCode(() => {
      codec.decode(bytes)
      return 'message'
    })

  describe(`${name}: a codec`, () => {
    test('has a name and a media type', () => {
      expect(codec.name).toMatch(/^[a-z]+$/)
      expect(codec.contentType).toMatch(/^application\/[\w.+-]+(; [a-z]+=("[^"]*"|[\w.]+))*$/)
    })

    test('hands out what it was given', () => {
      fc.assert(
        fc.property(messages, (message) => {
          expect(codec.decode(encoded(codec, message))).toStrictEqual(message)
        }),
      )
    })

    test('appends to what is there, in a writer that is too small', () => {
      fc.assert(
        fc.property(messages, fc.uint8Array({ maxLength: 40 }), (message, before) => {
          const out = new ByteWriter(1)
          out.write(before)
          codec.encode(message, out)
          expect(Uint8Array.from(out.written())).toStrictEqual(Uint8Array.of(...before, ...encoded(codec, message)))
        }),
      )
    })

    test('decodes from a view anywhere in a chunk, Buffer or not, and leaves the chunk as it is', () => {
      fc.assert(
        fc.property(messages, fc.nat({ max: 9 }), fc.nat({ max: 9 }), (message, before, after) => {
          const bytes = encoded(codec, message)
          const chunk = new Uint8Array(before + bytes.length + after).fill(0xa5)
          chunk.set(bytes, before)
          const copy = Uint8Array.from(chunk)
          expect(codec.decode(chunk.subarray(before, before + bytes.length))).toStrictEqual(message)
          expect(codec.decode(Buffer.from(chunk.buffer, before, bytes.length))).toStrictEqual(message)
          expect(chunk).toStrictEqual(copy)
        }),
      )
    })

    test('keeps nothing from one message to the next', () => {
      fc.assert(
        fc.property(messages, messages, (first, second) => {
          const bytes = encoded(codec, first)
          encoded(codec, second)
          expect(encoded(codec, first)).toStrictEqual(bytes)
          const message = codec.decode(bytes)
          codec.decode(encoded(codec, second))
          expect(message).toStrictEqual(first)
        }),
      )
    })

    test('keeps to the size and the line that it promises', () => {
      fc.assert(
        fc.property(messages, (message) => {
          const bytes = encoded(codec, message)
          expect(bytes.length).toBe(codec.size ?? bytes.length)
          expect(codec.line === true && bytes.includes(0x0a)).toBe(false)
        }),
      )
    })

    test.each(refused.map((value) => [value]))('refuses to encode what it has no form for (%#)', (value) => {
      const error = codecError('ENCODE_FAILED', () => encodeAnything(codec, value))
      expect(error).toMatchObject({ side: 'local', fatal: false })
    })

    test.each(broken.map((bytes) => [bytes]))('refuses to decode what is not its own (%#)', (bytes) => {
      const error = codecError('DECODE_FAILED', () => codec.decode(bytes))
      expect(error).toMatchObject({ side: 'remote', fatal: true })
    })

    test('goes on after a failure', () => {
      const [message] = fc.sample(messages, 1)
      if (message === undefined) return
      for (const value of refused) expect(() => encodeAnything(codec, value)).toThrow(CodecError)
      for (const bytes of broken) expect(() => codec.decode(bytes)).toThrow(CodecError)
      expect(codec.decode(encoded(codec, message))).toStrictEqual(message)
    })

    test('ends in a message or a CodecError whatever the bytes', () => {
      const inputs = fc.uint8Array({ maxLength: 64 })
      const property = fc.property(inputs, (bytes) => ENDS.has(decoding(bytes)))
      expect(fc.defaultReportMessage(fc.check(property, { numRuns: RANDOM_INPUTS }))).toBeUndefined()
    })

    test('ends in a message or a CodecError when bytes of a message are changed, lost or added', () => {
      const change = fc.record({ at: fc.nat({ max: 200 }), byte: fc.nat({ max: 255 }), keep: fc.nat({ max: 200 }) })
      const property = fc.property(messages, change, (message, { at, byte, keep }) => {
        const bytes = Uint8Array.of(...encoded(codec, message), 0)
        bytes[at % bytes.length] = byte
        return ENDS.has(decoding(bytes)) && ENDS.has(decoding(bytes.subarray(0, keep)))
      })
      expect(fc.defaultReportMessage(fc.check(property, { numRuns: CHANGED_MESSAGES }))).toBeUndefined()
    })
  })
}

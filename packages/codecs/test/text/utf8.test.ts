import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../../src/index.ts'
import { bufferUtf8, standardUtf8, createTextReader, utf8 } from '../../src/text/utf8.ts'
import type { BufferClass, Utf8 } from '../../src/text/utf8.ts'
import { codecError, failing, hex, resultOrCode, utf8Bytes } from '../support/support.ts'

function implementations(): [name: string, utf8: Utf8][] {
  const byBuffer = bufferUtf8(Buffer)
  if (byBuffer === undefined) throw new Error('this Node has no Buffer.prototype.utf8Write')
  return [
    ['bufferUtf8', byBuffer],
    ['standardUtf8', standardUtf8],
  ]
}

const texts: [name: string, text: string][] = [
  ['nothing', ''],
  ['ASCII', 'hello'],
  ['two bytes', 'Grüße'],
  ['three bytes', '日本語'],
  ['four bytes', '🚀🚀'],
  ['a byte order mark', '\uFEFFx'],
  ['U+FFFD', 'a\uFFFDb'],
  ['a NUL', 'a\0b'],
  ['4096 units', '日'.repeat(4096)],
  ['4097 units', '日'.repeat(4097)],
  ['a long text of pairs', 'x' + '🚀'.repeat(20_000)],
  ['a long text of one byte each', 'x'.repeat(100_000)],
]

const malformed: [name: string, bytes: Uint8Array][] = [
  ['a lone continuation byte', hex('61 80')],
  ['a sequence cut short', hex('e6 97')],
  ['a sequence interrupted', hex('e6 97 61')],
  ['an overlong NUL', hex('c0 80')],
  ['overlong, three bytes', hex('e0 9f bf')],
  ['overlong, four bytes', hex('f0 8f bf bf')],
  ['a surrogate', hex('ed a0 80')],
  ['a pair of surrogates', hex('ed a0 bd ed b2 a9')],
  ['beyond U+10FFFF', hex('f4 90 80 80')],
  ['a byte that is never used', hex('ff')],
  ['a lead of five', hex('f8 88 80 80 80')],
  ['an error after a true U+FFFD', hex('ef bf bd ff')],
  ['an error at the end of a long text', Uint8Array.of(...new Uint8Array(500).fill(0x61), 0xc3)],
]

describe.each(implementations())('%s', (_, implementation) => {
  const bytesOf = (text: string): Uint8Array => {
    const out = new ByteWriter(3)
    out.write(hex('aa'))
    implementation.write(text, out)
    expect(out.bytes[0]).toBe(0xaa)
    return Uint8Array.from(out.written().subarray(1))
  }

  test.each(texts)('writes and reads %s', (_name, text) => {
    const bytes = bytesOf(text)
    expect(bytes).toEqual(Uint8Array.from(Buffer.from(text, 'utf8')))
    expect(implementation.read(bytes)).toBe(text)
    expect(implementation.read(Buffer.from(bytes))).toBe(text)
  })

  test.each(malformed)('refuses %s', (_name, bytes) => {
    expect(() => implementation.read(bytes)).toThrow(failing('DECODE_FAILED'))
  })

  test.each(['\ud83d', 'a\udc00b', '\ud800'.repeat(5000), 'x'.repeat(5000) + '\ud800'])(
    'writes U+FFFD for a lone surrogate (%#)',
    (text) => {
      expect(implementation.read(bytesOf(text))).toBe(text.replaceAll(/[\ud800-\udfff]/g, '\uFFFD'))
    },
  )

  test('does not reserve three times the length of a long text', () => {
    const out = new ByteWriter(16)
    implementation.write('x'.repeat(1_000_000), out)
    expect(out.bytes.length).toBeLessThan(1_100_000)
  })

  test('writes what the platform writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 6000 }), (text) => {
        expect(Buffer.compare(bytesOf(text), Buffer.from(text, 'utf8'))).toBe(0)
      }),
    )
  })

  test('reads what the platform reads, and refuses what it refuses', () => {
    fc.assert(
      fc.property(someBytes(), (bytes) => {
        expect(resultOrCode(() => implementation.read(bytes))).toBe(platformText(bytes) ?? 'DECODE_FAILED')
      }),
      { numRuns: 5000 },
    )
  })
})

test('utf8: is the one by Buffer on Node', () => {
  expect(utf8).not.toBe(standardUtf8)
})

test('bufferUtf8: is undefined where there is no Buffer that works on plain bytes', () => {
  const prototype = { utf8Write: () => 2, utf8Slice: () => '', latin1Slice: () => '' }
  expect(bufferUtf8(undefined)).toBeUndefined()
  expect(bufferUtf8({ byteLength: () => 2, prototype })).toBeUndefined()
  const throwing = {
    ...prototype,
    utf8Write() {
      throw new TypeError('this is no Buffer')
    },
  }
  expect(bufferUtf8({ byteLength: () => 2, prototype: throwing })).toBeUndefined()
})

test('bufferUtf8: wraps what the platform throws for a text that is too long', () => {
  const limited = bufferUtf8({
    byteLength: (text) => Buffer.byteLength(text),
    prototype: {
      utf8Write: Buffer.prototype.utf8Write,
      latin1Slice: Buffer.prototype.latin1Slice,
      utf8Slice(start, end) {
        if (end > 100) throw new Error('Cannot create a string longer than 100')
        return Buffer.from(this).toString('utf8', start, end)
      },
    },
  })
  expect(limited?.read(hex('61'))).toBe('a')
  expect(codecError('DECODE_FAILED', () => limited?.read(new Uint8Array(101))).message).toContain('longer than 100')
})
const without: BufferClass = {
  byteLength: () => 2,
  prototype: { utf8Write: () => 0, utf8Slice: () => '', latin1Slice: () => '' },
}

describe.each([
  ['Buffer', createTextReader()],
  ['no Buffer', createTextReader(without)],
])('createTextReader by %s', (_, reader) => {
  test('reads the same as utf8, at any offset', () => {
    fc.assert(
      fc.property(fc.array(someBytes(), { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 30 }), (pieces, picks) => {
        const chunk = Buffer.concat(pieces)
        const ends = pieces.map((_one, index) => Buffer.concat(pieces.slice(0, index + 1)).length)
        for (const pick of [...pieces.keys(), ...picks]) {
          const index = pick % Math.max(1, pieces.length)
          const { length = 0 } = pieces[index] ?? {}
          const offset = (ends[index] ?? 0) - length
          const expected = resultOrCode(() => utf8.read(chunk.subarray(offset, offset + length)))
          expect(resultOrCode(() => reader.read(chunk, offset, length))).toBe(expected)
        }
      }),
    )
  })

  test('reads chunks in turn, and after the release of one', () => {
    const [one, other] = [utf8Bytes('"one""two""drei"'), utf8Bytes('"éins""zwei"')]
    expect(reader.read(one, 0, 5)).toBe('"one"')
    expect(reader.read(other, 7, 6)).toBe('"zwei"')
    expect(reader.read(one, 5, 5)).toBe('"two"')
    reader.release()
    expect(reader.read(one, 10, 6)).toBe('"drei"')
    expect(reader.read(other, 0, 7)).toBe('"éins"')
  })

  // Some texts with more than ASCII in a part, or many: they are read in two ways.
  test.each([Infinity, 1000, 100, 10, 1])(
    'reads a large chunk, part by part (one in %s has more than ASCII)',
    (share) => {
      const quoted = Array.from({ length: 20_000 }, (_one, index) => `"${index}${index % share === 0 ? 'é' : ''}"`)
      const chunk = utf8Bytes(quoted.join(''))
      let offset = 0
      for (const text of quoted) {
        const { length } = utf8Bytes(text)
        expect(reader.read(chunk, offset, length)).toBe(text)
        offset += length
      }
    },
  )
})

/** Bytes near the edges of UTF-8, more often than by chance. */
function someBytes(): fc.Arbitrary<Uint8Array> {
  const edges = [0x00, 0x61, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5]
  const edge = fc.array(fc.constantFrom(...edges), { maxLength: 8 }).map((bytes) => Uint8Array.from(bytes))
  const text = fc.string({ unit: 'grapheme', maxLength: 300 }).map((value) => Uint8Array.from(Buffer.from(value)))
  return fc.oneof(edge, text, fc.uint8Array({ maxLength: 8 }))
}

function platformText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

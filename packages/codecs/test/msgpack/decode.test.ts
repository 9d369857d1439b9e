import { isDeepStrictEqual } from 'node:util'
import { Decoder, encode as libraryEncode } from '@msgpack/msgpack'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CodecError, ExtData, msgpack } from '../../src/index.ts'
import { codecError, encoded, failing, hex, utf8Bytes } from '../support/support.ts'

const codec = msgpack()
const library = new Decoder()

/** Every byte that begins a value, in the smallest forms, and what arrives. */
const vectors: readonly (readonly [string, unknown])[] = [
  ['00', 0],
  ['7f', 127],
  ['80', {}],
  ['81 a1 61 01', { a: 1 }],
  [`8f ${range(15, (index) => `a1 ${byte(0x61 + index)} 01`)}`, Object.fromEntries(items(15, letter))],
  ['90', []],
  ['92 01 02', [1, 2]],
  [`9f ${range(15, byte)}`, items(15)],
  ['a0', ''],
  ['a2 61 62', 'ab'],
  [`bf ${range(31, () => '61')}`, 'a'.repeat(31)],
  ['c0', null],
  ['c2', false],
  ['c3', true],
  ['c4 00', new Uint8Array(0)],
  ['c4 01 61', Uint8Array.of(0x61)],
  ['c5 00 01 61', Uint8Array.of(0x61)],
  ['c6 00 00 00 01 61', Uint8Array.of(0x61)],
  ['c7 00 05', new ExtData(5, new Uint8Array(0))],
  ['c7 03 05 61 62 63', new ExtData(5, utf8Bytes('abc'))],
  ['c8 00 01 7f 61', new ExtData(127, utf8Bytes('a'))],
  ['c9 00 00 00 01 80 61', new ExtData(-128, utf8Bytes('a'))],
  ['ca 3f c0 00 00', 1.5],
  ['ca 7f c0 00 00', Number.NaN],
  ['cb 3f f1 99 99 99 99 99 9a', 1.1],
  ['cb 80 00 00 00 00 00 00 00', -0],
  ['cc ff', 255],
  ['cd ff fe', 0xfffe],
  ['ce ff ff ff fe', 0xffff_fffe],
  ['cf 00 00 00 00 00 00 00 01', 1],
  ['cf 00 1f ff ff ff ff ff ff', Number.MAX_SAFE_INTEGER],
  ['cf 80 00 00 00 00 00 00 01', 2n ** 63n + 1n],
  ['d0 80', -128],
  ['d1 80 00', -0x8000],
  ['d2 80 00 00 00', -0x8000_0000],
  ['d3 00 00 00 00 00 00 00 01', 1],
  ['d3 ff e0 00 00 00 00 00 01', Number.MIN_SAFE_INTEGER],
  ['d3 80 00 00 00 00 00 00 01', -(2n ** 63n) + 1n],
  ['d4 01 61', new ExtData(1, utf8Bytes('a'))],
  ['d5 01 61 62', new ExtData(1, utf8Bytes('ab'))],
  ['d6 01 61 62 63 64', new ExtData(1, utf8Bytes('abcd'))],
  ['d6 ff 00 00 00 02', new Date(2000)],
  ['d7 01 61 62 63 64 65 66 67 68', new ExtData(1, utf8Bytes('abcdefgh'))],
  [`d8 01 ${range(16, () => '61')}`, new ExtData(1, utf8Bytes('a'.repeat(16)))],
  ['d9 01 61', 'a'],
  ['da 00 01 61', 'a'],
  ['db 00 00 00 01 61', 'a'],
  ['dc 00 02 01 02', [1, 2]],
  ['dd 00 00 00 02 01 02', [1, 2]],
  ['de 00 01 a1 61 01', { a: 1 }],
  ['df 00 00 00 01 d9 01 61 01', { a: 1 }],
  ['e0', -32],
  ['ff', -1],
  ['92 91 90 81 a1 61 91 c0', [[[]], { a: [null] }]],
  ['a6 e6 97 a5 c3 a9 21', '日é!'],
  ['a3 ef bf bd', '\uFFFD'],
  ['a3 ef bb bf', '\uFEFF'],
]

test.each(vectors)('msgpack: %s is read, and refused cut short or with a byte more', (text, expected) => {
  const bytes = hex(text)
  expect(codec.decode(bytes)).toStrictEqual(expected)
  expect(codec.decode(Buffer.from(bytes))).toStrictEqual(expected)
  expect(faultsOf(bytes)).toEqual([])
})

test('msgpack: of all bytes but c1 a value begins', () => {
  const heads = new Set(vectors.map(([text]) => hex(text)[0] ?? 0))
  for (let head = 0xc0; head < 0xe0; head++) expect(heads.has(head)).toBe(head !== 0xc1)
  expect(codecError('DECODE_FAILED', () => codec.decode(hex('c1'))).message).toContain('c1')
  expect(codecError('DECODE_FAILED', () => codec.decode(hex('92 01 c1'))).message).toContain('c1')
})

describe('msgpack: lengths', () => {
  test.each([
    [0, 'a0'],
    [31, 'bf'],
    [32, 'd9 20'],
    [255, 'd9 ff'],
    [256, 'da 01 00'],
    [65_535, 'da ff ff'],
    [65_536, 'db 00 01 00 00'],
  ])('text of %i bytes begins with %s, whatever it is of', (length, header) => {
    for (const unit of ['x', 'é', '日']) {
      const size = utf8Bytes(unit).length
      const text = unit.repeat(Math.floor(length / size)) + 'x'.repeat(length % size)
      expect(formOf(text, header)).toEqual(good(header, length))
    }
  })

  test.each([
    [0, 'c4 00'],
    [255, 'c4 ff'],
    [256, 'c5 01 00'],
    [65_535, 'c5 ff ff'],
    [65_536, 'c6 00 01 00 00'],
  ])('%i bytes begin with %s', (length, header) => {
    expect(formOf(new Uint8Array(length).fill(7), header)).toEqual(good(header, length))
  })

  test.each([
    [0, '90'],
    [15, '9f'],
    [16, 'dc 00 10'],
    [65_535, 'dc ff ff'],
    [65_536, 'dd 00 01 00 00'],
  ])('an array of %i begins with %s', (length, header) => {
    expect(
      formOf(
        items(length, () => true),
        header,
      ),
    ).toEqual(good(header, length))
  })

  test.each([
    [0, '80'],
    [15, '8f'],
    [16, 'de 00 10'],
    [65_535, 'de ff ff'],
    [65_536, 'df 00 01 00 00'],
  ])('a map of %i begins with %s, also when properties were left out', (length, header) => {
    const keys = Array.from({ length }, (_, index) => 0x10_0000 + index).map((key) => key.toString(16))
    const message = Object.fromEntries(keys.map((key) => [key, true]))
    expect(formOf(message, header)).toEqual(good(header, length * 8))
    const more = { ...message, a: undefined, b: undefined }
    expect(Buffer.compare(encoded(codec, more), encoded(codec, message))).toBe(0)
  })

  test.each([
    [0, 'c7 00 05'],
    [1, 'd4 05'],
    [2, 'd5 05'],
    [3, 'c7 03 05'],
    [4, 'd6 05'],
    [8, 'd7 05'],
    [16, 'd8 05'],
    [17, 'c7 11 05'],
    [255, 'c7 ff 05'],
    [256, 'c8 01 00 05'],
    [65_535, 'c8 ff ff 05'],
    [65_536, 'c9 00 01 00 00 05'],
  ])('an extension of %i bytes begins with %s', (length, header) => {
    expect(formOf(new ExtData(5, new Uint8Array(length).fill(7)), header)).toEqual(good(header, length))
  })
})

describe('msgpack: what is claimed', () => {
  const claims = ['c6', 'c9', 'db', 'dd', 'df'].map((head) => `${head} ff ff ff ff`)
  const inside = claims.flatMap((claim) => [
    claim,
    `91 ${claim}`,
    `81 a1 61 ${claim}`,
    `81 ${claim}`,
    `92 c0 ${claim} 01`,
  ])

  test.each(inside)('%s costs nothing', (text) => {
    const bytes = hex(text)
    expect(growth(() => expect(() => codec.decode(bytes)).toThrow(failing('DECODE_FAILED')))).toBeLessThan(2_000_000)
  })

  test.each([
    'dc ff ff',
    'de ff ff',
    'da ff ff',
    'c5 ff ff',
    'c8 ff ff 01',
    '9f 01',
    '8f a1 61 01',
    'bf 61',
    'c4 ff 01',
  ])('%s is refused', (text) => {
    expect(() => codec.decode(hex(text))).toThrow(failing('DECODE_FAILED'))
  })

  test('arrays inside each other may not all claim what is left', () => {
    const half = hex('dc 00 04 dc 00 04 01 02 03 04')
    expect(codecError('DECODE_FAILED', () => codec.decode(half)).message).toBe(
      'not a MessagePack message: 7 values claimed, with 4 bytes left',
    )
  })

  test('512 arrays that claim a share of the message each cost no more than the message', () => {
    const bytes = new Uint8Array(1_000_000)
    const view = new DataView(bytes.buffer)
    for (let at = 0; at < 512 * 5; at += 5) {
      view.setUint8(at, 0xdd)
      view.setUint32(at + 1, 1900)
    }
    bytes[512 * 5] = 0xc1
    expect(growth(() => codecError('DECODE_FAILED', () => codec.decode(bytes)))).toBeLessThan(20_000_000)
  })
})

describe('msgpack: any bytes', () => {
  test('200,000 inputs end in a message or in DECODE_FAILED', { timeout: 60_000 }, () => {
    const seed = Date.now() >>> 0
    const random = generator(seed)
    const others: string[] = []
    for (let run = 0; run < 200_000; run++) {
      const bytes = run % 4 === 0 ? changed(randomValue(random, 2), random) : randomBytes(random)
      const { code = 'DECODE_FAILED' } = endOf(() => codec.decode(bytes))
      if (code !== 'DECODE_FAILED') others.push(`seed ${seed}, run ${run}: ${code} for ${shown(bytes)}`)
    }
    expect(others).toEqual([])
  })

  test('a value in any form is what the library makes of it', () => {
    const seed = Date.now() >>> 0
    const random = generator(seed)
    for (let run = 0; run < 5000; run++) {
      const bytes = Uint8Array.from(randomValue(random, 3))
      expect(rounded(codec.decode(bytes)), `seed ${seed}, run ${run}`).toStrictEqual(library.decode(bytes))
    }
  })

  test('what is refused for anything but its text, the library refuses, and the other way round', () => {
    const seed = Date.now() >>> 0
    const random = generator(seed)
    const differences: string[] = []
    for (let run = 0; run < 30_000; run++) {
      const bytes = run % 2 === 0 ? randomBytes(random) : changed(randomValue(random, 2), random)
      const { reason = '' } = endOf(() => codec.decode(bytes))
      const { reason: theirs = '' } = endOf(() => library.decode(bytes))
      // The library takes text that is not UTF-8 and timestamps past their second, and no key __proto__.
      const isKnown = /UTF-8|timestamp/.test(reason) || theirs.includes('__proto__')
      if (!isKnown && (reason === '') !== (theirs === '')) {
        differences.push(`seed ${seed}, run ${run}: ${reason} / ${theirs} for ${shown(bytes)}`)
      }
    }
    expect(differences).toEqual([])
  })

  test('a message cut anywhere is refused, and so is one with bytes after it', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(faultsOf(encoded(codec, value))).toEqual([])
      }),
    )
  })
})

// The library reads no key __proto__.
const keys = fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__')

const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double().map((number) => number + 0),
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.uint8Array(),
    fc.date({ noInvalidDate: true }),
    fc.array(tie('value')),
    fc.dictionary(keys, tie('value'), { noNullPrototype: true }),
  ),
})).value

test('msgpack: writes and reads the same as the library', () => {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = encoded(codec, value)
      expect(bytes).toEqual(libraryEncode(value))
      expect(codec.decode(bytes)).toStrictEqual(value)
      expect(library.decode(bytes)).toStrictEqual(value)
    }),
    { numRuns: 1000 },
  )
})

test('msgpack: reads again and again the keys that it has read, and others of the same length', () => {
  const names = items(5000, (index) => `key${index % 2500}`.padEnd(index % 40, 'é'))
  for (const key of names) expect(codec.decode(encoded(codec, { [key]: 1 }))).toEqual({ [key]: 1 })
})

/** How many bytes of `bytes`, or of them and one more, are not refused for their number. */
function faultsOf(bytes: Uint8Array): number[] {
  const more = Uint8Array.of(...bytes, 0)
  return items(more.length + 1).filter((length) => {
    if (length === bytes.length) return false
    const { code, reason = '' } = endOf(() => codec.decode(more.subarray(0, length)))
    return code !== 'DECODE_FAILED' || !/ends after \d+ bytes|values claimed|1 bytes after the value/.test(reason)
  })
}

interface Form {
  readonly header: string
  readonly size: number
  readonly isTheLibrarys: boolean
  readonly arrives: boolean
}

function formOf(message: unknown, header: string): Form {
  const bytes = encoded(codec, message)
  const end = hex(header).length
  return {
    header: shown(bytes.subarray(0, end)),
    size: bytes.length - end,
    isTheLibrarys: Buffer.compare(bytes, libraryEncode(message)) === 0,
    arrives: isDeepStrictEqual(codec.decode(bytes), message),
  }
}

function good(header: string, size: number): Form {
  return { header, size, isTheLibrarys: true, arrives: true }
}

/** How much more memory is in use after `run`. Unit: bytes. */
function growth(run: () => unknown): number {
  const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
  const before = used()
  run()
  return used() - before
}

interface End {
  readonly value?: unknown
  readonly code?: string
  readonly reason?: string
}

function endOf(run: () => unknown): End {
  try {
    return { value: run() }
  } catch (error) {
    return { code: error instanceof CodecError ? error.code : 'another error', reason: String(error) }
  }
}

/** Replaces bigints by numbers, since the library rounds. */
function rounded(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(rounded)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rounded(item)]))
}

function randomBytes(random: () => number): Uint8Array {
  return Uint8Array.from({ length: random() % 65 }, () => random() & 0xff)
}

/** One of the bytes is another, or is gone, or comes twice. */
function changed(bytes: readonly number[], random: () => number): Uint8Array {
  const at = random() % bytes.length
  const instead = [[random() & 0xff], [], [bytes[at] ?? 0, bytes[at] ?? 0]][random() % 3] ?? []
  return Uint8Array.from([...bytes.slice(0, at), ...instead, ...bytes.slice(at + 1)])
}

/** A whole value, in any of the forms that it may have. */
function randomValue(random: () => number, depth: number): number[] {
  const some = (length: number): number[] => items(length, () => random() & 0xff)
  const sized = (head: number, length: number): number[] => {
    const size = [[length], [0, length], [0, 0, 0, length]]
    const kind = random() % 3
    return [head + kind, ...(size[kind] ?? [])]
  }
  const short = (): number[] => items(random() % 9, () => 0x61 + (random() % 9))
  const string = (): number[] => {
    const letters = random() % 4 === 0 ? [...utf8Bytes('é日🚀'.repeat(random() % 4))] : short()
    return random() % 2 === 0 && letters.length < 32
      ? [0xa0 + letters.length, ...letters]
      : [...sized(0xd9, letters.length), ...letters]
  }
  const key = (): number[] => (random() % 5 === 0 ? [random() & 0x7f] : string())
  const value = (): number[] => randomValue(random, depth - 1)
  const forms: readonly (() => number[])[] = [
    () => [random() & 0x7f],
    () => [0xe0 + (random() & 0x1f)],
    () => [[0xc0, 0xc2, 0xc3][random() % 3] ?? 0],
    () => [0xcc, ...some(1)],
    () => [0xcd, ...some(2)],
    () => [0xce, ...some(4)],
    () => [0xcf, ...some(8)],
    () => [0xd0, ...some(1)],
    () => [0xd1, ...some(2)],
    () => [0xd2, ...some(4)],
    () => [0xd3, ...some(8)],
    () => [0xca, ...some(4)],
    () => [0xcb, ...some(8)],
    string,
    () => [0xd6, 0xff, ...some(4)],
    () => [0xd7, 0xff, 0, 0, 0, random() & 0x03, ...some(4)],
    () => {
      const kind = random() % 5
      return [0xd4 + kind, random() & 0x7f, ...some(1 << kind)]
    },
    () => binary(0xc4, []),
    () => binary(0xc7, [random() & 0x7f]),
    () => collection(0x90, 0xdc, value),
    () => collection(0x80, 0xde, () => [...key(), ...value()]),
  ]
  const binary = (head: number, type: readonly number[]): number[] => {
    const data = some(random() % 20)
    return [...sized(head, data.length), ...type, ...data]
  }
  const collection = (fixed: number, head: number, item: () => number[]): number[] => {
    const size = random() % 5
    const header = [[fixed + size], [head, 0, size], [head + 1, 0, 0, 0, size]][random() % 3] ?? []
    return [...header, ...items(size, item).flat()]
  }
  return forms[random() % (depth > 0 ? forms.length : forms.length - 2)]?.() ?? []
}

/** Numbers below 2^32 that follow from `seed`. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e37_79b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x85eb_ca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0
  }
}

function items(length: number): number[]
function items<R>(length: number, of: (index: number) => R): R[]
function items(length: number, of: (index: number) => unknown = (index) => index): unknown[] {
  return Array.from({ length }, (_, index) => of(index))
}

function range(length: number, of: (index: number) => string): string {
  return items(length, of).join(' ')
}

function shown(bytes: Uint8Array): string {
  return [...bytes].map(byte).join(' ')
}

function byte(value: number): string {
  return value.toString(16).padStart(2, '0')
}

function letter(index: number): [string, number] {
  return [String.fromCodePoint(0x61 + index), 1]
}

/** Whether the suite finds what is wrong: codecs that are each broken in one way. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { CodecError, json, struct, u16, u32 } from '../../src/index.ts'
import type { Codec, MessageReader } from '../../src/index.ts'
import { codecSuite } from '../../src/testing.ts'
import type { CodecSamples } from '../../src/testing.ts'
import { collectGarbage } from '../../src/testing/memory.ts'

interface Trade {
  readonly id: number
  readonly size: number
}

const good = struct({ id: u32, size: u16 })
const samples: CodecSamples<Trade> = {
  messages: [
    { id: 1, size: 2 },
    { id: 0xffff_ffff, size: 0xffff },
    { id: 0x0102_0304, size: 0 },
  ],
  refused: [undefined, { id: -1, size: 0 }],
  broken: [new Uint8Array(5)],
}

/** What the cases that fail say, of all or of one, by their names. */
function failures<T>(codec: Codec<T>, given: CodecSamples<T>, only?: string): ReadonlyMap<string, unknown> {
  const failed = new Map<string, unknown>()
  for (const { name, run } of codecSuite(codec, given, { inputs: 2000 })) {
    if (only !== undefined && name !== only) continue
    try {
      run()
    } catch (error) {
      failed.set(name, error)
    }
  }
  return failed
}

/** The names of the cases that fail, of all or of one. */
function failing<T>(codec: Codec<T>, given: CodecSamples<T>, only?: string): string[] {
  return [...failures(codec, given, only).keys()]
}

test('a codec that does all right passes', () => {
  expect(failing(good, samples)).toEqual([])
})

test('takes no codec without a message', () => {
  expect(() => codecSuite(good, { messages: [] })).toThrow('codecSuite needs at least one message')
})

test('a failure names the codec, the case, the sample and the seed, and has its cause', () => {
  const broken: Codec<Trade> = { ...good, decode: (bytes) => ({ ...good.decode(bytes), size: 0 }) }
  const found = codecSuite(broken, samples, { seed: 7 }).find(({ name }) => name === 'hands out what it was given')
  let error: unknown
  try {
    found?.run()
  } catch (caught) {
    error = caught
  }
  expect(error).toMatchObject({
    message: expect.stringMatching(
      /^struct: hands out what it was given: message 0, \{ id: 1, size: 2 \}: [^]+ \(seed 7\)$/,
    ) as string,
    cause: expect.any(Error) as Error,
  })
})

let shared: Trade | undefined
const memory = { id: 0, size: 0 }
let calls = 0
const received: Uint8Array[] = []

const brokenCodecs: readonly (readonly [how: string, codec: Codec<Trade>, found: string])[] = [
  ['has no media type', { ...good, contentType: 'trades' }, 'has a name and a media type'],
  [
    'loses a field',
    { ...good, decode: (bytes) => ({ ...good.decode(bytes), size: 0 }) },
    'hands out what it was given',
  ],
  [
    'answers with a promise',
    // A program without types can do that.
    { ...good, decode: (bytes) => Promise.resolve(good.decode(bytes)) as never },
    'hands out what it was given',
  ],
  [
    'writes at the start, whatever stands there',
    {
      ...good,
      encode(trade, out) {
        out.position = 0
        good.encode(trade, out)
      },
    },
    'appends to what is there, and returns nothing',
  ],
  [
    'encodes in a promise',
    {
      ...good,
      encode(trade, out) {
        good.encode(trade, out)
        return Promise.resolve() as never
      },
    },
    'appends to what is there, and returns nothing',
  ],
  [
    'keeps the memory of before it reserved room',
    {
      ...good,
      encode(trade, out) {
        const { view } = out
        out.reserve(6)
        const here = view.byteLength < out.position + 6 ? out.view : view
        here.setUint32(out.position, trade.id)
        out.reserve(6)
        here.setUint16(out.position + 4, trade.size)
        out.position += 6
      },
    },
    'writes where it has reserved room, in the memory that is there then',
  ],
  [
    'counts its messages in them',
    {
      ...good,
      encode: ({ id, size }, out) => good.encode({ id, size: (size + (calls++ & 1)) & 0xffff }, out),
    },
    'gives equal bytes for equal messages, whatever came between',
  ],
  [
    'hands out one object again and again',
    { ...good, decode: (bytes) => Object.assign(memory, good.decode(bytes)) },
    'hands out messages that nothing later changes',
  ],
  [
    'changes what it sends',
    {
      ...good,
      encode(trade, out) {
        shared = Object.assign(trade, { size: 1 })
        good.encode(shared, out)
      },
    },
    'leaves the message as it is',
  ],
  [
    'reads from the start of the chunk',
    { ...good, decode: (bytes) => good.decode(new Uint8Array(bytes.buffer, 0, bytes.length)) },
    'decodes wherever the bytes lie, whatever lies around them, a Buffer or not, and writes nowhere',
  ],
  [
    'writes into what it received',
    {
      ...good,
      decode(bytes) {
        const trade = good.decode(bytes)
        received.push(bytes.fill(0))
        return trade
      },
    },
    'decodes wherever the bytes lie, whatever lies around them, a Buffer or not, and writes nowhere',
  ],
  ['says a wrong size', { ...good, size: 7 }, 'keeps to the size and the line that it promises'],
  ['says that it is text', { ...good, line: true }, 'keeps to the size and the line that it promises'],
  [
    'takes what has no form',
    { ...good, encode: (trade, out) => good.encode(trade ?? { id: 0, size: 0 }, out) },
    'refuses to encode what it has no form for, and leaves what was written',
  ],
  [
    'refuses by an error of another class',
    {
      ...good,
      encode(trade, out) {
        if (!(trade?.id >= 0)) throw new TypeError('no trade')
        good.encode(trade, out)
      },
    },
    'refuses to encode what it has no form for, and leaves what was written',
  ],
  [
    'cleans up too much after a failure',
    {
      ...good,
      encode(trade, out) {
        try {
          good.encode(trade, out)
        } catch (error) {
          out.bytes.fill(0)
          throw error
        }
      },
    },
    'refuses to encode what it has no form for, and leaves what was written',
  ],
  [
    'takes what is too short',
    { ...good, decode: (bytes) => (bytes.length === 5 ? { id: 0, size: 0 } : good.decode(bytes)) },
    'refuses to decode what is not its own',
  ],
  [
    'falls over what is cut short',
    {
      ...good,
      decode(bytes) {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        return { id: view.getUint32(0), size: view.getUint16(4) }
      },
    },
    'ends in a message or a CodecError however a message is cut short',
  ],
  [
    'blames itself for the bytes',
    {
      ...good,
      decode(bytes) {
        if (bytes.length !== 6) throw new CodecError('ENCODE_FAILED', 'no trade')
        return good.decode(bytes)
      },
    },
    'ends in a message or a CodecError however a message is cut short',
  ],
]

test.each(brokenCodecs)('a codec that %s is found', (_, codec, found) => {
  const fresh = { ...samples, messages: structuredClone(samples.messages) }
  expect(failing(codec, fresh)).toContain(found)
})

/** Struct, with readers that are made by `reader` instead of its own. */
function withReaders(reader: () => Partial<MessageReader<Trade>>): Codec<Trade> {
  return { ...good, reader: () => ({ read, release: () => {}, ...reader() }) }
}

function read(bytes: Uint8Array, offset: number, length: number): Trade {
  return good.decode(bytes.subarray(offset, offset + length))
}

const wherever = 'decodes wherever the bytes lie, whatever lies around them, a Buffer or not, and writes nowhere'
const cutShort = 'ends in a message or a CodecError however a message is cut short'
const lengths = 'ends in a message or a CodecError, in little memory, whatever length a header claims'

const brokenReaders: readonly (readonly [
  how: string,
  reader: () => Partial<MessageReader<Trade>>,
  found: readonly string[],
])[] = [
  [
    'answers with a promise',
    () => ({ read: (...place) => Promise.resolve(read(...place)) as never }),
    ['hands out what it was given'],
  ],
  [
    'hands out one object again and again',
    () => {
      const trade = { id: 0, size: 0 }
      return { read: (...place) => Object.assign(trade, read(...place)) }
    },
    ['hands out messages that nothing later changes'],
  ],
  [
    'answers from the chunk before, at the same offset',
    () => {
      let kept: { bytes: Uint8Array; offset: number } | undefined
      return {
        read(bytes, offset, length) {
          if (kept?.offset !== offset) kept = { bytes, offset }
          return read(kept.bytes, offset, length)
        },
        release: () => (kept = undefined),
      }
    },
    ['hands out what it was given'],
  ],
  [
    'reads beyond the length',
    () => ({ read: (bytes, offset) => read(bytes, offset, 6) }),
    [cutShort, 'keeps to the size and the line that it promises'],
  ],
  [
    'falls over what is cut short',
    () => ({
      read(bytes, offset, length) {
        const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length)
        return { id: view.getUint32(0), size: view.getUint16(4) }
      },
    }),
    [cutShort, 'refuses to decode what is not its own'],
  ],
  [
    'falls over what is long',
    () => ({
      read(bytes, offset, length) {
        if (length > 6) throw new RangeError('long')
        return read(bytes, offset, length)
      },
    }),
    [lengths, 'ends in a message or a CodecError, in little memory, whatever the bytes'],
  ],
  [
    'overlooks where the chunk begins in its memory',
    () => ({ read: ({ buffer }, offset, length) => good.decode(new Uint8Array(buffer, offset, length)) }),
    [wherever],
  ],
  [
    'overlooks where a Buffer begins in its memory',
    () => ({
      read: (bytes, offset, length) =>
        Buffer.isBuffer(bytes)
          ? good.decode(new Uint8Array(bytes.buffer, offset, length))
          : read(bytes, offset, length),
    }),
    [wherever],
  ],
  [
    'writes into the chunk',
    () => ({
      read(bytes, offset, length) {
        const trade = read(bytes, offset, length)
        if (length > 0) bytes[offset] = 0
        return trade
      },
    }),
    [wherever],
  ],
  [
    'fails after release',
    () => {
      let isReleased = false
      return {
        read(...place) {
          if (isReleased) throw new TypeError('no chunk')
          return read(...place)
        },
        release: () => (isReleased = true),
      }
    },
    ['hands out messages that nothing later changes', wherever],
  ],
  [
    'has another code for an error',
    () => ({
      read(bytes, offset, length) {
        if (length !== 6) throw new CodecError('INVALID_MESSAGE', 'no trade')
        return read(bytes, offset, length)
      },
    }),
    ['reads messages where they lie, many to a chunk, as it decodes them', cutShort],
  ],
  [
    'has another message',
    () => ({
      read(bytes, offset, length) {
        const trade = read(bytes, offset, length)
        return trade.size === 0x10 ? { ...trade, size: 0 } : trade
      },
    }),
    [lengths],
  ],
]

test.each(brokenReaders)('a reader that %s is found', (_, reader, found) => {
  const codec = withReaders(reader)
  const failed = failures(codec, samples)
  expect([...failed.keys()]).toEqual(expect.arrayContaining([...found]))
  expect(String(failed.get(found[0] ?? ''))).toContain('reader')
})

test('a reader that does all right passes', () => {
  expect(
    failing(
      withReaders(() => ({ read })),
      samples,
    ),
  ).toEqual([])
})

/** JSON behind its length. `take` receives each length before it is compared with the bytes. */
function counted(take: (length: number) => void, littleEndian = false, width: 3 | 4 = 4): Codec<unknown> {
  const text = json()
  return {
    name: 'counted',
    contentType: 'application/vnd.example.counted',
    encode(message, out) {
      const start = out.position
      const head = new Uint8Array(width)
      out.write(head)
      text.encode(message, out)
      const view = new DataView(new ArrayBuffer(4))
      view.setUint32(0, out.position - start - width, littleEndian)
      const length = new Uint8Array(view.buffer)
      out.bytes.set(littleEndian ? length.subarray(0, width) : length.subarray(4 - width), start)
    },
    decode(bytes) {
      if (bytes.length < width) throw new CodecError('DECODE_FAILED', 'no length')
      const view = new DataView(new ArrayBuffer(4))
      new Uint8Array(view.buffer).set(bytes.subarray(0, width), littleEndian ? 0 : 4 - width)
      const length = view.getUint32(0, littleEndian)
      take(length)
      if (length !== bytes.length - width) throw new CodecError('DECODE_FAILED', 'another length')
      return text.decode(bytes.subarray(width))
    },
  }
}

test('a codec that hands out undefined is found', () => {
  const nothing: Codec<unknown> = {
    ...json(),
    encode: (_, out) => out.write(Uint8Array.of(0)),
    decode: () => undefined,
  }
  expect(failing(nothing, { messages: [undefined] })).toContain('hands out what it was given')
})

test('a codec whose lines framing would change is found', () => {
  const line = 'keeps to the size and the line that it promises'
  const { decode } = json()
  const wide: Codec<unknown> = {
    ...json(),
    encode(message, out) {
      json().encode(message, out)
      out.write(Uint8Array.of(0x0d))
    },
    decode,
  }
  expect(failing(wide, { messages: ['a'] }, line)).toEqual([line])
})

test('a codec whose lines are no JSON is found', () => {
  const quoted: Codec<unknown> = {
    ...json(),
    encode: (_, out) => out.write(Buffer.from("{'a':1}")),
    decode: () => ({ a: 1 }),
  }
  const line = 'keeps to the size and the line that it promises'
  const said = failures(quoted, { messages: [{ a: 1 }] }, line).get(line)
  expect(String(said)).toContain('a line is one JSON text')
})

test.each([
  ['application/vnd.example+cbor'],
  ['application/vnd.example;a=1'],
  ['application/vnd.example \t;\t a=1; b="q=1; charset=\\"x" ;c=2'],
  ['application/vnd.example;;a=1'],
])('takes the media type %j', (contentType) => {
  expect(failing({ ...good, contentType }, samples, 'has a name and a media type')).toEqual([])
})

test.each([
  ['application'],
  ['application/vnd.example; a'],
  ['application/vnd.example a=1'],
  ['application/vnd.example; a = 1'],
  ['application/vnd.example, application/vnd.other'],
  ['application/*'],
  ['application/vnd.example; a=1; q=1'],
  ['application/vnd.example;Q=0.5'],
  ['text/vnd.example; Charset=utf-8'],
  ['application/json'],
  ['Application/X-NDJSON'],
  ['application/octet-stream; a=1'],
])('refuses the media type %j', (contentType) => {
  const named = 'has a name and a media type'
  expect(failing({ ...good, contentType }, samples, named)).toEqual([named])
})

let kept: Uint8Array | undefined

test.each<readonly [how: string, take: (length: number) => void]>([
  ['and throws it away', (length) => void new Uint8Array(Math.min(length, 2 ** 30))],
  [
    'once and keeps it',
    (length) => {
      if (length >= 2 ** 29) kept ??= new Uint8Array(2 ** 29)
    },
  ],
  [
    'once and keeps it, while what was garbage before goes,',
    (length) => {
      if (length < 2 ** 29 || kept !== undefined) return
      kept = new Uint8Array(2 ** 29)
      collectGarbage()
    },
  ],
  ['of the heap', (length) => void Array.from({ length: Math.min(length, 2 ** 20) })],
])('a codec that takes memory on the word of a header %s is found, whatever was taken before', (_, take) => {
  let before: Uint8Array | undefined = new Uint8Array(2 ** 30)
  before.fill(1, 0, 2 ** 28)
  before = undefined
  const said = failures(counted(take), { messages: [{ id: 1 }] }, lengths).get(lengths)
  expect(String(said)).toMatch(
    /message 0, .*: decode, of \d+ bytes, [\da-f]+: it used \d+\.\d MiB of memory, more than 4\.0 MiB \(seed/,
  )
  kept = undefined
})

test('a reader that takes memory on the word of a header is found', () => {
  const { decode, ...rest } = counted(() => {})
  const { decode: greedy } = counted((length) => void new Uint8Array(Math.min(length, 2 ** 30)))
  const codec: Codec<unknown> = {
    ...rest,
    decode,
    reader: () => ({
      read: (bytes, offset, length) => greedy(bytes.subarray(offset, offset + length)),
      release: () => {},
    }),
  }
  const said = failures(codec, { messages: [{ id: 1 }] }, lengths).get(lengths)
  expect(String(said)).toMatch(/the reader, of \d+ bytes, [\da-f]+: it used \d+\.\d MiB/)
})

test.each([
  [3, false],
  [3, true],
  [4, false],
  [4, true],
] as const)('lengths of %j bytes are claimed that a decoder may think possible, little-endian: %j', (width, little) => {
  const take = (length: number): void => {
    if (length <= 2 ** 20 + 2 ** 16) void new Float64Array(length)
  }
  expect(failing(counted(take, little, width), { messages: [{ id: 1 }] }, lengths)).toEqual([lengths])
})

test('a codec that believes no length passes', () => {
  expect(
    failing(
      counted(() => {}),
      { messages: [{ id: 1 }] },
    ),
  ).toEqual([])
})

test('a codec that leaves much behind, little at a time, passes', () => {
  const text = json()
  const compressed: Codec<unknown> = {
    ...counted(() => {}),
    encode(message, out) {
      out.write(deflateRawSync(JSON.stringify(message)))
    },
    decode(bytes) {
      let plain
      try {
        plain = inflateRawSync(bytes, { maxOutputLength: 2 ** 16 })
      } catch (cause) {
        throw new CodecError('DECODE_FAILED', 'not compressed', { cause })
      }
      return text.decode(plain)
    },
  }
  expect(failing(compressed, { messages: [{ id: 1 }, 'a'.repeat(1000)] })).toEqual([])
})

test('nothing of this was seen by the codecs that are shared', () => {
  expect(shared).toBeDefined()
  expect(received.length).toBeGreaterThan(0)
  expect(failing(good, samples)).toEqual([])
})

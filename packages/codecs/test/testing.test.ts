/** Whether the suite finds what is wrong: codecs that are each broken in one way. */
import { expect, test } from 'vitest'
import { type Codec, CodecError, json, u16, u32, struct } from '../src/index.ts'
import { type CodecSamples, codecSuite } from '../src/testing.ts'

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

/** The names of the cases that fail, of all or of one. */
function failing<T>(codec: Codec<T>, given: CodecSamples<T>, only?: string): string[] {
  const cases = codecSuite(codec, given, { inputs: 2000 })
  return cases.flatMap(({ name, run }) => {
    if (only !== undefined && name !== only) return []
    try {
      run()
      return []
    } catch {
      return [name]
    }
  })
}

test('a codec that does all right passes', () => {
  expect(failing(good, samples)).toEqual([])
})

test('takes no codec without a message', () => {
  expect(() => codecSuite(good, { messages: [] })).toThrow('codecSuite takes at least one message')
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

/** JSON behind its length, which a decoder may believe or not. */
function counted(trust: boolean): Codec<unknown> {
  const text = json()
  // Once is enough to be seen.
  let taken: Uint8Array | undefined
  return {
    name: 'counted',
    contentType: 'application/vnd.example.counted',
    encode(message, out) {
      const start = out.position
      out.reserve(4)
      out.position += 4
      text.encode(message, out)
      out.view.setUint32(start, out.position - start - 4)
    },
    decode(bytes) {
      if (bytes.length < 4) throw new CodecError('DECODE_FAILED', 'no length')
      const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
      if (trust && length >= 2 ** 29) taken ??= new Uint8Array(2 ** 29).fill(1)
      if (taken?.[0] === 0) throw new Error('unreachable')
      if (length !== bytes.length - 4) throw new CodecError('DECODE_FAILED', 'another length')
      return text.decode(bytes.subarray(4))
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

test('a codec that takes memory on the word of a header is found', () => {
  const messages = [{ id: 1 }]
  const little = 'ends in a message or a CodecError, in little memory, whatever length a header claims'
  expect(failing(counted(false), { messages })).toEqual([])
  expect(failing(counted(true), { messages }, little)).toEqual([little])
})

test('nothing of this was seen by the codecs that are shared', () => {
  expect(shared).toBeDefined()
  expect(received.length).toBeGreaterThan(0)
  expect(failing(good, samples)).toEqual([])
})

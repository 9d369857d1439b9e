// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
import type { Codec } from '@h2channel/codecs'
import { bytes, ByteWriter, json, msgpack, oneOf, struct, u16, u32 } from '@h2channel/codecs'
import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'

import { Assembly } from '../../src/framing/chunk-decoder.ts'
import { maxFrameBytes } from '../../src/options.ts'
import type { Framing } from '../../src/index.ts'
import { fixedLength, lengthPrefixed, newlineDelimited } from '../../src/index.ts'
import { bytesOf, concat, hexOf, nextBody, thrown, utf8 } from '../support/support.ts'

const limit = 1_000

/** Bodies on the wire. */
function framesOf(framing: Framing, bodies: readonly Uint8Array[]): Uint8Array {
  const out = new ByteWriter(1)
  for (const body of bodies) {
    const start = out.position
    framing.begin(out)
    out.write(body)
    framing.end(out, start, limit)
  }
  return Uint8Array.from(out.written())
}

/** Decodes chunks into bodies. Overwrites each chunk after its last frame, up to which the decoder borrows it. */
function bodiesOf(framing: Framing, chunks: readonly Uint8Array[]): Uint8Array[] {
  const decoder = framing.decoder(limit)
  const bodies: Uint8Array[] = []
  const early = nextBody(decoder)
  for (const chunk of chunks) {
    const borrowed = Uint8Array.from(chunk)
    decoder.push(borrowed)
    for (let body = nextBody(decoder); body !== null; body = nextBody(decoder)) bodies.push(Uint8Array.from(body))
    borrowed.fill(0xee)
  }
  if (early !== null || nextBody(decoder) !== null) throw new Error('a frame out of nothing')
  decoder.end()
  if (decoder.buffered !== 0) throw new Error(`${decoder.buffered} bytes are left`)
  return bodies
}

function cutAt(whole: Uint8Array, ...cuts: readonly number[]): Uint8Array[] {
  const edges = [0, ...cuts, whole.length]
  return edges.slice(1).map((edge, index) => whole.subarray(edges[index], edge))
}

const hexes = (bodies: readonly Uint8Array[]): string[] => bodies.map((body) => Buffer.from(body).toString('hex'))

const texts = (...all: readonly string[]): Uint8Array[] => all.map((text) => utf8(text))

const grid = [
  { framing: lengthPrefixed(), one: texts('hello'), many: texts('a', 'bcd', '', 'e'.repeat(300), '{}') },
  { framing: newlineDelimited(), one: texts('"hello"'), many: texts('1', '[2,3]', '"é"', 'x'.repeat(300)) },
  { framing: fixedLength(5), one: texts('hello'), many: texts('12345', '\n\n\n\n\n', 'world', '\0\0\0\0\0') },
  { framing: fixedLength(1), one: texts('x'), many: texts('a', 'b', 'c') },
]

describe.each(grid)('$framing.name', ({ framing, one, many }) => {
  describe.each([
    { frames: 'no frame', bodies: [] },
    { frames: 'one frame', bodies: one },
    { frames: 'many frames', bodies: many },
  ])('$frames', ({ bodies }) => {
    const wire = framesOf(framing, bodies)

    test('decoder: takes one chunk', () => {
      expect(bodiesOf(framing, [wire])).toEqual(bodies)
    })

    test('decoder: takes a chunk for each frame, and empty ones', () => {
      const chunks = bodies.flatMap((body) => [framesOf(framing, [body]), new Uint8Array(0)])
      expect(bodiesOf(framing, chunks)).toEqual(bodies)
    })

    test('decoder: takes every split into two (FRAME-1)', () => {
      for (let cut = 0; cut <= wire.length; cut++)
        expect(hexes(bodiesOf(framing, cutAt(wire, cut)))).toEqual(hexes(bodies))
    })

    test('decoder: takes it byte by byte', () => {
      expect(
        bodiesOf(
          framing,
          Array.from(wire, (byte) => Uint8Array.of(byte)),
        ),
      ).toEqual(bodies)
    })

    test('decoder: takes chunks that begin and end inside frames', () => {
      for (const size of [2, 3, 5, 7, 64]) {
        const cuts = Array.from({ length: Math.floor(wire.length / size) }, (_, index) => (index + 1) * size)
        expect(bodiesOf(framing, cutAt(wire, ...cuts)), `${size}`).toEqual(bodies)
      }
    })
  })

  test('end: is clean at a boundary and TRUNCATED_FRAME at every other place (FRAME-4, FIXED-1, LINE-3)', () => {
    const wire = framesOf(framing, many)
    const boundaries = new Set<number>([0])
    for (let count = 1; count <= many.length; count++) boundaries.add(framesOf(framing, many.slice(0, count)).length)
    for (let size = 0; size <= wire.length; size++) {
      const decoder = framing.decoder(limit)
      decoder.push(wire.subarray(0, size))
      while (nextBody(decoder) !== null);
      if (boundaries.has(size)) decoder.end()
      else thrown(() => decoder.end(), 'TRUNCATED_FRAME')
    }
  })

  test('buffered: counts what no frame was made of yet', () => {
    const wire = framesOf(framing, one)
    const decoder = framing.decoder(limit)
    expect(decoder.buffered).toBe(0)
    for (const [index, byte] of [...wire].entries()) {
      decoder.push(Uint8Array.of(byte))
      expect(decoder.buffered).toBe(index + 1)
      const body = nextBody(decoder)
      expect(body === null).toBe(index < wire.length - 1)
    }
    expect(decoder.buffered).toBe(0)
    const twice = concat([wire, wire, wire.subarray(0, wire.length - 1)])
    decoder.push(twice)
    expect(decoder.buffered).toBe(twice.length)
    nextBody(decoder)
    expect(decoder.buffered).toBe(twice.length - wire.length)
    while (nextBody(decoder) !== null);
    expect(decoder.buffered).toBe(wire.length - 1)
  })

  test('next: gives views into the chunk, and memory of its own where a frame spans chunks', () => {
    const wire = framesOf(framing, one)
    const decoder = framing.decoder(limit)
    decoder.push(wire)
    expect(nextBody(decoder)?.buffer).toBe(wire.buffer)
    if (wire.length < 2) return
    expect(nextBody(decoder)).toBeNull()
    const [head, tail] = cutAt(wire, wire.length - 1).map((part) => Uint8Array.from(part))
    if (head === undefined || tail === undefined) throw new Error('unreachable')
    decoder.push(head)
    expect(nextBody(decoder)).toBeNull()
    decoder.push(tail)
    const body = nextBody(decoder)
    expect(hexOf(body ?? new Uint8Array(0))).toBe(hexOf(one[0] ?? new Uint8Array(0)))
    expect([head.buffer, tail.buffer]).not.toContain(body?.buffer)
  })

  test('decoder: gives random frames out of random chunks', () => {
    const body = bodyArbitrary(framing)
    fc.assert(
      fc.property(
        fc.array(body, { maxLength: 30 }),
        fc.array(fc.nat({ max: 3_000 }), { maxLength: 40 }),
        (bodies, at) => {
          const wire = framesOf(framing, bodies)
          const cuts = at.map((cut) => cut % (wire.length + 1)).toSorted((a, b) => a - b)
          expect(hexes(bodiesOf(framing, cutAt(wire, ...cuts)))).toEqual(hexes(bodies))
        },
      ),
      { numRuns: 200 },
    )
  })
})

function bodyArbitrary(framing: Framing): fc.Arbitrary<Uint8Array> {
  if (framing.name === 'newline-delimited') return fc.json().map((text) => utf8(text).subarray(0, limit))
  const size = /\d+$/.exec(framing.name)?.[0]
  return size === undefined
    ? fc.uint8Array({ maxLength: 200 })
    : fc.uint8Array({ minLength: Number(size), maxLength: Number(size) })
}

describe('lengthPrefixed', () => {
  const framing = lengthPrefixed()

  test.each([
    ['', '00 00 00 00'],
    ['{"a":1}', '00 00 00 07 7b 22 61 22 3a 31 7d'],
    ['x'.repeat(258), `00 00 01 02 ${hexOf(utf8('x'.repeat(258)))}`],
  ])('end: writes the length before the body (%#) (FRAME-5)', (text, wire) => {
    expect(hexOf(framesOf(framing, texts(text)))).toBe(wire)
  })

  test('end: follows on what is there, also when the buffer moves', () => {
    expect(hexOf(framesOf(framing, texts('a', '', 'bc')))).toBe('00 00 00 01 61 00 00 00 00 00 00 00 02 62 63')
  })

  test('markControl: sets the first bit and nothing else (FRAME-7)', () => {
    const out = new ByteWriter(1)
    out.write(Uint8Array.of(9))
    framing.begin(out)
    out.write(utf8('abc'))
    framing.end(out, 1, limit)
    lengthPrefixed().markControl?.(out, 1)
    expect(hexOf(out.written())).toBe('09 80 00 00 03 61 62 63')
  })

  test('next: tells control frames from messages', () => {
    const decoder = framing.decoder(limit)
    decoder.push(bytesOf('80 00 00 01 02 00 00 00 01 61 80 00 00 00 00 00 00 00'))
    const seen: [boolean, string][] = []
    for (let body = nextBody(decoder); body !== null; body = nextBody(decoder))
      seen.push([decoder.control, hexOf(body)])
    expect(seen).toEqual([
      [true, '02'],
      [false, '61'],
      [true, ''],
      [false, ''],
    ])
  })

  test('next: gives random messages and control frames out of random chunks', () => {
    const frame = fc.record({ control: fc.boolean(), body: fc.uint8Array({ maxLength: 40 }) })
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 30 }), fc.array(fc.nat({ max: 2_000 })), (frames, at) => {
        const wire = concat(
          frames.map(({ control, body }) => {
            const bytesOfFrame = framesOf(framing, [body])
            if (control) bytesOfFrame[0] = 0x80
            return bytesOfFrame
          }),
        )
        const decoder = framing.decoder(limit)
        const out: { control: boolean; body: Uint8Array }[] = []
        for (const chunk of cutAt(wire, ...at.map((cut) => cut % (wire.length + 1)).toSorted((a, b) => a - b))) {
          decoder.push(chunk)
          for (let body = nextBody(decoder); body !== null; body = nextBody(decoder)) {
            out.push({ control: decoder.control, body: Uint8Array.from(body) })
          }
        }
        expect(out.map(({ control }) => control)).toEqual(frames.map(({ control }) => control))
        expect(hexes(out.map(({ body }) => body))).toEqual(hexes(frames.map(({ body }) => body)))
      }),
      { numRuns: 300 },
    )
  })

  test.each(['40 00 00 00', '7f ff ff ff', 'c0 00 00 01', 'ff ff ff ff'])(
    'next: refuses %s, whose reserved bit is set, in one chunk and in four (FRAME-6)',
    (prefix) => {
      for (const chunks of [[bytesOf(prefix)], Array.from(bytesOf(prefix), (byte) => Uint8Array.of(byte))]) {
        const decoder = framing.decoder(maxFrameBytes)
        const run = (): void => {
          for (const chunk of chunks) {
            decoder.push(chunk)
            nextBody(decoder)
          }
        }
        expect(thrown(run, 'INVALID_FRAME')).toMatchObject({ side: 'remote', fatal: true })
      }
    },
  )

  test('next: takes a frame at the limit', () => {
    const decoder = framing.decoder(300)
    decoder.push(framesOf(framing, texts('x'.repeat(300))))
    expect(nextBody(decoder)).toHaveLength(300)
  })

  test('next: refuses a frame over the limit when it has the prefix (FRAME-2, FRAME-3)', () => {
    const decoder = framing.decoder(300)
    decoder.push(bytesOf('00 00 01 2d'))
    expect(thrown(() => nextBody(decoder), 'MESSAGE_TOO_LARGE')).toMatchObject({ side: 'remote', fatal: true })
  })

  test('next: sets nothing aside for a gigabyte that was only claimed (FRAME-3)', () => {
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow')
    const refusing = framing.decoder(limit)
    refusing.push(bytesOf('3f ff ff ff 00'))
    thrown(() => nextBody(refusing), 'MESSAGE_TOO_LARGE')
    const patient = framing.decoder(maxFrameBytes)
    for (const chunk of ['3f ff', 'ff ff', '01 02 03', '04']) {
      patient.push(bytesOf(chunk))
      expect(nextBody(patient)).toBeNull()
    }
    expect(patient.buffered).toBe(8)
    const sizes = allocate.mock.calls.map(([size]) => size)
    allocate.mockRestore()
    expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024)
  })

  test('next: holds control frames to a limit of their own, whatever that of messages is (CTRL-2)', () => {
    const small = framing.decoder(1)
    small.push(bytesOf('80 00 00 03 01 02 03'))
    expect(nextBody(small)).toHaveLength(3)
    expect(small.control).toBe(true)
    const large = framing.decoder(maxFrameBytes)
    large.push(bytesOf('80 00 04 01'))
    thrown(() => nextBody(large), 'INVALID_FRAME')
  })

  test.each([
    ['00 00', 'after 2 of 4 bytes of a prefix'],
    ['00 00 00 05', 'after 0 of 5 bytes of a body'],
    ['00 00 00 05 61 62', 'after 2 of 5 bytes of a body'],
  ])('end: says how far %s came', (wire, words) => {
    const decoder = framing.decoder(limit)
    decoder.push(bytesOf(wire))
    nextBody(decoder)
    expect(thrown(() => decoder.end(), 'TRUNCATED_FRAME').message).toContain(words)
  })

  test('carries: takes any codec', () => {
    expect([json(), msgpack(), bytes(), bytes(3)].every((codec: Codec<unknown>) => framing.carries(codec))).toBe(true)
  })
})

describe('newlineDelimited', () => {
  const framing = newlineDelimited()

  test('end: writes a newline after the body', () => {
    expect(hexOf(framesOf(framing, texts('{"a":1}', '2')))).toBe('7b 22 61 22 3a 31 7d 0a 32 0a')
  })

  test.each([
    ['blank lines', '\n\n1\n\n\n2\n', ['1', '2']],
    ['a carriage return before the newline', '1\r\n2\r\n', ['1', '2']],
    ['blank lines with carriage returns', '\r\n1\r\n\r\n2\n\r\n', ['1', '2']],
    ['a carriage return elsewhere, which belongs to the line', '1\r1\n', ['1\r1']],
    ['white space, which belongs to the line, also where nothing else is there', '  \n\t1 \n', ['  ', '\t1 ']],
    ['a byte order mark, which belongs to the line', '\ufeff1\n', ['\ufeff1']],
  ])('next: knows %s, split at every byte (LINE-1, LINE-2)', (_what, wire, lines) => {
    const whole = utf8(wire)
    for (let cut = 0; cut <= whole.length; cut++) {
      expect(bodiesOf(framing, cutAt(whole, cut)), `${cut}`).toEqual(texts(...lines))
    }
  })

  test.each([
    ['a line at the limit', '12345\n', true],
    ['a line at the limit and a carriage return', '12345\r\n', true],
    ['a line over the limit', '123456\n', false],
    ['a line over the limit and a carriage return', '123456\r\n', false],
    ['no end in sight', '1234567', false],
  ])('next: checks the limit with %s, split at every byte (FRAME-2, LINE-3)', (_what, wire, isTaken) => {
    const whole = utf8(wire)
    for (let cut = 0; cut <= whole.length; cut++) {
      const decoder = framing.decoder(5)
      let line = ''
      const run = (): void => {
        for (const chunk of cutAt(whole, cut)) {
          decoder.push(chunk)
          line += new TextDecoder().decode(nextBody(decoder) ?? new Uint8Array(0))
        }
      }
      if (isTaken) run()
      else thrown(run, 'MESSAGE_TOO_LARGE')
      expect(line).toBe(isTaken ? '12345' : '')
    }
  })

  test('next: allocates seldom, however small the pieces of a long line are', () => {
    const size = 1024 * 1024
    const decoder = framing.decoder(size)
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow')
    const piece = new Uint8Array(64).fill(0x31)
    for (let sent = 0; sent < size; sent += piece.length) {
      decoder.push(piece)
      nextBody(decoder)
    }
    decoder.push(utf8('\n'))
    const line = nextBody(decoder)
    const calls = allocate.mock.calls.length
    allocate.mockRestore()
    expect(line).toHaveLength(size)
    expect(calls).toBeLessThan(12)
  })

  test('end: refuses a last line without its end (LINE-3)', () => {
    const decoder = framing.decoder(limit)
    decoder.push(utf8('1\n2'))
    while (nextBody(decoder) !== null);
    expect(thrown(() => decoder.end(), 'TRUNCATED_FRAME').message).toContain('after 1 bytes')
  })

  test('carries: takes codecs whose messages are lines', () => {
    expect(framing.carries(json())).toBe(true)
    expect(framing.carries(msgpack())).toBe(false)
    expect(framing.carries(bytes(4))).toBe(false)
  })
})

describe('fixedLength', () => {
  test('end: writes the body and nothing else (FIXED-1)', () => {
    expect(hexOf(framesOf(fixedLength(2), [bytesOf('01 02'), bytesOf('03 04')]))).toBe('01 02 03 04')
  })

  test.each([0, 1, 3, 8])('end: refuses a body of %i bytes where each has 2', (size) => {
    const out = new ByteWriter()
    const framing = fixedLength(2)
    framing.begin(out)
    out.write(new Uint8Array(size))
    expect(thrown(() => framing.end(out, 0, limit), 'ENCODE_FAILED')).toMatchObject({ side: 'local', fatal: false })
  })

  test.each([0, -1, 1.5, Number.NaN, 2 ** 30])('fixedLength: refuses %d as a size', (size) => {
    thrown(() => fixedLength(size), 'INVALID_ARGUMENT')
  })

  test('decoder: refuses a size over the limit', () => {
    thrown(() => fixedLength(11).decoder(10), 'MESSAGE_TOO_LARGE')
    expect(nextBody(fixedLength(10).decoder(10))).toBeNull()
  })

  test('carries: takes codecs of just its size', () => {
    expect(fixedLength(4).carries(bytes(4))).toBe(true)
    expect(fixedLength(6).carries(struct({ a: u32, b: u16 }))).toBe(true)
    expect(fixedLength(6).carries(oneOf(struct({ a: u32, b: u16 })))).toBe(true)
    expect(fixedLength(5).carries(bytes(4))).toBe(false)
    expect(fixedLength(5).carries(bytes())).toBe(false)
    expect(fixedLength(5).carries(json())).toBe(false)
  })
})

describe.each([lengthPrefixed(), newlineDelimited(), fixedLength(11)])('$name: a body over the limit', (framing) => {
  test('end: is refused by the side that writes it, at the limit not', () => {
    const out = new ByteWriter()
    framing.begin(out)
    out.write(new Uint8Array(11).fill(0x31))
    const error = thrown(() => framing.end(out, 0, 10), 'MESSAGE_TOO_LARGE')
    expect(error).toMatchObject({
      side: 'local',
      fatal: false,
      message: 'a message of 11 bytes is over the limit of 10',
    })
    framing.end(out, 0, 11)
  })
})

describe('Assembly', () => {
  test('append: takes memory for what has come, not for what was announced', () => {
    const parts = new Assembly()
    parts.append(new Uint8Array(10), maxFrameBytes)
    expect(parts.size).toBe(10)
    expect(parts.held).toBe(1_024)
    expect(parts.detach().buffer.byteLength).toBe(1_024)
    expect(parts.held).toBe(0)
    for (let size = 16 * 1024; size <= 320 * 1024; size += 16 * 1024) {
      parts.append(new Uint8Array(16 * 1024), maxFrameBytes)
      expect(parts.size).toBe(size)
      expect(parts.held).toBeLessThanOrEqual(4 * size)
      expect(parts.held).toBeGreaterThanOrEqual(64 * 1024)
    }
    expect(parts.detach()).toHaveLength(320 * 1024)
  })

  test('append: takes no more than was announced', () => {
    const parts = new Assembly()
    parts.append(utf8('ab'), 3)
    parts.append(utf8('c'), 3)
    const taken = parts.detach()
    expect(taken).toEqual(Buffer.from('abc'))
    expect(taken.buffer.byteLength).toBe(3)
  })

  test('take: gives the memory away', () => {
    const parts = new Assembly()
    parts.append(utf8('abc'), 3)
    const first = parts.detach()
    parts.append(utf8('xyz'), 3)
    expect(first).toEqual(Buffer.from('abc'))
    expect(parts.detach()).toEqual(Buffer.from('xyz'))
    expect(parts.detach()).toHaveLength(0)
  })
})

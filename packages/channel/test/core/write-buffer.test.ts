import * as fc from 'fast-check'
import { expect, test, vi } from 'vitest'

import { memoryOf as memoryOfTaken, release, WriteBuffer } from '../../src/core/write-buffer.ts'
import { hexOf, utf8 } from '../support/support.ts'

const slab = 64 * 1024
/** What a message may have so that it takes 1 MiB, with the room for what a framing adds. */
const large = 16 * slab - 8

test('take: returns what was written, and empties the buffer', () => {
  const out = new WriteBuffer()
  out.write(utf8('abc'))
  out.write(utf8('d'))
  expect(hexOf(out.take())).toBe('61 62 63 64')
  expect(out.position).toBe(0)
  out.write(utf8('e'))
  expect(hexOf(out.take())).toBe('65')
  expect(out.take()).toHaveLength(0)
})

test('WriteBuffer: holds no memory before the first byte and after take', () => {
  const out = new WriteBuffer()
  expect(out.bytes).toHaveLength(0)
  out.write(utf8('abc'))
  expect(out.bytes.length).toBeGreaterThan(3)
  out.take()
  expect(out.bytes).toHaveLength(0)
  expect(out.bytes.buffer.byteLength).toBe(0)
})

test('WriteBuffer: gives back what was set aside and not used', () => {
  const out = new WriteBuffer()
  out.reserve(10)
  const { buffer } = out.bytes
  out.take()
  const other = new WriteBuffer()
  other.reserve(10)
  expect(other.bytes.buffer).toBe(buffer)
  other.take()
})

test('take: returns memory of its own, and fills at least half of it', () => {
  const outs = [new WriteBuffer(), new WriteBuffer()]
  const seen = new Set<ArrayBufferLike>()
  for (const size of [1, 20, 999, 1_001, 20_000, slab / 2, slab - 1, slab, slab + 1, 3 * slab]) {
    for (const out of outs) out.write(new Uint8Array(size).fill(1))
    for (const out of outs) {
      const taken = out.take()
      expect(taken).toHaveLength(size)
      expect(taken.byteOffset).toBe(0)
      expect(taken.buffer.byteLength).toBeLessThanOrEqual(Math.max(2 * size, size + 8))
      expect(seen.has(taken.buffer)).toBe(false)
      seen.add(taken.buffer)
    }
  }
})

test('take: writes many small buffers in one slab', () => {
  const out = new WriteBuffer()
  const slabs = new Set<ArrayBufferLike>()
  for (let round = 0; round < 60; round++) {
    out.write(new Uint8Array(1_000))
    slabs.add(out.bytes.buffer)
    out.take()
  }
  expect(slabs.size).toBe(1)
})

test('settle: what waits holds at most twice its size, in few buffers, however it came', () => {
  const memoryOf = (queue: readonly Uint8Array[]): number =>
    queue.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)
  const outs = Array.from({ length: 100 }, () => ({ out: new WriteBuffer(), queue: [] as Uint8Array[], size: 0 }))
  for (let round = 1; round <= 250; round++) {
    for (const [index, one] of outs.entries()) {
      const { out, queue } = one
      out.write(new Uint8Array(index * 7 + 1).fill(round))
      one.size += index * 7 + 1
      // As a sender does it at the end of a turn.
      if (out.isWellFilled) queue.push(out.take())
      else out.settle(2 * one.size - memoryOf(queue))
      expect(memoryOf(queue) + out.bytes.length).toBeLessThanOrEqual(2 * one.size + 1_000)
    }
  }
  for (const [index, { out, queue, size: all }] of outs.entries()) {
    const size = index * 7 + 1
    const taken = Buffer.concat([...queue, out.take()])
    expect(taken).toHaveLength(all)
    expect(taken.every((byte, place) => byte === Math.floor(place / size) + 1)).toBe(true)
    expect(queue.length).toBeLessThan(60)
  }
})

test('WriteBuffer: keeps what was written when it grows', () => {
  const out = new WriteBuffer()
  const pieces = Array.from({ length: 40 }, (_, index) => new Uint8Array(10_000).fill(index))
  for (const piece of pieces) out.write(piece)
  const taken = out.take()
  expect(taken).toHaveLength(400_000)
  for (const [index, piece] of pieces.entries()) {
    expect(taken.subarray(index * 10_000, (index + 1) * 10_000).every((byte) => byte === piece[0])).toBe(true)
  }
})

test('WriteBuffer: keeps nothing of a buffer that a large message made large', () => {
  const out = new WriteBuffer()
  out.write(new Uint8Array(3 * slab))
  const big = out.take().buffer
  for (let round = 0; round < 20; round++) {
    out.write(new Uint8Array(10))
    expect(out.take().buffer).not.toBe(big)
  }
})

test('WriteBuffer: takes little memory for a turn in which thousands write a little', () => {
  const buffers = Array.from({ length: 2_000 }, () => new WriteBuffer())
  for (const out of buffers) out.write(new Uint8Array(20))
  const memory = new Set(buffers.map((out) => out.bytes.buffer))
  const held = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0)
  for (const out of buffers) out.take()
  expect(held).toBeLessThanOrEqual(16 * slab + 2_000 * 1_000)

  const later = [new WriteBuffer(), new WriteBuffer()]
  for (const out of later) out.write(new Uint8Array(20))
  const sizes = later.map((out) => out.bytes.buffer.byteLength)
  for (const out of later) out.take()
  expect(sizes).toEqual([slab, slab])
})

test('WriteBuffer: grows from the little that it began with', () => {
  const others = Array.from({ length: 40 }, () => new WriteBuffer())
  for (const out of others) out.write(Uint8Array.of(1))
  const out = new WriteBuffer()
  for (let index = 0; index < 200; index++) {
    out.write(new Uint8Array(9).fill(index))
  }
  expect(out.bytes.length).toBe(2_000)
  const taken = out.take()
  for (const other of others) other.take()
  expect(taken.every((byte, index) => byte === Math.floor(index / 9))).toBe(true)
})

test('WriteBuffer: keeps sixteen slabs at most for all together', () => {
  const buffers = Array.from({ length: 40 }, () => new WriteBuffer())
  // The slabs are all in use at once only when they are asked for by what is large.
  for (const out of buffers) out.write(new Uint8Array(slab - 2_000))
  for (const out of buffers) {
    out.position = 0
    out.take()
  }
  const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow')
  for (const out of buffers) out.write(new Uint8Array(slab - 2_000))
  const allocated = allocate.mock.calls.length
  allocate.mockRestore()
  for (const out of buffers) {
    out.position = 0
    out.take()
  }
  expect(allocated).toBe(24)
})

test('take: shares a page only where it may, for little, and never hands out the same bytes twice', () => {
  const out = new WriteBuffer()
  const take = (size: number, mayShare: boolean, value = 0): Uint8Array => {
    out.write(new Uint8Array(size).fill(value))
    return out.take(mayShare)
  }
  const little = Array.from({ length: 100 }, (_, index) => take(index + 1, true, index))
  expect(new Set(little.map(({ buffer }) => buffer)).size).toBe(2)
  for (const [index, piece] of little.entries()) expect(piece.every((byte) => byte === index)).toBe(true)
  expect(memoryOfTaken(little[99] as Uint8Array)).toBe(200)
  for (const own of [take(10, false), take(513, true)]) {
    expect(own.buffer.byteLength).toBe(own.length)
    expect(memoryOfTaken(own)).toBe(own.length)
  }
  for (const piece of little) release(piece, true)
})

test('take: at most 4,096 writes lie in pages at a time, since a channel counts no more than its part', () => {
  const out = new WriteBuffer()
  const take = (): Uint8Array => {
    out.write(Uint8Array.of(1))
    return out.take(true)
  }
  const isShared = ({ buffer, length }: Uint8Array): boolean => buffer.byteLength > length
  const all = Array.from({ length: 5_000 }, take)
  expect(all.filter(isShared)).toHaveLength(4_096)
  // Also those whose streams were reset before they left.
  for (const one of all) release(one, false)
  const next = take()
  expect(isShared(next)).toBe(true)
  release(next, true)
})

test('release: slabs, and what is larger, are used again', () => {
  const out = new WriteBuffer()
  for (const [size, isIt] of [
    [10, false],
    [slab / 2 - 1, false],
    [slab / 2, true],
    [slab, true],
    [3 * slab, true],
  ] as const) {
    out.write(new Uint8Array(size))
    const taken = out.take()
    release(taken, true)
    out.write(new Uint8Array(size))
    expect(out.take().buffer === taken.buffer).toBe(isIt)
  }
})

test('recycle: transferred memory is not used again', () => {
  const out = new WriteBuffer()
  out.write(new Uint8Array(slab))
  const taken = out.take()
  structuredClone(taken.buffer, { transfer: [taken.buffer] })
  release(taken, true)
  out.write(new Uint8Array(slab).fill(7))
  expect(out.take().every((byte) => byte === 7)).toBe(true)
})

test.each([slab, slab + 1, large])('recycle: %i bytes are used again', (size) => {
  const out = new WriteBuffer()
  out.write(new Uint8Array(size))
  const taken = out.take()
  release(taken, true)
  out.reserve(size)
  expect(out.bytes.buffer).toBe(taken.buffer)
  out.take()
})

test('recycle: no message uses a buffer of more than twice its size', () => {
  const out = new WriteBuffer()
  out.write(new Uint8Array(large))
  const taken = out.take()
  release(taken, true)
  for (const [size, isSame] of [
    [2 * slab, false],
    [large / 2 - 9, false],
    [large / 2, true],
  ] as const) {
    out.reserve(size)
    expect(out.bytes.buffer === taken.buffer).toBe(isSame)
    out.take()
  }
})

test('recycle: holds 4 MiB at most for larger messages', () => {
  const all = Array.from({ length: 12 }, () => new WriteBuffer())
  for (const out of all) out.write(new Uint8Array(large))
  const taken = all.map((out) => out.take())
  for (const bytes of taken) release(bytes, true)
  const buffers = new Set(taken.map(({ buffer }) => buffer))
  for (const out of all) out.reserve(large)
  expect(all.filter((out) => buffers.has(out.bytes.buffer))).toHaveLength(4)
  for (const out of all) out.take()
})

test('recycle: makes room for other sizes, the oldest first', () => {
  const sizes = [...Array.from({ length: 4 }, () => large), ...Array.from({ length: 8 }, () => 2 * slab - 8)]
  const all = sizes.map((size) => ({ size, out: new WriteBuffer() }))
  for (const { size, out } of all) out.write(new Uint8Array(size))
  const taken = all.map(({ out }) => out.take())
  for (const bytes of taken) release(bytes, true)
  const buffers = new Set(taken.map(({ buffer }) => buffer))
  for (const { size, out } of all) out.reserve(size)
  const again = all.filter(({ out }) => buffers.has(out.bytes.buffer)).map(({ size }) => size)
  for (const { out } of all) out.take()
  // One of 1 MiB had to go for the eight of 128 KiB.
  expect(again).toEqual(sizes.slice(1))
})

test('take: gives bytes that are not written again before they are recycled, with many buffers at once', () => {
  const step = fc.record({
    buffer: fc.nat({ max: 19 }),
    size: fc.oneof(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 0, max: 3 * slab })),
    take: fc.boolean(),
    // Whether no reference to the memory is left.
    isDone: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const buffers = Array.from({ length: 20 }, () => new WriteBuffer())
      const handedOut: { bytes: Uint8Array; value: number }[] = []
      for (const [index, { buffer, size, take, isDone }] of steps.entries()) {
        const out = buffers[buffer]
        if (out === undefined) continue
        const value = index % 251
        const before = out.position
        out.write(new Uint8Array(size).fill(value))
        if (!take) {
          // As after a message that could not be encoded: what was written is taken back.
          out.position = before
          continue
        }
        const bytes = out.take()
        expect(bytes.subarray(before).every((byte) => byte === value)).toBe(true)
        if (isDone && bytes.buffer.byteLength >= slab) release(bytes, true)
        else handedOut.push({ bytes: bytes.subarray(before), value })
      }
      for (const out of buffers) out.take()
      for (const { bytes, value } of handedOut) expect(bytes.every((byte) => byte === value)).toBe(true)
    }),
    { numRuns: 100 },
  )
})

test('what fills more than half of its slab stays where it is while it waits', () => {
  const out = new WriteBuffer()
  out.write(new Uint8Array(40_000))
  const { bytes } = out
  out.settle(0)
  expect(out.bytes === bytes).toBe(true)
})

import * as fc from 'fast-check'
import { expect, test, vi } from 'vitest'

import { isWhole, OutBuffer, recycle } from '../src/out-buffer.ts'
import { hexOf, utf8 } from './support.ts'

const slab = 64 * 1024

test('take: gives what was written, and starts anew', () => {
  const out = new OutBuffer()
  out.write(utf8('abc'))
  out.write(utf8('d'))
  expect(hexOf(out.take())).toBe('61 62 63 64')
  expect(out.position).toBe(0)
  out.write(utf8('e'))
  expect(hexOf(out.take())).toBe('65')
  expect(out.take()).toHaveLength(0)
})

test('OutBuffer: holds no memory before the first byte and after take', () => {
  const out = new OutBuffer()
  expect(out.bytes).toHaveLength(0)
  out.write(utf8('abc'))
  expect(out.bytes.length).toBeGreaterThan(3)
  out.take()
  expect(out.bytes).toHaveLength(0)
  expect(out.bytes.buffer.byteLength).toBe(0)
})

test('OutBuffer: gives back what was set aside and not used', () => {
  const out = new OutBuffer()
  out.reserve(10)
  const { buffer } = out.bytes
  out.take()
  const other = new OutBuffer()
  other.reserve(10)
  expect(other.bytes.buffer).toBe(buffer)
  other.take()
})

test('OutBuffer: makes many small buffers of one slab', () => {
  const out = new OutBuffer()
  const slabs = new Set<ArrayBufferLike>()
  for (let round = 0; round < 60; round++) {
    out.write(new Uint8Array(1_000))
    slabs.add(out.take().buffer)
  }
  expect(slabs.size).toBeLessThanOrEqual(2)
})

test('OutBuffer: keeps what was written when it grows', () => {
  const out = new OutBuffer()
  const pieces = Array.from({ length: 40 }, (_, index) => new Uint8Array(10_000).fill(index))
  for (const piece of pieces) out.write(piece)
  const taken = out.take()
  expect(taken).toHaveLength(400_000)
  for (const [index, piece] of pieces.entries()) {
    expect(taken.subarray(index * 10_000, (index + 1) * 10_000).every((byte) => byte === piece[0])).toBe(true)
  }
})

test('OutBuffer: keeps nothing of a buffer that a large message made large', () => {
  const out = new OutBuffer()
  out.write(new Uint8Array(3 * slab))
  const big = out.take().buffer
  for (let round = 0; round < 20; round++) {
    out.write(new Uint8Array(10))
    expect(out.take().buffer).not.toBe(big)
  }
})

test('OutBuffer: takes little memory for a turn in which thousands write a little', () => {
  const buffers = Array.from({ length: 2_000 }, () => new OutBuffer())
  for (const out of buffers) out.write(new Uint8Array(20))
  const memory = new Set(buffers.map((out) => out.bytes.buffer))
  const held = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0)
  for (const out of buffers) out.take()
  expect(held).toBeLessThanOrEqual(16 * slab + 2_000 * 1_000)

  const later = [new OutBuffer(), new OutBuffer()]
  for (const out of later) out.write(new Uint8Array(20))
  const sizes = later.map((out) => out.bytes.buffer.byteLength)
  for (const out of later) out.take()
  expect(sizes).toEqual([slab, slab])
})

test('OutBuffer: goes over to a slab when the little that it began with is not enough', () => {
  const others = Array.from({ length: 40 }, () => new OutBuffer())
  for (const out of others) out.write(Uint8Array.of(1))
  const out = new OutBuffer()
  for (let index = 0; index < 200; index++) {
    expect(out.isNearlyFull).toBe(false)
    out.write(new Uint8Array(9).fill(index))
  }
  expect(out.bytes.buffer.byteLength).toBe(slab)
  const taken = out.take()
  for (const other of others) other.take()
  expect(taken.every((byte, index) => byte === Math.floor(index / 9))).toBe(true)
})

test('isNearlyFull: says when the rest is too short to be of use', () => {
  const out = new OutBuffer()
  out.write(new Uint8Array(slab))
  expect(out.isNearlyFull).toBe(true)
  out.take()
  out.reserve(3 * slab)
  expect(out.isNearlyFull).toBe(false)
  out.take()
})

test('OutBuffer: holds no more than sixteen rests for all together', () => {
  const buffers = Array.from({ length: 40 }, () => new OutBuffer())
  for (const out of buffers) out.write(Uint8Array.of(1))
  for (const out of buffers) out.take()
  const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow')
  for (const out of buffers) out.write(Uint8Array.of(1))
  const allocated = allocate.mock.calls.length
  allocate.mockRestore()
  for (const out of buffers) out.take()
  expect(allocated).toBe(24)
})

test('isWhole: says whether others may share the memory', () => {
  const out = new OutBuffer()
  for (const [size, whole] of [
    [10, false],
    [slab - 2_000, false],
    [slab, true],
    [3 * slab, true],
  ] as const) {
    out.write(new Uint8Array(size))
    // The slab that another test has begun is not at its start.
    const taken = out.take()
    expect(isWhole(taken)).toBe(whole && taken.byteOffset === 0)
    expect(taken.byteOffset === 0 || size < slab).toBe(true)
  }
})

test.each([slab, slab + 1, 16 * slab])('recycle: %i bytes are used again', (size) => {
  const out = new OutBuffer()
  out.write(new Uint8Array(size))
  const taken = out.take()
  recycle(taken)
  out.reserve(size)
  expect(out.bytes.buffer).toBe(taken.buffer)
  out.take()
})

test('recycle: no message takes a buffer of more than twice its size', () => {
  const out = new OutBuffer()
  out.write(new Uint8Array(16 * slab))
  const taken = out.take()
  recycle(taken)
  for (const [size, isSame] of [
    [2 * slab, false],
    [8 * slab - 1, false],
    [8 * slab, true],
  ] as const) {
    out.reserve(size)
    expect(out.bytes.buffer === taken.buffer).toBe(isSame)
    out.take()
  }
})

test('recycle: holds 4 MiB at most for larger messages', () => {
  const all = Array.from({ length: 12 }, () => new OutBuffer())
  for (const out of all) out.write(new Uint8Array(16 * slab))
  const taken = all.map((out) => out.take())
  for (const bytes of taken) recycle(bytes)
  const buffers = new Set(taken.map(({ buffer }) => buffer))
  for (const out of all) out.reserve(16 * slab)
  expect(all.filter((out) => buffers.has(out.bytes.buffer))).toHaveLength(4)
  for (const out of all) out.take()
})

test('recycle: makes room for other sizes, the oldest first', () => {
  const sizes = [...Array.from({ length: 4 }, () => 16 * slab), ...Array.from({ length: 8 }, () => 2 * slab)]
  const all = sizes.map((size) => ({ size, out: new OutBuffer() }))
  for (const { size, out } of all) out.write(new Uint8Array(size))
  const taken = all.map(({ out }) => out.take())
  for (const bytes of taken) recycle(bytes)
  const buffers = new Set(taken.map(({ buffer }) => buffer))
  for (const { size, out } of all) out.reserve(size)
  const again = all.filter(({ out }) => buffers.has(out.bytes.buffer)).map(({ size }) => size)
  for (const { out } of all) out.take()
  // One of 1 MiB had to go for the eight of 128 KiB.
  expect(again).toEqual(sizes.slice(1))
})

test('take: gives bytes that are not written again before they are recycled, with many buffers that share rests', () => {
  const step = fc.record({
    buffer: fc.nat({ max: 19 }),
    size: fc.oneof(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 0, max: 3 * slab })),
    take: fc.boolean(),
    // Whether nobody refers to it any more.
    isDone: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const buffers = Array.from({ length: 20 }, () => new OutBuffer())
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
        if (isDone && isWhole(bytes)) recycle(bytes)
        else handedOut.push({ bytes: bytes.subarray(before), value })
      }
      for (const out of buffers) out.take()
      for (const { bytes, value } of handedOut) expect(bytes.every((byte) => byte === value)).toBe(true)
    }),
    { numRuns: 100 },
  )
})

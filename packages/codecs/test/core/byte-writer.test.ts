import { afterEach, describe, expect, test, vi } from 'vitest'
import { allocateBytes, ByteWriter, msgpack } from '../../src/index.ts'
import { codecError } from '../support/support.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

test('ByteWriter: begins empty', () => {
  expect(new ByteWriter().written()).toHaveLength(0)
  expect(new ByteWriter(0).bytes).toHaveLength(0)
})

test.each([0, 1, 8, 100])('ByteWriter: grows from %i bytes and keeps what was written', (capacity) => {
  const out = new ByteWriter(capacity)
  for (let byte = 0; byte < 200; byte++) out.write(Uint8Array.of(byte))
  expect([...out.written()]).toEqual(Array.from({ length: 200 }, (_, byte) => byte))
})

test('ByteWriter: reserve makes room and moves nothing', () => {
  const out = new ByteWriter(4)
  out.write(Uint8Array.of(1, 2))
  const before = out.bytes
  out.reserve(2)
  expect(out.bytes).toBe(before)
  out.reserve(1000)
  expect(out.bytes).not.toBe(before)
  expect(out.bytes.length).toBeGreaterThanOrEqual(1002)
  expect(out.position).toBe(2)
  expect([...out.written()]).toEqual([1, 2])
})

test('ByteWriter: doubles at least, so that many small writes copy little', () => {
  const out = new ByteWriter(64)
  out.position = 64
  out.reserve(1)
  expect(out.bytes.length).toBe(128)
})

test('ByteWriter: view and bytes show the same memory, also after growing', () => {
  const out = new ByteWriter(2)
  out.reserve(8)
  out.view.setUint32(4, 0x01020304)
  expect([...out.bytes.subarray(4, 8)]).toEqual([1, 2, 3, 4])
})

test('allocateBytes: gives a Buffer of its own memory where there is one', () => {
  const memory = allocateBytes(16)
  expect(memory).toBeInstanceOf(Buffer)
  expect(memory.byteOffset).toBe(0)
  expect(memory.buffer.byteLength).toBe(16)
})

test('allocateBytes: gives a Uint8Array elsewhere', () => {
  vi.stubGlobal('Buffer', undefined)
  expect(allocateBytes(16).constructor).toBe(Uint8Array)
})

describe('ByteWriter: a limit', () => {
  test('does not exist at first', () => {
    expect(new ByteWriter().left).toBe(Infinity)
  })

  test('counts from the position at which it was set', () => {
    const out = new ByteWriter(10)
    out.write(Uint8Array.of(1, 2, 3))
    out.limit(100)
    expect(out.left).toBe(100)
    out.write(Uint8Array.of(1, 2, 3))
    expect(out.left).toBe(97)
  })

  test('refuses what can’t fit before memory is taken for it', () => {
    const out = new ByteWriter(10)
    out.limit(1_000)
    const before = out.bytes
    codecError('ENCODE_FAILED', () => out.reserve(1_000_000))
    codecError('ENCODE_FAILED', () => out.write(new Uint8Array(1_000_000)))
    expect(out.bytes).toBe(before)
    expect(out.position).toBe(0)
  })

  test('allows estimates from above, of up to four times what fits', () => {
    const out = new ByteWriter(10)
    out.limit(1_000_000)
    out.reserve(4_000_000)
    expect(out.bytes.length).toBeGreaterThanOrEqual(4_000_000)
    expect(out.hasOverflowed).toBe(false)
  })

  test('ends small writes that never end', () => {
    const out = new ByteWriter()
    out.limit(10_000)
    const error = codecError('ENCODE_FAILED', () => {
      for (;;) out.write(Uint8Array.of(1))
    })
    expect(error).toMatchObject({ side: 'local', fatal: false })
    expect(out.position).toBeLessThan(1_000_000)
  })

  test('remembers that it was exceeded until it is set again, even if the codec catches the error', () => {
    const out = new ByteWriter(10)
    out.limit(10)
    expect(out.hasOverflowed).toBe(false)
    codecError('ENCODE_FAILED', () => out.overflow())
    expect(out.hasOverflowed).toBe(true)
    out.limit(Infinity)
    expect(out.hasOverflowed).toBe(false)
    out.write(new Uint8Array(1_000_000))
  })

  test.each([
    ['bytes', new Uint8Array(100_000)],
    ['a text', 'x'.repeat(100_000)],
    ['an array', Array.from({ length: 10 }, () => 1)],
  ])(
    'lets a message pass that is as large as allowed, though a map left room for properties without a value: %s',
    (_, last) => {
      const missing = Object.fromEntries(Array.from({ length: 20 }, (_one, index) => [`k${index}`, undefined]))
      const message = { ...missing, next: { ...missing, last } }
      const free = new ByteWriter()
      msgpack().encode(message, free)
      const limited = new ByteWriter()
      limited.limit(free.position)
      msgpack().encode(message, limited)
      expect(limited.written()).toEqual(free.written())
    },
  )
})

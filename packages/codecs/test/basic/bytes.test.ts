import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { bytes } from '../../src/index.ts'
import { codecError, encodeAnything, encoded } from '../support/support.ts'

test('bytes: says what it is', () => {
  expect(bytes(16)).toMatchObject({
    name: 'bytes',
    contentType: 'application/vnd.h2channel+bytes; size=16',
    size: 16,
  })
  expect(bytes()).toMatchObject({ name: 'bytes', contentType: 'application/vnd.h2channel+bytes' })
  expect(bytes().size).toBeUndefined()
  expect(bytes().line).toBeUndefined()
})

test.each([0, -1, 1.5, Number.NaN, Infinity, 2 ** 53])('bytes: refuses a size of %d', (size) => {
  const error = codecError('INVALID_CODEC', () => bytes(size))
  expect(error).toMatchObject({ side: 'local', fatal: false })
  expect(error.message).toContain(String(size))
})

test('bytes: copies what it encodes', () => {
  const message = Uint8Array.of(1, 2, 3)
  const sent = encoded(bytes(3), message)
  message[0] = 9
  expect(sent).toEqual(Uint8Array.of(1, 2, 3))
})

test('bytes: encodes a Buffer and a Uint8Array of another realm', () => {
  expect(encoded(bytes(), Buffer.from('abc'))).toEqual(Uint8Array.of(97, 98, 99))
  const foreign: unknown = runInNewContext('Uint8Array.of(1, 2)')
  expect(foreign).not.toBeInstanceOf(Uint8Array)
  expect(encodeAnything(bytes(2), foreign)).toEqual(Uint8Array.of(1, 2))
})

test.each([bytes(), bytes(3)])('bytes: decodes to a plain view of the chunk', (codec) => {
  const chunk = Buffer.from('..abc..')
  const message = codec.decode(chunk.subarray(2, 5))
  expect(message.constructor).toBe(Uint8Array)
  expect(message.buffer).toBe(chunk.buffer)
  expect(message).toEqual(Uint8Array.of(97, 98, 99))
})

test('bytes: takes no bytes at all when any size will do (FRAME-5)', () => {
  expect(bytes().decode(encoded(bytes(), new Uint8Array(0)))).toEqual(new Uint8Array(0))
})

test.each([
  [bytes(), 'abc', 'expected a Uint8Array, got a string'],
  [bytes(2), null, 'expected a Uint8Array of 2 bytes, got null'],
  [bytes(2), [1, 2], 'expected a Uint8Array of 2 bytes, got an array of 2'],
  [bytes(2), new Uint8Array(3), 'expected a Uint8Array of 2 bytes, got a view of 3 bytes'],
  [bytes(2), { length: 2 }, 'expected a Uint8Array of 2 bytes, got an object'],
])('bytes: says what it wanted to encode (%#)', (codec, message, expected) => {
  expect(codecError('ENCODE_FAILED', () => encodeAnything(codec, message)).message).toBe(expected)
})

import { expect, test } from 'vitest'
import { bytes, json, msgpack, oneOf, struct, u8 } from '../../src/index.ts'
import { codecError, encoded } from '../support/support.ts'

test('oneOf: acts as the first', () => {
  const codec = oneOf(json<number[]>(), msgpack<number[]>())
  expect(codec).toMatchObject({ name: 'json', contentType: 'application/vnd.h2channel+json', line: true })
  expect(codec.size).toBeUndefined()
  expect(encoded(codec, [1])).toEqual(encoded(json(), [1]))
  expect(codec.decode(encoded(json(), [1]))).toEqual([1])
})

test('oneOf: has the size of the first and not its line', () => {
  const codec = oneOf(struct({ a: u8 }), json<{ a: number }>())
  expect(codec.size).toBe(1)
  expect(codec.line).toBeUndefined()
})

test('oneOf: lists its codecs, preferred first, and those of a oneOf in its place', () => {
  const a = json<number>()
  const b = msgpack<number>()
  expect(oneOf(a, b).alternatives).toEqual([a, b])
  expect(oneOf(b, a).alternatives).toEqual([b, a])
  expect(oneOf(a).alternatives).toEqual([a])
  expect(oneOf(oneOf(b), oneOf(a)).alternatives).toEqual([b, a])
  expect(oneOf(oneOf(oneOf(a, b))).alternatives).toEqual([a, b])
})

test('oneOf: calls the first as a method', () => {
  const codec = {
    ...bytes(),
    seen: 0,
    decode(received: Uint8Array) {
      this.seen++
      return received
    },
  }
  oneOf(codec).decode(new Uint8Array(1))
  expect(codec.seen).toBe(1)
})

test('oneOf: refuses two codecs of one content type', () => {
  expect(codecError('INVALID_CODEC', () => oneOf(json(), msgpack(), json())).message).toContain(
    '"application/vnd.h2channel+json"',
  )
  codecError('INVALID_CODEC', () => oneOf(oneOf(json(), msgpack()), oneOf(msgpack())))
  expect(oneOf(bytes(1), bytes(2), bytes()).alternatives).toHaveLength(3)
})

test('oneOf: refuses to be made of nothing, whatever the types say', () => {
  // What a program without types may call.
  const untyped = oneOf as (...codecs: readonly unknown[]) => unknown
  expect(codecError('INVALID_CODEC', () => untyped()).message).toBe('oneOf needs at least one codec')
  expect(codecError('INVALID_CODEC', () => untyped(undefined)).message).toBe('oneOf needs at least one codec')
  const some = 'oneOf needs at least one codec, and no undefined'
  expect(codecError('INVALID_CODEC', () => untyped(json(), undefined)).message).toBe(some)
  expect(codecError('INVALID_CODEC', () => untyped(undefined, json())).message).toBe(some)
})

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { ByteWriter, json } from '../../src/index.ts'
import { codecError, encodeAnything, encoded, failing, resultOrCode, utf8Bytes } from '../support/support.ts'

const text = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes)

test('json: says what it is', () => {
  expect(json()).toMatchObject({ name: 'json', contentType: 'application/vnd.h2channel+json', line: true })
  expect(json().size).toBeUndefined()
})

test.each([
  [{ a: 1, b: [true, null, 'x'] }, '{"a":1,"b":[true,null,"x"]}'],
  [{ a: undefined, b: Number.NaN }, '{"b":null}'],
  [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  ['line\nbreak\r\u2028', '"line\\nbreak\\r\u2028"'],
  ['Größe 日本 🚀', '"Größe 日本 🚀"'],
  ['lone \ud83d', '"lone \\ud83d"'],
  ['', '""'],
])('json: encodes %o', (message, expected) => {
  expect(text(encoded(json(), message))).toBe(expected)
})

test('json: carries a lone surrogate unchanged', () => {
  expect(json().decode(encoded(json(), 'a\udc00b\ud800'))).toBe('a\udc00b\ud800')
})

test('json: carries a U+FFFD that was sent as one', () => {
  expect(json().decode(encoded(json(), 'a\uFFFDb'))).toBe('a\uFFFDb')
})

test('json: says what it could not encode, with the cause', () => {
  expect(codecError('ENCODE_FAILED', () => encodeAnything(json(), undefined)).message).toContain('undefined')
  expect(codecError('ENCODE_FAILED', () => encodeAnything(json(), () => 1)).message).toContain('a function')
  const thrown = new Error('no price yet')
  const message = {
    toJSON() {
      throw thrown
    },
  }
  const error = codecError('ENCODE_FAILED', () => encodeAnything(json(), message))
  expect(error.cause).toBe(thrown)
  expect(error.message).toContain('no price yet')
})

test('json: wraps what is no Error when toJSON throws it', () => {
  const message = {
    toJSON() {
      // oxlint-disable-next-line typescript/only-throw-error -- programs do
      throw 'text'
    },
  }
  const error = codecError('ENCODE_FAILED', () => encodeAnything(json(), message))
  expect(error.message).toContain('a string was thrown')
  expect(error.cause).toBe('text')
})

test('json: writes nothing when it can not encode', () => {
  const out = new ByteWriter()
  expect(() => json().encode({ a: 1n }, out)).toThrow(failing('ENCODE_FAILED'))
  expect(out.position).toBe(0)
})

test('json: may be used again inside toJSON', () => {
  const codec = json()
  const inner = { toJSON: () => text(encoded(codec, { inner: true })) }
  expect(text(encoded(codec, { inner }))).toBe(String.raw`{"inner":"{\"inner\":true}"}`)
})

test('json: decodes a key __proto__ as an own property', () => {
  const message = json<Record<string, unknown>>().decode(utf8Bytes('{"__proto__":{"admin":true}}'))
  expect(Object.keys(message)).toEqual(['__proto__'])
  expect(Object.getPrototypeOf(message)).toBe(Object.prototype)
  expect(message['admin']).toBeUndefined()
})

test('json: decodes white space around a text (JSON-1)', () => {
  expect(json().decode(utf8Bytes(' {"a" : 1}\r\n'))).toEqual({ a: 1 })
})

test('json: refuses a byte order mark, also behind another message of a chunk (JSON-1)', () => {
  const marked = utf8Bytes('\ufeff1')
  expect(codecError('DECODE_FAILED', () => json().decode(marked)).side).toBe('remote')
  codecError('DECODE_FAILED', () =>
    json()
      .reader?.()
      ?.read(utf8Bytes(`12\ufeff1${' '.repeat(100)}`), 2, 4),
  )
})

test('json: keeps the parser error as the cause', () => {
  expect(codecError('DECODE_FAILED', () => json().decode(utf8Bytes('{'))).cause).toBeInstanceOf(SyntaxError)
})

test.each([1_000, 100_000])('json: survives nesting of %i levels, both ways (JSON-3)', (levels) => {
  const bytes = utf8Bytes('['.repeat(levels) + ']'.repeat(levels))
  const message = json().decode(bytes)
  expect(Array.isArray(message)).toBe(true)
  // How deep `JSON.stringify` goes is the engine's: V8 of Node 26 needs no stack for it.
  const allowed = levels === 1_000 ? [bytes] : [bytes, 'ENCODE_FAILED']
  expect(allowed).toContainEqual(resultOrCode(() => encodeAnything(json(), message)))
})

test('json: validates what it decodes and hands out what the schema makes of it', () => {
  const codec = json(z.object({ symbol: z.string().trim(), size: z.number().default(1) }))
  expect(codec.decode(utf8Bytes('{"symbol":" SAP ","extra":true}'))).toEqual({ symbol: 'SAP', size: 1 })
  const error = codecError('INVALID_MESSAGE', () => codec.decode(utf8Bytes('{"symbol":7}')))
  expect(error).toMatchObject({ side: 'remote', fatal: true, issues: [{ path: ['symbol'] }] })
  expect(error.message).toMatch(/^symbol: .*expected string/)
})

test('json: does not validate what it encodes', () => {
  expect(text(encodeAnything(json(z.object({ a: z.number() })), { a: 'x' }))).toBe('{"a":"x"}')
})

test('json: takes long texts in many scripts', () => {
  for (const unit of ['x', 'é', '日', '🚀', 'x日']) {
    const message = unit.repeat(50_000)
    expect(json().decode(encoded(json(), message))).toBe(message)
  }
})

test('json: an error keeps its own message alive, not the chunk', () => {
  setFlagsFromString('--expose-gc')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the flag gives a new context
  const gc = runInNewContext('gc') as () => void
  const used = (): number => {
    gc()
    return process.memoryUsage().heapUsed
  }
  const reader = json().reader?.()
  const errors: unknown[] = []
  const before = used()
  for (let chunk = 0; chunk < 400; chunk++) {
    const bytes = utf8Bytes(`{"broken":${' '.repeat(64 * 1024 - 10)}`)
    errors.push(codecError('DECODE_FAILED', () => reader?.read(bytes, 0, 40)))
  }
  reader?.release()
  // The chunks are 25 MiB together.
  expect(used() - before).toBeLessThan(5 * 1024 * 1024)
  expect(errors).toHaveLength(400)
})

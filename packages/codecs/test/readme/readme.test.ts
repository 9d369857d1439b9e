import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { codecErrorCodes } from '../../src/index.ts'
import { chunks, compact, dates, either, links, quote, samples } from './readme-example.ts'
import { codecError, encoded, failing } from '../support/support.ts'

const readText = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const readme = readText('../../README.md')
const blocks = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => code)

test('README: shows the code that is tested here', () => {
  expect(blocks).toHaveLength(5)
  const tested = readText('./readme-example.ts') + readText('./readme-suite.test.ts')
  for (const block of blocks) expect(tested).toContain(block)
})

test('README: has code that does what it says', () => {
  expect(quote).toEqual({ symbol: 'SAP', price: 242.5 })
  expect(either.alternatives?.map((codec) => codec.name)).toEqual(['msgpack', 'json'])
  expect(samples.size).toBe(8)
  expect(chunks.size).toBe(4096)
  expect(compact.decode(encoded(compact, quote))).toEqual(quote)
  const link = { title: 'h2conn', link: new URL('https://github.com/posener/h2conn') }
  expect(links.decode(encoded(links, link))).toEqual(link)
  expect(dates.decode(encoded(dates, new Date(5)))).toEqual(new Date(5))
  expect(() => dates.decode(new Uint8Array(7))).toThrow(failing('DECODE_FAILED'))
})

test('README: quotes what a refused message says', () => {
  const sent = Buffer.from('{"symbol":7,"price":1}')
  const json = either.alternatives?.[1]
  const { message } = codecError('INVALID_MESSAGE', () => json?.decode(sent))
  expect(readme).toContain(message.slice(0, 'symbol: Invalid input: expected string, '.length))
})

test('README: lists every code of an error', () => {
  const listed = [...readme.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, code]) => code)
  expect(listed).toEqual(codecErrorCodes)
})

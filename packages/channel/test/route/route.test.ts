import { bytes, json, msgpack, oneOf } from '@h2channel/codecs'
import { describe, expect, test } from 'vitest'

import { defineRoute, fixedLength, lengthPrefixed, newlineDelimited } from '../../src/index.ts'
import { thrown } from '../support/support.ts'

const codecs = { client: json<number>(), server: msgpack<string>() }

test('defineRoute: returns path and codecs, and a framing only if it was given', () => {
  expect(defineRoute('/quotes/:market', codecs)).toEqual({ path: '/quotes/:market', ...codecs })
  const lines = { client: json(), server: json(), framing: newlineDelimited() }
  expect(defineRoute('/lines', lines)).toEqual({ path: '/lines', ...lines })
})

describe('defineRoute: accepts', () => {
  test.each(['/', '/a', '/a/', '/a/b', '/:a', '/a/:b/c/:d', '/:_a1', '/a.b-c~d', '/%C3%A9', '/a=b;c'])('%s', (path) => {
    expect(defineRoute(path, codecs).path).toBe(path)
  })
})

describe('defineRoute: rejects', () => {
  test.each([
    ['no slash before it', 'quotes'],
    ['nothing', ''],
    ['a query', '/quotes?market=1'],
    ['a fragment', '/quotes#1'],
    ['a space', '/quo tes'],
    ['a parameter that is only part of a segment', '/quotes/:a-b'],
    ['a parameter after other text', '/quotes/x:a'],
    ['two parameters in a segment', '/quotes/:a:b'],
    ['a parameter without a name', '/quotes/:'],
    ['a parameter whose name begins with a digit', '/quotes/:1'],
    ['a parameter twice', '/:a/:a'],
    ['a wildcard', '/files/*rest'],
    ['an optional group', '/quotes{/:a}'],
    ['a pattern', '/quotes/(a|b)'],
    ['a question mark after a parameter', '/:a?'],
    ['letters that a URL percent-encodes', '/größe'],
    ['segments that a URL removes', '/a/../b'],
    ['a dot segment', '/a/./b'],
    ['another host', '//example.org/a'],
    ['two slashes', '//'],
    ['a backslash', '/a\\b'],
    ['a percent sign alone', '/100%'],
    ['an encoding that is not UTF-8', '/b%ff/:name'],
  ])('%s: %s', (_what, path) => {
    const error = thrown(() => defineRoute(path, codecs), 'INVALID_ROUTE')
    expect(error).toMatchObject({ side: 'local', fatal: true })
    expect(error.message).toContain(JSON.stringify(path))
  })

  test.each([
    ['newline-delimited', newlineDelimited()],
    ['fixed-length', fixedLength(4)],
  ])('%s framing for a codec that it can’t carry, either way', (_name, framing) => {
    const carried = framing.name === 'newline-delimited' ? json() : bytes(4)
    const not = msgpack()
    for (const [client, server] of [
      [carried, not],
      [not, carried],
    ] as const) {
      const error = thrown(
        () => defineRoute('/a', { client: { ...client }, server: { ...server }, framing }),
        'INVALID_ROUTE',
      )
      expect(error.message).toContain('msgpack')
    }
  })
})

test('defineRoute: accepts every framing that carries both codecs', () => {
  const alternatives = oneOf(json<number>(), msgpack<number>())
  for (const framing of [lengthPrefixed(), newlineDelimited()]) {
    expect(defineRoute('/a', { client: alternatives, server: json(), framing }).framing).toBe(framing)
  }
})

/** The table of docs/guides/codecs.md: how each value arrives. */
import { expect, test } from 'vitest'
import { json, msgpack } from '../../src/index.ts'
import { encodeAnything, hex, resultOrCode, utf8Bytes } from '../support/support.ts'

class Point {
  x = 1
  #hidden = 2

  sum(): number {
    return this.x + this.#hidden
  }
}

const date = new Date(5)
const proto: unknown = JSON.parse('{"__proto__":1}')
const sparse: unknown[] = []
sparse[1] = 1

test.each<[what: string, value: unknown, json: unknown, msgpack: unknown]>([
  ['undefined', undefined, 'ENCODE_FAILED', null],
  ['undefined in a property', { a: undefined, b: 1 }, { b: 1 }, { b: 1 }],
  ['undefined in an array', [undefined], [null], [null]],
  ['a hole in an array', sparse, [null, 1], [null, 1]],
  ['NaN', Number.NaN, null, Number.NaN],
  ['Infinity', Infinity, null, Infinity],
  ['-0', -0, 0, 0],
  ['a bigint', 2n ** 63n, 'ENCODE_FAILED', 2n ** 63n],
  ['a bigint that a number holds', 5n, 'ENCODE_FAILED', 5],
  ['a Date', date, date.toISOString(), date],
  ['a Uint8Array', Uint8Array.of(7), { 0: 7 }, Uint8Array.of(7)],
  ['a Map', new Map([[1, 2]]), {}, 'ENCODE_FAILED'],
  ['a Set', new Set([1]), {}, 'ENCODE_FAILED'],
  ['an Error', new Error('x'), {}, 'ENCODE_FAILED'],
  ['a URL', new URL('http://a/'), 'http://a/', {}],
  ['an object of a class', new Point(), { x: 1 }, { x: 1 }],
  ['a function', () => 1, 'ENCODE_FAILED', 'ENCODE_FAILED'],
  ['a symbol', Symbol('s'), 'ENCODE_FAILED', 'ENCODE_FAILED'],
  ['a lone surrogate', 'a\ud800', 'a\ud800', 'a\uFFFD'],
  ['a key __proto__', proto, proto, proto],
])('%s arrives by json and by msgpack as the table says', (_, value, byJson, byMsgpack) => {
  for (const [codec, expected] of [
    [json(), byJson],
    [msgpack(), byMsgpack],
  ] as const) {
    expect(resultOrCode(() => codec.decode(encodeAnything(codec, value)))).toStrictEqual(expected)
  }
})

test.each<[what: string, json: Uint8Array, msgpack: Uint8Array, byJson: unknown, byMsgpack: unknown]>([
  ['a key twice', utf8Bytes('{"a":1,"a":2}'), hex('82 a1 61 01 a1 61 02'), { a: 2 }, { a: 2 }],
  ['bytes behind the value', utf8Bytes('1 2'), hex('01 02'), 'DECODE_FAILED', 'DECODE_FAILED'],
  ['text that is not UTF-8', hex('22 ff 22'), hex('a1 ff'), 'DECODE_FAILED', 'DECODE_FAILED'],
  ['an integer beyond 2^53', utf8Bytes('9007199254740993'), hex('cf 00 20 00 00 00 00 00 01'), 2 ** 53, 2n ** 53n + 1n],
])(
  '%s is read by json and by msgpack as the table says (CODEC-1, JSON-2, PACK-1)',
  (_, inJson, inMsgpack, byJson, byMsgpack) => {
    expect(resultOrCode(() => json().decode(inJson))).toStrictEqual(byJson)
    expect(resultOrCode(() => msgpack().decode(inMsgpack))).toStrictEqual(byMsgpack)
  },
)

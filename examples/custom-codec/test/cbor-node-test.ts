import { codecSuite } from '@h2channel/codecs/testing'
import { test } from 'node:test'

import { cbor } from '../src/cbor.ts'

const cases = codecSuite(cbor(), {
  messages: [null, 1.5, 2n ** 64n - 1n, '\uFEFFgrüße', Uint8Array.of(1, 2, 3), [[], { a: [true] }]],
  refused: [undefined, new Date(0), new Map([['a', 1]]), 'a lone \uD800'],
  broken: [[], [0x82, 1], [0, 0], [0x61, 0xff], [0xc1, 0]].map((bytes) => Uint8Array.from(bytes)),
})

for (const { name, run } of cases) void test(`cbor: ${name}`, run)

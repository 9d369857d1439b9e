import { codecSuite } from '@h2channel/codecs/testing'
import { describe, expect, test } from 'vitest'

import { plainText } from '../src/plain-text.ts'

describe('plainText', () => {
  const cases = codecSuite(plainText, {
    messages: ['', 'hello', 'grüße', '\uFEFFmark', '😀', 'x'.repeat(10_000)],
    refused: ['a lone \uD800'],
    broken: [Uint8Array.of(0xff), Uint8Array.of(0xc3)],
  })
  test.each(cases)('$name', { timeout: 60_000 }, ({ run }) => expect(run).not.toThrow())
})

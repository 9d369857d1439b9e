import { afterEach, expect, test, vi } from 'vitest'
import { hex } from '../support/support.ts'

const texts = [
  '',
  'a',
  'x'.repeat(24),
  'x'.repeat(25),
  'x'.repeat(70_000),
  'é',
  '日本語'.repeat(20),
  'a\uFFFDb',
  '\uFEFF🚀',
]

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

test.each(['with', 'without'])('msgpack: text travels, and is strict UTF-8, %s Buffer', async (platform) => {
  vi.resetModules()
  if (platform === 'without') vi.stubGlobal('Buffer', undefined)
  const { ByteWriter, msgpack } = await import('../../src/index.ts')
  const broken = hex(`d9 1e ff ${'61 '.repeat(29)}`)
  const codec = msgpack()
  const arrived = texts.map((text) => {
    const out = new ByteWriter()
    codec.encode({ [text]: text }, out)
    return codec.decode(out.written())
  })
  const refused = [hex('a1 ff'), hex('a3 ed a0 80'), hex('81 a1 ff 01'), broken].map((bytes) => {
    try {
      return codec.decode(bytes)
    } catch (error) {
      return String(error)
    }
  })
  vi.unstubAllGlobals()
  expect(arrived).toEqual(texts.map((text) => ({ [text]: text })))
  for (const refusal of refused) expect(refusal).toContain('UTF-8')
})

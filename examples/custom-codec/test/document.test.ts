/** Compares docs/guides/custom-codec.md with the files that it shows. */
import { codecSuite } from '@h2channel/codecs/testing'
import { expect, test } from 'vitest'

import { blocksOf, read } from '../../../test/documents.ts'
import { Program } from '../../test/program.ts'
import { cbor } from '../src/cbor.ts'

const document = 'docs/guides/custom-codec.md'
const shown = blocksOf(document).flatMap(({ file, text }) => (file === undefined ? [] : [{ file, text }]))

test.each(shown)('shows $file as it is', ({ file, text }) => {
  expect(text).toBe(read(file))
})

test('shows the codecs and the tests', () => {
  const files = ['src/plain-text.ts', 'src/cbor.ts', 'test/cbor-node-test.ts']
  expect(shown.map(({ file }) => file)).toEqual(files.map((file) => `examples/custom-codec/${file}`))
})

test("its tests run by Node's own runner", { timeout: 60_000 }, async () => {
  await using tests = Program.run('custom-codec/test/cbor-node-test.ts')
  await tests.exitsWith(0)
  const cases = codecSuite(cbor(), { messages: [null] }).length
  expect(tests.output).toMatch(new RegExp(`^\\S+ pass ${cases}$`, 'm'))
})

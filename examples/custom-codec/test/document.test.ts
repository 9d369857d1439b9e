/** Compares docs/guides/custom-codec.md with the files that it shows. */
import { codecSuite } from '@h2channel/codecs/testing'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

import { blocksOf, read, root } from '../../../test/documents.ts'
import { Program } from '../../test/program.ts'
import { cbor } from '../src/cbor.ts'

const document = 'docs/guides/custom-codec.md'
const shown = blocksOf(document).flatMap(({ file, text }) => (file === undefined ? [] : [{ file, text }]))

test.each(shown)('shows $file as it is', ({ file, text }) => {
  expect(text).toBe(read(file))
})

test('shows the codec and its tests', () => {
  const files = ['src/cbor.ts', 'test/cbor-node-test.ts']
  expect(shown.map(({ file }) => file)).toEqual(files.map((file) => `examples/custom-codec/${file}`))
})

test("its tests run by Node's own runner", { timeout: 60_000 }, async () => {
  await using tests = Program.run('custom-codec/test/cbor-node-test.ts')
  await tests.exitsWith(0)
  const cases = codecSuite(cbor(), { messages: [null] }).length
  expect(tests.output).toMatch(new RegExp(`^\\S+ pass ${cases}$`, 'm'))
})

test('links to files of the repository have a target', () => {
  // In a program, `](` is not a link.
  const prose = read(document).replaceAll(/^```[\s\S]*?^```$/gm, '')
  const links = [...prose.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((found) => found[1] ?? '')
  expect(links.length).toBeGreaterThan(0)
  expect(links.filter((link) => !existsSync(join(root, dirname(document), link)))).toEqual([])
})

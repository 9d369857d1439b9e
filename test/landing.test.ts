/** The pages that people see first: README, and the packages' READMEs, which npm shows without the repository. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import { anchorsOf, blocksOf, linksOf, read, root } from './documents.ts'

const repository = 'https://github.com/h2channel/h2channel'
const readmes = ['conn', 'codecs', 'channel'].map((name) => `packages/${name}/README.md`)

test.each(readmes)('%s: links to the repository are absolute, and have a target there', (readme) => {
  expect(linksOf(readme).filter(({ path }) => path !== '')).toEqual([])
  const found = [
    ...read(readme).matchAll(new RegExp(`\\(${repository}/(?:blob|tree)/main/([^)#]+)(?:#([^)]+))?\\)`, 'g')),
  ]
  // Pages that are still to be written are listed in that test.
  const isPending = (path: string): boolean => read('test/pending.ts').includes(`'${path}',`)
  const dead = found.filter(([, path = '', anchor]) => {
    if (!existsSync(join(root, path))) return !isPending(path)
    return anchor !== undefined && !anchorsOf(path).has(anchor)
  })
  expect(dead.map(([link]) => link)).toEqual([])
})

test.each(readmes)('%s names how to install it, Node and TypeScript', (readme) => {
  const [, name = ''] = readme.split('/')
  expect(read(readme)).toMatch(new RegExp(`^ {4}npm install @h2channel/${name}\\b`, 'm'))
  expect(read(readme)).toContain('Node 20.19 or later')
  expect(read(readme)).toContain('TypeScript 5.7 or later')
})

test('the quick start has the files of README', () => {
  const filesOf = (document: string): (readonly [string | undefined, string])[] =>
    blocksOf(document)
      .filter(({ language, file }) => language === 'ts' && file !== undefined)
      .map(({ file, text }) => [file, text] as const)
  expect(filesOf('docs/start/quickstart.md')).toEqual(filesOf('README.md'))
})

// Each of them is measured: docs/why/benchmarks.md is written by the benchmark.
test.each(['README.md', 'docs/why/performance.md'])('%s has the figures of the benchmark', (document) => {
  const figures = /(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)?(?![\w.,%])/g
  const measured = new Set([...read('docs/why/benchmarks.md').matchAll(figures)].map(([figure]) => figure))
  const rows = read(document)
    .split('\n')
    .filter((line) => /^\|.*[↑↓]/.test(line))
  expect(rows.length).toBeGreaterThan(4)
  const figuresOf = (row: string): string[] =>
    row
      .split('|')
      .slice(2)
      .flatMap((cell) => [...cell.matchAll(figures)].map(([figure]) => figure))
  expect(rows.flatMap(figuresOf).filter((figure) => !measured.has(figure))).toEqual([])
})

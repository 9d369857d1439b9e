/** The pages that people see first: README, and the packages' READMEs, which npm shows without the repository. */
import { expect, test } from 'vitest'

import { blocksOf, linksOf, read, repository } from './documents.ts'

const readmes = ['conn', 'codecs', 'channel'].map((name) => `packages/${name}/README.md`)

// Their targets are checked with those of all pages.
test.each(readmes)('%s: links to the repository are absolute', (readme) => {
  expect(linksOf(readme).filter(({ path }) => path !== '' && !path.startsWith(repository))).toEqual([])
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

/** How the code is laid out and how it reads: what ARCHITECTURE.md and CONTRIBUTING.md promise of it. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

import { read, root } from './documents.ts'
import { exportsOf } from './exports.ts'
import { phrases } from './phrases.ts'

const packages = ['conn', 'codecs', 'channel']
const maxFilesPerFolder = 12
const maxLinesPerFile = 400
const maxColumns = 120

/** The source files of a package, by their paths below `src`. */
function sourcesOf(name: string): string[] {
  const src = join(root, 'packages', name, 'src')
  return readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
}

describe.each(packages)('the sources of %s', (name) => {
  const sources = sourcesOf(name)
  const lines = (path: string): string[] => read(`packages/${name}/src/${path}`).trimEnd().split('\n')

  test('are the files that ARCHITECTURE.md lists', () => {
    const [, section = ''] = read('ARCHITECTURE.md').split(`**\`packages/${name}/src\`**`)
    const [table = ''] = section.split(/^(?:##|\*\*`packages)/m)
    const listed = [...table.matchAll(/^\| `([\w/-]+\.ts)`/gm)].map((found) => found[1])
    expect(new Set(listed)).toEqual(new Set(sources))
    expect(listed).toHaveLength(sources.length)
  })

  test(`have at most ${maxFilesPerFolder} files in a folder`, () => {
    const folders = new Set(sources.map((path) => dirname(path)))
    const filesIn = (folder: string): number => sources.filter((path) => dirname(path) === folder).length
    expect([...folders].filter((folder) => filesIn(folder) > maxFilesPerFolder)).toEqual([])
  })

  test(`have at most ${maxLinesPerFile} lines in a file`, () => {
    expect(sources.filter((path) => lines(path).length > maxLinesPerFile)).toEqual([])
  })

  test('keep no state of a module in a variable', () => {
    expect(sources.filter((path) => lines(path).some((line) => /^(?:export )?let\b/.test(line)))).toEqual([])
  })
})

/** Every text that people read: sources, tests and documents, without what is generated or quoted. */
const texts = execFileSync('git', ['ls-files', '--', '*.ts', '*.mjs', '*.md'], { cwd: root, encoding: 'utf8' })
  .trimEnd()
  .split('\n')
  .filter((path) => path !== 'test/phrases.ts')

/** Lines of a file, without code that a document quotes. */
function linesOf(path: string): string[] {
  const lines = read(path).split('\n')
  return path.endsWith('.md') ? lines.map((line) => line.replaceAll(/`[^`]*`/g, '``')) : lines
}

describe('plain English', () => {
  test.each(phrases)('nothing says $pattern: write $instead', ({ pattern }) => {
    const found = texts.flatMap((path) =>
      linesOf(path).flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
    )
    expect(found).toEqual([])
  })

  // Prettier keeps the code within that, and does not wrap comments.
  test(`no comment is wider than ${maxColumns} columns, and no line of a package's source`, () => {
    const found = texts.flatMap((path) => {
      if (path.endsWith('.md')) return []
      const isSource = /^packages\/\w+\/src\//.test(path)
      const tooWide = (line: string): boolean =>
        line.length > maxColumns && (isSource || /^\s*(?:\/?\*|\/\/)/.test(line))
      return linesOf(path).flatMap((line, index) => (tooWide(line) ? [`${path}:${index + 1}`] : []))
    })
    expect(found).toEqual([])
  })
})

describe.each(packages)('the exports of %s', (name) => {
  test.each(exportsOf(name))('$name has a doc comment whose first sentence stands alone', ({ comment }) => {
    expect(comment).toBeDefined()
    const [sentence = ''] = (comment ?? '').replaceAll(/\s+/g, ' ').split(/(?<=[.:?!])\s|\s@/)
    // It begins with a word of its own, not with one that points to something above it, and it ends.
    expect(sentence).toMatch(/^[A-Z`{"]/)
    expect(sentence).toMatch(/[.:?!]$/)
    expect(sentence).not.toMatch(/^(?:The same|It|They|Them|These|Those|That|Such|Also|Else|And|But|Or|So)\b/)
    expect(sentence.split(' ').length).toBeGreaterThanOrEqual(3)
  })
})

/** What holds for each page: its length, its links and anchors, the form of a guide, and a complete reference. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import { allDocuments, anchorsOf, linksOf, pageOf, proseOf, read, root, siteAddress, targetOf } from './documents.ts'
import { exportsOf, membersOf } from './exports.ts'

const documents = allDocuments()
const pages = documents.filter((path) => path.startsWith('docs/'))

/** The most lines of a page, by the beginning of its path. The first row that fits counts. */
const lengths: readonly (readonly [string, number])[] = [
  ['docs/reference/errors.md', Infinity],
  ['docs/reference/options.md', Infinity],
  ['docs/why/benchmarks.md', Infinity],
  ['docs/guides/custom-codec.md', 250],
  ['docs/guides/other-languages.md', 250],
  ['docs/index.md', 80],
  ['docs/concepts/', 120],
  ['docs/', 150],
  ['packages/', 150],
  ['README.md', 200],
]

describe('each page', () => {
  const limited = documents.flatMap((path) => {
    const most = lengths.find(([prefix]) => path.startsWith(prefix))?.[1] ?? Infinity
    return most === Infinity ? [] : [{ path, most }]
  })

  test.each(limited)('$path has at most $most lines', ({ path, most }) => {
    expect(read(path).trimEnd().split('\n').length).toBeLessThanOrEqual(most)
  })

  test.each(documents)('%s: each link has a target, and each anchor exists there', (document) => {
    const dead = linksOf(document).filter(({ path, anchor }) => {
      const target = targetOf(document, path)
      if (!existsSync(join(root, target))) return true
      if (anchor === undefined) return false
      const page = statSync(join(root, target)).isDirectory() ? join(target, 'README.md') : target
      return page.endsWith('.md') && !anchorsOf(page).has(anchor)
    })
    expect(dead).toEqual([])
  })

  // Built by docs:build, so that nothing in the tree is its target but the page itself, or an entry point.
  const onSite = new Set(documents.map((document) => `/${pageOf(document).replace(/(?:index)?\.md$/, '')}`))

  test.each(documents)('%s: links to the site lead to a page', (document) => {
    const text = proseOf(document)
    const links = [...text.matchAll(/\]\(([^)#\s]+)/g)].map((found) => found[1] ?? '')
    const paths = links.filter((link) => link.startsWith(siteAddress)).map((link) => link.slice(siteAddress.length))
    expect(paths.filter((path) => !onSite.has(path) && !path.startsWith('/api/'))).toEqual([])
  })

  const guides = pages.filter((path) => path.startsWith('docs/guides/'))

  test.each(guides)('%s begins with when it is needed, and ends with where to read more', (guide) => {
    const text = read(guide)
    const [, first = ''] = /^# .+\n\n([^#]*)/.exec(text) ?? []
    expect(first).toMatch(/^You need this when /)
    expect(text.split(/^## /m).at(-1)).toMatch(/^See also\n/)
  })

  test('can be reached from docs/index.md', () => {
    const linked = new Set(linksOf('docs/index.md').map(({ path }) => targetOf('docs/index.md', path)))
    linked.add('docs/index.md')
    expect(pages.filter((page) => !linked.has(page))).toEqual([])
  })
})

describe('docs/reference/options.md', () => {
  const isOptions = /(?:Options|Limits|Times|Timeouts)$/
  const interfaces = ['conn', 'codecs', 'channel'].flatMap((name) =>
    exportsOf(name).filter((one) => isOptions.test(one.name) && !one.name.endsWith('ErrorOptions')),
  )
  const declared = interfaces.map((one) => ({ ...one, members: membersOf(one.name, one.file) }))
  const described = declared.filter(({ members }) => members.length > 0)

  test('is compared with the interfaces of the sources', () => {
    expect(described.length).toBeGreaterThan(25)
  })

  const sections = read('docs/reference/options.md').split(/^#+ /m)

  test.each(described)('has a row for each option of $name, in a section with that name', ({ name, members }) => {
    const own = sections.filter((section) => section.split('\n', 1)[0]?.includes(`\`${name}\``))
    const rows = new Set([...own.join('\n').matchAll(/^\| `([\w.]+)`/gm)].map((found) => found[1]))
    expect(members.filter((member) => !rows.has(member))).toEqual([])
  })
})

/** What holds for each page: its length, its links and anchors, the form of a guide, and that the reference is whole. */
import { existsSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

import { allDocuments, anchorsOf, linksOf, read, root } from './documents.ts'
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

/** Pages that are still to be written or shortened. */
const pending = new Set<string>([
  'README.md',
  'docs/production.md',
  'docs/guides/codecs.md',
  'docs/guides/custom-codec.md',
  'docs/guides/other-languages.md',
  'docs/guides/testing.md',
  'docs/operate/proxies.md',
  'docs/start/quickstart.md',
  'docs/why/comparison.md',
  'docs/why/performance.md',
  'docs/migrate/from-ws.md',
  'docs/migrate/from-socketio.md',
  'docs/migrate/from-grpc.md',
  'docs/migrate/from-connect.md',
  'docs/migrate/from-h2conn.md',
  'docs/faq.md',
  'docs/concepts/overview.md',
  'docs/concepts/lifecycle.md',
  'docs/concepts/backpressure.md',
  'docs/concepts/deadlines.md',
  'docs/concepts/delivery.md',
  'docs/concepts/security.md',
  'docs/concepts/glossary.md',
  'docs/operate/deploy.md',
  'docs/operate/kubernetes.md',
  'docs/operate/rolling-deploys.md',
  'docs/operate/limits.md',
  'docs/operate/troubleshooting.md',
  'docs/guides/request-response.md',
  'docs/guides/fan-out.md',
  'docs/guides/reconnect.md',
  'docs/guides/auth.md',
  'docs/guides/schema-evolution.md',
  'docs/guides/browser.md',
  'docs/guides/tls.md',
  'docs/guides/commonjs.md',
  'docs/guides/frameworks.md',
  'docs/guides/raw-bytes.md',
  'docs/reference/options.md',
  'docs/reference/events-metrics.md',
  'docs/reference/compatibility.md',
  'SECURITY.md',
  'spec/vectors',
])

describe('each page', () => {
  const limited = documents.flatMap((path) => {
    const most = lengths.find(([prefix]) => path.startsWith(prefix))?.[1] ?? Infinity
    return most === Infinity || pending.has(path) ? [] : [{ path, most }]
  })

  test.each(limited)('$path has at most $most lines', ({ path, most }) => {
    expect(read(path).trimEnd().split('\n').length).toBeLessThanOrEqual(most)
  })

  test.each(documents)('%s: each link has a target, and each anchor exists there', (document) => {
    const dead = linksOf(document).filter(({ path, anchor }) => {
      const target = path === '' ? document : normalize(join(dirname(document), decodeURIComponent(path)))
      if (!existsSync(join(root, target))) return !pending.has(target)
      if (anchor === undefined) return false
      const page = statSync(join(root, target)).isDirectory() ? join(target, 'README.md') : target
      return page.endsWith('.md') && !anchorsOf(page).has(anchor)
    })
    expect(dead).toEqual([])
  })

  const guides = pages.filter((path) => path.startsWith('docs/guides/') && !pending.has(path))

  test.each(guides)('%s begins with when it is needed, and ends with where to read more', (guide) => {
    const text = read(guide)
    const [, first = ''] = /^# .+\n\n([^#]*)/.exec(text) ?? []
    expect(first).toMatch(/^You need this when /)
    expect(text.split(/^## /m).at(-1)).toMatch(/^See also\n/)
  })

  test('can be reached from docs/index.md', () => {
    const linked = new Set(linksOf('docs/index.md').map(({ path }) => normalize(join('docs', path))))
    linked.add('docs/index.md')
    expect(pages.filter((page) => !linked.has(page) && !pending.has(page))).toEqual([])
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

  test.each(described)('has a row for each option of $name', ({ members }) => {
    if (pending.has('docs/reference/options.md')) return
    const rows = new Set([...read('docs/reference/options.md').matchAll(/^\| `([\w.]+)`/gm)].map((found) => found[1]))
    expect(members.filter((member) => !rows.has(member))).toEqual([])
  })
})

/**
 * Builds the site of the documents into `site/.vitepress/dist`. Installs the tools of `site`, writes the API reference
 * into `docs/api`, writes every document as a page, and builds these with VitePress. A link or an anchor without a
 * target is an error.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

import {
  allDocuments,
  linksOf,
  pageOf,
  read,
  repository,
  root,
  siteAddress,
  targetOf,
  withLinks,
} from '../test/documents.ts'

const site = join(root, 'site')
const pages = join(site, 'pages')
const built = join(site, '.vitepress', 'dist')
const documents = allDocuments()

run('npx', ['-y', 'pnpm@12', 'install', '--frozen-lockfile', '--config.verify-deps-before-run=false'])
rmSync(join(root, 'docs', 'api'), { recursive: true, force: true })
run('npx', ['-y', 'pnpm@12', 'api'])
rmSync(pages, { recursive: true, force: true })
for (const document of documents) writePage(document)
cpSync(join(root, 'docs', 'api'), join(pages, 'api'), { recursive: true })
const mermaid = join(site, 'node_modules', 'mermaid', 'dist')
for (const part of ['mermaid.esm.min.mjs', 'chunks/mermaid.esm.min']) {
  const filter = (path: string): boolean => !path.endsWith('.map')
  cpSync(join(mermaid, part), join(pages, 'public', 'mermaid', part), { recursive: true, filter })
}
writeFileSync(join(pages, 'site.json'), JSON.stringify({ sidebar: sidebar() }))
run('npx', ['-y', 'pnpm@12', 'build'])
const dead = deadAnchors()
if (dead.length > 0) throw new Error(`anchors without a target:\n${dead.join('\n')}`)
console.log(`${documents.length} documents are in ${relative(root, built)}`)

function writePage(document: string): void {
  const page = join(pages, pageOf(document))
  mkdirSync(dirname(page), { recursive: true })
  writeFileSync(
    page,
    withLinks(document, (path, anchor) => linkFrom(document, path, anchor)),
  )
}

/** A link to a document becomes one to its page. An image moves along. Any other file is shown by the repository. */
function linkFrom(document: string, path: string, anchor: string): string {
  if (path.startsWith(`${siteAddress}/`)) return `${path.slice(siteAddress.length)}${anchor}`
  const here = pageOf(document)
  const target = targetOf(document, path)
  const page = [target, `${target}/README.md`].find((candidate) => documents.includes(candidate))
  if (page !== undefined) return `${relative(dirname(here), pageOf(page)) || '.'}${anchor}`.replace(/^(?!\.)/, './')
  if (/\.(?:svg|png)$/.test(target)) {
    const copy = join(pages, dirname(here), path)
    mkdirSync(dirname(copy), { recursive: true })
    cpSync(join(root, target), copy)
    return `./${path}`
  }
  if (!existsSync(join(root, target))) throw new Error(`${document} links to ${path}, which does not exist`)
  const kind = statSync(join(root, target)).isDirectory() ? 'tree' : 'blob'
  return `${repository}/${kind}/main/${target}${anchor}`
}

interface Item {
  readonly text: string
  readonly link?: string
  readonly items?: readonly Item[]
  readonly collapsed?: boolean
}

/** The sections and the order of docs/index.md, with the migrations in one of their own, then what it does not list. */
function sidebar(): Item[] {
  const linkTo = (document: string): string => `/${pageOf(document).replace(/(?:^|\/)index\.md$|\.md$/, '')}`
  const titleOf = (document: string): string => /^# (.+)$/m.exec(read(document))?.[1]?.replaceAll('`', '') ?? document
  const seen = new Set(['README.md', 'docs/index.md'])
  const sections = linksOf('docs/index.md').reduce<Map<string, Item[]>>((all, { line, path }) => {
    const document = targetOf('docs/index.md', path)
    const above = read('docs/index.md')
      .split('\n')
      .slice(0, line)
      .findLast((text) => text.startsWith('## '))
    if (above === undefined || seen.has(document) || !documents.includes(document)) return all
    seen.add(document)
    const section = document.startsWith('docs/migrate/') ? 'Migrate' : above.slice('## '.length)
    return all.set(section, [...(all.get(section) ?? []), { text: titleOf(document), link: linkTo(document) }])
  }, new Map())
  const rest = (prefix: string): Item[] =>
    documents
      .filter((document) => document.startsWith(prefix) && !seen.has(document))
      .map((document) => ({ text: titleOf(document), link: linkTo(document) }))
  return [
    { text: 'h2channel', link: '/' },
    { text: 'All documents', link: '/documents' },
    ...[...sections].map(([text, items]) => ({ text, items, collapsed: text === 'Migrate' })),
    { text: 'API', items: modules(), collapsed: true },
    { text: 'Packages', items: rest('packages/'), collapsed: true },
    { text: 'Examples', items: [...rest('examples/'), ...rest('interop/'), ...rest('spec/')], collapsed: true },
  ]
}

/** The pages of docs/api, by the names by which a program imports them. */
function modules(): Item[] {
  const links = read('docs/api/index.md').matchAll(/^- \[(.+?)\]\((.+)\.md\)/gm)
  return [...links].map(([, text = '', path = '']) => ({ text: text.replace('@h2channel/', ''), link: `/api/${path}` }))
}

/** The links of the built pages to anchors that their page does not have. VitePress checks the pages alone. */
function deadAnchors(): string[] {
  const files = readdirSync(built, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.html'))
  const html = new Map(files.map((file) => [file, readFileSync(join(built, file), 'utf8')]))
  const ids = new Map(
    [...html].map(([file, text]) => [file, new Set([...text.matchAll(/ id="([^"]+)"/g)].map((found) => found[1]))]),
  )
  const base = 'https://site/h2channel/'
  return [...html].flatMap(([file, text]) =>
    [...text.matchAll(/<a [^>]*?href="([^"]*)#([^"]+)"/g)].flatMap(([, href = '', anchor = '']) => {
      const { origin, pathname } = new URL(href, new URL(file, base))
      const path = pathname.slice('/h2channel/'.length)
      const target = [path, `${path}.html`, `${path}index.html`].find((candidate) => ids.has(candidate))
      const exists = target !== undefined && ids.get(target)?.has(decodeURIComponent(anchor)) === true
      return exists || origin !== 'https://site' ? [] : [`${file}: ${href}#${anchor}`]
    }),
  )
}

function run(command: string, parameters: readonly string[]): void {
  execFileSync(command, parameters, { cwd: site, stdio: 'inherit' })
}

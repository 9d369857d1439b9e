/** The documents of the repository, their code blocks, links and anchors. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

import { slugOf } from './slug.ts'

/** A fenced block of a document. */
export interface Block {
  readonly language: string
  /** The name behind `file=`, if there is one. A part of a file is `path#region`. */
  readonly file: string | undefined
  readonly line: number
  readonly text: string
  /** Declarations that the block relies on and does not show: the comment `<!-- with: … -->` above it. */
  readonly preamble: string
}

/** A link of a document to a file of the repository, to an anchor, or to both. */
export interface Link {
  readonly line: number
  /** The path as written, which is empty for an anchor of the same page. */
  readonly path: string
  readonly anchor: string | undefined
}

export const root = fileURLToPath(new URL('..', import.meta.url))
export const repository = 'https://github.com/h2channel/h2channel'
export const siteAddress = 'https://h2channel.github.io/h2channel'

export function read(path: string): string {
  return readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
}

/** Every document that is a page for people: all of docs/, the pages of the root, and the README files. */
export function allDocuments(): string[] {
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', '*.md'], {
    cwd: root,
    encoding: 'utf8',
  })
  const deleted = execFileSync('git', ['ls-files', '--deleted', '--', '*.md'], { cwd: root, encoding: 'utf8' })
  const gone = new Set(deleted.trimEnd().split('\n'))
  return [...new Set(files.trimEnd().split('\n'))].filter((path) => !gone.has(path)).toSorted()
}

/** The fenced blocks of a Markdown document. */
export function blocksOf(path: string): Block[] {
  const text = read(path)
  const fences = /^(?:<!-- with:\s([\s\S]*?)-->\n+)?```(\w+)(?: file=(\S+))?\n([\s\S]*?)^```$/gm
  return [...text.matchAll(fences)].map((found) => ({
    language: found[2] ?? '',
    file: found[3],
    line: text.slice(0, found.index + found[0].indexOf('```')).split('\n').length,
    text: found[4] ?? '',
    preamble: found[1] ?? '',
  }))
}

/** A file of the repository, or the region of it that is named behind `#`, without its indentation. */
export function quoted(reference: string): string {
  const [path = '', region] = reference.split('#')
  const text = read(path)
  if (region === undefined) return text
  const lines = text.split('\n')
  // Comments begin with // or, as in Python, with #.
  const marks = lines.map((line) => line.trim().replace(/^(?:\/\/|#) (?=#)/, ''))
  const begin = marks.indexOf(`#region ${region}`)
  const length = marks.slice(begin + 1).findIndex((mark) => mark.startsWith('#endregion'))
  if (begin === -1 || length === -1) throw new Error(`${path} has no region ${region}`)
  const inside = lines.slice(begin + 1, begin + 1 + length)
  // Formatters of other languages want empty lines before the comment.
  while (inside.at(-1)?.trim() === '') inside.pop()
  const indented = inside.filter((line) => line.trim() !== '').map((line) => /^ */.exec(line)?.[0].length ?? 0)
  const margin = Math.min(...indented)
  return inside.map((line) => `${line.slice(margin)}\n`).join('')
}

/** The text of a document, with each block and each comment replaced by empty lines. */
export function proseOf(path: string): string {
  const emptied = (found: string): string => found.replaceAll(/[^\n]/g, '')
  return read(path)
    .replaceAll(/^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1\2$/gm, emptied)
    .replaceAll(/<!--[\s\S]*?-->/g, emptied)
}

/** Code, comments and links. Only links have a group: the beginning, the path and the anchor. */
const codeOrLink =
  /^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1\2$|<!--[\s\S]*?-->|(`+)(?:(?!\3)[\s\S])+?\3|(\]\(<?|^\[[^\]]+\]: +<?|\b(?:href|src)=")([^\s#"<>()]*)(#[^\s"<>()]*)?/gm

/** Whether a link leads into the repository: a path, or an address of one of its files. */
function isOurs(path: string): boolean {
  return (
    !/^[a-z]+:/.test(path) || path.startsWith(`${repository}/blob/main/`) || path.startsWith(`${repository}/tree/main/`)
  )
}

/** The text of a document, with other links. `change` gets the path and the anchor: `#` and a name, or nothing. */
export function withLinks(document: string, change: (path: string, anchor: string) => string): string {
  return read(document).replaceAll(codeOrLink, (found, _1, _2, _3, before?: string, path = '', anchor = '') =>
    before !== undefined && (isOurs(path) || path.startsWith(siteAddress)) ? before + change(path, anchor) : found,
  )
}

/** Where a document is on the site: README.md is the start page, and docs/ is left out of the paths. */
export function pageOf(document: string): string {
  if (document === 'README.md') return 'index.md'
  if (document === 'docs/index.md') return 'documents.md'
  if (document.endsWith('/README.md')) return `${dirname(document)}.md`
  return document.startsWith('docs/') ? document.slice('docs/'.length) : document.toLowerCase()
}

/** The links of a document that stay within the repository. */
export function linksOf(document: string): Link[] {
  const text = read(document)
  return [...text.matchAll(codeOrLink)].flatMap(({ index, 4: before, 5: path = '', 6: anchor }) =>
    before === undefined || !isOurs(path)
      ? []
      : [{ line: text.slice(0, index).split('\n').length, path, anchor: anchor?.slice(1) }],
  )
}

/** The file or folder of the repository that a link of a document leads to. */
export function targetOf(document: string, path: string): string {
  if (path === '') return document
  if (path.startsWith(repository)) return path.replace(/^.*?\/(?:blob|tree)\/main\//, '')
  return normalize(join(dirname(document), decodeURIComponent(path))).replace(/\/$/, '')
}

/** The anchors of a page, as GitHub makes them of its headings. */
export function anchorsOf(path: string): Set<string> {
  const anchors = new Set<string>()
  const prose = proseOf(path)
  for (const [, heading = ''] of prose.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const slug = slugOf(textOf(heading))
    let count = 0
    while (anchors.has(count === 0 ? slug : `${slug}-${count}`)) count += 1
    anchors.add(count === 0 ? slug : `${slug}-${count}`)
  }
  for (const [, id = ''] of prose.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id)
  return anchors
}

/** The text of a heading: without the marks of code, links and emphasis. */
function textOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part.slice(1, -1) : part.replaceAll(/<[^>]+>|\*+|(?<!\w)_|_(?!\w)/g, '')))
    .join('')
}

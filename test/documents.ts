/** The documents of the repository, their code blocks, links and anchors. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

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
  const begin = lines.findIndex((line) => line.trim() === `// #region ${region}`)
  const length = lines.slice(begin + 1).findIndex((line) => line.trim().startsWith('// #endregion'))
  if (begin === -1 || length === -1) throw new Error(`${path} has no region ${region}`)
  const inside = lines.slice(begin + 1, begin + 1 + length)
  const indented = inside.filter((line) => line.trim() !== '').map((line) => /^ */.exec(line)?.[0].length ?? 0)
  const margin = Math.min(...indented)
  return inside.map((line) => `${line.slice(margin)}\n`).join('')
}

/** The headings of one level below a heading of the level above it, without their backquotes. */
export function headingsBelow(path: string, heading: string): string[] {
  const [, section = ''] = read(path).split(`\n## ${heading}\n`)
  const [own = ''] = section.split(/^## /m)
  return [...own.matchAll(/^### `(\w+)`/gm)].map((found) => found[1] ?? '')
}

/** The text of a document, with each block and each comment replaced by empty lines. */
export function proseOf(path: string): string {
  const emptied = (found: string): string => found.replaceAll(/[^\n]/g, '')
  return read(path)
    .replaceAll(/^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1\2$/gm, emptied)
    .replaceAll(/<!--[\s\S]*?-->/g, emptied)
}

/** The links of a document that stay within the repository. */
export function linksOf(path: string): Link[] {
  return proseOf(path)
    .split('\n')
    .flatMap((text, index) => {
      const withoutCode = text.replaceAll(/(`+)(?:(?!\1).)+\1/g, '``')
      const inline = [...withoutCode.matchAll(/\]\(\s*<?([^)\s>]+)[^)]*\)/g)].map((found) => found[1] ?? '')
      const defined = [...withoutCode.matchAll(/^\[[^\]]+\]:\s+(\S+)/g)].map((found) => found[1] ?? '')
      const html = [...withoutCode.matchAll(/(?:href|src)="([^"]+)"/g)].map((found) => found[1] ?? '')
      return [...inline, ...defined, ...html]
        .filter((target) => !/^[a-z]+:/.test(target))
        .map((target) => {
          const [to = '', anchor] = target.split('#')
          return { line: index + 1, path: to, anchor }
        })
    })
}

/** The anchors of a page, as GitHub makes them of its headings. */
export function anchorsOf(path: string): Set<string> {
  const anchors = new Set<string>()
  const prose = proseOf(path)
  for (const [, heading = ''] of prose.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const slug = slugOf(heading)
    let count = 0
    while (anchors.has(count === 0 ? slug : `${slug}-${count}`)) count += 1
    anchors.add(count === 0 ? slug : `${slug}-${count}`)
  }
  for (const [, id = ''] of prose.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id)
  return anchors
}

/** The anchor that GitHub gives a heading: small letters, digits, `_` and `-` of its text. */
export function slugOf(heading: string): string {
  const text = heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/<[^>]+>/g, '')
    .replaceAll(/\*+|(?<!\w)_|_(?!\w)/g, '')
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}

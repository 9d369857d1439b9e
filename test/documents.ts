import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A fenced block of a document. */
export interface Block {
  readonly language: string
  /** The name behind `file=`, if there is one. */
  readonly file: string | undefined
  readonly line: number
  readonly text: string
}

export const root = fileURLToPath(new URL('..', import.meta.url))

export function read(path: string): string {
  return readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
}

/** The fenced blocks of a Markdown document. */
export function blocksOf(path: string): Block[] {
  const text = read(path)
  return [...text.matchAll(/^```(\w+)(?: file=(\S+))?\n([\s\S]*?)^```$/gm)].map((found) => ({
    language: found[1] ?? '',
    file: found[2],
    line: text.slice(0, found.index).split('\n').length,
    text: found[3] ?? '',
  }))
}

/** The headings of one level below a heading of the level above it, without their backquotes. */
export function headingsBelow(path: string, heading: string): string[] {
  const [, section = ''] = read(path).split(`\n## ${heading}\n`)
  const [own = ''] = section.split(/^## /m)
  return [...own.matchAll(/^### `(\w+)`/gm)].map((found) => found[1] ?? '')
}

/** What the packages export, and the doc comment of each, read from the sources. */
import { dirname, join } from 'node:path'

import { read } from './documents.ts'

/** One name that an entry point of a package exports. */
export interface Export {
  readonly name: string
  /** The source file that declares it. */
  readonly file: string
  /** The doc comment above its declaration, without its frame. */
  readonly comment: string | undefined
}

/** The exports of the package `@h2channel/NAME`, each once. */
export function exportsOf(name: string): Export[] {
  const { exports } = JSON.parse(read(`packages/${name}/package.json`)) as { exports: Record<string, unknown> }
  const entries = Object.values(exports).flatMap((target) => {
    const source = (target as Record<string, string>)['@h2channel/source']
    return source === undefined ? [] : [join('packages', name, source)]
  })
  const found = new Map<string, Export>()
  for (const one of entries.flatMap((entry) => exportsIn(entry))) found.set(`${one.file} ${one.name}`, one)
  return [...found.values()]
}

/** Follows the re-exports of an entry point, which holds nothing else. */
function exportsIn(entry: string): Export[] {
  const text = read(entry)
  const all = [...text.matchAll(/^export \* from '(.+)'/gm)].map((found) => found[1] ?? '')
  const named = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from '(.+)'/gm)].flatMap(([, names = '', from = '']) =>
    names.split(',').flatMap((name) => (name.trim() === '' ? [] : [{ name: name.trim().replace(/^type /, ''), from }])),
  )
  return [
    ...all.flatMap((from) => exportsIn(join(dirname(entry), from))),
    ...named.flatMap(({ name, from }) => declarationOf(name, join(dirname(entry), from))),
  ]
}

function declarationOf(name: string, file: string): Export[] {
  const text = read(file)
  const declared = new RegExp(
    `^export (?:declare |abstract |async )*(?:class|function|interface|type|const) ${name}\\b`,
    'm',
  )
  const at = declared.exec(text)?.index
  if (at !== undefined) return [{ name, file, comment: commentBefore(text.slice(0, at)) }]
  const passedOn = new RegExp(`^(?:export|import) (?:type )?\\{[^}]*\\b${name}\\b[^}]*\\} from '(\\..+)'`, 'm').exec(
    text,
  )
  if (passedOn?.[1] === undefined) throw new Error(`no declaration of ${name} in ${file}`)
  return declarationOf(name, join(dirname(file), passedOn[1]))
}

function commentBefore(text: string): string | undefined {
  const comment = /\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s*$/.exec(text)?.[1]
  return comment?.replaceAll(/^\s*\* ?/gm, '').trim()
}

/** The names of the members that an interface declares itself, without inherited ones. */
export function membersOf(name: string, file: string): string[] {
  const [, body = ''] =
    new RegExp(`^export interface ${name}\\b[^\\n]*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(read(file)) ?? []
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(<]/gm)].map((found) => found[1] ?? '')
}

/** The notation of messages in JSON: README.md has it as a table. */

import { ExtData } from '@h2channel/codecs'

/** A message in the files: JSON, with an object of one key `$…` for a value that JSON lacks. */
export type Notation = null | boolean | number | string | readonly Notation[] | { readonly [key: string]: Notation }

const sizedTypes = new Set(['$u8', '$u16', '$u32', '$u64', '$i8', '$i16', '$i32', '$i64', '$f32'])

/** The message as a value of JavaScript. */
export function fromNotation(notation: Notation): unknown {
  if (typeof notation !== 'object' || notation === null) return notation
  if (isArray(notation)) return notation.map(fromNotation)
  const entries = Object.entries(notation)
  const [[tag, inner] = ['', null]] = entries
  if (entries.length === 1 && tag.startsWith('$')) return fromTag(tag, inner)
  return Object.fromEntries(entries.map(([key, value]) => [key, fromNotation(value)]))
}

function fromTag(tag: string, inner: Notation): unknown {
  if (sizedTypes.has(tag)) return fromNotation(inner)
  if (tag === '$ext') return extension(inner)
  if (typeof inner !== 'string') throw new TypeError(`${tag} needs a string`)
  switch (tag) {
    case '$bigint':
      return BigInt(inner)
    case '$bytes':
      return new Uint8Array(Buffer.from(inner, 'hex'))
    case '$date':
      return new Date(inner)
    case '$float':
      return Number(inner)
    default:
      throw new TypeError(`there is no notation ${tag}`)
  }
}

function extension(inner: Notation): ExtData {
  const [type, data] = Array.isArray(inner) ? (inner as readonly Notation[]) : []
  if (typeof type !== 'number' || typeof data !== 'string') throw new TypeError('$ext needs [type, hex]')
  return new ExtData(type, new Uint8Array(Buffer.from(data, 'hex')))
}

function isArray(notation: object): notation is readonly Notation[] {
  return Array.isArray(notation)
}

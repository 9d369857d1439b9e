/** The grammar of media types (RFC 9110, section 8.3.1). It is strict, so that peers agree on what is malformed. */

/** A media type as peers compare it. */
export interface MediaType {
  /** Type and subtype, in lower case. */
  readonly type: string
  /** All that is compared: equal for equal media types, whatever the order and the spelling of their parameters. */
  readonly key: string
}

/** One member of an `accept` header. */
export interface MediaRange extends MediaType {
  /** From 0 to 1. */
  readonly quality: number
}

const token = /[\w!#$%&'*+.^`|~-]+/.source
// Every character has one way to match: the time is linear in the length.
const typePattern = new RegExp(`${token}/${token}`, 'y')
const quotedText = /(?:[\t !\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t -\x7e\x80-\xff])*/.source
const parameterPattern = new RegExp(`[ \\t]*;[ \\t]*(?:(${token})=(?:(${token})|"(${quotedText})"))?`, 'y')

/** RFC 9110, section 12.4.2. */
const weight = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/**
 * Parses a media type. Returns `undefined` for a malformed one, one with a parameter twice, and one with a charset
 * other than UTF-8: nothing supports these.
 */
export function parseMediaType(value: string): MediaType | undefined {
  return parse(value, false)
}

/**
 * Parses the members of an `accept` header (RFC 9110, section 12.5.1), in their order. Empty, malformed and unsupported
 * members are left out.
 */
export function parseAccept(accept: string): readonly MediaRange[] {
  return splitMembers(accept).flatMap((member) => parse(member, true) ?? [])
}

function parse(value: string, isRange: boolean): MediaRange | undefined {
  const text = trim(value)
  typePattern.lastIndex = 0
  const [found] = typePattern.exec(text) ?? []
  if (found === undefined) return undefined
  const type = found.toLowerCase()
  const parameters = new Map<string, string>()
  let quality: number | undefined
  for (let at = found.length; at < text.length;) {
    parameterPattern.lastIndex = at
    const match = parameterPattern.exec(text)
    if (match === null) return undefined
    at = parameterPattern.lastIndex
    const [, givenName, plain, quoted] = match
    // RFC 9110 allows a semicolon without a parameter. What follows the weight belongs to no media type.
    if (givenName === undefined || quality !== undefined) continue
    const name = givenName.toLowerCase()
    const content = plain ?? quoted?.replaceAll(/\\(.)/g, '$1') ?? ''
    if (isRange && name === 'q') {
      if (plain === undefined || !weight.test(plain)) return undefined
      quality = Number(plain)
    } else {
      if (parameters.has(name) || (name === 'charset' && content.toLowerCase() !== 'utf-8')) return undefined
      parameters.set(name, content)
    }
  }
  // Text is always UTF-8 here, whether a media type says so or not.
  parameters.delete('charset')
  return { type, key: keyOf(type, parameters), quality: quality ?? 1 }
}

function keyOf(type: string, parameters: ReadonlyMap<string, string>): string {
  if (parameters.size === 0) return type
  return JSON.stringify([type, ...[...parameters].toSorted(([one], [other]) => (one < other ? -1 : 1))])
}

/** Removes spaces and tabs at both ends. A regular expression would need quadratic time for many of them. */
function trim(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isBlank(value[start])) start += 1
  while (end > start && isBlank(value[end - 1])) end -= 1
  return value.slice(start, end)
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

/** Splits a list at its commas, except those within quotes. A quote that is not closed lasts to the end. */
function splitMembers(list: string): string[] {
  const members: string[] = []
  let start = 0
  let isQuoted = false
  for (let at = 0; at < list.length; at++) {
    const character = list[at]
    if (character === '"') isQuoted = !isQuoted
    else if (character === '\\' && isQuoted) at += 1
    else if (character === ',' && !isQuoted) {
      members.push(list.slice(start, at))
      start = at + 1
    }
  }
  members.push(list.slice(start))
  return members
}

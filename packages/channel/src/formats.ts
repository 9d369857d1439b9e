import type { Codec } from '@h2channel/codecs'
import type { ContentType } from 'content-type'
import { parse } from 'content-type'

import { ChannelError } from './errors.ts'
import { fixedLength } from './fixed-length.ts'
import type { Framing } from './framing.ts'
import { lengthPrefixed } from './length-prefixed.ts'
import { newlineDelimited } from './newline-delimited.ts'

/** One way in which messages of a type can travel: a codec, a framing, and the media type that names the two. */
export interface Format<T> {
  readonly mediaType: string
  readonly codec: Codec<T>
  readonly framing: Framing
}

/**
 * The formats of a codec, the preferred one first: those with the framing `preferred`, then the codec's order, then length
 * prefixes before the others.
 *
 * @throws ChannelError `INVALID_ROUTE` when there is no format with the framing `preferred`.
 */
export function formatsOf<T>(codec: Codec<T>, preferred: Framing | undefined): readonly Format<T>[] {
  const formats = (codec.alternatives ?? [codec]).flatMap((one): Format<T>[] => [
    { mediaType: one.contentType, codec: one, framing: lengthPrefixed() },
    ...(one.line === true ? [{ mediaType: 'application/x-ndjson', codec: one, framing: newlineDelimited() }] : []),
    ...(one.size === undefined ? [] : [{ mediaType: octets, codec: one, framing: fixedLength(one.size) }]),
  ])
  const unique = formats.filter(
    (format, index) => formats.findIndex((other) => sameMediaType(other.mediaType, format.mediaType)) === index,
  )
  const wanted = unique.filter((format) => format.framing.name === preferred?.name)
  if (preferred !== undefined && wanted.length === 0) {
    throw new ChannelError('INVALID_ROUTE', `no media type names codec ${codec.name} with ${preferred.name} framing`)
  }
  return [...wanted, ...unique.filter((format) => !wanted.includes(format))]
}

/** The format that a `content-type` header names; without one, the first. */
export function formatNamed<T>(formats: readonly Format<T>[], contentType: string | undefined): Format<T> | undefined {
  if (contentType === undefined) return formats[0]
  return formats.find((format) => sameMediaType(format.mediaType, contentType))
}

/**
 * The format that an `accept` header likes best (RFC 9110, section 12.5.1): the first that it names of those with the
 * highest quality. Where it leaves the choice, one with the framing of the request.
 */
export function formatAccepted<T>(
  formats: readonly Format<T>[],
  accept: string | undefined,
  requestFraming: Framing,
): Format<T> | undefined {
  const own = [
    ...formats.filter((format) => format.framing.name === requestFraming.name),
    ...formats.filter((format) => format.framing.name !== requestFraming.name),
  ]
  if (accept === undefined) return own[0]
  if (accept.length > longestAccept) return undefined
  const ranges = rangesOf(accept)
  const [best] = own
    .map((format) => ({ format, ...likingOf(format, ranges) }))
    .filter(({ quality }) => quality > 0)
    .toSorted((one, other) => other.quality - one.quality || one.place - other.place)
  return best?.format
}

type MediaType = Pick<ContentType, 'type' | 'parameters'>

/** A member of the list in an `accept` header. */
interface Range extends MediaType {
  readonly quality: number
}

function rangesOf(accept: string): readonly Range[] {
  const ranges: Range[] = []
  for (let start = 0; start < accept.length;) {
    const { type, parameters, index } = parse(accept, { comma: true, start })
    const { q = '1', ...rest } = parameters
    // Empty members are allowed and mean nothing (RFC 9110, section 5.6.1).
    if (type !== '') ranges.push({ type, parameters: rest, quality: Number(q) || 0 })
    start = index + 1
  }
  return ranges
}

/** How much a format is liked, which the most specific range says, and at which place it is named: the last, if it isn't. */
function likingOf<T>({ mediaType, codec }: Format<T>, ranges: readonly Range[]): { quality: number; place: number } {
  const rangeOf = (wanted: MediaType): Range | undefined => ranges.find((range) => isSame(wanted, range))
  const wildcard = (type: string): Range | undefined => rangeOf({ type, parameters: {} })
  const ours = parse(mediaType)
  const named = rangeOf(ours)
  const range = named ?? wildcard(ours.type.replace(/\/.*/, '/*')) ?? wildcard('*/*')
  const namesSome = mediaType === octets && ranges.some(({ type }) => namesOfOctets.has(type))
  const isForeign = namesSome && (rangeOf(parse(codec.contentType))?.quality ?? 0) <= 0
  return {
    quality: isForeign ? 0 : (range?.quality ?? 0),
    place: named === undefined ? ranges.length : ranges.indexOf(named),
  }
}

/** Says nothing of what the records are: a client that names records or bytes means those alone, whatever their size. */
const octets = 'application/octet-stream'
const namesOfOctets = new Set(['application/vnd.h2channel+struct', 'application/vnd.h2channel+bytes'])

/** Room for the longest layouts. Beyond it, a list takes long to read. Unit: characters. */
const longestAccept = 16_384

/** The header value that lists formats. */
export function listed(formats: readonly Format<unknown>[]): string {
  return formats.map((format) => format.mediaType).join(', ')
}

function sameMediaType(ours: string, actual: string): boolean {
  return isSame(parse(ours), parse(actual))
}

/** Whether two types are the same, with the same parameters. Only a charset doesn't matter: text is UTF-8 here. */
function isSame(want: MediaType, have: MediaType): boolean {
  if (want.type !== have.type) return false
  const names = Object.keys({ ...want.parameters, ...have.parameters })
  return names.every((name) => name === 'charset' || want.parameters[name] === have.parameters[name])
}

import type { Codec } from '@h2channel/codecs'
import type { ContentType } from 'content-type'
import { parse } from 'content-type'

import { ChannelError } from '../errors.ts'
import { fixedLength } from '../framing/fixed-length.ts'
import type { Framing } from '../framing/framing.ts'
import { lengthPrefixed } from '../framing/length-prefixed.ts'
import { newlineDelimited } from '../framing/newline-delimited.ts'

/** One way in which messages of a type can travel: a codec, a framing, and the media type that names the two. */
export interface Format<T> {
  readonly mediaType: string
  readonly parsed: MediaType
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
    format(one.contentType, one, lengthPrefixed()),
    ...(one.line === true ? [format(lines, one, newlineDelimited())] : []),
    ...(one.size === undefined ? [] : [format(octets, one, fixedLength(one.size))]),
  ])
  const unique = formats.filter(
    ({ parsed }, index) => formats.findIndex((other) => isSame(other.parsed, parsed)) === index,
  )
  const wanted = unique.filter(({ framing }) => framing.name === preferred?.name)
  if (preferred !== undefined && wanted.length === 0) {
    throw new ChannelError('INVALID_ROUTE', `no media type names codec ${codec.name} with ${preferred.name} framing`)
  }
  return [...wanted, ...unique.filter((one) => !wanted.includes(one))]
}

export function format<T>(mediaType: string, codec: Codec<T>, framing: Framing): Format<T> {
  return { mediaType, parsed: parse(mediaType), codec, framing }
}

/** The format that a `content-type` header names. */
export function formatNamed<T>(formats: readonly Format<T>[], contentType: string): Format<T> | undefined {
  const actual = parse(contentType)
  return formats.find(({ parsed }) => isSame(parsed, actual))
}

/** The coding of a body that is not as it was written (RFC 9110, section 8.4), such as `gzip`. None is read here. */
export function codingOf(contentEncoding: string | undefined): string | undefined {
  return contentEncoding === undefined || /^\s*identity\s*$/i.test(contentEncoding) ? undefined : contentEncoding
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
    ...formats.filter(({ framing }) => framing.name === requestFraming.name),
    ...formats.filter(({ framing }) => framing.name !== requestFraming.name),
  ]
  if (accept === undefined) return own[0]
  if (accept.length > longestAccept) return undefined
  const ranges = rangesOf(accept)
  const record = recordOf(ranges, formats)
  const [best] = own
    // Bytes that say nothing of what they are would be read as the records that the client named first.
    .filter(({ mediaType, codec }) => mediaType !== octets || record === undefined || record === codec)
    .map((one) => ({ format: one, ...likingOf(one, ranges) }))
    .filter(({ quality }) => quality > 0)
    .toSorted((one, other) => other.quality - one.quality || one.place - other.place)
  return best?.format
}

type MediaType = Pick<ContentType, 'type' | 'parameters'>

/** A member of the list in an `accept` header. */
interface Range extends MediaType {
  readonly quality: number
}

const octets = 'application/octet-stream'
const lines = 'application/x-ndjson'

/** Room for several of the longest layouts. Beyond it, a list takes long to read. Unit: characters. */
const longestAccept = 32_768

/** RFC 9110, section 12.4.2. */
const qvalue = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

function rangesOf(accept: string): readonly Range[] {
  const ranges: Range[] = []
  for (let start = 0; start < accept.length;) {
    const { type, parameters, index } = parse(accept, { comma: true, start })
    const { q = '1', ...rest } = parameters
    // Empty members are allowed and mean nothing (RFC 9110, section 5.6.1). One with another weight is not well-formed.
    if (type !== '' && qvalue.test(q)) ranges.push({ type, parameters: rest, quality: Number(q) })
    start = index + 1
  }
  return ranges
}

/**
 * What a client that also takes `application/octet-stream` means by it: the codec of the first record that it names,
 * `unknown` when this side has none of that type, `undefined` when it names no records.
 */
function recordOf<T>(ranges: readonly Range[], formats: readonly Format<T>[]): Codec<T> | 'unknown' | undefined {
  for (const range of ranges) {
    if (range.quality === 0 || range.type === octets) continue
    const own = formats.find(({ parsed }) => isSame(parsed, range))
    if (own === undefined && mayBeRecords(range.type)) return 'unknown'
    if (own?.codec.size !== undefined) return own.codec
  }
  return undefined
}

const otherSubtypes =
  /^(?:\*|octet-stream|json|json-seq|ndjson|x-ndjson|jsonl|msgpack|x-msgpack|vnd\.msgpack|cbor|xml)$|\+(?:json|json-seq|msgpack|cbor|xml)$/

/** Whether a program may call its records that: any type of applications that isn't known to be something else. */
function mayBeRecords(type: string): boolean {
  const [kind, subtype = ''] = type.split('/', 2)
  return kind === 'application' && !otherSubtypes.test(subtype)
}

/** How much a format is liked, which the most specific range says, and at which place it is named: the last, if it isn't. */
function likingOf<T>({ parsed }: Format<T>, ranges: readonly Range[]): { quality: number; place: number } {
  const rangeOf = (wanted: MediaType): Range | undefined => ranges.find((range) => isSame(wanted, range))
  const wildcard = (type: string): Range | undefined => rangeOf({ type, parameters: {} })
  const named = rangeOf(parsed)
  const range = named ?? wildcard(parsed.type.replace(/\/.*/, '/*')) ?? wildcard('*/*')
  return { quality: range?.quality ?? 0, place: named === undefined ? ranges.length : ranges.indexOf(named) }
}

/** The header value that lists formats. */
export function listed(formats: readonly Format<unknown>[]): string {
  return formats.map(({ mediaType }) => mediaType).join(', ')
}

/** Whether two types are the same, with the same parameters. Only a charset doesn't matter: text is UTF-8 here. */
function isSame(want: MediaType, have: MediaType): boolean {
  if (want.type !== have.type) return false
  const names = Object.keys({ ...want.parameters, ...have.parameters })
  return names.every((name) => name === 'charset' || want.parameters[name] === have.parameters[name])
}

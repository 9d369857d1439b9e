import type { Codec } from '@h2channel/codecs'
import type { ContentType } from 'content-type'
import { parse } from 'content-type'

import { ChannelError } from '../errors.ts'
import { fixedLength } from '../framing/fixed-length.ts'
import type { Framing } from '../framing/framing.ts'
import { lengthPrefixed } from '../framing/length-prefixed.ts'
import { newlineDelimited } from '../framing/newline-delimited.ts'

/** One way to send messages of a type: a codec, a framing, and the media type that names both. */
export interface Format<T> {
  readonly mediaType: string
  readonly parsed: MediaType
  readonly codec: Codec<T>
  readonly framing: Framing
}

/**
 * Creates the formats of a codec in order of preference: formats with the framing `preferred` come first, then the
 * codec's own order counts, then length prefixes come before other framings.
 *
 * @throws ChannelError `INVALID_ROUTE` when no format has the framing `preferred`.
 */
export function createFormats<T>(codec: Codec<T>, preferred: Framing | undefined): readonly Format<T>[] {
  const formats = (codec.alternatives ?? [codec]).flatMap((one): Format<T>[] => [
    createFormat(one.contentType, one, lengthPrefixed()),
    ...(one.line === true ? [createFormat(lines, one, newlineDelimited())] : []),
    ...(one.size === undefined ? [] : [createFormat(octets, one, fixedLength(one.size))]),
  ])
  const unique = formats.filter(
    ({ parsed }, index) => formats.findIndex((other) => isSameType(other.parsed, parsed)) === index,
  )
  const wanted = unique.filter(({ framing }) => framing.name === preferred?.name)
  if (preferred !== undefined && wanted.length === 0) {
    throw new ChannelError('INVALID_ROUTE', `no media type names codec ${codec.name} with ${preferred.name} framing`)
  }
  return [...wanted, ...unique.filter((one) => !wanted.includes(one))]
}

export function createFormat<T>(mediaType: string, codec: Codec<T>, framing: Framing): Format<T> {
  return { mediaType, parsed: parse(mediaType), codec, framing }
}

/** Finds the format that a `content-type` header names. */
export function formatForContentType<T>(formats: readonly Format<T>[], contentType: string): Format<T> | undefined {
  const actual = parse(contentType)
  return formats.find(({ parsed }) => isSameType(parsed, actual))
}

/** The coding that a `content-encoding` header names, such as `gzip` (RFC 9110, section 8.4), except `identity`. */
export function contentCoding(contentEncoding: string | undefined): string | undefined {
  return contentEncoding === undefined || /^\s*identity\s*$/i.test(contentEncoding) ? undefined : contentEncoding
}

/**
 * Chooses the format that an `accept` header prefers (RFC 9110, section 12.5.1): among the formats with the highest
 * quality, the one that it names first. Of equal ones, a format with the framing of the request wins.
 */
export function negotiateFormat<T>(
  formats: readonly Format<T>[],
  accept: string | undefined,
  requestFraming: Framing,
): Format<T> | undefined {
  const candidates = [
    ...formats.filter(({ framing }) => framing.name === requestFraming.name),
    ...formats.filter(({ framing }) => framing.name !== requestFraming.name),
  ]
  if (accept === undefined) return candidates[0]
  if (accept.length > maxAcceptLength) return undefined
  const ranges = parseAccept(accept)
  const record = expectedRecord(ranges, formats)
  const [best] = candidates
    // The client would read the bytes of another record as the record that it expects.
    .filter(({ mediaType, codec }) => mediaType !== octets || record === undefined || record === codec)
    .map((one) => ({ format: one, ...preference(one, ranges) }))
    .filter(({ quality }) => quality > 0)
    .toSorted((one, other) => other.quality - one.quality || one.index - other.index)
  return best?.format
}

type MediaType = Pick<ContentType, 'type' | 'parameters'>

/** One item of an `accept` header. */
interface MediaRange extends MediaType {
  readonly quality: number
}

const octets = 'application/octet-stream'
const lines = 'application/x-ndjson'

/** Maximum length of `accept`, with room for several struct layouts: a longer one takes too long. Unit: characters. */
const maxAcceptLength = 32_768

/** RFC 9110, section 12.4.2. */
const qvalue = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

function parseAccept(accept: string): readonly MediaRange[] {
  const ranges: MediaRange[] = []
  for (let start = 0; start < accept.length;) {
    const { type, parameters, index } = parse(accept, { comma: true, start })
    const { q = '1', ...rest } = parameters
    // Empty items are allowed and mean nothing (RFC 9110, section 5.6.1). An item with an invalid weight is ignored.
    if (type !== '' && qvalue.test(q)) ranges.push({ type, parameters: rest, quality: Number(q) })
    start = index + 1
  }
  return ranges
}

/**
 * The record that a client expects in `application/octet-stream`: the codec of the first record type that it accepts,
 * `unknown` when this side has no such type, `undefined` when the client names no record type.
 */
function expectedRecord<T>(
  ranges: readonly MediaRange[],
  formats: readonly Format<T>[],
): Codec<T> | 'unknown' | undefined {
  for (const range of ranges) {
    if (range.quality === 0 || range.type === octets) continue
    const own = formats.find(({ parsed }) => isSameType(parsed, range))
    if (own === undefined && mayNameRecord(range.type)) return 'unknown'
    if (own?.codec.size !== undefined) return own.codec
  }
  return undefined
}

const otherSubtypes =
  /^(?:\*|octet-stream|jsonl|(?:x-)?ndjson|(?:x-|vnd\.)msgpack|(?:.*\+)?(?:json|json-seq|msgpack|cbor|xml))$/

/** Whether a media type may name fixed-length records: any `application` type that is not known to be another. */
function mayNameRecord(type: string): boolean {
  const [kind, subtype = ''] = type.split('/', 2)
  return kind === 'application' && !otherSubtypes.test(subtype)
}

/** The quality that the most specific range gives a format, and the index at which the header names it, if it does. */
function preference<T>({ parsed }: Format<T>, ranges: readonly MediaRange[]): { quality: number; index: number } {
  const find = (wanted: MediaType): MediaRange | undefined => ranges.find((range) => isSameType(wanted, range))
  const wildcard = (type: string): MediaRange | undefined => find({ type, parameters: {} })
  const named = find(parsed)
  const range = named ?? wildcard(parsed.type.replace(/\/.*/, '/*')) ?? wildcard('*/*')
  return { quality: range?.quality ?? 0, index: named === undefined ? ranges.length : ranges.indexOf(named) }
}

/** The value of an `accept` header that lists `formats`. */
export function acceptHeader(formats: readonly Format<unknown>[]): string {
  return formats.map(({ mediaType }) => mediaType).join(', ')
}

/** Whether two media types are equal, parameters included. A charset is ignored, since text is always UTF-8 here. */
function isSameType(want: MediaType, have: MediaType): boolean {
  if (want.type !== have.type) return false
  const names = Object.keys({ ...want.parameters, ...have.parameters })
  return names.every((name) => name === 'charset' || want.parameters[name] === have.parameters[name])
}

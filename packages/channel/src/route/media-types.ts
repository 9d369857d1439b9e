import type { Codec } from '@h2channel/codecs'

import { ChannelError } from '../errors.ts'
import { fixedLength } from '../framing/fixed-length.ts'
import type { Framing } from '../framing/framing.ts'
import { lengthPrefixed } from '../framing/length-prefixed.ts'
import { newlineDelimited } from '../framing/newline-delimited.ts'
import type { MediaRange, MediaType } from './media-type.ts'
import { parseAccept, parseMediaType } from './media-type.ts'

/** One way to send messages of a type: a codec, a framing, and the media type that names both. */
export interface Format<T> {
  readonly mediaType: string
  readonly parsed: MediaType
  readonly codec: Codec<T>
  readonly framing: Framing
  readonly kind: FramingKind
}

/** How a format separates messages. Records of any size have one kind. */
type FramingKind = 'length-prefixed' | 'newline-delimited' | 'fixed-length'

/**
 * Creates the formats of a codec in order of preference: formats with the framing `preferred` come first, then the
 * codec's own order counts, then length prefixes come before other framings.
 *
 * @throws ChannelError `INVALID_ROUTE` when no format has the framing `preferred`, or a codec has a malformed media
 *   type.
 */
export function createFormats<T>(codec: Codec<T>, preferred: Framing | undefined): readonly Format<T>[] {
  const formats = (codec.alternatives ?? [codec]).flatMap((one): Format<T>[] => [
    createFormat('length-prefixed', one.contentType, one, lengthPrefixed()),
    ...(one.line === true ? [createFormat('newline-delimited', lines, one, newlineDelimited())] : []),
    ...(one.size === undefined ? [] : [createFormat('fixed-length', octetsOf(one), one, fixedLength(one.size))]),
  ])
  const sameType = ({ parsed }: Format<T>): Format<T>[] => formats.filter((other) => other.parsed.key === parsed.key)
  const unique = formats.filter((one) => {
    const same = sameType(one)
    // Of two codecs with one size, a peer could mean either. Lines are the same JSON by any codec.
    return one.kind === 'fixed-length' ? same.length === 1 : same[0] === one
  })
  const wanted = unique.filter(({ framing }) => framing.name === preferred?.name)
  if (preferred !== undefined && wanted.length === 0) {
    throw new ChannelError('INVALID_ROUTE', `no media type names codec ${codec.name} with ${preferred.name} framing`)
  }
  return [...wanted, ...unique.filter((one) => !wanted.includes(one))]
}

/** @throws ChannelError `INVALID_ROUTE` for a malformed media type. */
export function createFormat<T>(kind: FramingKind, mediaType: string, codec: Codec<T>, framing: Framing): Format<T> {
  const parsed = parseMediaType(mediaType)
  if (parsed === undefined) {
    throw new ChannelError('INVALID_ROUTE', `codec ${codec.name} has a malformed media type: ${mediaType}`)
  }
  return { mediaType, parsed, codec, framing, kind }
}

const lines = 'application/x-ndjson'

/** The media type of records without a prefix: it names the layout of a struct, and the size of other records. */
function octetsOf({ contentType, size = 0 }: Codec<unknown>): string {
  const [type = ''] = contentType.split(';', 1)
  const isStruct = type.trim().toLowerCase() === 'application/vnd.h2channel+struct'
  return `application/octet-stream${isStruct ? contentType.slice(type.length) : `; size=${size}`}`
}

/** Finds the format that a `content-type` header names. */
export function formatForContentType<T>(formats: readonly Format<T>[], contentType: string): Format<T> | undefined {
  const named = formats.find(({ mediaType }) => mediaType === contentType)
  if (named !== undefined) return named
  const key = parseMediaType(contentType)?.key
  return formats.find(({ parsed }) => parsed.key === key)
}

/** The coding that a `content-encoding` header names, such as `gzip` (RFC 9110, section 8.4), except `identity`. */
export function contentCoding(contentEncoding: string | undefined): string | undefined {
  return contentEncoding === undefined || /^\s*identity\s*$/i.test(contentEncoding) ? undefined : contentEncoding
}

/** Maximum length of `accept` in an answer: more headers than a client accepts end its connection. Unit: characters. */
export const maxListed = 8_192

/** Maximum length of `accept`, with room for several struct layouts: a longer one takes too long. Unit: characters. */
export const maxAcceptLength = 32_768

/**
 * Chooses the format of the answer: NEG-1 to NEG-5 of SPEC.md.
 *
 * @param formats - what this side can send, in its order.
 * @param request - the format of the request.
 */
export function negotiateFormat<T>(
  formats: readonly Format<T>[],
  accept: string | undefined,
  request: Format<unknown>,
): Format<T> | undefined {
  if (accept === undefined) return closestTo(request, formats)
  const ranges = parseAccept(accept)
  const rated = formats.map((format) => ({ format, ...rangeOf(format.parsed, ranges) }))
  const quality = Math.max(...rated.map((one) => one.quality))
  if (quality <= 0) return undefined
  const best = rated.filter((one) => one.quality === quality)
  const [first] = best.filter((one) => one.named !== -1).toSorted((one, other) => one.named - other.named)
  return first === undefined
    ? closestTo(
        request,
        best.map(({ format }) => format),
      )
    : first.format
}

/** The quality of a media type, and the index of the member that names it, or -1. */
function rangeOf({ type, key }: MediaType, ranges: readonly MediaRange[]): { quality: number; named: number } {
  const named = ranges.findIndex((range) => range.key === key)
  const anySubtype = type.replace(/\/.*/, '/*')
  const range =
    ranges[named] ?? ranges.find((one) => one.type === anySubtype) ?? ranges.find((one) => one.type === '*/*')
  return { quality: range?.quality ?? 0, named }
}

/** The format with the media type of the request, or one with its kind of framing, or the first. */
function closestTo<T>(request: Format<unknown>, formats: readonly Format<T>[]): Format<T> | undefined {
  return (
    formats.find(({ parsed }) => parsed.key === request.parsed.key) ??
    formats.find(({ kind }) => kind === request.kind) ??
    formats[0]
  )
}

/** The value of an `accept` header that lists `formats`. */
export function acceptHeader(formats: readonly Format<unknown>[]): string {
  return formats.map(({ mediaType }) => mediaType).join(', ')
}

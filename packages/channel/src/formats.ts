import type { Codec } from '@h2channel/codecs'
import { parse } from 'content-type'
import Negotiator from 'negotiator'

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
  const headers = { accept: accept.replaceAll(/;\s*charset=[^;,]*/gi, '') }
  const negotiator = new Negotiator({ headers })
  const likedOf = (mediaTypes: readonly string[]): readonly string[] =>
    negotiator.mediaTypes([...mediaTypes]).filter((mediaType) => !differsInLetters(mediaType, accept))
  const [best] = likedOf(
    own
      .filter(
        ({ mediaType, codec }) =>
          mediaType !== octets || !ourTypes.test(accept) || likedOf([codec.contentType]).length > 0,
      )
      .map(({ mediaType }) => mediaType),
  )
  return own.find((format) => format.mediaType === best)
}

/** Says nothing of what the records are: a client that names types of ours means those alone, whatever their size. */
const octets = 'application/octet-stream'
const ourTypes = /application\/vnd\.h2channel\+/i

/** Room for the longest layouts. Beyond it, a list takes long to read. Unit: characters. */
const longestAccept = 16_384

/** Whether a header names a parameter of ours in other letters: another layout, which a negotiator takes for the same. */
function differsInLetters(mediaType: string, header: string): boolean {
  const values = Object.values(parse(mediaType).parameters)
  return values.some((value) => !header.includes(value) && header.toLowerCase().includes(value.toLowerCase()))
}

/** The header value that lists formats. */
export function listed(formats: readonly Format<unknown>[]): string {
  return formats.map((format) => format.mediaType).join(', ')
}

/** Whether two types are the same, with the same parameters. Only a charset doesn't matter: text is UTF-8 here. */
function sameMediaType(ours: string, actual: string): boolean {
  const [want, have] = [parse(ours), parse(actual)]
  if (want.type !== have.type) return false
  const names = Object.keys({ ...want.parameters, ...have.parameters })
  return names.every((name) => name === 'charset' || want.parameters[name] === have.parameters[name])
}

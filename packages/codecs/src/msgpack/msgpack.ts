import { ExtData as LibraryExtData } from '@msgpack/msgpack'
import { extendedCarrier, msgpackCarrier } from '../core/carrier.ts'
import { type Codec, withReader } from '../core/codec.ts'
import { MsgpackDecoder } from './decode.ts'
import { MsgpackEncoder } from './encode.ts'
import { type ExtensionType, extension, extensionsById, type MsgpackExtension } from './extension.ts'
import type { StandardSchema } from '../schema/standard.ts'
import { optionalConverter, type OutputOf, type Schema, type SchemaOptions, type TwoWay } from '../schema/schema.ts'

export { extension, type ExtensionType, type MsgpackExtension }

/** A value of an extension type that is not among a codec's `extensions`: its number, and its bytes. */
export interface ExtData {
  readonly type: number
  readonly data: Uint8Array | ((pos: number) => Uint8Array)
}

// Under a type of its own: the library's declarations name types of the DOM, which a server's project need not have.
export const ExtData: new (type: number, data: Uint8Array) => ExtData = LibraryExtData

export interface MsgpackOptions extends SchemaOptions {
  /** Types of your own, each by {@link extension}. When several would take a value, the first in the list does. */
  readonly extensions?: readonly MsgpackExtension[] | undefined
}

/**
 * Messages as MessagePack values: `application/vnd.h2channel+msgpack`.
 *
 * A number arrives as a number: an integer up to ±(2^53 - 1) takes 1 to 9 bytes, everything else 9; `-0` arrives as `0`.
 * A bigint travels as a 64-bit integer. A 64-bit integer that arrives is a number where a number holds it exactly, and a
 * bigint where not, whoever sent it: other languages write 64-bit integers of any size. So `5n` arrives as `5`; where a zod
 * schema has a `z.bigint()`, it is `5n` again. With another library's schema, that has to take both.
 *
 * `undefined` becomes `null`, and a property that is `undefined` is left out, as in JSON. A key `__proto__` arrives as an
 * ordinary property, and a map's key that is an integer as the property of that name. A lone surrogate in a string arrives
 * as U+FFFD. An object of a class arrives as its own properties, unless there is an {@link extension} for it.
 *
 * A `Date` travels as a timestamp; of one that is finer, the milliseconds arrive. A `Uint8Array` arrives as a view into the
 * received chunk: read-only, and to be copied with `slice()` if it is kept for long, since it keeps the chunk. Other views
 * of an `ArrayBuffer` arrive as their bytes. An extension type that is not among `extensions` arrives as an
 * {@link ExtData}, and may be sent on as that.
 *
 * What is received is checked as it is read: no length is believed before the bytes are there, so a message costs memory
 * by its size and not by what it claims, and no text is repaired in silence. Nesting is limited to 512 levels on both
 * sides.
 *
 * Without a schema the type of what is received is a promise that nobody checks: for peers that you trust.
 *
 * @throws CodecError from `msgpack` itself: `INVALID_CODEC` when two extensions have the same id. From `encode`:
 *   `ENCODE_FAILED` for what MessagePack or the other side has no place for: a bigint outside -(2^63) to 2^64 - 1, a
 *   function, a symbol, a `Map`, a `Set`, an `ArrayBuffer`, an `Error`, an invalid `Date`, a cycle or too deep a nesting;
 *   and when a getter or an extension throws, with the `cause`. From `decode`: `DECODE_FAILED` when the bytes are not
 *   exactly one well-formed value, hold a map's key that is no string or number, or when an extension throws, with the
 *   `cause`; `INVALID_MESSAGE` or `ASYNC_SCHEMA` from the schema (see {@link validator}).
 *
 * @example
 * const quotes = msgpack<{ symbol: string; price: number }>()
 * const points = msgpack<Point[]>({ extensions: [pointExtension] })
 */
export function msgpack<T = unknown>(): Codec<T>
/** The same with types of your own. */
export function msgpack<T = unknown>(options: Required<Pick<MsgpackOptions, 'extensions'>>): Codec<T>
/**
 * Messages as MessagePack values, each checked against `schema` when it is received, or where `validate` says. The
 * schema's output is the type of the message, and it must be assignable to the schema's input (see {@link Schema}).
 *
 * @throws CodecError from `msgpack` itself: `INVALID_CODEC` when `schema` is not a Standard Schema, or a zod schema with a
 *   part that goes one way only, or, without `extensions`, that MessagePack can't carry, such as a `z.map()`, whose path it
 *   names (see {@link converter}; of other libraries' schemas it can't know). From `encode`, where `validate` is
 *   `both`: `ENCODE_FAILED` with the field when the schema refuses the message.
 *
 * @example
 * const quotes = msgpack(z.object({ symbol: z.string(), price: z.number() }))
 */
export function msgpack<T extends I, I = T>(schema: Schema<T, I>, options?: MsgpackOptions): Codec<T>
/**
 * Messages of a zod schema with codecs in it, as MessagePack values. What has a codec is itself at both ends, and MessagePack in
 * between: a `URL`, a `Map`, a `Set`, a class of your own.
 *
 * @throws CodecError as above. From `encode`, whatever `validate` says: `ENCODE_FAILED` with the field when the schema
 *   can't convert the message back (`orders[0].at: Invalid input: expected date, received string`).
 *
 * @example
 * const url = z.codec(z.url(), z.instanceof(URL), { decode: (text) => new URL(text), encode: (link) => link.href })
 * const links = msgpack(z.object({ link: url })) // Codec<{ link: URL }>
 */
export function msgpack<S extends StandardSchema>(schema: TwoWay<S>, options?: MsgpackOptions): Codec<OutputOf<S>>
export function msgpack<T>(
  ...given: [first?: StandardSchema<unknown, T> | MsgpackOptions, second?: MsgpackOptions]
): Codec<T> {
  const [first, second] = given
  const hasOptionsAlone = isOptions(first)
  const options = hasOptionsAlone ? first : second
  const carrier = options?.extensions === undefined ? msgpackCarrier : extendedCarrier
  const hasSchema = !hasOptionsAlone && given.length > 0
  const converter = hasSchema ? optionalConverter<T>(carrier, first, options) : optionalConverter<T>(carrier)
  const extensions = extensionsById(options?.extensions ?? [])
  const encoder = new MsgpackEncoder([...extensions.values()])
  const decoder = new MsgpackDecoder(extensions)
  const read = (bytes: Uint8Array, offset: number, length: number): T =>
    converter.decode(decoder.decode(bytes, offset, offset + length))
  const codec: Codec<T> = {
    name: 'msgpack',
    contentType: 'application/vnd.h2channel+msgpack',
    encode(message, out) {
      encoder.encode(converter.encode(message), out)
    },
    decode: (bytes) => read(bytes, 0, bytes.length),
  }
  return withReader(codec, () => ({ read, release: () => {} }))
}

/** Tells options from a schema, and from what was meant to be one. */
function isOptions<T>(first: StandardSchema<unknown, T> | MsgpackOptions | undefined): first is MsgpackOptions {
  return typeof first === 'object' && first !== null && Object.keys(first).join(' ') === 'extensions'
}

import { ExtData as LibraryExtData } from '@msgpack/msgpack'
import { extendedCarrier, msgpackCarrier } from '../core/carrier.ts'
import { withReader } from '../core/codec.ts'
import type { Codec } from '../core/codec.ts'
import { MsgpackDecoder } from './decode.ts'
import { MsgpackEncoder } from './encode.ts'
import { extensionsById } from './extension.ts'
import type { MsgpackExtension } from './extension.ts'
import type { StandardSchema } from '../schema/standard.ts'
import { optionalConverter } from '../schema/schema.ts'
import type { OutputOf, Schema, SchemaOptions, TwoWay } from '../schema/schema.ts'

/** A value of an extension type that a codec does not know: the number of its type, and its bytes. */
export interface ExtData {
  readonly type: number
  readonly data: Uint8Array | ((pos: number) => Uint8Array)
}

/** Makes a value of an extension type that a codec does not know. */
// It has its own type: the library's declarations name types of the DOM, which a server project may not have.
export const ExtData: new (type: number, data: Uint8Array) => ExtData = LibraryExtData

/** Options of {@link msgpack}. */
export interface MsgpackOptions extends SchemaOptions {
  /** Custom types, made by {@link extension}. When several match a value, the first one is used. */
  readonly extensions?: readonly MsgpackExtension[] | undefined
}

/**
 * Messages as MessagePack values: `application/vnd.h2channel+msgpack`.
 *
 * A number arrives as a number. An integer up to ±(2^53 - 1) takes 1 to 9 bytes, any other number 9. `-0` arrives as
 * `0`. A bigint travels as a 64-bit integer. A received 64-bit integer is a number if a number can hold it exactly,
 * otherwise a bigint, since other languages write integers of any size in 64 bits. So `5n` arrives as `5`. A zod schema
 * with a `z.bigint()` makes it `5n` again. A schema of another library has to accept both.
 *
 * `undefined` becomes `null`, and a property that is `undefined` is omitted, as in JSON. A key `__proto__` arrives as
 * an ordinary property, and an integer key of a map as the property of that name. A lone surrogate in a string arrives
 * as U+FFFD. An object of a class arrives as its own properties, unless there is an {@link extension} for it.
 *
 * A `Date` travels as a timestamp. A received timestamp is cut off to milliseconds. A `Uint8Array` arrives as a
 * read-only view of the received chunk, which it keeps in memory. Copy it with `slice()` to keep it for long. Other
 * views of an `ArrayBuffer` arrive as their bytes. A value of an unknown extension type arrives as an {@link ExtData},
 * which can be sent again.
 *
 * Received messages are checked as they are read. No length is trusted before its bytes have arrived, so the memory
 * that a message costs depends on its real size. Malformed text is an error. Nesting is limited to 512 levels on both
 * sides.
 *
 * Without a schema, the type of received messages is not checked. Use that only with peers that you trust.
 *
 * @throws CodecError from `msgpack` itself: `INVALID_CODEC` when two extensions have the same id. From `encode`:
 *   `ENCODE_FAILED` for values without a MessagePack form: a bigint outside -(2^63) to 2^64 - 1, a function, a symbol,
 *   a `Map`, a `Set`, an `ArrayBuffer`, an `Error`, an invalid `Date`, a cycle or too deep a nesting; and with the
 *   `cause` when a getter or an extension throws. From `decode`: `DECODE_FAILED` when the bytes are not exactly one
 *   well-formed value, when the key of a map is not a string or a number, and with the `cause` when an extension
 *   throws. `INVALID_MESSAGE` or `ASYNC_SCHEMA` from the schema (see {@link validator}).
 *
 * @example
 * const quotes = msgpack<{ symbol: string; price: number }>()
 * const points = msgpack<Point[]>({ extensions: [pointExtension] })
 */
export function msgpack<T = unknown>(): Codec<T>
/**
 * Messages as MessagePack values, with custom types. See the form without options for what is converted and checked.
 */
export function msgpack<T = unknown>(options: Required<Pick<MsgpackOptions, 'extensions'>>): Codec<T>
/**
 * Messages as MessagePack values, validated by `schema` on the sides that `validate` names (default: the receiver). The
 * schema's output is the type of the message. It must be assignable to the schema's input (see {@link Schema}).
 *
 * @throws CodecError from `msgpack` itself: `INVALID_CODEC` when `schema` is not a Standard Schema, and when a zod
 *   schema has a part that goes one way only or, without `extensions`, that MessagePack cannot carry, such as a
 *   `z.map()`, with its path (see {@link converter}). Schemas of other libraries cannot be inspected. From `encode`, if
 *   `validate` is `both`: `ENCODE_FAILED` with the field when the schema refuses the message.
 *
 * @example
 * const quotes = msgpack(z.object({ symbol: z.string(), price: z.number() }))
 */
export function msgpack<T extends I, I = T>(schema: Schema<T, I>, options?: MsgpackOptions): Codec<T>
/**
 * Messages of a zod schema with codecs, as MessagePack values. Fields with a codec travel as MessagePack and have their
 * own type at both ends: a `URL`, a `Map`, a `Set` or a custom class.
 *
 * @throws CodecError as above. From `encode`, for every value of `validate`: `ENCODE_FAILED` with the field when the
 *   schema cannot convert the message (`orders[0].at: Invalid input: expected date, received string`).
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

/** Distinguishes options from a schema, and from an invalid schema. */
function isOptions<T>(first: StandardSchema<unknown, T> | MsgpackOptions | undefined): first is MsgpackOptions {
  return typeof first === 'object' && first !== null && Object.keys(first).join(' ') === 'extensions'
}

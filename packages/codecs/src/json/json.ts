import { jsonCarrier } from '../core/carrier.ts'
import { withReader } from '../core/codec.ts'
import type { Codec, MessageReader } from '../core/codec.ts'
import { describe, reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import { canCompile } from '../core/source.ts'
import { CompiledJson } from './compiled.ts'
import { isLongerThan } from './size.ts'
import type { StandardSchema } from '../schema/standard.ts'
import { optionalConverter } from '../schema/schema.ts'
import type { Converter, OutputOf, Schema, SchemaOptions, TwoWay } from '../schema/schema.ts'
import { shapeOf } from '../schema/shape.ts'
import type { TextReader } from '../text/utf8.ts'
import { createTextReader, isReadAlone, utf8 } from '../text/utf8.ts'

/** The options of {@link json} with a schema. */
export interface JsonOptions extends SchemaOptions {
  /**
   * Whether code is made for the messages of the schema, which reads and writes them faster. Default: `true`.
   * Messages, errors and bytes do not depend on it, unless a getter of a message has another result at each call. It
   * takes a zod schema whose types are all known to the codec, and a platform that allows `new Function`. `compiled` of
   * the codec tells whether there will be such code.
   */
  readonly compile?: boolean | undefined
}

/**
 * Messages as JSON texts in UTF-8, one line each: `application/vnd.h2channel+json`, or newline-delimited.
 *
 * Values are converted as by `JSON.stringify`: properties that are `undefined` are omitted, `NaN` and infinities become
 * `null`, a `Date` becomes a string, a `Map` becomes `{}`. Every string arrives as it was sent, including lone
 * surrogates. A key `__proto__` arrives as an ordinary property. A getter of a message may be called more than once.
 *
 * Without a schema, the type of received messages is not checked. Use that only with peers that you trust.
 *
 * @throws CodecError from `encode`: `ENCODE_FAILED` when `JSON.stringify` throws (a cycle, a bigint, a `toJSON` that
 *   throws, too deep) or has no text for the message (`undefined`, a function, a symbol). From `decode`:
 *   `DECODE_FAILED` when the bytes are not strict UTF-8 or not one JSON text, `INVALID_MESSAGE` or `ASYNC_SCHEMA` from
 *   the schema (see {@link validator}).
 *
 * @example
 * const quotes = json<{ symbol: string; price: number }>()
 */
export function json<T = unknown>(): Codec<T>
/**
 * Messages as JSON texts in UTF-8, validated by `schema` on the sides that `validate` names (default: the receiver).
 * The schema's output is the type of the message. It must be assignable to the schema's input (see {@link Schema}).
 *
 * @throws CodecError from `json` itself: `INVALID_CODEC` when `schema` is not a Standard Schema, and when a zod schema
 *   has a part that goes one way only or that JSON cannot carry, such as a `z.date()` or a `z.bigint()`, with its path
 *   (see {@link converter}). Schemas of other libraries cannot be inspected. From `encode`, if `validate` is `both`:
 *   `ENCODE_FAILED` with the field when the schema refuses the message.
 *
 * @example
 * const quotes = json(z.object({ symbol: z.string(), price: z.number() }))
 */
export function json<T extends I, I = T>(schema: Schema<T, I>, options?: JsonOptions): Codec<T>
/**
 * Messages of a zod schema with codecs, as JSON texts in UTF-8. Fields with a codec travel as JSON and have their own
 * type at both ends: a `Date`, a `URL`, a bigint, a `Map`, a `Set`, a `Uint8Array` or a custom class.
 *
 * @throws CodecError as above. From `encode`, for every value of `validate`: `ENCODE_FAILED` with the field when the
 *   schema cannot convert the message (`orders[0].at: Invalid input: expected date, received string`).
 *
 * @example
 * const isoDate = z.codec(z.iso.datetime(), z.date(), {
 *   decode: (text) => new Date(text),
 *   encode: (date) => date.toISOString(),
 * })
 * const orders = json(z.object({ orders: z.array(z.object({ at: isoDate })) })) // Codec<{ orders: { at: Date }[] }>
 */
export function json<S extends StandardSchema>(schema: TwoWay<S>, options?: JsonOptions): Codec<OutputOf<S>>
export function json<T>(...given: [schema?: StandardSchema<unknown, T>, options?: JsonOptions]): Codec<T> {
  return createJsonCodec(optionalConverter(jsonCarrier, ...given), compiledJson(...given))
}

function compiledJson(schema?: unknown, { compile = true }: JsonOptions = {}): CompiledJson | undefined {
  const shape = compile && canCompile() ? shapeOf(schema) : undefined
  return shape && new CompiledJson(shape)
}

/** Makes a codec of what a schema makes of messages, and of the code for its shape. */
export function createJsonCodec<T>(converter: Converter<T>, code: CompiledJson | undefined): Codec<T> {
  const codec: Codec<T> = {
    name: 'json',
    contentType: 'application/vnd.h2channel+json',
    line: true,
    encode(message, out) {
      const value = converter.encode(message)
      if (code?.write(value, out) === true) return
      const { left } = out
      const text = stringify(value, left)
      if (text === undefined || text.length > left) out.overflow()
      else utf8.write(text, out)
    },
    decode(bytes) {
      const value = code?.read(bytes, 0, bytes.length)
      if (code === undefined || value === undefined) return converter.decode(parse(utf8.read(bytes)))
      return code.convert(value, converter)
    },
  }
  return Object.defineProperty(
    withReader(codec, () => new JsonReader(converter, code)),
    'compiled',
    { get: () => code !== undefined && !code.hasFailed, enumerable: true },
  )
}

class JsonReader<T> implements MessageReader<T> {
  readonly #converter: Converter<T>
  readonly #code: CompiledJson | undefined
  /** Made for a chunk of several messages, and dropped with it: an idle channel has none. */
  #text: TextReader | undefined

  constructor(converter: Converter<T>, code: CompiledJson | undefined) {
    this.#converter = converter
    this.#code = code
  }

  read(bytes: Uint8Array, offset: number, length: number): T {
    if (this.#code !== undefined) {
      const known = this.#code.read(bytes, offset, length)
      if (known !== undefined) return this.#code.convert(known, this.#converter)
    }
    let value: unknown
    try {
      const text =
        this.#text === undefined && isReadAlone(bytes, offset, length)
          ? utf8.read(bytes, offset, offset + length)
          : (this.#text ??= createTextReader()).read(bytes, offset, length)
      value = JSON.parse(text)
    } catch {
      // The engine's error would keep the text of the whole chunk alive, so the error is made from a text of its own.
      value = parse(utf8.read(bytes, offset, offset + length))
    }
    return this.#converter.decode(value)
  }

  release(): void {
    this.#text = undefined
  }
}

/** Returns the JSON text, or `undefined` if it has more than `maxLength` units for certain. Unit: UTF-16 units. */
function stringify(message: unknown, maxLength: number): string | undefined {
  let text: string | undefined
  try {
    if (isLongerThan(message, maxLength)) return undefined
    text = JSON.stringify(message)
  } catch (cause) {
    throw new CodecError('ENCODE_FAILED', `the message has no JSON form: ${reasonOf(cause)}`, { cause })
  }
  if (text === undefined) throw new CodecError('ENCODE_FAILED', `JSON has no form for ${describe(message)}`)
  return text
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CodecError('DECODE_FAILED', `not a JSON text: ${reasonOf(cause)}`, { cause })
  }
}

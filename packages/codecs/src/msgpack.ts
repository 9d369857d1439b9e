import { Decoder, Encoder, ExtensionCodec, type ExtensionCodecType } from '@msgpack/msgpack'
import type { Codec } from './codec.ts'
import { plainBytes, reasonOf } from './describe.ts'
import { CodecError } from './errors.ts'
import { MAX_DEPTH, Scanner } from './msgpack-scan.ts'
import { optionalValidator, type Schema, type StandardSchema } from './schema.ts'
import { isUtf8 } from './utf8.ts'

/**
 * Messages as MessagePack values: `application/vnd.h2channel+msgpack`.
 *
 * A number arrives as a number: an integer takes 1 to 9 bytes, everything else 9; `-0` arrives as `0`. `undefined`
 * becomes `null`, and a property that is `undefined` is left out, as in JSON. A `Date` travels as a timestamp. A
 * `Uint8Array` arrives as a view into the received chunk: read-only, and to be copied with `slice()` if it is kept for
 * long, since it keeps the chunk. Other views of an `ArrayBuffer` arrive as their bytes. An extension that is not a
 * timestamp arrives as an `ExtData` of `@msgpack/msgpack`. A lone surrogate in a string arrives as U+FFFD. There is no
 * bigint yet: a 64-bit integer that a number can't hold exactly is refused, never rounded.
 *
 * What is received is checked before anything is built from it: a header that claims a million items costs nothing, and
 * no text is repaired in silence. Nesting is limited to 512 levels on both sides.
 *
 * Without a schema the type of what is received is a promise that nobody checks: for peers that you trust.
 *
 * @throws CodecError from `encode`: `ENCODE_FAILED` for what MessagePack or the other side has no place for: a bigint,
 *   a function, a symbol, a `Map`, a `Set`, an `ArrayBuffer`, an invalid `Date`, a key `__proto__`, a cycle or too deep
 *   a nesting, a getter that throws. From `decode`: `DECODE_FAILED` when the bytes are not one well-formed value or hold
 *   what is refused above, `INVALID_MESSAGE` or `ASYNC_SCHEMA` from the schema (see {@link validator}).
 *
 * @example
 * const quotes = msgpack<{ symbol: string; price: number }>()
 */
export function msgpack<T = unknown>(): Codec<T>
/**
 * Messages as MessagePack values, each checked against `schema` when it is received. The schema's output is the type of
 * the message, and it must be assignable to the schema's input (see {@link Schema}).
 *
 * @throws CodecError `INVALID_CODEC` when `schema` is not a Standard Schema.
 *
 * @example
 * const quotes = msgpack(z.object({ symbol: z.string(), price: z.number() }))
 */
export function msgpack<T extends I, I = T>(schema: Schema<T, I>): Codec<T>
export function msgpack<T>(schema?: StandardSchema<unknown, T>): Codec<T> {
  const validate = optionalValidator(schema)
  return {
    name: 'msgpack',
    contentType: 'application/vnd.h2channel+msgpack',
    encode(message, out) {
      out.write(encode(message))
    },
    decode(bytes) {
      return validate(decode(bytes))
    },
  }
}

/** An encoder keeps its memory for the next message, unless a message made it larger than this. Unit: bytes. */
const MAX_KEPT_MEMORY = 1024 * 1024

/** The byte that begins the three bytes of a lone surrogate, and few others. */
const SURROGATE_LEAD = 0xed

const builtIn = ExtensionCodec.defaultCodec

const extensionCodec: ExtensionCodecType<undefined> = {
  tryToEncode(value, context) {
    refuseWhatGetsLost(value)
    return builtIn.tryToEncode(value, context)
  },
  decode(data, type, context) {
    const value = builtIn.decode(data, type, context)
    if (value instanceof Date && Number.isNaN(value.getTime())) throw new RangeError('a timestamp out of range')
    return value
  },
}

const encoderOptions = { extensionCodec, ignoreUndefined: true, maxDepth: MAX_DEPTH } as const
const encodedScanner = new Scanner(replaceLoneSurrogates)
const receivedScanner = new Scanner(requireUtf8)
const decoder = new Decoder({ extensionCodec })
let encoder = new Encoder(encoderOptions)

/** The bytes of a message. They are the encoder's own: to be copied before anything else is encoded. */
function encode(message: unknown): Uint8Array {
  try {
    const bytes = encoder.encodeSharedRef(message)
    if (bytes.length > MAX_KEPT_MEMORY) encoder = new Encoder(encoderOptions)
    if (bytes.includes(SURROGATE_LEAD)) encodedScanner.scan(bytes)
    return bytes
  } catch (cause) {
    throw new CodecError('ENCODE_FAILED', `the message has no MessagePack form: ${reasonOf(cause)}`, { cause })
  }
}

function decode(bytes: Uint8Array): unknown {
  receivedScanner.scan(bytes)
  try {
    return decoder.decode(receivedScanner.hasBinary ? plainBytes(bytes) : bytes)
  } catch (cause) {
    throw new CodecError('DECODE_FAILED', `not a MessagePack message: ${reasonOf(cause)}`, { cause })
  }
}

/** Throws for a value that would arrive as something else, or not arrive at all. */
function refuseWhatGetsLost(value: unknown): void {
  if (typeof value === 'bigint') throw new TypeError('a bigint; send a number, a string or bytes')
  if (typeof value !== 'object' || value === null) return
  if (Object.hasOwn(value, '__proto__')) throw new TypeError('a key __proto__')
  const isDate = value instanceof Date
  if (isDate && Number.isNaN(value.getTime())) throw new TypeError('an invalid Date')
  if (value instanceof Map || value instanceof Set || value instanceof ArrayBuffer) {
    throw new TypeError(`an object of class ${value.constructor.name}`)
  }
}

function requireUtf8(bytes: Uint8Array, from: number, to: number): void {
  if (!isUtf8(bytes, from, to)) throw new CodecError('DECODE_FAILED', 'a string that is not well-formed UTF-8')
}

/** The library writes a lone surrogate of a short string as three bytes that are not UTF-8; U+FFFD has as many. */
function replaceLoneSurrogates(bytes: Uint8Array, from: number, to: number): void {
  for (let position = from; position + 2 < to; position++) {
    if (bytes[position] !== SURROGATE_LEAD || (bytes[position + 1] ?? 0) < 0xa0) continue
    bytes[position] = 0xef
    bytes[position + 1] = 0xbf
    bytes[position + 2] = 0xbd
  }
}

/** A custom codec: CBOR (RFC 8949), which cborg reads and writes. */
import type { Codec, Converter, OutputOf, SchemaOptions, StandardSchema, TwoWay } from '@h2channel/codecs'
import { CodecError, converter } from '@h2channel/codecs'
import type { DecodeOptions, EncodeOptions, Token } from 'cborg'
import { decode, encode, Tokenizer } from 'cborg'

/**
 * Messages as CBOR: null, booleans, numbers, bigints of 64 bits, strings, `Uint8Array`s, arrays and objects. Tags are
 * refused. Anything else, such as a `Date`, needs a codec in the schema.
 *
 * These values change on the way: a bigint that a number can hold arrives as that number, `-0` as `0`, an `ArrayBuffer`
 * or another view of one as a `Uint8Array`, and an object of a class as its own properties.
 *
 * @throws CodecError from `encode`: `ENCODE_FAILED` for a value that the format cannot represent. From `decode`:
 *   `DECODE_FAILED` when the bytes are not exactly one data item of these types, with all lengths known. Both have the
 *   `cause`. From the schema: see `converter`.
 */
export function cbor<T = unknown>(): Codec<T>
export function cbor<S extends StandardSchema>(schema: TwoWay<S>, options?: SchemaOptions): Codec<OutputOf<S>>
export function cbor<T>(schema?: StandardSchema<unknown, T>, options?: SchemaOptions): Codec<T> {
  const items = schema === undefined ? trust<T>() : converter<T, unknown>(schema, options)
  return {
    name: 'cbor',
    contentType: 'application/vnd.example+cbor',
    encode(message, out) {
      out.write(write(items.encode(message)))
    },
    decode(bytes) {
      return items.decode(read(bytes))
    },
  }
}

/** Without a schema, the caller vouches for the type. */
function trust<T>(): Converter<T> {
  return { encode: (message) => message, decode: (item) => item as T }
}

function write(item: unknown): Uint8Array {
  try {
    return encode(item, writing)
  } catch (cause) {
    throw failed('ENCODE_FAILED', cause)
  }
}

function read(bytes: Uint8Array): unknown {
  // From a Buffer, cborg would return Buffers, and views that keep all of it in memory.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    return decode(plain, { ...reading, tokenizer: new StrictTokenizer(plain, reading) })
  } catch (cause) {
    throw failed('DECODE_FAILED', cause)
  }
}

/** `cause` is cborg's error, a RangeError if items are nested too deep, or what a getter of the message has thrown. */
function failed(code: 'ENCODE_FAILED' | 'DECODE_FAILED', cause: unknown): CodecError {
  return new CodecError(code, cause instanceof Error ? cause.message : 'not an Error was thrown', { cause })
}

const refuse = (_value: unknown, what: string): never => {
  throw new TypeError(`this codec cannot represent ${what}`)
}

/** Refuses what cborg would write, but no decoder could read back. */
const writing: EncodeOptions = {
  ignoreUndefinedProperties: true,
  typeEncoders: {
    undefined: refuse,
    Map: refuse,
    Tagged: refuse,
    string: (text: string) => (/\p{Surrogate}/u.test(text) ? refuse(text, 'a lone surrogate') : null),
  },
}

const reading: DecodeOptions = {
  allowBigInt: true,
  allowIndefinite: false,
  allowUndefined: false,
  rejectDuplicateMapKeys: true,
  retainStringBytes: true,
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** cborg repairs text that is not UTF-8 and drops a byte order mark. This class refuses such text and keeps marks. */
class StrictTokenizer extends Tokenizer {
  override next(): Token {
    const token = super.next()
    if (token.byteValue !== undefined) token.value = utf8.decode(token.byteValue)
    return token
  }
}

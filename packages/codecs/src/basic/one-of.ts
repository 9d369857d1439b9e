import type { ByteWriter } from '../core/byte-writer.ts'
import { type Codec, withReader } from '../core/codec.ts'
import { CodecError } from '../core/errors.ts'

/** A codec of exactly `T`: declared as a property, `encode` is not compared bivariantly. */
type ExactCodec<T> = Codec<T> & { readonly encode: (message: T, out: ByteWriter) => void }

/**
 * For a route that takes the same messages in several encodings and prefers the first. The two sides agree on one of
 * `alternatives` by its content type; used as a codec itself, it acts as the first.
 *
 * A `oneOf` among the arguments stands for its alternatives. All of them carry the same type of message; one of a
 * different type is a compile error.
 *
 * @throws CodecError `INVALID_CODEC` when there is no codec, or two of them have the same content type.
 *
 * @example
 * const quotes = oneOf(msgpack(Quote), json(Quote))
 */
export function oneOf<T>(first: Codec<T>, ...rest: readonly ExactCodec<NoInfer<T>>[]): Codec<T> {
  refuseMissing([first, ...rest])
  const alternatives = [first, ...rest].flatMap((codec) => codec.alternatives ?? [codec])
  refuseDuplicates(alternatives.map((codec) => codec.contentType))
  const preferred = alternatives[0] ?? first
  const codec: Codec<T> = {
    name: preferred.name,
    contentType: preferred.contentType,
    ...(preferred.size === undefined ? {} : { size: preferred.size }),
    ...(preferred.line === undefined ? {} : { line: preferred.line }),
    alternatives,
    encode(message, out) {
      preferred.encode(message, out)
    },
    decode(bytes) {
      return preferred.decode(bytes)
    },
  }
  return withReader(codec, () => preferred.reader?.())
}

/** Without types, there may be nothing; or `undefined`, of a module that is not there yet in a cycle of imports. */
function refuseMissing(codecs: readonly (Codec<unknown> | undefined)[]): void {
  if (!codecs.includes(undefined)) return
  const rest = codecs.length > 1 ? ', and no undefined' : ''
  throw new CodecError('INVALID_CODEC', `oneOf takes at least one codec${rest}`)
}

function refuseDuplicates(contentTypes: readonly string[]): void {
  const duplicate = contentTypes.find((type, index) => contentTypes.indexOf(type) !== index)
  if (duplicate !== undefined) throw new CodecError('INVALID_CODEC', `oneOf has two codecs of "${duplicate}"`)
}

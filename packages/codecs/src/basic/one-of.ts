import type { ByteWriter } from '../core/byte-writer.ts'
import { withReader } from '../core/codec.ts'
import type { Codec } from '../core/codec.ts'
import { CodecError } from '../core/errors.ts'

/** A codec of exactly `T`. Since `encode` is a property here, TypeScript does not compare it bivariantly. */
type ExactCodec<T> = Codec<T> & { readonly encode: (message: T, out: ByteWriter) => void }

/**
 * Combines several codecs of the same messages, for a route that accepts each of them and prefers the first. Client and
 * server agree on one of the `alternatives` by content type. The result itself acts as the first codec.
 *
 * A `oneOf` among the arguments stands for its alternatives. A codec of another type of message is a compile error.
 *
 * @throws CodecError `INVALID_CODEC` without a codec, and when two codecs have the same content type.
 *
 * @example
 * const quotes = oneOf(msgpack(Quote), json(Quote))
 */
export function oneOf<T>(first: Codec<T>, ...rest: readonly ExactCodec<NoInfer<T>>[]): Codec<T> {
  assertPresent([first, ...rest])
  const alternatives = [first, ...rest].flatMap((codec) => codec.alternatives ?? [codec])
  const types = alternatives.map(({ contentType }) => contentType)
  const duplicate = types.find((type, index) => types.indexOf(type) !== index)
  if (duplicate !== undefined) throw new CodecError('INVALID_CODEC', `oneOf has two codecs of "${duplicate}"`)
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

/** Throws for a missing or `undefined` codec. Programs without types, or with a cycle of imports, can pass one. */
function assertPresent(codecs: readonly (Codec<unknown> | undefined)[]): void {
  if (!codecs.includes(undefined)) return
  const rest = codecs.length > 1 ? ', and no undefined' : ''
  throw new CodecError('INVALID_CODEC', `oneOf needs at least one codec${rest}`)
}

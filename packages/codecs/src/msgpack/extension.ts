import { describe } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'

/** The functions of an extension type. */
export interface ExtensionType<T> {
  /**
   * Whether a value is of this type. It runs for every object, array, function, symbol and bigint in a message, before
   * anything else, so it should be fast: `(value) => value instanceof Point`.
   */
  is(value: unknown): value is T

  /** Returns the bytes of a value. They are copied immediately. */
  encode(value: T): Uint8Array

  /** Returns the value for its bytes, a borrowed view of a received chunk. To keep them, copy them with `slice()`. */
  decode(bytes: Uint8Array): T
}

/** An extension type with its number, for the option `extensions` of {@link msgpack}. Made by {@link extension}. */
export interface MsgpackExtension<T = unknown> extends ExtensionType<T> {
  /** The number of the type, 0 to 127. It must mean the same type on both sides. */
  readonly id: number
}

/**
 * Makes a MessagePack extension type: values of a custom class travel as bytes, under a number.
 *
 * An error of its functions becomes the `cause` of `ENCODE_FAILED` or `DECODE_FAILED`. The functions may use any codec,
 * also the one with this extension.
 *
 * @param id - 0 to 127, the same at both ends.
 *
 * @throws CodecError `INVALID_CODEC` when `id` is invalid.
 *
 * @example
 * const point = extension(1, {
 *   is: (value) => value instanceof Point,
 *   encode: ({ x, y }) => Uint8Array.of(x, y),
 *   decode: ([x = 0, y = 0]) => new Point(x, y),
 * })
 * const points = msgpack<Point[]>({ extensions: [point] })
 */
export function extension<T>(id: number, type: ExtensionType<T>): MsgpackExtension<T> {
  checkId(id)
  return {
    id,
    is: (value) => type.is(value),
    encode: (value) => type.encode(value),
    decode: (bytes) => type.decode(bytes),
  }
}

/**
 * Returns the extensions by their ids.
 *
 * @throws CodecError `INVALID_CODEC` for an invalid id, and for two extensions with the same id.
 */
export function extensionsById(extensions: readonly MsgpackExtension[]): ReadonlyMap<number, MsgpackExtension> {
  const byId = new Map<number, MsgpackExtension>()
  for (const item of extensions) {
    checkId(item.id)
    if (byId.has(item.id)) throw new CodecError('INVALID_CODEC', `two extensions have the id ${item.id}`)
    byId.set(item.id, item)
  }
  return byId
}

function checkId(id: number): void {
  if (Number.isInteger(id) && id >= 0 && id <= 127) return
  // MessagePack reserves negative numbers.
  throw new CodecError('INVALID_CODEC', `an extension's id is a whole number from 0 to 127, not ${describe(id)}`)
}

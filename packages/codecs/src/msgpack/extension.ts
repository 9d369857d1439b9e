import { describe } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'

/** What an extension type does, in the words of its own values. */
export interface ExtensionType<T> {
  /**
   * Whether a value is of this type. It is asked of every object, array, function, symbol and bigint in a message, before
   * anything else is tried, so it should be quick: `(value) => value instanceof Point`.
   */
  is(value: unknown): value is T

  /** The bytes of a value. They are copied at once. */
  encode(value: T): Uint8Array

  /** The value of its bytes, which are borrowed: a view into a received chunk, to be copied with `slice()` if it is kept. */
  decode(bytes: Uint8Array): T
}

/** An extension type with its number, for the option `extensions` of {@link msgpack}. Made by {@link extension}. */
export interface MsgpackExtension<T = unknown> extends ExtensionType<T> {
  /** The type's number in MessagePack, 0 to 127. Both sides must mean the same by it. */
  readonly id: number
}

/** MessagePack keeps the negative numbers for itself. */
const maxId = 127

/**
 * A MessagePack extension type: values of a class of your own that travel as bytes under a number.
 *
 * What its functions throw becomes the `cause` of `ENCODE_FAILED` or `DECODE_FAILED`. They may use any codec, and also the
 * one that they belong to.
 *
 * @param id - 0 to 127, the same at both ends.
 *
 * @throws CodecError `INVALID_CODEC` when `id` is something else.
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
 * The extensions by their ids.
 *
 * @throws CodecError `INVALID_CODEC` when two have the same id, or one has an id that is none.
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
  if (Number.isInteger(id) && id >= 0 && id <= maxId) return
  throw new CodecError('INVALID_CODEC', `an extension's id is a whole number from 0 to ${maxId}, not ${describe(id)}`)
}

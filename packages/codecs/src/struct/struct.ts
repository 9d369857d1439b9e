import type { ByteWriter } from '../core/byte-writer.ts'
import type { Codec, MessageReader } from '../core/codec.ts'
import { withReader } from '../core/codec.ts'
import { describe, reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import { compileRecord } from './compile.ts'
import { interpretRecord } from './interpret.ts'
import type { StructLayout, StructMessage } from './layout.ts'
import { layoutError, recordShape } from './layout.ts'
import type { RecordCode, RecordShape } from './types.ts'

export interface StructOptions {
  /** The order of the bytes of every number in the record. Default: `big`. */
  readonly endian?: 'big' | 'little'
}

/**
 * Messages as records of constant size: the fields one after the other, without padding or names, so that they can
 * travel without a length prefix too.
 *
 * A message is an object with all the fields of the layout; others are ignored. Received messages are new objects.
 * An integer field takes `-0` for `0`, `f32` rounds, and all else arrives as it was sent. Where the platform lets it, the
 * layout is compiled to code; under a policy that forbids that, the same is done by plain functions.
 *
 * The layout is part of the content type, in a text form without spaces that another language can make and compare. Equal
 * text means the same fields, types and bytes, and there is one text for a layout:
 *
 *     layout = field *("," field)
 *     field  = identifier ":" type
 *     type   = scalar                             ; u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 bool
 *            | "text(" size ")"                   ; UTF-8, zeros after it up to size bytes
 *            | "raw(" size ")"                    ; size bytes
 *            | "choice(" name *("|" name) ")"     ; one byte: the name's index from 0
 *            | "{" layout "}"                     ; its fields, one after the other
 *            | type "[" length "]"                ; so many of the type to the left, one after the other
 *
 * Sizes and lengths are decimal, without leading zeros. An identifier has ASCII letters, digits, `_` and `$`, a name of a
 * choice also `-`, `+`, `.` and `/` and no `$`, so nothing needs an escape in the quotes of a header's parameter. Numbers
 * are big-endian unless the content type says `endian=little`.
 *
 * @param layout - types by the name of the field, where a layout in the layout is an object in the object: `u8 u16 u32 i8
 *   i16 i32 f32 f64` hold numbers, `u64 i64` bigints, `bool` booleans; {@link text}, {@link raw}, {@link choice} and
 *   {@link array} make types. At most 1,024 types, 32 levels, 8,192 characters of text form and 2^30 - 1 bytes.
 *
 * @throws CodecError `INVALID_CODEC` from an empty layout, one that is too large, a name or a type that can't be one.
 *   `ENCODE_FAILED` from a message in which a value is missing, of the wrong type, out of range or not whole: the error
 *   says where and what is taken, `orders[2].price: expected an integer from 0 to 65535, got 70000`.
 *   `DECODE_FAILED` from another number of bytes than `size`, and, with the path too, from a `bool` that is neither 0 nor
 *   1, an index beyond a `choice`, and bytes that are not `text`.
 *
 * @example
 * const orders = struct({ id: u32, side: choice('buy', 'sell'), at: { x: f32, y: f32 }, tags: array(text(4), 2) })
 * // Codec<{ id: number; side: 'buy' | 'sell'; at: { x: number; y: number }; tags: string[] }>, 21 bytes a message
 * // application/vnd.h2channel+struct; layout="id:u32,side:choice(buy|sell),at:{x:f32,y:f32},tags:text(4)[2]"
 */
export function struct<const L extends StructLayout>(layout: L, options: StructOptions = {}): Codec<StructMessage<L>> {
  return createStructCodec(
    layout,
    options,
    (shape, littleEndian) => compileRecord(shape, littleEndian) ?? interpretRecord(shape, littleEndian),
  )
}

/** Makes the code of a layout. */
export type MakeCode = (shape: RecordShape, littleEndian: boolean) => RecordCode

/** Creates the codec of a layout, with code that `makeCode` makes. */
export function createStructCodec<L extends StructLayout>(
  layout: L,
  { endian = 'big' }: StructOptions,
  makeCode: MakeCode,
): Codec<StructMessage<L>> {
  if (endian !== 'big' && endian !== 'little') {
    throw layoutError(`endian must be 'big' or 'little', not ${describe(endian)}`)
  }
  const shape = recordShape(layout)
  const { size } = shape
  const code = makeCode(shape, endian === 'little')
  // StructMessage<L> is the type of what the code of L reads.
  const { read } = code as { readonly read: MessageReader<StructMessage<L>>['read'] }
  const codec: Codec<StructMessage<L>> = {
    name: 'struct',
    contentType: `application/vnd.h2channel+struct; layout="${shape.name.slice(1, -1)}"${endian === 'little' ? '; endian=little' : ''}`,
    size,
    encode(message, out) {
      if (typeof message !== 'object' || message === null) {
        throw new CodecError('ENCODE_FAILED', `expected an object, got ${describe(message)}`)
      }
      out.reserve(size)
      write(code, message, out)
      out.position += size
    },
    decode: (bytes) => read(bytes, 0, bytes.length),
  }
  return withReader(codec, () => ({ read, release: () => {} }))
}

/** Writes a message where there is room for it. The position stays where it is. */
function write(code: RecordCode, message: object, out: ByteWriter): void {
  const { view, bytes, position } = out
  try {
    code.write(message, view, bytes, position)
  } catch (cause) {
    if (cause instanceof CodecError) throw cause
    throw new CodecError('ENCODE_FAILED', `the message can't be read: ${reasonOf(cause)}`, { cause })
  }
  if (out.view === view && out.position === position) return
  throw new CodecError('ENCODE_FAILED', 'a getter of the message wrote into the same place')
}

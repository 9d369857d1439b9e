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

/** The options of {@link struct}. */
export interface StructOptions {
  /** The order of the bytes of every number in the record. Default: `big`. */
  readonly endian?: 'big' | 'little'
}

/**
 * Creates a codec for records of constant size: the fields one after the other, without padding or names. The records
 * can travel without a length prefix too.
 *
 * A message is an object with all fields of the layout. Other properties are ignored. Received messages are new
 * objects. `-0` in an integer field arrives as `0`, and `f32` rounds. Other values arrive as they were sent. The layout
 * is compiled to code. Where the platform forbids that, plain functions do the same.
 *
 * The layout is part of the content type, in a text form without spaces that another language can make and compare. A
 * layout has one text, and equal texts mean the same fields, types and bytes:
 *
 *     layout = field *("," field)
 *     field  = identifier ":" type
 *     type   = scalar                             ; u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 bool
 *            | "text(" size ")"                   ; UTF-8, zeros after it up to size bytes
 *            | "raw(" size ")"                    ; size bytes
 *            | "choice(" name *("|" name) ")"     ; one byte: the index of the name, from 0
 *            | "{" layout "}"                     ; its fields, one after the other
 *            | type "[" length "]"                ; the type to the left, so many times
 *
 * Sizes and lengths are decimal, without leading zeros. An identifier consists of ASCII letters, digits, `_` and `$`. A
 * name of a choice may also contain `-`, `+`, `.` and `/`, but no `$`. So nothing needs an escape in the quotes of a
 * header parameter. Numbers are big-endian, except where the content type says `endian=little`.
 *
 * @param layout - types by the name of the field. A layout in the layout is an object in the object. `u8 u16 u32 i8 i16
 *   i32 f32 f64` hold numbers, `u64 i64` bigints, `bool` booleans. {@link text}, {@link raw}, {@link choice} and
 *   {@link array} make types. At most 1,024 types, 32 levels, 8,190 characters of text form and 2^30 - 1 bytes.
 *
 * @throws CodecError `INVALID_CODEC` for a layout that is empty or too large, and for an invalid name or type.
 *   `ENCODE_FAILED` for a message in which a value is missing, of the wrong type, out of range or not whole. The error
 *   names the field and its range: `orders[2].price: expected an integer from 0 to 65535, got 70000`. `DECODE_FAILED`
 *   for another number of bytes than `size`. Also, with the path, for a `bool` that is neither 0 nor 1, an index beyond
 *   a `choice`, and bytes that are not `text`.
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
  const littleEndian = endian === 'little'
  const suffix = littleEndian ? '; endian=little' : ''
  const code = makeCode(shape, littleEndian)
  // StructMessage<L> is the type of what the code of L reads.
  const { read } = code as { readonly read: MessageReader<StructMessage<L>>['read'] }
  const codec: Codec<StructMessage<L>> = {
    name: 'struct',
    contentType: `application/vnd.h2channel+struct; layout="${shape.name.slice(1, -1)}"${suffix}`,
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
    throw new CodecError('ENCODE_FAILED', `the message cannot be read: ${reasonOf(cause)}`, { cause })
  }
  if (out.view === view && out.position === position) return
  throw new CodecError('ENCODE_FAILED', 'a getter of the message wrote into the same place')
}

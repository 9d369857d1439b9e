import type { Codec } from './codec.ts'
import { describe, reasonOf } from './describe.ts'
import { CodecError } from './errors.ts'
import { compileRecord, type Field, interpretRecord, type RecordLayout } from './struct-record.ts'
import { type AnyFieldType, type FieldType, type FieldValue, fieldTypes } from './struct-types.ts'

export { bool, f32, f64, i16, i32, i64, i8, u16, u32, u64, u8 } from './struct-types.ts'
export type { AnyFieldType, FieldType, FieldValue } from './struct-types.ts'

/** The fields of a record, in the order in which they lie in memory. */
export type StructLayout = Readonly<Record<string, AnyFieldType>>

/** The message that a layout describes. It is a conditional type so that editors show the fields, not this name. */
export type StructMessage<L extends StructLayout> = L extends StructLayout
  ? { -readonly [Name in keyof L]: L[Name] extends FieldType<infer T extends FieldValue> ? T : never }
  : never

export interface StructOptions {
  /** The order of the bytes of a number. Default: `big`. */
  readonly endian?: 'big' | 'little'
}

/**
 * Messages as records of constant size: the fields one after the other, without padding or names, so that they can
 * travel without a length prefix too. The layout is part of the content type.
 *
 * A message is an object with all the fields of the layout; others are ignored. Received messages are new objects.
 * An integer field takes `-0` for `0`, `f32` rounds, and all else arrives as it was sent.
 *
 * @param layout - field types by name: `u8 u16 u32 i8 i16 i32 f32 f64` hold numbers, `u64 i64` bigints, `bool` booleans.
 *   A name is an identifier of ASCII letters, digits, `_` and `$`.
 *
 * @throws CodecError `INVALID_CODEC` from an empty layout, a name or a type that can't be one. `ENCODE_FAILED`, naming
 *   the field, from a message in which a value is missing, of the wrong type, out of range or not whole.
 *   `DECODE_FAILED` from another number of bytes than `size`, and from a `bool` that is neither 0 nor 1.
 *
 * @example
 * const samples = struct({ delay: i16, distance: u16, time: f32 })
 * // Codec<{ delay: number; distance: number; time: number }>, 8 bytes a message
 * // application/vnd.h2channel+struct; layout="delay:i16,distance:u16,time:f32"
 */
export function struct<const L extends StructLayout>(layout: L, options: StructOptions = {}): Codec<StructMessage<L>> {
  const record = recordLayout(layout, options)
  const { size } = record
  const code = compileRecord(record) ?? interpretRecord(record)
  return {
    name: 'struct',
    contentType: contentTypeOf(record),
    size,
    encode(message, out) {
      if (typeof message !== 'object' || message === null) {
        throw new CodecError('ENCODE_FAILED', `expected an object, got ${describe(message)}`)
      }
      try {
        code.write(message, out)
      } catch (cause) {
        if (cause instanceof CodecError) throw cause
        throw new CodecError('ENCODE_FAILED', `the message can't be read: ${reasonOf(cause)}`, { cause })
      }
    },
    decode(bytes) {
      if (bytes.length !== size) {
        throw new CodecError('DECODE_FAILED', `expected a record of ${size} bytes, got ${bytes.length}`)
      }
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- StructMessage<L> says what a record of L is
      return code.read(viewOf(bytes.buffer), bytes.byteOffset) as StructMessage<L>
    },
  }
}

function recordLayout(layout: StructLayout, { endian = 'big' }: StructOptions): RecordLayout {
  if (endian !== 'big' && endian !== 'little') throw invalid(`endian is 'big' or 'little', not ${describe(endian)}`)
  let size = 0
  const fields = Object.entries(layout).map(([name, type]): Field => {
    if (!/^[A-Za-z_$][\w$]*$/.test(name) || name === '__proto__') throw invalid(`${JSON.stringify(name)} is no name`)
    if (!fieldTypes.includes(type)) throw invalid(`field ${name}: expected a type such as u16, got ${describe(type)}`)
    const offset = size
    size += type.size
    return { name, type, offset }
  })
  if (fields.length === 0) throw invalid('a record has at least one field')
  return { fields, size, littleEndian: endian === 'little' }
}

function contentTypeOf({ fields, littleEndian }: RecordLayout): string {
  const layout = fields.map(({ name, type }) => `${name}:${type.name}`).join()
  return `application/vnd.h2channel+struct; layout="${layout}"${littleEndian ? '; endian=little' : ''}`
}

function invalid(why: string): CodecError {
  return new CodecError('INVALID_CODEC', `struct: ${why}`)
}

let lastView: DataView = new DataView(new ArrayBuffer(0))

/** A view on all of `buffer`, kept for the next message: it mostly comes from the same chunk, and a view costs to make. */
function viewOf(buffer: ArrayBufferLike): DataView {
  if (lastView.buffer !== buffer) lastView = new DataView(buffer)
  return lastView
}

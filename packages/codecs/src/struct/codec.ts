import type { ByteWriter } from '../core/byte-writer.ts'
import { type Codec, type MessageReader, withReader } from '../core/codec.ts'
import { describe, reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import { recordShape, type StructLayout, type StructMessage } from './layout.ts'
import { invalidStruct } from './limits.ts'
import type { RecordCode, RecordShape } from './shape.ts'

export interface StructOptions {
  /** The order of the bytes of a number, in all of the record. Default: `big`. */
  readonly endian?: 'big' | 'little'
}

/** What makes the code of a layout. */
export type MakeCode = (shape: RecordShape, littleEndian: boolean) => RecordCode

/** The codec of a layout, with code that `make` makes. */
export function structCodec<L extends StructLayout>(
  layout: L,
  { endian = 'big' }: StructOptions,
  make: MakeCode,
): Codec<StructMessage<L>> {
  if (endian !== 'big' && endian !== 'little') {
    throw invalidStruct(`endian is 'big' or 'little', not ${describe(endian)}`)
  }
  const shape = recordShape(layout)
  const { size } = shape
  const code = make(shape, endian === 'little')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- StructMessage<L> says what a record of L is
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

/** Writes a message where there is room for it, and leaves the position where it is. */
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

import type { Codec, StructLayout, StructMessage } from '../../src/index.ts'
import { compileRecord } from '../../src/struct/compile.ts'
import { interpretRecord } from '../../src/struct/interpret.ts'
import { createStructCodec } from '../../src/struct/struct.ts'

/** Makes a codec of a layout. */
export type MakeStruct = <const L extends StructLayout>(layout: L, endian?: 'big' | 'little') => Codec<StructMessage<L>>

/** Makes a codec with compiled code, or throws. */
export const compiled: MakeStruct = (layout, endian = 'big') =>
  createStructCodec(layout, { endian }, (shape, littleEndian) => {
    const code = compileRecord(shape, littleEndian)
    if (code === undefined) throw new Error('this layout was not compiled')
    return code
  })

/** Makes a codec as it is where code cannot be compiled. */
export const interpreted: MakeStruct = (layout, endian = 'big') =>
  createStructCodec(layout, { endian }, interpretRecord)

/** Both kinds of code. Their results must not differ. */
export const versions: readonly (readonly [name: string, make: MakeStruct])[] = [
  ['compiled', compiled],
  ['interpreted', interpreted],
]

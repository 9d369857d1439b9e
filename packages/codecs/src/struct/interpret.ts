import { refuseSize, type Trail } from './place.ts'
import { recordReader } from './read.ts'
import type { RecordCode, RecordShape } from './shape.ts'
import { recordWriter } from './write.ts'

const outside: Trail = []

/** The same as `compileRecord`, by functions that are put together once a layout, on every platform. */
export function interpretRecord(shape: RecordShape, littleEndian: boolean): RecordCode {
  const where = { path: '', offset: 0, littleEndian }
  const write = recordWriter(shape, where)
  const read = recordReader(shape, where)
  return {
    write: (message, view, bytes, at) => write(message, view, bytes, at, outside),
    read(bytes, at, length) {
      if (length !== shape.size) refuseSize(shape.size, length)
      return read(bytes, at, outside)
    },
  }
}

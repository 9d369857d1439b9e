import { significance } from '../core/scratch.ts'
import { isInherited } from '../core/source.ts'
import type { FieldLabel, Indexes } from './field-errors.ts'
import { describeName, throwDecodeError, throwEncodeError, throwSizeError } from './field-errors.ts'
import { describeText, readPaddedText, viewOf, writePaddedText } from './text.ts'
import type { ArrayShape, FieldShape, RecordCode, RecordShape, ScalarShape } from './types.ts'
import { isArrayOf, isBytesOf, isObject } from './values.ts'

/** Where a value lies. */
interface FieldLocation {
  /** As in {@link FieldLabel}. */
  readonly path: string
  /** Unit: bytes from the start of the record or, within an array, of the item. */
  readonly offset: number
  readonly littleEndian: boolean
}

/** Reads and writes one value. The record or the item from which its offset counts begins at `at`. */
interface FieldCode {
  write(value: unknown, view: DataView, bytes: Uint8Array, at: number, indexes: Indexes): void
  read(bytes: Uint8Array, at: number, indexes: Indexes): unknown
}

const noIndexes: Indexes = []

/** Makes the code of one layout out of functions, on every platform. Its results are those of `compileRecord`. */
export function interpretRecord(shape: RecordShape, littleEndian: boolean): RecordCode {
  const { write, read } = codeOfRecord(shape, { path: '', offset: 0, littleEndian })
  return {
    write: (message, view, bytes, at) => write(message, view, bytes, at, noIndexes),
    read(bytes, at, length) {
      if (length !== shape.size) throwSizeError(shape.size, length)
      return read(bytes, at, noIndexes)
    },
  }
}

function codeOf(shape: FieldShape, location: FieldLocation): FieldCode {
  const { path, offset } = location
  const { range, size } = shape
  const label: FieldLabel = { path, range }
  switch (shape.kind) {
    case 'scalar':
      return codeOfScalar(shape, location)
    case 'text':
      return {
        write(value, _, bytes, at, indexes) {
          if (writePaddedText(bytes, at + offset, at + offset + size, value)) return
          throwEncodeError(label, value, indexes, describeText(value))
        },
        read: (bytes, at, indexes) =>
          readPaddedText(bytes, at + offset, at + offset + size) ?? throwDecodeError(label, indexes),
      }
    case 'raw':
      return {
        write(value, _, bytes, at, indexes) {
          if (!isBytesOf(size, value)) throwEncodeError(label, value, indexes)
          bytes.set(value, at + offset)
        },
        read: (bytes, at) => viewOf(bytes, at + offset, at + offset + size),
      }
    case 'choice':
      return {
        write(value, _, bytes, at, indexes) {
          bytes[at + offset] = shape.indexes.get(value) ?? throwEncodeError(label, value, indexes, describeName(value))
        },
        read: (bytes, at, indexes) => shape.names[bytes[at + offset] ?? 0] ?? throwDecodeError(label, indexes),
      }
    case 'array':
      return codeOfArray(shape, location)
    case 'record':
      return codeOfRecord(shape, location)
  }
}

function codeOfScalar(shape: ScalarShape, { path, offset, littleEndian }: FieldLocation): FieldCode {
  const { accepts, set, range, isPartial = false } = shape
  const label: FieldLabel = { path, range }
  const read = scalarReader(shape, offset, littleEndian)
  return {
    write(value, view, _, at, indexes) {
      if (!accepts(value)) throwEncodeError(label, value, indexes)
      set(view, at + offset, value, littleEndian)
    },
    read: isPartial ? (bytes, at, indexes) => read(bytes, at, indexes) ?? throwDecodeError(label, indexes) : read,
  }
}

/** One function for each size: a loop over the bytes takes twice as long. */
function scalarReader({ size, get }: ScalarShape, offset: number, littleEndian: boolean): Read {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = significance(offset, size, littleEndian)
  switch (size) {
    case 1:
      return (bytes, at) => get(bytes[at + a] ?? 0, 0)
    case 2:
      return (bytes, at) => get(((bytes[at + a] ?? 0) << 8) | (bytes[at + b] ?? 0), 0)
    case 4:
      return (bytes, at) => get(word(bytes, at + a, at + b, at + c, at + d), 0)
    case 8:
      return (bytes, at) =>
        get(word(bytes, at + e, at + f, at + g, at + h), word(bytes, at + a, at + b, at + c, at + d))
  }
}

function word(bytes: Uint8Array, a: number, b: number, c: number, d: number): number {
  return ((bytes[a] ?? 0) << 24) | ((bytes[b] ?? 0) << 16) | ((bytes[c] ?? 0) << 8) | (bytes[d] ?? 0)
}

function codeOfArray({ item, length, range }: ArrayShape, { path, offset, littleEndian }: FieldLocation): FieldCode {
  const label: FieldLabel = { path, range }
  const { size } = item
  const { write, read } = codeOf(item, { path: `${path}[]`, offset: 0, littleEndian })
  return {
    write(value, view, bytes, at, indexes) {
      if (!isArrayOf(length, value)) throwEncodeError(label, value, indexes)
      const inner = [...indexes, 0]
      for (let index = 0; index < length; index++) {
        inner[indexes.length] = index
        write(value[index], view, bytes, at + offset + index * size, inner)
      }
    },
    read(bytes, at, indexes) {
      const inner = [...indexes, 0]
      const items: unknown[] = []
      for (let index = 0; index < length; index++) {
        inner[indexes.length] = index
        items.push(read(bytes, at + offset + index * size, inner))
      }
      return items
    },
  }
}

function codeOfRecord({ fields, range }: RecordShape, { path, offset, littleEndian }: FieldLocation): FieldCode {
  const label: FieldLabel = { path, range }
  const names = fields.map(({ name }) => name)
  const codes = fields.map(({ name, shape, offset: inner }) =>
    codeOf(shape, { path: path === '' ? name : `${path}.${name}`, offset: offset + inner, littleEndian }),
  )
  const steps = codes.map(({ write }, index) => ({ name: names[index] ?? '', write }))
  return {
    write(value, view, bytes, at, indexes) {
      if (!isObject(value)) throwEncodeError(label, value, indexes)
      for (const { name, write } of steps) write(value[name], view, bytes, at, indexes)
    },
    read: recordReader(
      names,
      codes.map(({ read }) => read),
    ),
  }
}

type Read = FieldCode['read']

/**
 * Makes the reader of a record from the names and the readers of its fields. The first eight fields are written out, in
 * a constructor. Each line sees one name for as long as there is one layout, and the whole object is allocated at once.
 * An object whose fields are added in a loop takes four times as long.
 */
function recordReader(names: readonly string[], reads: readonly Read[]): Read {
  if (names.some(isInherited)) {
    return (bytes, at, indexes) =>
      Object.fromEntries(reads.map((read, index) => [names[index] ?? '', read(bytes, at, indexes)]))
  }
  const [n0 = '', n1, n2, n3, n4, n5, n6, n7] = names
  const [r0 = none, r1 = none, r2 = none, r3 = none, r4 = none, r5 = none, r6 = none, r7 = none] = reads
  function Message(this: Record<string, unknown>, bytes: Uint8Array, at: number, indexes: Indexes): void {
    this[n0] = r0(bytes, at, indexes)
    if (n1 === undefined) return
    this[n1] = r1(bytes, at, indexes)
    if (n2 === undefined) return
    this[n2] = r2(bytes, at, indexes)
    if (n3 === undefined) return
    this[n3] = r3(bytes, at, indexes)
    if (n4 === undefined) return
    this[n4] = r4(bytes, at, indexes)
    if (n5 === undefined) return
    this[n5] = r5(bytes, at, indexes)
    if (n6 === undefined) return
    this[n6] = r6(bytes, at, indexes)
    if (n7 === undefined) return
    this[n7] = r7(bytes, at, indexes)
    for (let index = 8; index < names.length; index++) {
      this[names[index] ?? ''] = (reads[index] ?? none)(bytes, at, indexes)
    }
  }
  // Messages are plain objects, as from an object literal.
  Message.prototype = Object.prototype
  // A function is a constructor, which the compiler does not know.
  const Constructor = Message as unknown as new (bytes: Uint8Array, at: number, indexes: Indexes) => object
  return (bytes, at, indexes) => new Constructor(bytes, at, indexes)
}

const none: Read = () => undefined

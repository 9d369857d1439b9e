import { isUint8Array } from '../core/describe.ts'
import { describeName, type Place, refuse, type Trail, type Where } from './place.ts'
import type { Choice, List, RecordShape, Scalar, Shape, Sized } from './shape.ts'
import { describeText, writeText } from './text.ts'

/** Writes one value, `at` being where the record or the item begins that its offset counts from. */
export type Write = (value: unknown, view: DataView, bytes: Uint8Array, at: number, trail: Trail) => void

function writerOf(shape: Shape, where: Where): Write {
  switch (shape.kind) {
    case 'scalar':
      return scalarWriter(shape, where)
    case 'text':
      return textWriter(shape, where)
    case 'raw':
      return rawWriter(shape, where)
    case 'choice':
      return choiceWriter(shape, where)
    case 'array':
      return listWriter(shape, where)
    case 'record':
      return recordWriter(shape, where)
  }
}

/** Writes all fields of a record, or throws `ENCODE_FAILED`, which names the field. */
export function recordWriter({ fields, range }: RecordShape, { path, offset, littleEndian }: Where): Write {
  const place: Place = { path, range }
  const steps = fields.map(({ name, shape, offset: inner }) => {
    const where = { path: path === '' ? name : `${path}.${name}`, offset: offset + inner, littleEndian }
    return { name, write: writerOf(shape, where) }
  })
  return (value, view, bytes, at, trail) => {
    if (!isObject(value)) refuse(place, value, trail)
    for (const { name, write } of steps) write(value[name], view, bytes, at, trail)
  }
}

function listWriter({ item, length, range }: List, { path, offset, littleEndian }: Where): Write {
  const place: Place = { path, range }
  const write = writerOf(item, { path: `${path}[]`, offset: 0, littleEndian })
  const { size } = item
  return (value, view, bytes, at, trail) => {
    if (!isArrayOf(length, value)) refuse(place, value, trail)
    const inner = [...trail, 0]
    for (let index = 0; index < length; index++) {
      inner[trail.length] = index
      write(value[index], view, bytes, at + offset + index * size, inner)
    }
  }
}

function scalarWriter({ accepts, write, range }: Scalar, { path, offset, littleEndian }: Where): Write {
  const place: Place = { path, range }
  return (value, view, _, at, trail) => {
    if (!accepts(value)) refuse(place, value, trail)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is accepted
    write(view, at + offset, value as never, littleEndian)
  }
}

function textWriter({ size, range }: Sized, { path, offset }: Where): Write {
  const place: Place = { path, range }
  return (value, _, bytes, at, trail) => {
    if (!writeText(bytes, at + offset, at + offset + size, value)) refuse(place, value, trail, describeText(value))
  }
}

function rawWriter({ size, range }: Sized, { path, offset }: Where): Write {
  const place: Place = { path, range }
  return (value, _, bytes, at, trail) => {
    if (!isBytesOf(size, value)) refuse(place, value, trail)
    bytes.set(value, at + offset)
  }
}

function choiceWriter({ indexes, range }: Choice, { path, offset }: Where): Write {
  const place: Place = { path, range }
  return (value, _, bytes, at, trail) => {
    bytes[at + offset] = indexes.get(value) ?? refuse(place, value, trail, describeName(value))
  }
}

/** Whether `value` may have fields. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** Whether `value` is an array of this length. */
export function isArrayOf(length: number, value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length === length
}

/** Whether `value` is a `Uint8Array` of this size. Unit: bytes. */
export function isBytesOf(size: number, value: unknown): value is Uint8Array {
  return isUint8Array(value) && value.length === size
}

import { type Place, reject, type Trail, type Where } from './place.ts'
import { scalarReader } from './read-scalar.ts'
import type { Choice, List, RecordShape, Shape, Sized } from './shape.ts'
import { isInherited } from './shape.ts'
import { readText, slice } from './text.ts'

/** Reads one value, `at` being where the record or the item begins that its offset counts from. */
export type Read<T = unknown> = (bytes: Uint8Array, at: number, trail: Trail) => T

function readerOf(shape: Shape, where: Where): Read {
  switch (shape.kind) {
    case 'scalar':
      return scalarReader(shape, where)
    case 'text':
      return textReader(shape, where)
    case 'raw':
      return rawReader(shape, where)
    case 'choice':
      return choiceReader(shape, where)
    case 'array':
      return listReader(shape, where)
    case 'record':
      return recordReader(shape, where)
  }
}

/**
 * Reads all fields of a record, or throws `DECODE_FAILED`, which names the field. The first eight are written out, each a
 * line that sees one name for as long as there is one layout, and in a constructor, which allots all of the object at
 * once: an object that gets its fields in a loop takes four times as long.
 */
export function recordReader({ fields }: RecordShape, { path, offset, littleEndian }: Where): Read<object> {
  const names = fields.map(({ name }) => name)
  const reads = fields.map(({ name, shape, offset: inner }) =>
    readerOf(shape, { path: path === '' ? name : `${path}.${name}`, offset: offset + inner, littleEndian }),
  )
  if (names.some(isInherited)) {
    return (bytes, at, trail) =>
      Object.fromEntries(reads.map((read, index) => [names[index] ?? '', read(bytes, at, trail)]))
  }
  const [n0 = '', n1, n2, n3, n4, n5, n6, n7] = names
  const [r0 = none, r1 = none, r2 = none, r3 = none, r4 = none, r5 = none, r6 = none, r7 = none] = reads
  function Message(this: Record<string, unknown>, bytes: Uint8Array, at: number, trail: Trail): void {
    this[n0] = r0(bytes, at, trail)
    if (n1 === undefined) return
    this[n1] = r1(bytes, at, trail)
    if (n2 === undefined) return
    this[n2] = r2(bytes, at, trail)
    if (n3 === undefined) return
    this[n3] = r3(bytes, at, trail)
    if (n4 === undefined) return
    this[n4] = r4(bytes, at, trail)
    if (n5 === undefined) return
    this[n5] = r5(bytes, at, trail)
    if (n6 === undefined) return
    this[n6] = r6(bytes, at, trail)
    if (n7 === undefined) return
    this[n7] = r7(bytes, at, trail)
    for (let index = 8; index < names.length; index++) {
      this[names[index] ?? ''] = (reads[index] ?? none)(bytes, at, trail)
    }
  }
  // Messages are plain objects, as from an object literal.
  Message.prototype = Object.prototype
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a function is a constructor, which the compiler doesn't know
  const Constructor = Message as unknown as new (bytes: Uint8Array, at: number, trail: Trail) => object
  return (bytes, at, trail) => new Constructor(bytes, at, trail)
}

const none: Read = () => undefined

function listReader({ item, length }: List, { path, offset, littleEndian }: Where): Read<unknown[]> {
  const read = readerOf(item, { path: `${path}[]`, offset: 0, littleEndian })
  const { size } = item
  return (bytes, at, trail) => {
    const inner = [...trail, 0]
    const items: unknown[] = []
    for (let index = 0; index < length; index++) {
      inner[trail.length] = index
      items.push(read(bytes, at + offset + index * size, inner))
    }
    return items
  }
}

function textReader({ size, range }: Sized, { path, offset }: Where): Read<string> {
  const place: Place = { path, range }
  return (bytes, at, trail) => readText(bytes, at + offset, at + offset + size) ?? reject(place, trail)
}

function rawReader({ size }: Sized, { offset }: Where): Read<Uint8Array> {
  return (bytes, at) => slice(bytes, at + offset, at + offset + size)
}

function choiceReader({ names, range }: Choice, { path, offset }: Where): Read<string> {
  const place: Place = { path, range }
  return (bytes, at, trail) => names[bytes[at + offset] ?? 0] ?? reject(place, trail)
}

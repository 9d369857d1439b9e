import { describe } from '../core/describe.ts'
import { invalidStruct, longest } from './limits.ts'
import type { Field, RecordShape, Shape } from './shape.ts'
import { type FieldType, fieldType, shapeOfType } from './types.ts'

/** What a field may be: one of the types, or a layout of its own, for an object in the object. */
export type AnyFieldType = FieldType<unknown> | StructLayout

/** The fields of a record, in the order in which they lie in memory. */
export interface StructLayout {
  readonly [name: string]: AnyFieldType
}

/** What a field of type `F` holds in a message. */
export type FieldValue<F> =
  F extends FieldType<infer T>
    ? T
    : F extends StructLayout
      ? { -readonly [Name in keyof F]: FieldValue<F[Name]> }
      : never

/** The message that a layout describes. It is a conditional type so that editors show the fields, not this name. */
export type StructMessage<L extends StructLayout> = L extends StructLayout
  ? { -readonly [Name in keyof L]: FieldValue<L[Name]> }
  : never

/**
 * Exactly `length` items of one type, one after the other. In the content type: `u16[3]`, and `u16[2][3]` is an array of
 * three that are arrays of two.
 *
 * @param type - of the items: any type, or a layout.
 * @param length - a positive integer. Unit: items.
 *
 * @throws CodecError `INVALID_CODEC` from a type or a length that can't be one.
 *
 * @example
 * struct({ path: array({ x: f32, y: f32 }, 4) }) // Codec<{ path: { x: number; y: number }[] }>
 */
export function array<const F extends AnyFieldType>(type: F, length: number): FieldType<FieldValue<F>[]> {
  const item = shapeOf(type, 'the items of an array', { depth: 2, left: longest.count - 1 })
  if (!Number.isSafeInteger(length) || length < 1) {
    throw invalidStruct(`array(type, length) takes a positive integer, got ${describe(length)}`)
  }
  const name = checkText(`${item.name}[${length}]`)
  const size = checkSize(item.size * length)
  const range = `an array of ${length}`
  return fieldType({ kind: 'array', name, size, range, depth: item.depth + 1, count: item.count + 1, item, length })
}

/** What is inside a layout, once all of it is checked. */
export function recordShape(layout: StructLayout): RecordShape {
  if (typeof layout !== 'object' || layout === null) throw invalidStruct(`expected a layout, got ${describe(layout)}`)
  return recordOf(layout, '', { depth: 1, left: longest.count })
}

/** Where a walk through a layout is, and how many types it may still come by. */
interface Walk {
  readonly depth: number
  left: number
}

/** An object in itself, or in two places of each of many objects, ends the walk as soon as it is too much. */
function shapeOf(type: unknown, path: string, walk: Walk): Shape {
  const shape = typeof type === 'object' && type !== null ? shapeOfType(type) : undefined
  if (shape === undefined) {
    if (typeof type !== 'object' || type === null || Array.isArray(type)) {
      throw invalidStruct(`${path}: expected a type such as u16, or a layout, got ${describe(type)}`)
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every value of it is checked
    return recordOf(type as StructLayout, path, walk)
  }
  walk.left -= shape.count
  checkWalk(walk, shape.depth - 1)
  return shape
}

function recordOf(layout: StructLayout, path: string, walk: Walk): RecordShape {
  walk.left--
  checkWalk(walk, 0)
  let size = 0
  let depth = 0
  const before = walk.left
  const inner = { depth: walk.depth + 1, left: walk.left }
  const fields = Object.entries(layout).map(([name, type]): Field => {
    if (!/^[A-Za-z_$][\w$]*$/.test(name) || name === '__proto__')
      throw invalidStruct(`${JSON.stringify(name)} is no name`)
    const shape = shapeOf(type, path === '' ? name : `${path}.${name}`, inner)
    const offset = size
    size = checkSize(size + shape.size)
    depth = Math.max(depth, shape.depth)
    return { name, shape, offset }
  })
  walk.left = inner.left
  if (fields.length === 0) throw invalidStruct(`${path === '' ? 'a record' : path} has at least one field`)
  const name = checkText(`{${fields.map((field) => `${field.name}:${field.shape.name}`).join()}}`)
  return { kind: 'record', name, size, range: 'an object', depth: depth + 1, count: before - walk.left + 1, fields }
}

function checkWalk({ depth, left }: Walk, below: number): void {
  if (depth + below > longest.depth) throw invalidStruct(`more than ${longest.depth} layouts and arrays in one another`)
  if (left < 0) throw invalidStruct(`more than ${longest.count} types`)
}

function checkSize(size: number): number {
  if (size > longest.record) throw invalidStruct(`more than ${longest.record} bytes`)
  return size
}

function checkText(name: string): string {
  if (name.length > longest.text) throw invalidStruct(`more than ${longest.text} characters: ${name.slice(0, 100)}…`)
  return name
}

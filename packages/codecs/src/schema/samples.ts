import { isAccepted } from './shape.ts'
import type { Shape, Test } from './shape.ts'

/** How many values are tried of each part. */
const maxSamples = 32
/** The longest text and array that are tried. */
const maxTextLength = 10_000
const maxItems = 100

/**
 * Returns messages of a shape, some of them at its bounds. `undefined` if all of them are too large.
 *
 * A schema is tried with them before its code decides about messages: the next version of zod may have other rules.
 */
export function samplesOf(shape: Shape): readonly unknown[] | undefined {
  const samples = allSamplesOf(shape)?.slice(0, maxSamples)
  return samples?.length === 0 ? undefined : samples
}

function allSamplesOf(shape: Shape): readonly unknown[] | undefined {
  switch (shape.kind) {
    case 'string':
      return shape.tests.length === 0
        ? ['', ' a ', 'é', '🚀']
        : lengthsOf(shape.tests, maxTextLength).map((length) => 'a'.repeat(length))
    case 'number':
      return numbersOf(shape.tests)
    case 'boolean':
      return [true, false]
    case 'null':
      return [null]
    case 'choice':
      return shape.values
    case 'object':
      return objectsOf(
        shape.fields.map(({ name }) => name),
        shape.fields.map((field) => field.shape),
      )?.flatMap((whole) => {
        const required = shape.fields.filter(({ isOptional }) => !isOptional).map(({ name }) => [name, whole[name]])
        return required.length === shape.fields.length ? [whole] : [whole, Object.fromEntries(required) as object]
      })
    case 'record':
      // Old versions take an object with this key for one of a class.
      return samplesOf(shape.value)?.map((value) => ({ constructor: value, a: value }))
    case 'array':
      return arraysOf(shape.item, lengthsOf(shape.tests, maxItems))
    case 'tuple':
      return objectsOf(
        shape.items.map((_, index) => String(index)),
        shape.items,
      )?.map((one) => Object.values(one))
    case 'union': {
      const all = shape.options.map(samplesOf)
      return all.includes(undefined) ? undefined : all.flatMap((samples) => samples?.slice(0, 8) ?? [])
    }
  }
}

/** Objects that have each sample of each part at least once. */
function objectsOf(
  names: readonly string[],
  shapes: readonly Shape[],
): readonly Readonly<Record<string, unknown>>[] | undefined {
  const columns = shapes.map(samplesOf)
  const rows = Math.max(1, ...columns.map((column) => column?.length ?? 0))
  if (columns.includes(undefined)) return undefined
  return Array.from({ length: rows }, (_row, row) =>
    Object.fromEntries(columns.map((column = [], index) => [names[index] as string, column[row % column.length]])),
  )
}

function arraysOf(item: Shape, lengths: readonly number[]): readonly unknown[] | undefined {
  const items = samplesOf(item)
  if (items === undefined) return undefined
  const most = Math.max(...lengths)
  const all = lengths.map((length) => Array.from({ length }, (_, index) => items[index % items.length]))
  const others = most === 0 ? [] : items.map((one) => Array.from({ length: most }, () => one))
  return [...all, ...others]
}

/** The shortest and the longest length within the bounds, up to `most`. */
function lengthsOf(tests: readonly Test[], most: number): readonly number[] {
  const near = tests.flatMap((test) => (test === 'integer' ? [] : [test[1] - 1, test[1], test[1] + 1]))
  return [0, 1, 2, ...near.map(Math.floor)].filter(
    (length) => length >= 0 && length <= most && tests.every((test) => isAccepted(test, length)),
  )
}

function numbersOf(tests: readonly Test[]): readonly number[] {
  const near = tests.flatMap((test) => (test === 'integer' ? [] : [-1, -0.5, 0, 0.5, 1].map((by) => test[1] + by)))
  const usual = [0, 1, 2, 3, -1, -2, 0.5, 1e-9, 2 ** 53 - 1, 1 - 2 ** 53, 2 ** 53, 1e21, Number.MAX_VALUE]
  return [...near, ...usual].filter((value) => Number.isFinite(value) && tests.every((test) => isAccepted(test, value)))
}

import type { ByteWriter } from '../core/byte-writer.ts'
import { quoted, Source } from '../core/source.ts'
import { optionsOf, startOf } from '../schema/shape.ts'
import type { CompositeShape, ScalarShape, Shape, ShapeField, UnionStart } from '../schema/shape.ts'
import { utf8Bytes } from '../text/utf8.ts'
import {
  isSpecial,
  makeRoom,
  maxInlined,
  maxNumberBytes,
  writeBoolean,
  writeBytes,
  writeNull,
  writeNumber,
  writeText,
} from './write-values.ts'

/**
 * Appends the JSON of a message of one shape. Returns `false` if the message is not plain, of another shape, or may be
 * too large: what was written is then without meaning.
 */
export type WriteJson = (message: unknown, out: ByteWriter) => boolean

/** Compiles a function that writes what `JSON.stringify` would write. Returns `undefined` where that is forbidden. */
export function compileWriter(shape: Shape): WriteJson | undefined {
  const code = new WriterCode()
  const root = code.writerOf(shape)
  // Properties that all objects have would be taken for those of a message.
  const body = [...code.functions, `return (value, out) => {`, `for (const key in ${code.objects}) return false`]
  return code.source.compile([...body, `return ${root}(value, out)`, '}']) as WriteJson | undefined
}

/**
 * The code of one value. It writes at `at`, and leaves `at` behind what it wrote, `bytes` as the memory, and room for
 * what follows. A text, an object or an array makes that room itself. Nothing checks each byte: an array of bytes
 * ignores what is written behind its end, so that `CompiledJson` asks afterwards whether `position` is within.
 */
interface ValueCode {
  readonly lines: readonly string[]
  /** How much room there must be before. Unit: bytes. */
  readonly room: number
}

/** `null`, `false`, and the quotes of a text, fit in the room of a number. */
const maxScalarBytes = maxNumberBytes

class WriterCode {
  readonly source = new Source()
  readonly functions: string[] = []
  readonly objects = this.source.constant(Object.prototype)
  readonly #writers = new Map<Shape, string>()

  /** The name of a function that writes a value. */
  writerOf(shape: Shape): string {
    const known = this.#writers.get(shape)
    if (known !== undefined) return known
    const name = `w${this.#writers.size}`
    this.#writers.set(shape, name)
    this.functions.push(`function ${name}(value, out) {`, ...this.#bodyOf(shape), '}')
    return name
  }

  #bodyOf(shape: Shape): readonly string[] {
    switch (shape.kind) {
      case 'object':
        return this.#objectBody(shape.fields)
      case 'record':
        return this.#recordBody(shape.value)
      case 'array':
        return this.#arrayBody(this.#valueCode(shape.item, 'item', 1), '')
      case 'tuple':
        return this.#tupleBody(shape.items)
      case 'union': {
        const options = optionsOf(shape)
        const scalars = this.#scalarBody(scalarsOf(options.filter((option) => !isComposite(option))))
        return [
          "if (typeof value !== 'object' || value === null) {",
          ...scalars,
          '}',
          ...this.#optionLines(options.filter(isComposite)),
          'return false',
        ]
      }
      default:
        return this.#scalarBody(scalarsOf([shape]))
    }
  }

  /** Writes an object or an array as one of the options. No second one is tried, so that the time is linear. */
  #optionLines(options: readonly Shape[]): readonly string[] {
    const isArray = ({ kind }: Shape): boolean => kind === 'array' || kind === 'tuple'
    const write = (option: Shape): string => `return ${this.writerOf(option)}(value, out)`
    const array = options.find(isArray)
    const isList = `${this.source.constant(Array.isArray)}(value)`
    const arrays = `if (${isList}) ${array === undefined ? 'return false' : write(array)}`
    const objects = options.filter((option) => !isArray(option))
    if (objects.length <= 1) return [arrays, ...objects.map(write)]
    const choices = objects.map((option) => {
      const { name, values } = startOf(option) as UnionStart
      const isChosen = values?.map((literal) => `value[first] === ${this.source.constant(literal)}`).join(' || ')
      return `if (first === ${quoted(name)}${isChosen === undefined ? '' : ` && (${isChosen})`}) ${write(option)}`
    })
    return [arrays, 'let first', 'for (first in value) break', ...choices]
  }

  #scalarBody(kinds: ReadonlySet<ScalarKind>): readonly string[] {
    if (kinds.size === 0) return ['return false']
    const lines = this.#scalarLines(kinds, 'value', 0)
    return [...this.#begin(maxScalarBytes), ...lines, 'out.position = at', 'return true']
  }

  #begin(room: number): readonly string[] {
    return ['let at = out.position', ...this.#ensure(room), 'let { bytes } = out']
  }

  #ensure(room: number): readonly string[] {
    const make = this.source.call(makeRoom, 'out', 'at', room)
    return [`if (out.bytes.length - at < ${room} && !${make}) return false`]
  }

  /** The code of a value, with room for `after` bytes behind it. */
  #valueCode(shape: Shape, value: string, after: number): ValueCode {
    if (isComposite(shape)) {
      const writer = this.writerOf(shape)
      const lines = [
        'out.position = at',
        `if (!${writer}(${value}, out)) return false`,
        'at = out.position',
        ...this.#ensure(after),
        'bytes = out.bytes',
      ]
      return { lines, room: 0 }
    }
    const scalars = scalarsOf([shape])
    const isText = scalars.size === 1 && scalars.has('string')
    return { lines: this.#scalarLines(scalars, value, after), room: isText ? 1 : maxScalarBytes + after }
  }

  #scalarLines(kinds: ReadonlySet<ScalarKind>, value: string, after: number): readonly string[] {
    const { source } = this
    const writes: { readonly [Kind in ScalarKind]: readonly string[] } = {
      string: [
        'bytes[at] = 34',
        `at = ${source.call(writeText, 'out', 'at + 1', value, after + 1)}`,
        'if (at < 0) return false',
        'bytes = out.bytes',
        'bytes[at++] = 34',
      ],
      number: [`at = ${source.call(writeNumber, 'bytes', 'at', value)}`],
      boolean: [`at = ${source.call(writeBoolean, 'bytes', 'at', value)}`],
      null: [`at = ${source.call(writeNull, 'bytes', 'at')}`],
    }
    const branches = [...kinds].map((kind) => {
      const condition = kind === 'null' ? `${value} === null` : `typeof ${value} === '${kind}'`
      return [`if (${condition}) {`, ...writes[kind], '}'].join('\n')
    })
    return [branches.join(' else '), 'else return false']
  }

  #objectBody(fields: readonly ShapeField[]): readonly string[] {
    const isFirstOptional = fields[0]?.isOptional === true
    const bits = bitsOf(fields)
    // From the end, since each field makes room for what follows it.
    const blocks: (readonly string[])[] = []
    let after = 1
    for (let index = fields.length - 1; index >= 0; index--) {
      const { name, shape, isOptional } = fields[index] as ShapeField
      const key = utf8Bytes(`${index === 0 && !isFirstOptional ? '{' : ','}${JSON.stringify(name)}:`)
      const code = this.#valueCode(shape, `f${index}`, after)
      // Each is read when its turn comes, since a getter may change what follows it.
      const read = `f${index} = value[${quoted(name)}]`
      const write = [...this.#keyLines(key, fields.length), ...code.lines]
      blocks[index] = isOptional
        ? [
            `const ${read.replace('= ', `= (has & ${bits[index]}) === 0 ? undefined : `)}`,
            `if (f${index} !== undefined) {`,
            ...write,
            '}',
          ]
        : [`const ${read}`, ...write]
      after = key.length + Math.max(code.room, isOptional ? after : 0)
    }
    return [
      ...this.#plainTest(),
      ...this.#keysTest(fields, bits),
      ...this.#begin(after),
      ...(isFirstOptional ? ['const start = at'] : []),
      ...blocks.flat(),
      // An object of which nothing is written is rare.
      ...(isFirstOptional ? ['if (at === start) return false', 'bytes[start] = 123'] : []),
      'bytes[at] = 125',
      'out.position = at + 1',
      'return true',
    ]
  }

  #keyLines(key: Uint8Array, fields: number): readonly string[] {
    if (fields <= maxInlined) return storeBytes(key)
    return [`at = ${this.source.call(writeBytes, 'bytes', 'at', this.source.constant(key))}`]
  }

  /** Leaves what is no plain object, and what has a `toJSON`, to `JSON.stringify`. */
  #plainTest(): readonly string[] {
    return [
      "if (typeof value !== 'object' || value === null) return false",
      `const prototype = ${this.source.constant(Object.getPrototypeOf)}(value)`,
      `if (prototype !== ${this.objects} && prototype !== null || value.toJSON !== undefined) return false`,
      // An array or a boxed number may have any prototype.
      `if (${this.source.constant(isSpecial)}(value)) return false`,
      // JSON.rawJSON makes such objects.
      "if (prototype === null && 'rawJSON' in value) return false",
    ]
  }

  /** Tests whether the enumerable properties are those of the shape, in its order. */
  #keysTest(fields: readonly ShapeField[], allBits: readonly number[]): readonly string[] {
    const keys = this.source.constant(fields.map(({ name }) => name))
    const { length } = fields
    if (fields.every(({ isOptional }) => !isOptional)) {
      const test = `for (const key in value) if (key !== ${keys}[next++]) return false`
      return ['let next = 0', test, `if (next !== ${length}) return false`]
    }
    const bits = this.source.constant(allBits)
    return [
      'let next = 0, has = 0',
      'for (const key in value) {',
      `while (key !== ${keys}[next]) if (${bits}[next++] === 0 || next >= ${length}) return false`,
      `has |= ${bits}[next++]`,
      '}',
      `while (next < ${length}) if (${bits}[next++] === 0) return false`,
    ]
  }

  #recordBody(shape: Shape): readonly string[] {
    const { lines, room } = this.#valueCode(shape, 'item', 1)
    const key = this.source.call(writeText, 'out', 'at + 2', 'key', room + 3)
    return [
      ...this.#plainTest(),
      ...this.#begin(3),
      'const start = at',
      'for (const key in value) {',
      'const item = value[key]',
      'if (item === undefined) continue',
      ...this.#ensure(3),
      'bytes = out.bytes',
      'bytes[at] = 44',
      'bytes[at + 1] = 34',
      `at = ${key}`,
      'if (at < 0) return false',
      'bytes = out.bytes',
      'bytes[at++] = 34',
      'bytes[at++] = 58',
      ...lines,
      '}',
      'if (at === start) return false',
      'bytes[start] = 123',
      'bytes[at] = 125',
      'out.position = at + 1',
      'return true',
    ]
  }

  #arrayBody({ lines, room }: ValueCode, test: string): readonly string[] {
    return [
      `if (!${this.source.constant(Array.isArray)}(value) || value.toJSON !== undefined${test}) return false`,
      ...this.#begin(2),
      'bytes[at++] = 91',
      'const { length } = value',
      // A proxy may have any.
      'if (length >>> 0 !== length) return false',
      'for (let index = 0; index < length; index++) {',
      'const item = value[index]',
      ...this.#ensure(room + 1),
      'bytes = out.bytes',
      'if (index > 0) bytes[at++] = 44',
      ...lines,
      '}',
      'bytes[at] = 93',
      'out.position = at + 1',
      'return true',
    ]
  }

  #tupleBody(items: readonly Shape[]): readonly string[] {
    let after = 1
    const lines: string[] = []
    for (const [index, item] of [...items.entries()].toReversed()) {
      const code = this.#valueCode(item, `f${index}`, after)
      lines.unshift(`const f${index} = value[${index}]`, `bytes[at++] = ${index === 0 ? 91 : 44}`, ...code.lines)
      after = 1 + code.room
    }
    const isArray = `${this.source.constant(Array.isArray)}(value) && value.length === ${items.length}`
    return [
      `if (!(${isArray} && value.toJSON === undefined)) return false`,
      ...this.#begin(items.length === 0 ? 2 : after),
      ...(items.length === 0 ? ['bytes[at++] = 91'] : []),
      ...lines,
      'bytes[at] = 93',
      'out.position = at + 1',
      'return true',
    ]
  }
}

/** A bit for each optional field, and 0 for fields that are always there. */
function bitsOf(fields: readonly ShapeField[]): readonly number[] {
  const optionals = fields.filter(({ isOptional }) => isOptional)
  return fields.map((field) => (field.isOptional ? 2 ** optionals.indexOf(field) : 0))
}

type ScalarKind = 'string' | 'number' | 'boolean' | 'null'

/** Which scalars the shapes have. The bytes of a scalar do not depend on the values that the schema accepts. */
function scalarsOf(shapes: readonly Shape[]): ReadonlySet<ScalarKind> {
  const kinds = shapes.flatMap((shape): readonly ScalarKind[] => {
    if (shape.kind === 'choice') return shape.values.map((value) => (value === null ? 'null' : kindOf(value)))
    if (shape.kind === 'union') return [...scalarsOf(shape.options)]
    return isComposite(shape) ? [] : [shape.kind]
  })
  return new Set(kinds)
}

function kindOf(value: string | number | boolean): ScalarKind {
  return typeof value as 'string' | 'number' | 'boolean'
}

/** Whether values of the shape need a function of their own: not a union of scalars. */
function isComposite(shape: Shape): shape is CompositeShape {
  if (shape.kind === 'union') return shape.options.some(isComposite)
  return !['string', 'number', 'boolean', 'null', 'choice'].includes((shape as ScalarShape).kind)
}

function storeBytes(bytes: Uint8Array): readonly string[] {
  return [
    ...Array.from(bytes, (byte, index) => `bytes[${index === 0 ? 'at' : `at + ${index}`}] = ${byte}`),
    `at += ${bytes.length}`,
  ]
}

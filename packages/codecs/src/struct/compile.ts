import { significance } from '../core/scratch.ts'
import { quoted, Source } from '../core/source.ts'
import { describeName, throwDecodeError, throwEncodeError, throwSizeError } from './field-errors.ts'
import { describeText, readPaddedText, viewOf, writePaddedText } from './text.ts'
import type { Field, FieldShape, RecordCode, RecordShape } from './types.ts'
import { isArrayOf, isBytesOf, isObject } from './values.ts'

/**
 * Makes the code of one layout, with loops for arrays alone, and compiles it. Returns `undefined` where the platform
 * forbids that, as the content security policy of a page may. The page gets a report of each violation, so the first
 * refusal is the last attempt.
 *
 * The program chooses nothing of the source but the names of fields, which are checked identifiers and in quotes.
 */
export function compileRecord(shape: RecordShape, littleEndian: boolean): RecordCode | undefined {
  const source = new Source()
  const { write, read, result } = codeOfFields(source, shape.fields, 'message', {
    path: '',
    base: 'at',
    offset: 0,
    indexes: [],
    littleEndian,
  })
  const checkSize = source.call(throwSizeError, shape.size, 'length')
  return source.compile([
    'return {',
    'write(message, view, bytes, at) {',
    ...write,
    '},',
    'read(bytes, at, length) {',
    `if (length !== ${shape.size}) ${checkSize}`,
    ...read,
    `return ${result}`,
    '},',
    '}',
  ]) as RecordCode | undefined
}

/** Where a value lies, for the code that reads and writes it. */
interface CodeLocation {
  /** As a program would write it, without the indexes: `orders[].price`. */
  readonly path: string
  /** The variable that holds where the record or the item begins. */
  readonly base: string
  /** Unit: bytes from `base`. */
  readonly offset: number
  /** The variables that hold the indexes of the arrays around, from the outermost to the innermost. */
  readonly indexes: readonly string[]
  readonly littleEndian: boolean
}

/** The lines that write and read a value, and an expression for the value that was read. */
interface FieldCode {
  readonly write: readonly string[]
  readonly read: readonly string[]
  readonly result: string
}

/** The code of a value. The variable `value` holds the one to be written. */
function codeOf(source: Source, shape: FieldShape, value: string, location: CodeLocation): FieldCode {
  const call = source.call.bind(source)
  const label = source.constant({ path: location.path, range: shape.range })
  const indexes = `[${location.indexes.join()}]`
  const refuse = (...got: string[]): string => call(throwEncodeError, label, value, indexes, ...got)
  const reject = call(throwDecodeError, label, indexes)
  const byteAt = (offset: number): string => `bytes[${location.base} + ${offset}]`
  const start = `${location.base} + ${location.offset}`
  const range = `bytes, ${start}, ${location.base} + ${location.offset + shape.size}`
  const result = source.variable()
  switch (shape.kind) {
    case 'scalar': {
      const offsets = significance(location.offset, shape.size, location.littleEndian)
      const word = (bytes: readonly number[]): string =>
        bytes.map((offset, index) => `${byteAt(offset)} << ${8 * (bytes.length - 1 - index)}`).join(' | ')
      const read = shape.source(word(offsets.slice(-4)), word(offsets.slice(0, -4)), (one) => source.constant(one))
      return {
        write: [
          `if (!${call(shape.accepts, value)}) ${refuse()}`,
          `view.${shape.setter}(${start}, ${value}, ${location.littleEndian})`,
        ],
        read: [`const ${result} = ${shape.isPartial ? `(${read}) ?? ${reject}` : read}`],
        result,
      }
    }
    case 'text':
      return {
        write: [`if (!${call(writePaddedText, range, value)}) ${refuse(call(describeText, value))}`],
        read: [`const ${result} = ${call(readPaddedText, range)} ?? ${reject}`],
        result,
      }
    case 'raw':
      return {
        write: [`if (!${call(isBytesOf, shape.size, value)}) ${refuse()}`, `bytes.set(${value}, ${start})`],
        read: [`const ${result} = ${call(viewOf, range)}`],
        result,
      }
    case 'choice': {
      const byte = byteAt(location.offset)
      const index = `${source.constant(shape.indexes)}.get(${value})`
      return {
        write: [`${byte} = ${index} ?? ${refuse(call(describeName, value))}`],
        read: [`const ${result} = ${source.constant(shape.names)}[${byte}] ?? ${reject}`],
        result,
      }
    }
    case 'array': {
      const [index, base, each] = [source.variable(), source.variable(), source.variable()]
      const { item, length } = shape
      const inner = { ...location, path: `${location.path}[]`, base, offset: 0, indexes: [...location.indexes, index] }
      const code = codeOf(source, item, each, inner)
      const step = `${index}++, ${base} += ${item.size}`
      const loop = `for (let ${index} = 0, ${base} = ${start}; ${index} < ${length}; ${step}) {`
      return {
        write: [
          `if (!${call(isArrayOf, length, value)}) ${refuse()}`,
          loop,
          `const ${each} = ${value}[${index}]`,
          ...code.write,
          '}',
        ],
        read: [`const ${result} = []`, loop, ...code.read, `${result}.push(${code.result})`, '}'],
        result,
      }
    }
    case 'record': {
      const { write, ...code } = codeOfFields(source, shape.fields, value, location)
      return { write: [`if (!${call(isObject, value)}) ${refuse()}`, ...write], ...code }
    }
  }
}

/** The code of a record. The variable `record` holds the object to be written, which is known to be one. */
function codeOfFields(source: Source, fields: readonly Field[], record: string, location: CodeLocation): FieldCode {
  const codes = fields.map(({ name, shape, offset }) => {
    const value = source.variable()
    const path = location.path === '' ? name : `${location.path}.${name}`
    const code = codeOf(source, shape, value, { ...location, path, offset: location.offset + offset })
    return { ...code, write: [`const ${value} = ${record}[${quoted(name)}]`, ...code.write] }
  })
  const constructor = source.constructorOf(fields.map(({ name }) => name))
  return {
    write: codes.flatMap(({ write }) => write),
    read: codes.flatMap(({ read }) => read),
    result: `new ${constructor}(${codes.map(({ result }) => result).join()})`,
  }
}

import type { ByteWriter } from './byte-writer.ts'
import { describe } from './describe.ts'
import { CodecError } from './errors.ts'
import type { FieldType, FieldValue } from './struct-types.ts'

/** One field of a record, and where in it. */
export interface Field {
  readonly name: string
  readonly type: FieldType<FieldValue>
  /** Unit: bytes from the record's start. */
  readonly offset: number
}

/** The fields of a record and how they lie in memory. */
export interface RecordLayout {
  readonly fields: readonly Field[]
  /** Unit: bytes. */
  readonly size: number
  readonly littleEndian: boolean
}

/** Reads and writes records of one layout. `compileRecord` and `interpretRecord` do the same, at different speed. */
export interface RecordCode {
  /** Appends one record, or throws `ENCODE_FAILED` before anything is written. */
  write(message: Readonly<Record<string, unknown>>, out: ByteWriter): void

  /** Reads the record that begins at byte `at` of `view`, or throws `DECODE_FAILED`. */
  read(view: DataView, at: number): Record<string, FieldValue>
}

/**
 * Makes straight-line code, one statement a field, and compiles it. `undefined` where the platform forbids that, as a
 * page's content security policy may. All that the program chooses of the source text is the fields' names, and those
 * are checked identifiers.
 */
export function compileRecord({ fields, size, littleEndian }: RecordLayout): RecordCode | undefined {
  const lines = (line: (name: string, index: number, place: string) => string): string =>
    fields.map(({ name, offset }, index) => line(JSON.stringify(name), index, `at + ${offset}`)).join('\n')
  const source = `'use strict'
${lines((_, i) => `const field${i} = fields[${i}], type${i} = field${i}.type`)}
return {
  write(message, out) {
${lines((name, i) => `const v${i} = message[${name}]; if (!type${i}.accepts(v${i})) refuse(field${i}, v${i})`)}
    out.reserve(${size})
    const view = out.view, at = out.position
${lines((_, i, place) => `type${i}.write(view, ${place}, v${i}, ${littleEndian})`)}
    out.position = at + ${size}
  },
  read(view, at) {
${lines((_, i, place) => `const v${i} = type${i}.read(view, ${place}, ${littleEndian}); if (v${i} === undefined) reject(field${i})`)}
    return {
${lines((name, i) => `${name}: v${i},`)}
    }
  },
}`
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- names are checked identifiers, all else is ours
    const make = new Function('fields', 'refuse', 'reject', source)
    return make(fields, refuse, reject)
  } catch {
    return undefined
  }
}

/** The same as {@link compileRecord}, on every platform. */
export function interpretRecord({ fields, size, littleEndian }: RecordLayout): RecordCode {
  return {
    write(message, out) {
      const values = fields.map((field) => {
        const value = message[field.name]
        return field.type.accepts(value) ? value : refuse(field, value)
      })
      out.reserve(size)
      const { view, position } = out
      values.forEach((value, index) => {
        const field = fields[index]
        field?.type.write(view, position + field.offset, value, littleEndian)
      })
      out.position = position + size
    },
    read(view, at) {
      const record: Record<string, FieldValue> = {}
      for (const field of fields) {
        record[field.name] = field.type.read(view, at + field.offset, littleEndian) ?? reject(field)
      }
      return record
    },
  }
}

function refuse({ name, type }: Field, value: unknown): never {
  throw new CodecError('ENCODE_FAILED', `field ${name}: expected ${type.range}, got ${describe(value)}`)
}

function reject({ name, type }: Field): never {
  throw new CodecError('DECODE_FAILED', `field ${name}: these bytes are not ${type.range}`)
}

import { quoted, Source } from '../core/source.ts'
import { maxCompared } from '../schema/shape.ts'
import type { Scalar, Shape, ShapeField, Test } from '../schema/shape.ts'
import { utf8Bytes } from '../text/utf8.ts'
import { maxInlined } from './write-values.ts'
import { cursor, defineValue, hasSurrogates, isAt, readBoolean, readNull, readNumber, readText } from './read-values.ts'

/** Reads a message of one shape. Returns `undefined` if the text is not as the writer of the shape writes it. */
export type ReadJson = (bytes: Uint8Array, start: number, end: number) => unknown

/** Compiles a function that reads what `JSON.parse` would read. Returns `undefined` where that is forbidden. */
export function compileReader(shape: Shape): ReadJson | undefined {
  const code = new ReaderCode()
  const root = code.readerOf(shape)
  const body = [
    ...code.functions,
    'return (bytes, start, end) => {',
    `${code.at} = start`,
    `const value = ${root}(bytes)`,
    `return ${code.at} === end ? value : undefined`,
    '}',
  ]
  return code.source.compile(body) as ReadJson | undefined
}

class ReaderCode {
  readonly source = new Source()
  readonly functions: string[] = []
  /** Where the next byte is. */
  readonly at = `${this.source.constant(cursor)}.at`
  readonly #readers = new Map<Shape, string>()

  /** The name of a function that reads a value. */
  readerOf(shape: Shape): string {
    const known = this.#readers.get(shape)
    if (known !== undefined) return known
    const name = `r${this.#readers.size}`
    this.#readers.set(shape, name)
    this.functions.push(`function ${name}(bytes) {`, ...this.#bodyOf(shape), '}')
    return name
  }

  #bodyOf(shape: Shape): readonly string[] {
    switch (shape.kind) {
      case 'choice':
        return this.#choiceBody(shape.values)
      case 'object':
        return this.#objectBody(shape.fields)
      case 'record':
        return this.#recordBody(shape.value)
      case 'array':
        return this.#arrayBody(shape.item, shape.tests)
      case 'tuple':
        return this.#tupleBody(shape.items)
      case 'union': {
        const attempts = shape.options.flatMap((option) => [
          `${this.at} = start`,
          `value = ${this.readerOf(option)}(bytes)`,
          'if (value !== undefined) return value',
        ])
        return [`const start = ${this.at}`, 'let value', ...attempts, 'return undefined']
      }
      default:
        return [...this.#valueLines(shape, 'const value'), 'return value']
    }
  }

  /** The lines that read a value into a variable, which `target` may declare. */
  #valueLines(shape: Shape, target: string): readonly string[] {
    const value = target.replace('const ', '')
    const { source } = this
    switch (shape.kind) {
      case 'string':
        return [
          `${target} = ${source.call(readText, 'bytes')}`,
          refuse(`${value} === undefined`, ...this.#refusals(shape.tests, `${value}.length`)),
          ...(shape.tests.length === 0 ? [] : [refuse(source.call(hasSurrogates, value))]),
        ]
      case 'number':
        return [
          `${target} = ${source.call(readNumber, 'bytes')}`,
          refuse(`${value} !== ${value}`, ...this.#refusals(shape.tests, value)),
        ]
      case 'boolean':
        return [`${target} = ${source.call(readBoolean, 'bytes')}`, refuse(`${value} === undefined`)]
      case 'null':
        return [`${target} = ${source.call(readNull, 'bytes')}`, refuse(`${value} === undefined`)]
      default:
        return [`${target} = ${this.readerOf(shape)}(bytes)`, refuse(`${value} === undefined`)]
    }
  }

  #refusals(tests: readonly Test[], value: string): readonly string[] {
    return tests.map((test) => {
      if (test === 'integer') return `!${this.source.call(Number.isSafeInteger, value)}`
      const [operator, limit] = test
      return `!(${value} ${operator} ${limit})`
    })
  }

  #choiceBody(values: readonly Scalar[]): readonly string[] {
    const { source } = this
    if (values.length > maxCompared && values.every((value) => typeof value === 'string')) {
      const has = source.constant(new Set(values))
      return [`const value = ${source.call(readText, 'bytes')}`, `return ${has}.has(value) ? value : undefined`]
    }
    const all = values.map((value) => ({ value, bytes: utf8Bytes(JSON.stringify(value)) }))
    // 12 begins with 1.
    const choices = all.toSorted((one, other) => other.bytes.length - one.bytes.length)
    return [
      `const { at } = ${source.constant(cursor)}`,
      ...choices.flatMap(({ value, bytes }) => {
        const next = `${this.at} = at + ${bytes.length}`
        return [`if (${matches(bytes, 0)}) {`, next, `return ${source.constant(value)}`, '}']
      }),
      'return undefined',
    ]
  }

  #objectBody(fields: readonly ShapeField[]): readonly string[] {
    const lines = ['let at', ...this.#fieldLines(fields)]
    // Fields that come before the first optional one are always there.
    const optional = fields.findIndex(({ isOptional }) => isOptional)
    const always = optional === -1 ? fields : fields.slice(0, optional)
    const constructor = this.source.constructorOf(always.map(({ name }) => name))
    const result = `new ${constructor}(${always.map((_, index) => `f${index}`).join()})`
    const end = [`at = ${this.at}`, refuse('bytes[at] !== 125'), `${this.at} = at + 1`]
    if (optional === -1) return [...lines, ...end, `return ${result}`]
    const rest = fields.slice(optional).map(({ name, isOptional }, index) => {
      const value = `f${optional + index}`
      return `${isOptional ? `if (${value} !== undefined) ` : ''}result[${quoted(name)}] = ${value}`
    })
    const inherited = refuse(...fields.slice(optional).map(({ name }) => `${quoted(name)} in result`))
    // A text without any field is rare.
    const isEmpty = fields[0]?.isOptional === true ? [refuse('before === 123')] : []
    return [...lines, ...end, ...isEmpty, `const result = ${result}`, inherited, ...rest, 'return result']
  }

  #fieldLines(fields: readonly ShapeField[]): readonly string[] {
    // A brace comes before the first field that is there, and commas before the others.
    const isOpen = fields[0]?.isOptional === true
    const lines = isOpen ? ['let before = 123'] : []
    let isFirst = true
    for (const [index, { name, shape, isOptional }] of fields.entries()) {
      const key = utf8Bytes(`${isFirst ? '{' : ','}${JSON.stringify(name)}:`)
      const comes = (part: Uint8Array, from: number): string =>
        fields.length > maxInlined
          ? this.source.call(isAt, 'bytes', `at + ${from}`, this.source.constant(part))
          : matches(part, from)
      const isThere = isOpen ? `bytes[at] === before && ${comes(key.slice(1), 1)}` : comes(key, 0)
      const next = `${this.at} = at + ${key.length}`
      const then = isOpen ? ['before = 44'] : []
      lines.push(`at = ${this.at}`)
      if (isOptional) {
        const read = this.#valueLines(shape, `f${index}`)
        lines.push(`let f${index}`, `if (${isThere}) {`, next, ...then, ...read, '}')
      } else lines.push(refuse(`!(${isThere})`), next, ...then, ...this.#valueLines(shape, `const f${index}`))
      isFirst = false
    }
    return lines
  }

  #recordBody(value: Shape): readonly string[] {
    const { source } = this
    return [
      refuse(`bytes[${this.at}] !== 123`),
      'const result = {}',
      'do {',
      `${this.at}++`,
      `const key = ${this.source.call(readText, 'bytes')}`,
      // It becomes a property of its own only in JSON.parse, and the schema drops it.
      refuse('key === undefined', "key === '__proto__'", `bytes[${this.at}] !== 58`),
      `${this.at}++`,
      ...this.#valueLines(value, 'const value'),
      // An assignment would call a setter that all objects have by then, or fail where they are frozen.
      `if (key in result) ${source.call(defineValue, 'result', 'key', 'value')}`,
      'else result[key] = value',
      `} while (bytes[${this.at}] === 44)`,
      refuse(`bytes[${this.at}] !== 125`),
      `${this.at}++`,
      'return result',
    ]
  }

  #arrayBody(item: Shape, tests: readonly Test[]): readonly string[] {
    const refusals = this.#refusals(tests, 'result.length')
    return [
      `let at = ${this.at}`,
      refuse('bytes[at] !== 91'),
      'const result = []',
      `if (bytes[at + 1] === 93) ${this.at} = at + 1`,
      'else do {',
      `${this.at}++`,
      ...this.#valueLines(item, 'const value'),
      // It would go to a setter that all arrays have by then.
      refuse(`result.length in ${this.source.constant(Array.prototype)}`),
      'result.push(value)',
      `} while (bytes[${this.at}] === 44)`,
      refuse(`bytes[${this.at}] !== 93`, ...refusals),
      `${this.at}++`,
      'return result',
    ]
  }

  #tupleBody(items: readonly Shape[]): readonly string[] {
    return [
      ...(items.length === 0 ? [refuse(`bytes[${this.at}] !== 91`), `${this.at}++`] : []),
      ...items.flatMap((item, index) => [
        refuse(`bytes[${this.at}] !== ${index === 0 ? 91 : 44}`),
        `${this.at}++`,
        ...this.#valueLines(item, `const f${index}`),
      ]),
      refuse(`bytes[${this.at}] !== 93`),
      `${this.at}++`,
      `return [${items.map((_, index) => `f${index}`).join()}]`,
    ]
  }
}

/** A line that gives up. */
function refuse(...conditions: readonly string[]): string {
  return `if (${conditions.join(' || ')}) return undefined`
}

/** Whether these bytes come at `at`. */
function matches(expected: Uint8Array, from: number): string {
  return Array.from(expected, (byte, index) => `bytes[at + ${from + index}] === ${byte}`).join(' && ')
}

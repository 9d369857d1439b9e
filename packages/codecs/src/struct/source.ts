import { isInherited } from './shape.ts'

/** Where a type lies, for those who write its code. */
export interface Spot {
  /** As one would write it, without the indexes: `orders[].price`. */
  readonly path: string
  /** The variable that holds where the record or the item begins. */
  readonly base: string
  /** Unit: bytes from `base`. */
  readonly offset: number
  /** The variables that hold the indexes of the arrays around, from the outermost to the innermost. */
  readonly loops: readonly string[]
}

/** What one piece of source text needs beside its lines: names of its own, and values that have no text. */
export class Source {
  readonly littleEndian: boolean
  readonly #constants = new Map<unknown, string>()
  readonly #constructors: string[] = []
  #variables = 0

  constructor(littleEndian: boolean) {
    this.littleEndian = littleEndian
  }

  /** The name by which the code knows `value`. */
  constant(value: unknown): string {
    const known = this.#constants.get(value)
    if (known !== undefined) return known
    const name = `c${this.#constants.size}`
    this.#constants.set(value, name)
    return name
  }

  /** All values that have been given a name, in the order of `c0`, `c1` and so on. */
  get constants(): readonly unknown[] {
    return [...this.#constants.keys()]
  }

  /**
   * The name of a constructor of objects with these fields, given in their order. They are plain objects, as from an object
   * literal, but their hidden class is their own: with that of literals, which the program may make with the same fields
   * too, V8 can come to convert each object once more at its first use, at up to four times the cost of reading it.
   */
  constructorOf(fields: readonly string[]): string {
    const name = `Message${this.#constructors.length}`
    const given = fields.map((_, index) => `f${index}`)
    const lines = fields.some(isInherited)
      ? [`return {${fields.map((field, index) => `${JSON.stringify(field)}: f${index}`).join()}}`]
      : fields.map((field, index) => `this[${JSON.stringify(field)}] = f${index}`)
    this.#constructors.push(
      `function ${name}(${given.join()}) {\n${lines.join('\n')}\n}\n${name}.prototype = Object.prototype`,
    )
    return name
  }

  /** The lines that make all of them. */
  get constructors(): readonly string[] {
    return this.#constructors
  }

  /** A name that there was not before. */
  variable(): string {
    return `v${this.#variables++}`
  }
}

/** A spot as the code of a byte's index. */
export function indexOf({ base, offset }: Spot, more = 0): string {
  return `${base} + ${offset + more}`
}

/** The spot of a field. */
export function fieldSpot(record: Spot, name: string, offset: number): Spot {
  return { ...record, path: record.path === '' ? name : `${record.path}.${name}`, offset: record.offset + offset }
}

/** Code that runs `body` for each item of an array, with the spot of the item. */
export function loop(source: Source, list: Spot, length: number, size: number, body: Body): readonly string[] {
  const index = source.variable()
  const base = source.variable()
  const item = { path: `${list.path}[]`, base, offset: 0, loops: [...list.loops, index] }
  return [
    `for (let ${index} = 0, ${base} = ${indexOf(list)}; ${index} < ${length}; ${index}++, ${base} += ${size}) {`,
    ...body(item, index),
    '}',
  ]
}

type Body = (item: Spot, index: string) => readonly string[]

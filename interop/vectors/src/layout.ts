/** Makes the layout of records from the text of their content type. */
import type { AnyFieldType, StructLayout } from '@h2channel/codecs'
import { array, bool, choice, f32, f64, i16, i32, i64, i8, raw, text, u16, u32, u64, u8 } from '@h2channel/codecs'

const scalars: Readonly<Record<string, AnyFieldType>> = { u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, bool }

/** Parses a layout such as `id:u32,side:choice(buy|sell),at:{x:f32,y:f32},tags:text(4)[2]`. */
export function parseLayout(source: string): StructLayout {
  const parser = new Parser(source)
  const layout = parser.layout()
  parser.end()
  return layout
}

class Parser {
  #rest: string

  constructor(source: string) {
    this.#rest = source
  }

  layout(): StructLayout {
    const fields: [string, AnyFieldType][] = []
    do {
      const [, name = ''] = this.#expect(/^([\w$]+):/)
      fields.push([name, this.#type()])
    } while (this.#take(/^,/) !== undefined)
    return Object.fromEntries(fields)
  }

  end(): void {
    if (this.#rest !== '') throw new SyntaxError(`invalid layout: ${this.#rest}`)
  }

  #type(): AnyFieldType {
    let type = this.#item()
    for (let length = this.#take(/^\[(\d+)\]/); length !== undefined; length = this.#take(/^\[(\d+)\]/)) {
      type = array(type, Number(length[1]))
    }
    return type
  }

  #item(): AnyFieldType {
    if (this.#take(/^\{/) !== undefined) {
      const inner = this.layout()
      this.#expect(/^\}/)
      return inner
    }
    const [, kind = '', argument = ''] = this.#expect(/^(\w+)(?:\(([^)]*)\))?/)
    if (kind === 'text') return text(Number(argument))
    if (kind === 'raw') return raw(Number(argument))
    if (kind === 'choice') return choice(...(argument.split('|') as [string]))
    const scalar = scalars[kind]
    if (scalar === undefined) throw new SyntaxError(`there is no field type ${kind}`)
    return scalar
  }

  #expect(pattern: RegExp): RegExpExecArray {
    const found = this.#take(pattern)
    if (found === undefined) throw new SyntaxError(`invalid layout: ${this.#rest}`)
    return found
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    const found = pattern.exec(this.#rest)
    if (found === null) return undefined
    this.#rest = this.#rest.slice(found[0].length)
    return found
  }
}

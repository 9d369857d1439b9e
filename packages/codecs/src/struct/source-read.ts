import { reject } from './place.ts'
import { bigInts, bigUints, doubles, floats, highWord, lowWord, significance, words } from '../core/scratch.ts'
import type { RecordShape, Scalar, Shape } from './shape.ts'
import { fieldSpot, indexOf, loop, type Source, type Spot } from './source.ts'
import { readText, slice } from './text.ts'

/** Lines of code, and an expression that stands for what they have read. */
interface Code {
  readonly lines: readonly string[]
  readonly value: string
}

/** The lines that read a record: the body of a function of `bytes` and `at`. */
export function readSource(source: Source, shape: RecordShape): readonly string[] {
  const { lines, value } = readCode(source, shape, { path: '', base: 'at', offset: 0, loops: [] })
  return [...lines, `return ${value}`]
}

function readCode(source: Source, shape: Shape, spot: Spot): Code {
  const value = source.variable()
  const rejection = (): string => {
    const place = source.constant({ path: spot.path, range: shape.range })
    return `${source.constant(reject)}(${place}, [${spot.loops.join()}])`
  }
  switch (shape.kind) {
    case 'scalar': {
      const { lines, value: number } = readScalar(source, shape, spot)
      const check = shape.name === 'bool' ? [`if (${number} > 1) ${rejection()}`] : []
      return {
        lines: [...lines, ...check, `const ${value} = ${number}${shape.name === 'bool' ? ' === 1' : ''}`],
        value,
      }
    }
    case 'text': {
      const range = `bytes, ${indexOf(spot)}, ${indexOf(spot, shape.size)}`
      return { lines: [`const ${value} = ${source.constant(readText)}(${range}) ?? ${rejection()}`], value }
    }
    case 'raw': {
      const range = `bytes, ${indexOf(spot)}, ${indexOf(spot, shape.size)}`
      return { lines: [`const ${value} = ${source.constant(slice)}(${range})`], value }
    }
    case 'choice': {
      const names = source.constant(shape.names)
      return { lines: [`const ${value} = ${names}[bytes[${indexOf(spot)}]] ?? ${rejection()}`], value }
    }
    case 'array': {
      const each = loop(source, spot, shape.length, shape.item.size, (inner) => {
        const item = readCode(source, shape.item, inner)
        return [...item.lines, `${value}.push(${item.value})`]
      })
      return { lines: [`const ${value} = []`, ...each], value }
    }
    case 'record': {
      const parts = shape.fields.map(({ name, shape: inner, offset }) => {
        const { lines, value: field } = readCode(source, inner, fieldSpot(spot, name, offset))
        return { lines, name, field }
      })
      const type = source.constructorOf(parts.map(({ name }) => name))
      return {
        lines: parts.flatMap(({ lines }) => lines),
        value: `new ${type}(${parts.map(({ field }) => field).join()})`,
      }
    }
  }
}

/** Reads a number; of a boolean, its byte. */
function readScalar(source: Source, { name, size }: Scalar, spot: Spot): Code {
  const [a, b, c, d, ...rest] = significance(0, size, source.littleEndian).map(
    (offset) => `bytes[${indexOf(spot, offset)}]`,
  )
  const word = `${a} << 24 | ${b} << 16 | ${c} << 8 | ${d}`
  const load = (index: number, value: string): string => `${source.constant(words)}[${index}] = ${value}`
  switch (name) {
    case 'u8':
    case 'bool':
      return { lines: [], value: `${a}` }
    case 'i8':
      return { lines: [], value: `${a} << 24 >> 24` }
    case 'u16':
      return { lines: [], value: `${a} << 8 | ${b}` }
    case 'i16':
      return { lines: [], value: `${a} << 24 >> 16 | ${b}` }
    case 'u32':
      return { lines: [], value: `(${word}) >>> 0` }
    case 'i32':
      return { lines: [], value: word }
    case 'f32':
      return { lines: [load(0, word)], value: `${source.constant(floats)}[0]` }
    case 'u64':
    case 'i64':
    case 'f64': {
      const [e, f, g, h] = rest
      const numbers = source.constant(name === 'f64' ? doubles : name === 'u64' ? bigUints : bigInts)
      const lines = [load(highWord, word), load(lowWord, `${e} << 24 | ${f} << 16 | ${g} << 8 | ${h}`)]
      return { lines, value: `${numbers}[0]` }
    }
  }
}

import { describeName, refuse } from './place.ts'
import type { RecordShape, ScalarName, Shape } from './shape.ts'
import { fieldSpot, indexOf, loop, type Source, type Spot } from './source.ts'
import { describeText, writeText } from './text.ts'
import { isArrayOf, isBytesOf, isObject } from './write.ts'

/** The lines that write a record: the body of a function of `message`, `view`, `bytes` and `at`. */
export function writeSource(source: Source, shape: RecordShape): readonly string[] {
  return writeFields(source, shape, 'message', { path: '', base: 'at', offset: 0, loops: [] })
}

function writeFields(source: Source, { fields }: RecordShape, record: string, spot: Spot): readonly string[] {
  return fields.flatMap(({ name, shape, offset }) => {
    const value = source.variable()
    return [
      `const ${value} = ${record}[${JSON.stringify(name)}]`,
      ...writeLines(source, shape, value, fieldSpot(spot, name, offset)),
    ]
  })
}

function writeLines(source: Source, shape: Shape, value: string, spot: Spot): readonly string[] {
  const place = source.constant({ path: spot.path, range: shape.range })
  const refusal = (got = ''): string =>
    `${source.constant(refuse)}(${place}, ${value}, [${spot.loops.join()}]${got === '' ? '' : `, ${got}`})`
  const unless = (condition: string): string => `if (!${condition}) ${refusal()}`
  const at = indexOf(spot)
  switch (shape.kind) {
    case 'scalar': {
      const order = shape.size > 1 ? `, ${source.littleEndian}` : ''
      return [
        unless(`${source.constant(shape.accepts)}(${value})`),
        `view.${setters[shape.name]}(${at}, ${shape.name === 'bool' ? `${value} ? 1 : 0` : value}${order})`,
      ]
    }
    case 'text': {
      const written = `${source.constant(writeText)}(bytes, ${at}, ${indexOf(spot, shape.size)}, ${value})`
      return [`if (!${written}) ${refusal(`${source.constant(describeText)}(${value})`)}`]
    }
    case 'raw':
      return [unless(`${source.constant(isBytesOf)}(${shape.size}, ${value})`), `bytes.set(${value}, ${at})`]
    case 'choice': {
      const got = `${source.constant(describeName)}(${value})`
      return [`bytes[${at}] = ${source.constant(shape.indexes)}.get(${value}) ?? ${refusal(got)}`]
    }
    case 'array': {
      const { item, length } = shape
      return [
        unless(`${source.constant(isArrayOf)}(${length}, ${value})`),
        ...loop(source, spot, length, item.size, (inner, index) => {
          const each = source.variable()
          return [`const ${each} = ${value}[${index}]`, ...writeLines(source, item, each, inner)]
        }),
      ]
    }
    case 'record':
      return [unless(`${source.constant(isObject)}(${value})`), ...writeFields(source, shape, value, spot)]
  }
}

/** The methods of a DataView. */
const setters: { readonly [Name in ScalarName]: `set${string}` } = {
  u8: 'setUint8',
  u16: 'setUint16',
  u32: 'setUint32',
  u64: 'setBigUint64',
  i8: 'setInt8',
  i16: 'setInt16',
  i32: 'setInt32',
  i64: 'setBigInt64',
  f32: 'setFloat32',
  f64: 'setFloat64',
  bool: 'setUint8',
}

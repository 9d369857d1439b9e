import { reject, type Trail, type Where } from './place.ts'
import { bigInts, bigUints, doubles, floats, highWord, lowWord, significance, words } from '../core/scratch.ts'
import type { Scalar } from './shape.ts'

/** Reads one value, `at` being where the record or the item begins that its offset counts from. */
type Read = (bytes: Uint8Array, at: number, trail: Trail) => number | bigint | boolean

/** Reads a number or a boolean, as the interpreter does. */
export function scalarReader({ name, size, range }: Scalar, { path, offset, littleEndian }: Where): Read {
  // Where its bytes lie, the most significant first.
  const [a = 0, b = 0, c = 0, d = 0, ...rest] = significance(offset, size, littleEndian)
  switch (name) {
    case 'u8':
      return (bytes, at) => bytes[at + a] ?? 0
    case 'i8':
      return (bytes, at) => ((bytes[at + a] ?? 0) << 24) >> 24
    case 'u16':
      return (bytes, at) => ((bytes[at + a] ?? 0) << 8) | (bytes[at + b] ?? 0)
    case 'i16':
      return (bytes, at) => (((bytes[at + a] ?? 0) << 24) >> 16) | (bytes[at + b] ?? 0)
    case 'u32':
      return (bytes, at) => word(bytes, at + a, at + b, at + c, at + d) >>> 0
    case 'i32':
      return (bytes, at) => word(bytes, at + a, at + b, at + c, at + d)
    case 'f32':
      return (bytes, at) => {
        words[0] = word(bytes, at + a, at + b, at + c, at + d)
        return floats[0] ?? 0
      }
    case 'bool': {
      const place = { path, range }
      return (bytes, at, trail) => {
        const byte = bytes[at + a] ?? 0
        return byte > 1 ? reject(place, trail) : byte === 1
      }
    }
    case 'u64':
    case 'i64':
    case 'f64':
      return longReader(name, [a, b, c, d, ...rest])
  }
}

function longReader(name: 'u64' | 'i64' | 'f64', significant: readonly number[]): Read {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = significant
  const load = (bytes: Uint8Array, at: number): void => {
    words[highWord] = word(bytes, at + a, at + b, at + c, at + d)
    words[lowWord] = word(bytes, at + e, at + f, at + g, at + h)
  }
  const numbers = name === 'f64' ? doubles : name === 'u64' ? bigUints : bigInts
  return (bytes, at) => {
    load(bytes, at)
    return numbers[0] ?? 0
  }
}

function word(bytes: Uint8Array, a: number, b: number, c: number, d: number): number {
  return ((bytes[a] ?? 0) << 24) | ((bytes[b] ?? 0) << 16) | ((bytes[c] ?? 0) << 8) | (bytes[d] ?? 0)
}

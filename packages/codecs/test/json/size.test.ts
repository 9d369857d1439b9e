import { anything, assert, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isLongerThan } from '../../src/json/size.ts'

/** An object whose class decides how it is written. */
class Shown {
  readonly text = 'x'.repeat(1_000)
  toJSON(): unknown {
    return undefined
  }
}

class Point {
  readonly x = 1
  readonly label = 'x'.repeat(1_000)
}

function holes(length: number): unknown[] {
  const items: unknown[] = []
  items.length = length
  return items
}

describe('isLongerThan', () => {
  test('is never wrong about a text that fits', () => {
    const values = anything({
      withBigInt: false,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withNullPrototype: true,
    })
    const isRight = (value: unknown): boolean => {
      const text = JSON.stringify(value) as string | undefined
      return text === undefined || !isLongerThan(value, text.length)
    }
    expect(() => assert(property(values, isRight), { numRuns: 2_000 })).not.toThrow()
  })

  test.each<[string, unknown]>([
    ['a date', new Date(0)],
    ['a class with a toJSON', { shown: new Shown() }],
    ['a toJSON of its own', { text: 'x'.repeat(1_000), toJSON: () => 1 }],
    ['a text in an object', Object('x'.repeat(1_000))],
    ['what is left out', { a: undefined, b: () => 1, c: Symbol('c') }],
    ['a view without a length', new DataView(new ArrayBuffer(1_000))],
    ['a map', new Map([['x'.repeat(1_000), 1]])],
  ])('is never wrong about %s', (_, value) => {
    expect(isLongerThan(value, JSON.stringify(value).length)).toBe(false)
  })

  test.each<[string, unknown]>([
    ['a text', 'x'.repeat(1_000)],
    ['the same text often', { a: Array.from({ length: 10 }, () => 'x'.repeat(100)) }],
    ['holes', { items: holes(1_000_000_000) }],
    ['one item far away', holes(2 ** 31 + 1)],
    ['bytes', new Uint8Array(1_000)],
    ['a Buffer', Buffer.alloc(1_000)],
    ['names', Object.fromEntries(Array.from({ length: 100 }, (_unused, index) => [`name ${index}`, 1]))],
    ['an object of a class', [new Point()]],
    ['nothing but numbers', Array.from({ length: 1_000 }, () => [[1]])],
  ])('finds out: %s', (_, value) => {
    expect(isLongerThan(value, 900)).toBe(true)
  })

  test('looks no further than it has to', () => {
    let looked = 0
    const item = {
      get next(): string {
        looked += 1
        return 'x'.repeat(100)
      },
    }
    expect(
      isLongerThan(
        Array.from({ length: 100_000 }, () => item),
        2_000_000,
      ),
    ).toBe(true)
    // Twice, since what seems to be too much is looked at again.
    expect(looked).toBeLessThan(40_000)
  })

  test('leaves cycles to JSON.stringify', () => {
    const one: Record<string, unknown> = {}
    const other = { one, again: one }
    one['other'] = other
    one['again'] = other
    expect(isLongerThan(one, 1_000_000)).toBe(false)
  })

  test('asks nothing where there is no limit', () => {
    const value = {
      get never(): string {
        throw new Error('it was asked')
      },
    }
    expect(isLongerThan(value, Infinity)).toBe(false)
  })
})

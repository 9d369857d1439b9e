import { expect, test } from 'vitest'
import { array, bool, choice, f32, f64, raw, struct, text, u16, u32, u8 } from '../../src/index.ts'
import type { StructLayout } from '../../src/index.ts'
import { codecError, failing } from '../support/support.ts'

/** Passes what a program without types may pass. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the point of these tests
const structOf = (layout: unknown): unknown => struct(layout as StructLayout)

/** The text form of a layout. */
const says = (layout: StructLayout): string | undefined => /layout="([^"]*)"/.exec(struct(layout).contentType)?.[1]

/** So many layouts in one another. */
const nested = (levels: number): StructLayout => {
  let layout: StructLayout = { a: u8 }
  for (let level = 1; level < levels; level++) layout = { a: layout }
  return layout
}

/** So many arrays in one another, in a layout. */
const arrays = (levels: number): StructLayout => {
  let type = array(u8, 1)
  for (let level = 1; level < levels; level++) type = array(type, 1) as never
  return { a: type }
}

const itself: Record<string, unknown> = { a: u8 }
itself['b'] = itself
itself['c'] = itself
let doubling: StructLayout = { a: u8 }
for (let level = 0; level < 30; level++) doubling = { a: doubling, b: doubling }

test.each<[string, unknown, string]>([
  ['an empty layout', {}, 'a record must have at least one field'],
  ['no layout', undefined, 'expected a layout, got undefined'],
  ['an empty name', { '': u8 }, '"" is not a valid name of a field'],
  ['a name with a space', { 'a b': u8 }, '"a b" is not a valid name of a field'],
  ['a name with a quote', { 'a"b': u8 }, '"a\\"b" is not a valid name of a field'],
  ['a name that is a number', { 1: u8 }, '"1" is not a valid name of a field'],
  ['a name beyond ASCII', { Größe: u8 }, '"Größe" is not a valid name of a field'],
  ['a name with a line end', { 'a\n': u8 }, '"a\\n" is not a valid name of a field'],
  ['a name that is code', { 'a]) || (globalThis.x = 1': u8 }, 'is not a valid name of a field'],
  ['__proto__', { ['__proto__']: u8 }, '"__proto__" is not a valid name of a field'],
  ['__proto__ further in', { a: { ['__proto__']: u8 } }, '"__proto__" is not a valid name of a field'],
  ['a type that is a string', { a: 'u8' }, 'a: expected a type such as u16, or a layout, got a string'],
  ['no type', { a: undefined }, 'a: expected a type such as u16, or a layout, got undefined'],
  ['a function', { a: text }, 'a: expected a type such as u16, or a layout, got a function'],
  ['an array', { a: [u8] }, 'a: expected a type such as u16, or a layout, got an array of 1'],
  ['a copy of a type', { a: { ...u8 } }, 'a.name: expected a type'],
  ['a type', u8, 'name: expected a type'],
  ['a codec', { a: struct({ b: u8 }) }, 'a.name: expected a type'],
  ['an empty layout further in', { a: u8, b: { c: {} } }, 'b.c must have at least one field'],
  ['an invalid type further in', { a: { b: { c: 5 } } }, 'a.b.c: expected a type'],
  ['an object in itself', itself, 'more than 32 layouts and arrays in one another'],
  ['an object in many places', doubling, 'more than 1024 types'],
  ['33 levels of layouts', nested(33), 'more than 32 layouts and arrays in one another'],
  ['33 levels with arrays', arrays(32), 'more than 32 layouts and arrays in one another'],
  [
    'too many fields',
    Object.fromEntries(Array.from({ length: 1024 }, (_, i) => [`f${i}`, u8])),
    'more than 1024 types',
  ],
  ['a name that is too long', { ['a'.repeat(9000)]: u8 }, 'more than 8192 characters'],
  ['a layout of 8,191 characters', { ['a'.repeat(8_191 - ':u8'.length)]: u8 }, 'more than 8192 characters'],
  ['a record that is too large', { a: raw(2 ** 30 - 1), b: u8 }, 'more than 1073741823 bytes'],
])('struct: refuses %s (STRUCT-1, STRUCT-2)', (_, layout, why) => {
  const error = codecError('INVALID_CODEC', () => structOf(layout))
  expect(error).toMatchObject({ side: 'local', fatal: false })
  expect(error.message).toContain(why)
})

test('struct: accepts a layout at each limit (STRUCT-2)', () => {
  expect(struct(nested(32)).size).toBe(1)
  expect(struct(arrays(31)).size).toBe(1)
  expect(struct(Object.fromEntries(Array.from({ length: 1023 }, (_, i) => [`f${i}`, u8]))).size).toBe(1023)
  expect(struct({ a: raw(2 ** 30 - 1) }).size).toBe(2 ** 30 - 1)
  expect(struct({ ['a'.repeat(8_190 - ':u8'.length)]: u8 }).size).toBe(1)
})

const notSizes = [0, -1, 0.5, Number.NaN, Infinity, 2 ** 53, 2 ** 30]

test.each(notSizes)('text, raw, array: refuse a size of %d', (size) => {
  expect(() => text(size)).toThrow(failing('INVALID_CODEC'))
  expect(() => raw(size)).toThrow(failing('INVALID_CODEC'))
  expect(() => array(u8, size)).toThrow(failing('INVALID_CODEC'))
})

test('text, raw, array: refuse a size that is not a number', () => {
  // @ts-expect-error a string is no number
  expect(() => text('8')).toThrow(failing('INVALID_CODEC'))
  // @ts-expect-error nothing is no number
  expect(() => raw()).toThrow(failing('INVALID_CODEC'))
  // @ts-expect-error nothing is no number
  expect(() => array(u8)).toThrow(failing('INVALID_CODEC'))
})

test('array: refuses an invalid type', () => {
  // @ts-expect-error a string is no type
  expect(() => array('u8', 2)).toThrow(failing('INVALID_CODEC'))
  expect(() => array({}, 2)).toThrow(failing('INVALID_CODEC'))
  expect(() => array({ a: array(u16, 2 ** 29) }, 2)).toThrow(failing('INVALID_CODEC'))
})

test.each([
  ['none', []],
  ['the same twice', ['a', 'b', 'a']],
  ['257 of them', Array.from({ length: 257 }, (_, index) => `n${index}`)],
  ['an empty one', ['a', '']],
  ['a space', ['a b']],
  ['a quote', ['a"']],
  ['a backslash', ['a\\']],
  ['a bar', ['a|b']],
  ['a parenthesis', ['a)']],
  ['a comma', ['a,b']],
  ['a semicolon', ['a;b']],
  ['a line end', ['a\n']],
  ['a letter beyond ASCII', ['ö']],
  ['a number', [1]],
])('choice: refuses %s', (_, names) => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a program without types may pass
  expect(() => choice(...(names as [string]))).toThrow(failing('INVALID_CODEC'))
})

test('choice: does not change when its names do', () => {
  const names: [string, ...string[]] = ['a', 'b']
  const codec = struct({ x: choice(...names) })
  names[0] = 'c'
  expect(codec.decode(Uint8Array.of(0))).toEqual({ x: 'a' })
})

test('struct: refuses an unknown byte order', () => {
  // @ts-expect-error there are two
  expect(() => struct({ a: u8 }, { endian: 'middle' })).toThrow(failing('INVALID_CODEC'))
})

test('struct: has one text for each layout, and a different one for every other (STRUCT-1)', () => {
  const layouts: StructLayout[] = [
    { a: u8 },
    { b: u8 },
    { A: u8 },
    { a: u16 },
    { a: u8, b: u8 },
    { b: u8, a: u8 },
    { a: { b: u8 } },
    { a: { b: u8 }, c: u8 },
    { a: { b: u8, c: u8 } },
    { a: text(12) },
    { a: raw(12) },
    { a: array(u8, 12) },
    { a: array(u8, 1) },
    { a: array(array(u8, 1), 2) },
    { a: array(array(u8, 2), 1) },
    { a: array({ b: u8 }, 2) },
    { a: { b: array(u8, 2) } },
    { a: array(text(1), 2) },
    { a: array(text(2), 1) },
    { a: choice('u8') },
    { a: choice('x', 'y') },
    { a: choice('y', 'x') },
    { a: choice('X', 'y') },
    { a: choice('x/y') },
    { a: choice('x.y', '+-_9') },
    { a: array(choice('x', 'y'), 3) },
  ]
  const texts = layouts.map(says)
  expect(new Set(texts).size).toBe(layouts.length)
  for (const one of texts) expect(one).toMatch(/^[\w$:,.|+/()[\]{}-]+$/)
  expect(texts.slice(-13)).toEqual([
    'a:u8[1][2]',
    'a:u8[2][1]',
    'a:{b:u8}[2]',
    'a:{b:u8[2]}',
    'a:text(1)[2]',
    'a:text(2)[1]',
    'a:choice(u8)',
    'a:choice(x|y)',
    'a:choice(y|x)',
    'a:choice(X|y)',
    'a:choice(x/y)',
    'a:choice(x.y|+-_9)',
    'a:choice(x|y)[3]',
  ])
})

test('struct: accepts a layout in several places', () => {
  const point = { x: f32, y: f64 }
  const line = { from: point, to: point }
  expect(says({ line, lines: array(line, 2), ok: bool, id: u32 })).toBe(
    'line:{from:{x:f32,y:f64},to:{x:f32,y:f64}},lines:{from:{x:f32,y:f64},to:{x:f32,y:f64}}[2],ok:bool,id:u32',
  )
})

import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'

import { RouteTree } from '../../src/route/route-tree.ts'

function treeOf(...paths: string[]): RouteTree<string> {
  const tree = new RouteTree<string>()
  for (const path of paths) expect(tree.add(path, path)).toBe(true)
  return tree
}

/** What a path leads to: the route and its parameters, or a word. */
function found(tree: RouteTree<string>, target: string): unknown {
  const result = tree.find(target)
  return typeof result === 'string' ? result : [result.value, result.params]
}

test('a path longer than every route is not decoded, and one with invalid encodings throws nothing', () => {
  const decode = vi.spyOn(globalThis, 'decodeURIComponent')
  const tree = treeOf('/a/:b')
  expect(found(tree, `/${'%z/'.repeat(1_000)}`)).toBe('not found')
  expect(found(tree, `/${'%41/'.repeat(1_000)}`)).toBe('not found')
  expect(found(tree, '/a/%z')).toBe('malformed')
  expect(decode).not.toHaveBeenCalled()
  expect(found(tree, '/%61/%62')).toEqual(['/a/:b', { b: 'b' }])
  expect(decode).toHaveBeenCalledTimes(2)
  decode.mockRestore()
})

describe('find', () => {
  const tree = treeOf('/', '/quotes/:market', '/a~b/caf%C3%A9/:name', '/x%2Fy', '/slash/', '/two/:a/:b')

  test.each([
    ['/', ['/', {}]],
    ['/quotes/xetra', ['/quotes/:market', { market: 'xetra' }]],
    ['/quotes/x%2Fy', ['/quotes/:market', { market: 'x/y' }]],
    ['/quotes/%252F', ['/quotes/:market', { market: '%2F' }]],
    ['/quotes/%c3%A9', ['/quotes/:market', { market: 'é' }]],
    ['/quotes/a+b', ['/quotes/:market', { market: 'a+b' }]],
    ['/quotes/...', ['/quotes/:market', { market: '...' }]],
    ['/%71uotes/xetra', ['/quotes/:market', { market: 'xetra' }]],
    ['/a%7eb/caf%c3%a9/x', ['/a~b/caf%C3%A9/:name', { name: 'x' }]],
    ['/x%2fy', ['/x%2Fy', {}]],
    ['/slash/', ['/slash/', {}]],
    ['/two/1/2', ['/two/:a/:b', { a: '1', b: '2' }]],
    ['/x/y', 'not found'],
    ['/quotes%2Fxetra', 'not found'],
    ['/a%257Eb/caf%C3%A9/x', 'not found'],
  ])('%s: splits at slashes, then decodes each segment once (PATH-1)', (target, expected) => {
    expect(found(tree, target)).toEqual(expected)
  })

  test.each([
    '',
    '*',
    'quotes/xetra',
    '//',
    '/Quotes/xetra',
    '/quotes',
    '/quotes/',
    '/quotes//',
    '/quotes/xetra/',
    '//quotes/xetra',
    '/quotes//xetra',
    '/quotes/./xetra',
    '/slash',
    '/two//2',
    '/nowhere/%zz',
    '/nowhere/..',
  ])('%s matches no route (PATH-2)', (target) => {
    expect(found(tree, target)).toBe('not found')
  })

  test.each([
    '/quotes/.',
    '/quotes/..',
    '/quotes/%2e',
    '/quotes/%2E.',
    '/quotes/%',
    '/quotes/%zz',
    '/quotes/%FF',
    '/quotes/%C0%AE',
    '/quotes/%ED%A0%80',
    '/quotes/\u00e9',
    '/two/1/..',
    '/two/../2',
  ])('%s has a parameter that is invalid (PATH-4)', (target) => {
    expect(found(tree, target)).toBe('malformed')
  })

  test.each(['?', '?a=b', '?a=/b/c', '?/../%zz', '??'])('a query %s is not a part of the path (PATH-5)', (query) => {
    expect(found(tree, `/quotes/xetra${query}`)).toEqual(['/quotes/:market', { market: 'xetra' }])
    expect(found(tree, `/${query}`)).toEqual(['/', {}])
  })
})

test('add refuses a route that matches the same paths', () => {
  const tree = treeOf('/a/:b', '/a', '/caf%C3%A9')
  for (const path of ['/a/:c', '/a', '/caf%c3%a9', '/%61']) expect(tree.add(path, path)).toBe(false)
  expect(found(tree, '/a/1')).toEqual(['/a/:b', { b: '1' }])
})

test('a parameter may have any name', () => {
  const tree = treeOf('/:__proto__/:constructor')
  expect(tree.find('/x/y')).toMatchObject({
    params: Object.fromEntries([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]),
  })
})

test('from left to right, a literal precedes a parameter, in any order of routes (PATH-3)', () => {
  const paths = ['/:a/:b', '/:a/two', '/one/:b', '/one/two', '/:a/:b/three', '/one/two/four', '/:a']
  const expected: readonly (readonly [string, unknown])[] = [
    ['/one/two', ['/one/two', {}]],
    ['/one/2', ['/one/:b', { b: '2' }]],
    ['/1/two', ['/:a/two', { a: '1' }]],
    ['/1/2', ['/:a/:b', { a: '1', b: '2' }]],
    // The literals lead nowhere.
    ['/one/two/three', ['/:a/:b/three', { a: 'one', b: 'two' }]],
    ['/one/two/four', ['/one/two/four', {}]],
    ['/one', ['/:a', { a: 'one' }]],
    ['/one/%zz', 'malformed'],
    ['/%zz/two', 'malformed'],
    ['/one/two/five', 'not found'],
  ]
  fc.assert(
    fc.property(fc.shuffledSubarray(paths, { minLength: paths.length }), (order) => {
      const tree = treeOf(...order)
      for (const [target, result] of expected) expect(found(tree, target)).toEqual(result)
    }),
    { numRuns: 50 },
  )
})

test('the number of routes does not make a search slow', () => {
  const paths = Array.from({ length: 200 }, (_, index) => `/v1/tenants/:tenant/service${index}/:id`)
  const time = (tree: RouteTree<string>): number => {
    const began = performance.now()
    for (let count = 0; count < 20_000; count++) tree.find('/v1/tenants/acme/service199/7')
    return performance.now() - began
  }
  const [one, all] = [treeOf(paths[199] ?? ''), treeOf(...paths)]
  time(one)
  time(all)
  // A search through a list takes 100 times as long.
  expect(time(all)).toBeLessThan(20 * time(one) + 100)
})

import { expect, test } from 'vitest'

import { Linked, LinkedList } from '../../src/internal.ts'

class Named extends Linked<Named> {
  readonly name: string
  constructor(name: string) {
    super()
    this.name = name
  }
}

const names = (list: LinkedList<Named>): string => Array.from(list, ({ name }) => name).join('')

test.each(['abc', 'acb', 'bac', 'bca', 'cab', 'cba'])('LinkedList: items leave it in any order: %s', (order) => {
  const items = new Map(['a', 'b', 'c'].map((name) => [name, new Named(name)]))
  const list = new LinkedList<Named>()
  for (const item of items.values()) list.add(item)
  expect([names(list), list.size]).toEqual(['abc', 3])
  let left = 'abc'
  for (const name of order.split('')) {
    const item = items.get(name) as Named
    expect(list.delete(item)).toBe(true)
    left = left.replace(name, '')
    expect([names(list), list.size, list.first?.name ?? '']).toEqual([left, left.length, left.slice(0, 1)])
    // What is dead must keep nothing alive.
    expect([item.previous, item.next, item.list]).toEqual([undefined, undefined, undefined])
  }
})

test('LinkedList: an item that has left can be added again, at the end', () => {
  const [a, b] = [new Named('a'), new Named('b')]
  const list = new LinkedList<Named>()
  list.add(a)
  list.add(b)
  list.delete(a)
  list.add(a)
  expect(names(list)).toBe('ba')
})

test('LinkedList: delete of an item that is in no list, or in another, changes nothing', () => {
  const [a, b] = [new Named('a'), new Named('b')]
  const [list, other] = [new LinkedList<Named>(), new LinkedList<Named>()]
  list.add(a)
  other.add(b)
  expect([list.delete(b), list.delete(new Named('c')), other.delete(a)]).toEqual([false, false, false])
  expect([names(list), names(other)]).toEqual(['a', 'b'])
})

/** The rules of the language for an asynchronous iterator, on which `yield*`, streams and helpers rely. */
import { expect, test } from 'vitest'

import { pipe, StreamConn } from '../../src/web.ts'
import { bytes, text } from '../support/support.ts'

const done = { done: true, value: undefined }

function both(): readonly [StreamConn, StreamConn] {
  const [left, right] = pipe()
  if (!(left instanceof StreamConn) || !(right instanceof StreamConn)) throw new Error('unreachable')
  return [left, right]
}

test.each(['return', 'throw'] as const)(
  '%s ends a next that waits, without a chunk, and all later ones',
  async (end) => {
    const [left, right] = both()
    const iterator = left[Symbol.asyncIterator]()
    const other = left[Symbol.asyncIterator]()
    const waiting = [iterator.next(), other.next(), iterator.next(), left.read()] as const
    const ending = end === 'return' ? iterator.return?.() : iterator.throw?.(new Error('mine'))
    expect(await ending?.then(JSON.stringify, String)).toBe(end === 'return' ? '{"done":true}' : 'Error: mine')
    expect(await waiting[0]).toEqual(done)
    expect(await waiting[2]).toEqual(done)
    expect(await iterator.next()).toEqual(done)
    // It ends neither half: the other iterations get what arrives.
    await right.write(bytes('a'))
    const first = await waiting[1]
    expect(text(first.value ?? null)).toBe('a')
    await right.write(bytes('b'))
    expect(text(await waiting[3])).toBe('b')
    left.abort()
  },
)

test('another iteration continues where one was left, and an iterator is iterable', async () => {
  const [left, right] = both()
  await right.write(bytes('a'))
  for await (const chunk of left) {
    expect(text(chunk)).toBe('a')
    break
  }
  await right.write(bytes('b'))
  const iterator = left[Symbol.asyncIterator]()
  expect(text((await iterator.next()).value ?? null)).toBe('b')
  await right.write(bytes('c'))
  await right.closeWrite()
  const got: (string | null)[] = []
  for await (const chunk of iterator) got.push(text(chunk))
  expect(got).toEqual(['c'])
  expect(await iterator.next()).toEqual(done)
  left.abort()
})

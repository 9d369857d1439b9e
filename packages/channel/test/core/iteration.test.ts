/** What the language asks of an asynchronous iterator: `yield*`, streams and helpers go by it. */
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'

import type { Channel } from '../../src/index.ts'
import { channels, failOnUnhandledRejections, failure } from '../support/support.ts'

failOnUnhandledRejections()

const done = { done: true, value: undefined }

const kinds: readonly (readonly [string, (channel: Channel<number, number>) => AsyncIterator<unknown, undefined>])[] = [
  ['messages', (channel) => channel[Symbol.asyncIterator]()],
  ['batches', (channel) => channel.batches()[Symbol.asyncIterator]()],
]

describe.each(kinds)('%s', (_, iterate) => {
  test('return ends a next that waits, and all later ones', async () => {
    const [left] = channels<number>()
    const iterator = iterate(left)
    const waiting = [iterator.next(), iterator.next()]
    expect(await iterator.return?.()).toEqual(done)
    expect(await Promise.all(waiting)).toEqual([done, done])
    expect(await iterator.next()).toEqual(done)
    left.abort()
    expect(await iterator.next()).toEqual(done)
  })

  test('throw ends it as return does, and rejects with what it was given', async () => {
    const [left, right] = channels<number>()
    const iterator = iterate(left)
    const waiting = iterator.next()
    const reason = new Error('mine')
    await expect(iterator.throw?.(reason)).rejects.toBe(reason)
    expect(await waiting).toEqual(done)
    expect(await iterator.next()).toEqual(done)
    // The peer receives a stop.
    await expect
      .poll(async () =>
        right.send(1).then(
          () => 'sent',
          ({ code }: { code: string }) => code,
        ),
      )
      .toBe('PEER_STOPPED')
    left.abort()
  })

  test('a receive that waits at the same time rejects, since receiving has ended', async () => {
    const [left] = channels<number>()
    const iterator = iterate(left)
    const waiting = [left.receive(), iterator.next()]
    await iterator.return?.()
    await failure(Promise.resolve(waiting[0]), 'CLOSED')
    expect(await waiting[1]).toEqual(done)
    left.abort()
  })

  test('the iterator is iterable itself', async () => {
    const [left, right] = channels<number>()
    const iterator = iterate(left) as AsyncIterableIterator<number | number[]>
    await right.send(1)
    const got = [(await iterator.next()).value]
    await right.sendAll([2, 3])
    await right.end()
    for await (const next of iterator) got.push(next)
    expect(got.flat()).toEqual([1, 2, 3])
    expect(iterator[Symbol.asyncIterator]()).toBe(iterator)
    left.abort()
  })

  test('yield* passes return and throw on', async () => {
    for (const end of ['return', 'throw'] as const) {
      const [left, right] = channels<number>()
      const all = iterate(left) as AsyncIterableIterator<unknown>
      const outer = (async function* () {
        yield* all
      })()
      await right.send(1)
      await outer.next()
      const ending = end === 'return' ? outer.return(undefined) : outer.throw(new Error('mine'))
      expect(await ending.then(String, String)).toBe(end === 'return' ? '[object Object]' : 'Error: mine')
      expect(await all.next()).toEqual(done)
      left.abort()
    }
  })
})

test('of two loops, one that is left ends the other', async () => {
  const [left, right] = channels<number>()
  const first = (async () => {
    for await (const message of left) return message
    return undefined
  })()
  const second = (async () => {
    let count = 0
    for await (const message of left) count += message
    return count
  })()
  await right.send(1)
  expect(await first).toBe(1)
  expect(await second).toBe(0)
  left.abort()
})

test('a Readable made from it that is destroyed while it waits stops the peer', async () => {
  const [left, right] = channels<number>()
  const readable = Readable.from(left)
  readable.read()
  readable.destroy()
  await expect
    .poll(async () =>
      right.send(1).then(
        () => 'sent',
        ({ code }: { code: string }) => code,
      ),
    )
    .toBe('PEER_STOPPED')
  left.abort()
})

/** Many messages at a time: `sendAll` and `batches`, which do what `send` and `for await` do. */
import type { Codec } from '@h2channel/codecs'
import { json } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn/web'
import { pipe } from '@h2channel/conn/web'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

import { Channel } from '../../src/index.ts'
import {
  channelAndPeer,
  channels,
  concat,
  failOnUnhandledRejections,
  failure,
  jsonFrames,
  outcome,
  receiveAll,
  settled,
  until,
  utf8,
} from '../support/support.ts'

failOnUnhandledRejections()

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

async function batchesOf<R>(channel: Channel<never, R>): Promise<R[][]> {
  const all: R[][] = []
  for await (const batch of channel.batches()) all.push(batch)
  return all
}

describe('sendAll', () => {
  test('sends all in order, and is done before they are received', async () => {
    const [left, right] = channels<number>()
    await left.sendAll(numbers(1_000))
    await left.sendAll(new Set([7, 8, 9]))
    await left.sendAll([])
    await left.end()
    expect(await receiveAll(right)).toEqual([...numbers(1_000), 7, 8, 9])
  })

  test('waits for room, and pulls from the iterable only what it has room for', async () => {
    const [left, right] = channels<number>({ limits: { maxBufferedBytes: 100 }, pipe: { highWaterMark: 1 } })
    let asked = 0
    function* supply(): Generator<number> {
      for (let index = 0; index < 1_000; index++) {
        asked += 1
        yield index
      }
    }
    const sending = left.sendAll(supply())
    await settled()
    // A frame has 5 to 7 bytes. The conn, the receiver and the waiting sender hold further messages.
    expect(asked).toBeLessThan(100)
    expect(left.bufferedBytes).toBeLessThanOrEqual(100 + 7)
    const received = receiveAll(right)
    await sending
    await left.end()
    expect(asked).toBe(1_000)
    expect(await received).toEqual(numbers(1_000))
  })

  test('a message that can’t be sent ends it: those before are sent, and the iterable is closed', async () => {
    const [left, right] = channels({ limits: { maxMessageBytes: 10 } })
    let isClosed = false
    function* supply(bad: unknown): Generator {
      try {
        yield 1
        yield bad
        yield 2
      } finally {
        isClosed = true
      }
    }
    await failure(left.sendAll(supply(1n)), 'ENCODE_FAILED')
    expect(isClosed).toBe(true)
    await failure(left.sendAll(supply('longer than that')), 'MESSAGE_TOO_LARGE')
    await left.end()
    expect(await receiveAll(right)).toEqual([1, 1])
  })

  test('what the iterable throws comes through', async () => {
    const [left, right] = channels<number>()
    function* supply(): Generator<number> {
      yield 1
      throw new RangeError('no more')
    }
    await expect(left.sendAll(supply())).rejects.toThrow(new RangeError('no more'))
    await left.end()
    expect(await receiveAll(right)).toEqual([1])
  })

  test('keeps its place among sends that wait', async () => {
    const [left, right] = channels<string>({ limits: { maxBufferedBytes: 1 }, pipe: { highWaterMark: 1 } })
    const sends = [left.send('first'), left.sendAll(['all 1', 'all 2']), left.send('last')]
    const received = receiveAll(right)
    await Promise.all(sends)
    await left.end()
    // `all 2` is asked for when `all 1` is sent.
    expect(await received).toEqual(['first', 'all 1', 'last', 'all 2'])
  })

  test('a signal ends the wait for room', async () => {
    const [left] = channels<number>({ limits: { maxBufferedBytes: 1 }, pipe: { highWaterMark: 1 } })
    const controller = new AbortController()
    const sending = left.sendAll(numbers(100), { signal: controller.signal })
    await settled()
    controller.abort('enough')
    expect(await failure(sending, 'CANCELLED')).toMatchObject({ cause: 'enough' })
    left.abort()
  })

  test('fails as send does once the channel has ended', async () => {
    const [ended, aborted] = [channels<number>()[0], channels<number>()[0]]
    await ended.end()
    expect(await failure(ended.sendAll([1]), 'CLOSED')).toMatchObject({ fatal: false })
    aborted.abort()
    await failure(aborted.sendAll([1]), 'ABORTED')
    ended.abort()
  })

  test.each([
    ['nothing', undefined],
    ['a number', 1],
    ['a text', 'text'],
    ['an object whose iterator is not a function', { [Symbol.iterator]: 1 }],
    [
      'an async iterable',
      (async function* () {
        yield 1
      })(),
    ],
  ])('%s is INVALID_ARGUMENT', async (_name, messages) => {
    const [left] = channels()
    // @ts-expect-error none of these is an iterable of messages
    const error = await failure(left.sendAll(messages), 'INVALID_ARGUMENT')
    expect(error).toMatchObject({ side: 'local', fatal: false })
    left.abort()
  })
})

describe('batches', () => {
  test('a batch is what a chunk has, and never empty', async () => {
    const [channel, peer] = channelAndPeer<number>()
    const [whole, rest] = [jsonFrames(1, 2, 3), jsonFrames(4, 5)]
    await peer.write(whole)
    const batches = channel.batches()[Symbol.asyncIterator]()
    expect(await batches.next()).toEqual({ done: false, value: [1, 2, 3] })
    const next = batches.next()
    // Half a message makes no batch.
    await peer.write(rest.subarray(0, 3))
    await settled()
    await peer.write(rest.subarray(3))
    expect(await next).toEqual({ done: false, value: [4, 5] })
    await peer.closeWrite()
    expect(await batches.next()).toEqual({ done: true, value: undefined })
    expect(await batches.next()).toEqual({ done: true, value: undefined })
    await channel.close()
  })

  test('together they are what for await yields, however the bytes were cut', async () => {
    const wire = jsonFrames(...numbers(300))
    for (const size of [1, 2, 3, 5, 6, 7, 64, 1_000]) {
      const [channel, peer] = channelAndPeer<number>()
      const received = batchesOf(channel)
      for (let at = 0; at < wire.length; at += size) await peer.write(wire.subarray(at, at + size))
      await peer.closeWrite()
      const batches = await received
      expect(batches.flat(), `chunks of ${size}`).toEqual(numbers(300))
      expect(batches.filter((batch) => batch.length === 0)).toEqual([])
      await channel.close()
    }
  })

  test('a batch is the caller’s own', async () => {
    const [left, right] = channels<number>()
    await left.sendAll([1, 2])
    const batches = right.batches()[Symbol.asyncIterator]()
    const first = await batches.next()
    first.value?.splice(0)
    await left.sendAll([3])
    await left.end()
    expect(await batches.next()).toEqual({ done: false, value: [3] })
  })

  test('share the messages with receive, each in its turn', async () => {
    const [channel, peer] = channelAndPeer<number>()
    const batches = channel.batches()[Symbol.asyncIterator]()
    const [first, second, third] = [batches.next(), channel.receive(), batches.next()]
    await peer.write(jsonFrames(1, 2, 3, 4))
    // No waiting call gets a second message before every waiting call has one.
    expect(await Promise.all([first, second, third])).toEqual([
      { done: false, value: [1, 4] },
      2,
      { done: false, value: [3] },
    ])
    const [one, rest] = [channel.receive(), batches.next()]
    await peer.write(jsonFrames(5, 6, 7))
    await peer.closeWrite()
    expect(await one).toBe(5)
    expect(await rest).toEqual({ done: false, value: [6, 7] })
    await channel.close()
  })

  test('messages before an invalid one are handed out, then the error', async () => {
    const [channel, peer] = channelAndPeer<number>()
    await peer.write(concat([jsonFrames(1, 2), utf8('\0\0\0\u0001!'), jsonFrames(3)]))
    await peer.closeWrite()
    const batches = channel.batches()[Symbol.asyncIterator]()
    expect(await batches.next()).toEqual({ done: false, value: [1, 2] })
    await settled()
    // The channel stays open until the invalid message is asked for.
    await channel.send(1)
    const error = await failure(batches.next(), 'INVALID_MESSAGE')
    expect(await outcome(channel, 'INVALID_MESSAGE')).toBe(error)
    expect(await failure(batches.next(), 'INVALID_MESSAGE')).toBe(error)
  })

  /** A channel that has handed out a batch of `[1]`, before a message that its schema refuses. */
  async function beforeInvalid(): Promise<[Channel<number, number>, peer: Conn, asked: unknown[]]> {
    const asked: unknown[] = []
    const [left, right] = pipe()
    const channel = new Channel<number, number>(left, {
      send: json<number>(),
      receive: json(z.number()),
      onInvalid: (error) => {
        asked.push(error)
        return 'close'
      },
    })
    await right.write(jsonFrames(1, 'two', 3))
    expect(await channel.batches()[Symbol.asyncIterator]().next()).toEqual({ done: false, value: [1] })
    return [channel, right, asked]
  }

  test('an invalid message after a batch is reported to the next receive, and onInvalid is called once', async () => {
    const [channel, , asked] = await beforeInvalid()
    expect(asked).toEqual([])
    const error = await failure(channel.receive(), 'INVALID_MESSAGE')
    expect(asked).toEqual([error])
  })

  test('an invalid message after a batch does no harm when it is never received', async () => {
    const [channel, peer, asked] = await beforeInvalid()
    await peer.closeWrite()
    await channel.close()
    expect(await channel.closed).toMatchObject({ clean: true })
    expect(asked).toEqual([])
  })

  test('messages before an invalid frame are handed out, then the error', async () => {
    const [channel, peer] = channelAndPeer<number>()
    const received: number[][] = []
    const receiving = (async () => {
      for await (const batch of channel.batches()) received.push(batch)
    })()
    await peer.write(concat([jsonFrames(1, 2), utf8('\u007f\0\0\0')]))
    await failure(receiving, 'INVALID_FRAME')
    expect(received).toEqual([[1, 2]])
  })

  test('an abort of the peer is their error', async () => {
    const [left, right] = channels<number>()
    const received = batchesOf(right)
    left.abort()
    expect(await failure(received, 'PEER_ABORTED')).toMatchObject({ side: 'remote' })
  })

  test('leave out what onInvalid skips, and yield no batch where all was skipped', async () => {
    const [left, right] = pipe()
    const isEven: Codec<number> = {
      ...json<number>({
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value) => (Number(value) % 2 === 0 ? { value: Number(value) } : { issues: [{ message: 'odd' }] }),
        },
      }),
    }
    let skipped = 0
    const channel = new Channel<number, number>(left, {
      send: isEven,
      receive: isEven,
      onInvalid: () => {
        skipped += 1
        return 'skip'
      },
    })
    const received = batchesOf(channel)
    await right.write(jsonFrames(1, 2, 3, 4))
    await settled()
    await right.write(jsonFrames(...Array.from({ length: 250 }, (_, index) => index * 2 + 1), 6, 7))
    await settled()
    await right.write(jsonFrames(9))
    await right.closeWrite()
    // onInvalid is called only for a message that was asked for, so a batch ends before an invalid one.
    expect(await received).toEqual([[2], [4], [6]])
    expect(skipped).toBe(2 + 250 + 2)
    await channel.close()
  })

  test('at most one batch is ahead of the receiver: the peer is held back', async () => {
    const options = { limits: { maxBufferedBytes: 100 }, pipe: { highWaterMark: 1 } }
    const [left, right] = channels<number>(options)
    let sent = 0
    const sending = (async () => {
      for (const number of numbers(5_000)) {
        await left.send(number)
        sent += 1
      }
      await left.end()
    })()
    const batches = right.batches()[Symbol.asyncIterator]()
    const first = await batches.next()
    await settled()
    const before = sent
    await settled()
    expect(sent).toBe(before)
    expect(sent).toBeLessThan(500)
    const rest = await batchesOf(right)
    await sending
    expect([...(first.value ?? []), ...rest.flat()]).toEqual(numbers(5_000))
  })

  test('leaving them early sends the peer a stop', async () => {
    const [left, right] = channels<number>()
    await left.sendAll([1, 2, 3])
    for await (const batch of right.batches()) {
      expect(batch).toEqual([1, 2, 3])
      break
    }
    await until(() => left.bufferedBytes === 0)
    await settled()
    await failure(left.send(4), 'PEER_STOPPED')
    await failure(right.receive(), 'CLOSED')
    await right.send(5)
    expect(await left.receive()).toBe(5)
    await Promise.all([left.close(), right.close()])
  })
})

// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
import type { Conn } from '@h2channel/conn'
import { pipe } from '@h2channel/conn/web'
import { describe, expect, test } from 'vitest'

import type { Channel } from '../../src/index.ts'
import { ChannelError } from '../../src/index.ts'
import {
  bytesOf,
  channelAndPeer,
  channels,
  failOnUnhandledRejections,
  failure,
  hexOf,
  jsonFrames,
  outcome,
  overConn,
  readAll,
  receiveAll,
  settled,
  WatchedConn,
} from '../support/support.ts'

failOnUnhandledRejections()

const both = [
  { how: 'with control frames', control: true },
  { how: 'without control frames', control: false },
]

describe.each(both)('$how', ({ control }) => {
  describe('end', () => {
    test('delivers what was sent, then ends the peer’s iteration; this side can still receive (END-1)', async () => {
      const [left, right] = channels({ control })
      await left.send(1)
      await left.end()
      expect(await receiveAll(right)).toEqual([1])
      await right.send(2)
      expect(await left.receive()).toBe(2)
      await right.end()
      expect(await left.receive()).toBeUndefined()
      expect(await Promise.all([left.closed, right.closed])).toEqual([{ clean: true }, { clean: true }])
    })

    test('returns the same promise when called again, and refuses what is sent afterwards', async () => {
      const [left, right] = channels({ control })
      const ending = left.end()
      expect(left.end()).toBe(ending)
      expect(await failure(left.send(1), 'CLOSED')).toMatchObject({ side: 'local', fatal: false })
      await ending
      await failure(left.send(2), 'CLOSED')
      await left.end()
      await right.end()
      await left.closed
      await left.end()
      await failure(left.send(3), 'CLOSED')
    })

    test('sends what waits, and resolves when the conn has all of it', async () => {
      const [channel, peer] = channelAndPeer({ control, limits: { maxBufferedBytes: 1 }, pipe: { highWaterMark: 1 } })
      const sends = [1, 2, 3, 4].map((message) => channel.send(message))
      let isOver = false
      const ending = channel.end().then(() => (isOver = true))
      await settled()
      expect(isOver).toBe(false)
      const [wire] = await Promise.all([readAll(peer), ending, ...sends])
      expect(hexOf(wire)).toBe(hexOf(jsonFrames(1, 2, 3, 4)))
    })

    test('rejects when the channel broke off first', async () => {
      const [channel] = channelAndPeer({ control, pipe: { highWaterMark: 1 } })
      await channel.send(1)
      await settled()
      await channel.send(2)
      const ending = channel.end()
      channel.abort('why')
      expect(await failure(ending, 'ABORTED')).toMatchObject({ cause: 'why' })
      await failure(channel.end(), 'ABORTED')
      const [other] = channelAndPeer({ control })
      other.abort()
      await failure(other.end(), 'ABORTED')
    })
  })

  describe('close', () => {
    test('delivers everything first, then both ends have ended (END-2)', async () => {
      const [left, right] = channels<number>({ control, limits: { maxBufferedBytes: 10 } })
      const sends = Array.from({ length: 100 }, (_, index) => left.send(index))
      const closing = left.close()
      const received = await receiveAll(right)
      await right.close()
      await Promise.all([closing, ...sends])
      expect(received).toHaveLength(100)
      expect(await Promise.all([left.closed, right.closed])).toEqual([{ clean: true }, { clean: true }])
    })

    test('returns the same promise at every call, before, during and after closing', async () => {
      const [left, right] = channels({ control })
      const closing = left.close()
      expect(left.close()).toBe(closing)
      await Promise.all([closing, right.close()])
      await left.close()
      await left[Symbol.asyncDispose]()
      expect(await left.closed).toEqual({ clean: true })
    })

    test('refuses what is sent and received afterwards, and ends the waits', async () => {
      const [left, right] = channels({ control })
      const wait = left.receive()
      const closing = left.close()
      await failure(wait, 'CLOSED')
      await failure(left.receive(), 'CLOSED')
      await failure(left.send(1), 'CLOSED')
      await Promise.all([closing, right.close()])
      await failure(left.receive(), 'CLOSED')
      await failure(left.send(1), 'CLOSED')
      await left.end()
    })

    test('discards what still arrives (END-3)', async () => {
      const [left, right] = channels({ control })
      for (const message of [1, 2, 3]) await right.send(message)
      await settled()
      const closing = left.close()
      await failure(left.receive(), 'CLOSED')
      await right.close()
      await closing
      expect(await left.closed).toEqual({ clean: true })
    })

    test('after the peer has ended', async () => {
      const [left, right] = channels({ control })
      await right.send(1)
      await right.end()
      expect(await receiveAll(left)).toEqual([1])
      await left.close()
      expect(await right.receive()).toBeUndefined()
      expect(await Promise.all([left.closed, right.closed])).toEqual([{ clean: true }, { clean: true }])
      await right.close()
    })

    test('after end', async () => {
      const [left, right] = channels({ control })
      await left.send(1)
      await left.end()
      const closing = left.close()
      expect(await receiveAll(right)).toEqual([1])
      await right.close()
      await closing
    })

    test('after abort', async () => {
      const [left, right] = channels({ control })
      await left.send(1)
      left.abort()
      await left.close()
      await outcome(left, 'ABORTED')
      await right.close()
    })

    test('of both ends at once', async () => {
      const [left, right] = channels({ control })
      await left.send(1)
      await right.send(2)
      await Promise.all([left.close(), right.close()])
      expect(await Promise.all([left.closed, right.closed])).toEqual([{ clean: true }, { clean: true }])
    })

    test('ends although the peer is itself held up in sending', async () => {
      const [left, right] = channels<string>({
        control,
        limits: { maxBufferedBytes: 100_000 },
        pipe: { closeTimeout: 5_000 },
      })
      const text = 'x'.repeat(50_000)
      let rounds = 0
      const flooding = (async () => {
        for (; rounds < 40; rounds++) await right.send(text)
        await right.end()
      })().catch((error: unknown) => error)
      const sends = Array.from({ length: 20 }, () => left.send(text).catch((error: unknown) => error))
      await settled()
      expect(rounds).toBeLessThan(40)
      const closing = left.close()
      await flooding
      const received = await receiveAll(right)
      await right.close()
      await Promise.all([closing, ...sends])
      expect(received).toHaveLength(20)
    })

    test('ends although the peer reads nothing, and fails since a message was not delivered', async () => {
      const [channel, peer] = channelAndPeer({ control, limits: { closeTimeout: 20 }, pipe: { highWaterMark: 1 } })
      await channel.send(1)
      await settled()
      await channel.send(2)
      await failure(channel.close(), 'CLOSE_TIMEOUT')
      await outcome(channel, 'CLOSE_TIMEOUT')
      await peer.closed
    })

    test('fails when an accepted message was lost before', async () => {
      const [channel, peer] = channelAndPeer({ control, pipe: { highWaterMark: 1 } })
      await channel.send(1)
      await settled()
      await channel.send(2)
      peer.abort()
      await channel.closed
      await failure(channel.close(), 'PEER_ABORTED')
    })

    test('resolves when the channel broke off with nothing left to send', async () => {
      const [channel, peer] = channelAndPeer({ control })
      peer.abort()
      await channel.closed
      await channel.close()
      await outcome(channel, 'PEER_ABORTED')
    })
  })

  describe('abort', () => {
    test('ends every wait with ABORTED and the reason, and drops what has not left', async () => {
      const [channel, peer] = channelAndPeer({ control, limits: { maxBufferedBytes: 1 }, pipe: { highWaterMark: 1 } })
      await channel.send(1)
      await settled()
      const waits = [channel.send(2), channel.send(3), channel.receive(), channel.receive(), channel.end()]
      const accepted = waits.shift()
      channel.abort('enough')
      channel.abort('again')
      await accepted
      expect(channel.bufferedBytes).toBe(0)
      for (const wait of waits) {
        expect(await failure(wait, 'ABORTED')).toMatchObject({ side: 'local', fatal: true, cause: 'enough' })
      }
      for (const wait of [channel.send(4), channel.receive(), channel.end()]) await failure(wait, 'ABORTED')
      expect((await outcome(channel, 'ABORTED')).cause).toBe('enough')
      await expect(readAll(peer)).rejects.toMatchObject({ code: 'RESET' })
    })

    test('does nothing to a channel that has ended', async () => {
      const [left, right] = channels({ control })
      await Promise.all([left.close(), right.close()])
      left.abort()
      expect(await left.closed).toEqual({ clean: true })
      await left.close()
    })

    test('while closing', async () => {
      const [channel, peer] = channelAndPeer({ control, pipe: { highWaterMark: 1 } })
      await channel.send(1)
      await settled()
      await channel.send(2)
      const closing = channel.close()
      await settled()
      channel.abort()
      await failure(closing, 'ABORTED')
      await outcome(channel, 'ABORTED')
      await peer.closed
    })
  })

  test.each(['break', 'return', 'throw'])(
    'for await: left by %s ends receiving, and sending still works',
    async (by) => {
      const [left, right] = channels({ control })
      for (const message of [1, 2, 3]) await right.send(message)
      const leave = async (): Promise<unknown> => {
        for await (const message of left) {
          if (by === 'break') break
          if (by === 'return') return message
          throw new Error('mine')
        }
        return 'after'
      }
      const left_by = { break: 'after', return: 1, throw: expect.objectContaining({ message: 'mine' }) }[by]
      expect(await leave().catch((error: unknown) => error)).toEqual(left_by)
      await failure(left.receive(), 'CLOSED')
      expect(await receiveAll(left).catch((error: unknown) => error)).toMatchObject({ code: 'CLOSED' })
      await left.send('still here')
      expect(await right.receive()).toBe('still here')
      await left.end()
      expect(await right.receive()).toBeUndefined()
      await Promise.all([left.close(), right.close()])
      expect(await Promise.all([left.closed, right.closed])).toEqual([{ clean: true }, { clean: true }])
    },
  )

  test('return: ends the other waits too, and may be called again', async () => {
    const [left, right] = channels({ control })
    const iterator = left[Symbol.asyncIterator]()
    const waits = [iterator.next(), left.receive()]
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
    expect(await waits[0]).toEqual({ done: true, value: undefined })
    await failure(Promise.resolve(waits[1]), 'CLOSED')
    await Promise.all([left.close(), right.close()])
  })

  test('Symbol.asyncDispose: closes the channel at the end of a block', async () => {
    const [left, right] = channels({ control })
    const receiving = receiveAll(right)
    {
      await using channel = left
      await channel.send(1)
      await channel.send(2)
      void receiving.then(() => right.close())
    }
    expect(await receiving).toEqual([1, 2])
    expect(await left.closed).toEqual({ clean: true })
  })

  test('closed: settles when the peer breaks off, and every wait fails', async () => {
    const [channel, peer] = channelAndPeer({ control, limits: { maxBufferedBytes: 1 }, pipe: { highWaterMark: 1 } })
    await channel.send(1)
    await settled()
    await channel.send(2)
    const waits = [channel.send(3), channel.receive(), channel.end()]
    peer.abort()
    for (const wait of waits) {
      const error = await failure(wait, 'PEER_ABORTED')
      expect(error).toMatchObject({ side: 'remote', fatal: true, cause: { name: 'ConnError' } })
    }
    await outcome(channel, 'PEER_ABORTED')
    await failure(channel.send(4), 'PEER_ABORTED')
    await failure(channel.receive(), 'PEER_ABORTED')
  })
})

describe('leaving a for await', () => {
  test('stops a peer that accepts control frames: its sends get PEER_STOPPED, the waiting ones too (STOP-2)', async () => {
    const [left, right] = channels({ limits: { maxBufferedBytes: 1 }, pipe: { highWaterMark: 1 } })
    await right.send(1)
    await settled()
    await right.send(2)
    await settled()
    const waiting = right.send('waits').then(() => right.send('waits'))
    for await (const _ of left) break
    const error = await failure(
      waiting.then(async () => {
        for (;;) await right.send('more')
      }),
      'PEER_STOPPED',
    )
    expect(error).toMatchObject({ side: 'remote', fatal: false })
    await failure(right.send(3), 'PEER_STOPPED')
    await left.send('more')
    expect(await right.receive()).toBe('more')
    await right.end()
    await left.end()
    expect(await receiveAll(right)).toEqual([])
    expect(await Promise.all([left.closed, right.closed])).toEqual([{ clean: true }, { clean: true }])
  })

  test('puts a stop on the wire (STOP-1)', async () => {
    const [channel, peer] = channelAndPeer()
    await peer.write(jsonFrames(1, 2))
    for await (const _ of channel) break
    await channel.end()
    expect(hexOf(await readAll(peer))).toBe('80 00 00 01 02')
    await peer.close()
  })

  test('drops what such a peer still sends, without checking it (STOP-1)', async () => {
    const [channel, peer] = channelAndPeer()
    await peer.write(jsonFrames(1))
    for await (const _ of channel) break
    await peer.write(bytesOf('00 00 00 01 7b 00 00 00 02 7b'))
    await peer.write(bytesOf('7b 00 00 00 00'))
    await peer.closeWrite()
    await channel.end()
    expect(await channel.closed).toEqual({ clean: true })
  })

  test('holds back a peer that accepts none (END-4)', async () => {
    const options = { highWaterMark: 10, lingerTimeout: 20 }
    const [left, right] = channels({ control: false, limits: { maxBufferedBytes: 10 }, pipe: options })
    const sends = Array.from({ length: 20 }, (_, index) => right.send(index))
    for await (const _ of left) break
    await settled()
    expect(right.bufferedBytes).toBeGreaterThanOrEqual(10)
    const rest = Promise.allSettled(sends)
    await left.close()
    await rest
    await right.close().catch(() => {})
  })

  test('of a peer that ends its own half lets the channel come to its clean end (STOP-2)', async () => {
    const [left, right] = channels()
    await left.send(1)
    for await (const _ of right) break
    await right.send('last')
    await right.end()
    // Both halves of the left channel end here: its program does not have to call end.
    expect(await receiveAll(left)).toEqual(['last'])
    expect(await Promise.all([left.closed, right.closed])).toEqual([{ clean: true }, { clean: true }])
    await failure(left.send(2), 'PEER_STOPPED')
  })
})

describe('a channel that breaks off because of what it received', () => {
  test('sends no message after its close frame (CLOSE-2)', async () => {
    const [left, peer] = pipe({ highWaterMark: 1 })
    const channel = overConn(left, { limits: { maxBufferedBytes: 1 } })
    await channel.send(1)
    await settled()
    const sends = [channel.send(2), channel.send(3), channel.send(4)]
    const ending = channel.end()
    const outcomes = Promise.allSettled([...sends, ending])
    await peer.write(bytesOf('40 00 00 00'))
    const results = await Promise.all([readAll(peer), outcomes])
    const wire = hexOf(results[0])
    expect(wire.startsWith(hexOf(jsonFrames(1, 2)))).toBe(true)
    expect(wire.slice(hexOf(jsonFrames(1, 2)).length + 1)).toMatch(/^80 00 .. .. 01 0d 49 4e/)
    expect(results[1].map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    await peer.close()
    await outcome(channel, 'INVALID_FRAME')
  })

  test('ends although the peer reads nothing', async () => {
    const [channel, peer] = channelAndPeer({
      limits: { closeTimeout: 20 },
      pipe: { highWaterMark: 1, closeTimeout: 20 },
    })
    await channel.send(1)
    await settled()
    await channel.send(2)
    await peer.write(bytesOf('40 00 00 00'))
    await outcome(channel, 'INVALID_FRAME')
    await peer.closed
  })
})

test('closed: settles once, and never rejects, in every ending', async () => {
  const endings: ((channel: Channel<unknown, unknown>, peer: Conn) => unknown)[] = [
    async (channel, peer) => Promise.all([channel.close(), peer.close()]),
    async (channel, peer) => Promise.all([channel.end(), peer.close()]),
    (channel) => channel.abort(),
    (_channel, peer) => peer.abort(),
    (channel, peer) => Promise.all([peer.write(bytesOf('00 00 00 01 7b')), channel.receive(), peer.closeWrite()]),
    (channel, peer) => Promise.all([peer.write(bytesOf('ff ff ff ff')), channel.receive(), peer.closeWrite()]),
    (channel, peer) => Promise.all([peer.write(bytesOf('00 00')), channel.receive(), peer.closeWrite()]),
    (channel, peer) => Promise.all([peer.write(bytesOf('80 00 00 03 01 01 58')), channel.receive(), peer.closeWrite()]),
  ]
  for (const ending of endings) {
    for (const control of [true, false]) {
      const [channel, peer] = channelAndPeer({ control })
      const settlements: unknown[] = []
      void channel.closed.then((closed) => settlements.push(closed))
      await Promise.resolve(ending(channel, peer)).catch(() => {})
      const closed = await channel.closed
      await Promise.allSettled([channel.end(), channel.close(), peer.close()])
      channel.abort()
      await settled()
      expect(settlements).toEqual([closed])
      expect(closed.clean || closed.error instanceof ChannelError).toBe(true)
    }
  }
})

test.each([
  ['was aborted', async (left: Conn) => left.abort()],
  ['was aborted by its peer', async (left: Conn, right: Conn) => (right.abort(), void (await left.closed))],
  ['has ended', async (left: Conn, right: Conn) => void (await Promise.all([left.close(), right.close()]))],
])('a channel over a conn that %s ends at once', async (_what, end) => {
  const [left, right] = pipe()
  await end(left, right)
  const channel = overConn(left)
  await channel.closed
  await channel.close().catch(() => {})
})

test('abort: passes a reset code to the conn', () => {
  const [left] = pipe()
  const conn = new WatchedConn(left)
  overConn(conn).abort('why')
  expect(conn.aborts).toMatchObject([{ rstCode: 8, cause: { code: 'ABORTED', cause: 'why' } }])
})

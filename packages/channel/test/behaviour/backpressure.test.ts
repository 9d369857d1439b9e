// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
import type { Conn } from '@h2channel/conn'
import { connDefaults, connLimits } from '@h2channel/conn'
import { startServer } from '@h2channel/conn/testing'
import { pipe } from '@h2channel/conn/web'
import { describe, expect, test } from 'vitest'

import type { Channel } from '../../src/index.ts'
import { channelDefaults } from '../../src/index.ts'
import {
  channelAndPeer,
  channels,
  deferred,
  failOnUnhandledRejections,
  failure,
  hexOf,
  jsonFrames,
  overConn,
  readAll,
  receiveAll,
  settled,
  until,
  WatchedConn,
} from '../support/support.ts'

failOnUnhandledRejections()

const text = 'x'.repeat(10_000)
/** How long a message is with its number and its prefix, at most. Unit: bytes. */
const messageBytes = text.length + 30
const { maxBufferedBytes, flushBytes } = channelDefaults

/** Sends from `left` as fast as `send` allows, while `right` does not receive at first. Checks all bounds. */
async function outrun(left: Conn, right: Conn, count: number, between: number): Promise<void> {
  const conn = new WatchedConn(left)
  const sender = overConn<{ index: number; text: string }>(conn)
  const receiver = overConn<{ index: number; text: string }>(right)
  // Each may hold the buffers that one turn has made: the channel as the last it took, conn and receiver as a chunk.
  const bound = maxBufferedBytes + between + 4 * (flushBytes + messageBytes)
  let accepted = 0
  let received = 0
  let mostBuffered = 0
  let mostOnTheWay = 0
  const sending = (async () => {
    for (let index = 0; index < count; index++) {
      await sender.send({ index, text })
      accepted += 1
      mostBuffered = Math.max(mostBuffered, sender.bufferedBytes)
      mostOnTheWay = Math.max(mostOnTheWay, (accepted - received) * text.length)
    }
    await sender.end()
  })()
  const before = process.memoryUsage()
  // The conn has no more room, and the channel is full. What is still on its way comes to rest.
  await until(() => sender.bufferedBytes >= maxBufferedBytes)
  for (let rest = 0, last = 0; rest < 200; rest = accepted === last ? rest + 1 : 0) {
    last = accepted
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(accepted).toBeLessThan(count / 2)
  const { arrayBuffers } = process.memoryUsage()
  expect(arrayBuffers - before.arrayBuffers).toBeLessThan(4 * bound)
  let isInOrder = true
  for await (const message of receiver) {
    isInOrder &&= message.index === received && message.text === text
    received += 1
  }
  await sending
  expect(isInOrder).toBe(true)
  expect(mostBuffered).toBeLessThanOrEqual(maxBufferedBytes + messageBytes)
  expect(mostOnTheWay).toBeLessThanOrEqual(bound)
  expect(received).toBe(count)
  expect(sender.bufferedBytes).toBe(0)
  await receiver.end()
  expect(await sender.receive()).toBeUndefined()
  expect(await sender.closed).toEqual({ clean: true })
}

describe('send: waits for a peer that does not receive, and all arrives in order once it does', () => {
  test('over a pipe', async () => {
    await outrun(...pipe(), 1_000, connDefaults.pipeBuffer)
  })

  test('over an HTTP/2 stream with TLS (FLOW-1)', async () => {
    const accepted = deferred<Conn>()
    const over = deferred()
    await using server = await startServer(async (conn) => {
      accepted.resolve(conn)
      await over.promise
    })
    const conn = await server.connect('/')
    // What is between them: the window of the stream, and what Node holds of it on both sides.
    const between = connLimits.streamWindow + 512 * 1024
    await outrun(conn, await accepted.promise, 1_500, between).finally(() => over.resolve())
  })
})

test('send: waits while maxBufferedBytes wait, and one message more than that can stand there', async () => {
  const [channel, peer] = channelAndPeer({ limits: { maxBufferedBytes: 10 }, pipe: { highWaterMark: 1 } })
  await channel.send(1)
  await settled()
  // The conn holds that message, and accepts no other.
  await channel.send(2)
  expect(channel.bufferedBytes).toBe(5)
  await channel.send('large enough')
  expect(channel.bufferedBytes).toBe(5 + 18)
  const late = channel.send(4)
  await settled()
  expect(channel.bufferedBytes).toBe(5 + 18)
  const [wire] = await Promise.all([readAll(peer), late.then(() => channel.end())])
  expect(hexOf(wire)).toBe(hexOf(jsonFrames(1, 2, 'large enough', 4)))
})

test('send: SEND_BUFFER_FULL when too many sends wait, and the waiting messages arrive', async () => {
  const [left, right] = channels({ limits: { maxBufferedBytes: 1, maxWaitingSends: 2 } })
  const sends = [left.send(1), left.send(2), left.send(3)]
  for (let round = 0; round < 3; round++) {
    const error = await failureAtOnce(left)
    expect(error).toMatchObject({ side: 'local', fatal: false })
    expect(error.message).toContain('2 sends')
  }
  await Promise.all(sends)
  await left.send(5)
  await left.end()
  expect(await receiveAll(right)).toEqual([1, 2, 3, 5])

  async function failureAtOnce(channel: Channel<unknown, unknown>): Promise<Error> {
    const refused = channel.send(4)
    const others = [channel.send(4), channel.send(4)]
    for (const other of others) await failure(other, 'SEND_BUFFER_FULL')
    return failure(refused, 'SEND_BUFFER_FULL')
  }
})

test('send: SEND_BUFFER_FULL for a program that does not await, at the default of 1,024', async () => {
  const [left, right] = channels<number>({ limits: { maxBufferedBytes: 1 } })
  const sends = Array.from({ length: 1_026 }, (_, index) => left.send(index))
  await failure(Promise.resolve(sends.at(-1)), 'SEND_BUFFER_FULL')
  const receiving = receiveAll(right)
  await Promise.all(sends.slice(0, -1))
  await left.end()
  expect(await receiving).toHaveLength(1_025)
})

test('send: accepts waiting messages in order, before later ones', async () => {
  const [left, right] = channels<number>({ limits: { maxBufferedBytes: 20 }, pipe: { highWaterMark: 10 } })
  let next = 0
  const burst = (count: number): Promise<void>[] =>
    Array.from({ length: count }, () => {
      next += 1
      return left.send(next)
    })
  const first = burst(50)
  const received: number[] = []
  const receiving = (async () => {
    for await (const message of right) received.push(message)
  })()
  await first[10]
  await Promise.all([...first, ...burst(50)])
  await left.end()
  await receiving
  expect(received).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
})

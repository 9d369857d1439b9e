import type { ClientChannel } from '@h2channel/channel'
import type { DiagnosticEvents } from '@h2channel/channel/diagnostics'
import { createRouter } from '@h2channel/channel/server'
import { startServer } from '@h2channel/channel/testing'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, onTestFinished, test } from 'vitest'

import { serveFeeds, Topic } from '../src/fan-out.ts'
import { feed } from '../src/feed.ts'

async function start(topic: Topic) {
  const router = createRouter()
  serveFeeds(router, new Map([['news', topic]]))
  const server = await startServer(router)
  return {
    router,
    open: async () => server.client().open(feed, { params: { topic: 'news' } }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function receive(channel: ClientChannel<typeof feed>, count: number): Promise<number[]> {
  const numbers: number[] = []
  while (numbers.length < count) {
    const update = await channel.receive()
    if (update === undefined) break
    numbers.push(update.seq)
  }
  return numbers
}

const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

test('every subscriber receives every update, a late one too', async () => {
  const topic = new Topic()
  await using at = await start(topic)
  await using early = await at.open()
  await early.send({})
  topic.publish('one')
  expect(await early.receive()).toEqual({ epoch: topic.epoch, seq: 1, text: 'one' })
  topic.publish('two')
  await using late = await at.open()
  await late.send({})
  expect(await receive(late, 2)).toEqual([1, 2])
  topic.publish('three')
  expect(await receive(early, 2)).toEqual([2, 3])
  expect(await receive(late, 1)).toEqual([3])
  await using resumed = await at.open()
  await resumed.send({ after: { epoch: topic.epoch, seq: 2 } })
  expect(await receive(resumed, 1)).toEqual([3])
  await using stranger = await at.open()
  await stranger.send({ after: { epoch: 'of a server before', seq: 2 } })
  expect(await receive(stranger, 3)).toEqual([1, 2, 3])
})

test('there is no gap between replay and live updates', async () => {
  const topic = new Topic()
  const text = 'x'.repeat(1_000)
  for (let seq = 1; seq <= 3_000; seq += 1) topic.publish(text)
  await using at = await start(topic)
  await using channel = await at.open()
  await channel.send({})
  // Each update that arrives has another one published, during the replay and after it.
  const numbers: number[] = []
  while (numbers.length < 6_000) {
    const update = await channel.receive()
    numbers.push(update?.seq ?? 0)
    if (numbers.length <= 3_000) topic.publish(text)
  }
  expect(numbers).toEqual(upTo(6_000))
})

test('a subscriber that does not read is dropped, and delays no other', async () => {
  const ends: unknown[] = []
  const onClose = (event: unknown): void => {
    const { opening, closed } = event as DiagnosticEvents['close']
    if (opening.side === 'server') ends.push(closed)
  }
  const onSlow = (): void => void ends.push('slow')
  subscribe('h2channel:close', onClose)
  subscribe('h2channel:slow', onSlow)
  onTestFinished(() => {
    unsubscribe('h2channel:close', onClose)
    unsubscribe('h2channel:slow', onSlow)
  })
  const topic = new Topic()
  await using at = await start(topic)
  await using slow = await at.open()
  await using fast = await at.open()
  await Promise.all([slow.send({}), fast.send({})])
  topic.publish('first')
  expect(await Promise.all([receive(slow, 1), receive(fast, 1)])).toEqual([[1], [1]])
  const text = 'x'.repeat(10_000)
  let seq = 1
  // The windows and buffers between hold at most this much.
  for (let isDropped = false; !isDropped && seq < 2_000;) {
    topic.publish(text)
    seq += 1
    expect((await fast.receive())?.seq).toBe(seq)
    isDropped = await Promise.race([slow.closed.then(() => true), Promise.resolve(false)])
  }
  expect(await slow.closed).toMatchObject({ clean: false, error: { code: 'PEER_ABORTED' } })
  // The close of the server's end has the reason, and no `slow` came before.
  expect(ends).toMatchObject([{ clean: false, error: { code: 'ABORTED', cause: { code: 'SEND_BUFFER_FULL' } } }])
  topic.publish('last')
  expect((await fast.receive())?.text).toBe('last')
})

test('only the last updates are kept', async () => {
  const topic = new Topic(10)
  for (let seq = 1; seq <= 25; seq += 1) topic.publish('text')
  await using at = await start(topic)
  await using channel = await at.open()
  await channel.send({ after: { epoch: topic.epoch, seq: 5 } })
  // The client sees that 6 to 15 are missing.
  expect(await receive(channel, 10)).toEqual(upTo(25, 16))
})

test('a subscriber of a router that drains receives what was published, and then the end', async () => {
  const topic = new Topic()
  await using at = await start(topic)
  await using channel = await at.open()
  await channel.send({})
  topic.publish('one')
  expect(await receive(channel, 1)).toEqual([1])
  topic.publish('two')
  await at.router.drain()
  expect(await receive(channel, 2)).toEqual([2])
  expect(await channel.closed).toEqual({ clean: true })
})

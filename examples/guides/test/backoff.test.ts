import { createClient } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import { startServer, testClock } from '@h2channel/channel/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { feed } from '../src/feed.ts'
import { follow } from '../src/reconnect.ts'

const { delays } = vi.hoisted(() => ({ delays: [] as number[] }))

// No real time passes between two channels.
vi.mock('node:timers/promises', () => ({
  async setTimeout(delay: number) {
    delays.push(delay)
    return Promise.resolve()
  },
}))

beforeEach(() => {
  delays.length = 0
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
})
afterEach(() => void vi.restoreAllMocks())

test('a server that sends one update and then fails is asked again ever later', async () => {
  const clock = testClock()
  const stop = new AbortController()
  let opened = 0
  const router = createRouter({ onError() {} }).handle(feed, async (channel) => {
    opened += 1
    await channel.send({ epoch: 'one', seq: opened, text: 'an update' })
    throw new Error('and no more')
  })
  await using server = await startServer(router)
  await using client = createClient(server.origin, { clock })
  const received: number[] = []
  for await (const { seq } of follow(client, 'news', stop.signal)) {
    received.push(seq)
    if (seq === 9) await clock.advance(10_001) // the ninth channel lives longer than 10 s
    if (seq === 11) break
  }
  expect(received).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  // Half of the bounds, which double from 200 ms to 10 s, and start again at 200 ms.
  expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 100, 200])
})

/** What errors report about their origin: the route, and the side that failed. */
import { json } from '@h2channel/codecs'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'

import type { Channel } from '../../src/index.ts'
import { defineRoute, lengthPrefixed, newlineDelimited } from '../../src/index.ts'
import { channelPair } from '../../src/testing.ts'
import { serve } from '../support/server-support.ts'
import { failOnUnhandledRejections, failure, outcome, until } from '../support/support.ts'

failOnUnhandledRejections()

interface Count {
  n: number
}

const ways = [
  { how: 'with control frames', framing: lengthPrefixed() },
  { how: 'without control frames', framing: newlineDelimited() },
].map(({ how, framing }) => {
  const path = '/rooms/:room/counts'
  const loose = json<Count>()
  const strict = json(z.object({ n: z.number() }))
  return {
    how,
    /** As the server defines it, and as a client does that knows nothing of its schema. */
    strict: defineRoute(path, { client: strict, server: loose, framing }),
    loose: defineRoute(path, { client: loose, server: loose, framing }),
    /** One whose client is strict. */
    demanding: defineRoute(path, { client: loose, server: strict, framing }),
  }
})

const params = { room: 'secret' }
const wrong = { n: 'no number' } as unknown as Count

describe.each(ways)('$how', ({ strict, loose, demanding }) => {
  const read = async (channel: Channel<Count, Count>): Promise<void> => {
    for await (const message of channel) void message
  }

  test('a client whose message is refused gets the route in its error, and no more', async () => {
    await using served = await serve((router) => router.handle(strict, read))
    const channel = await served.client().open(loose, { params })
    await channel.send(wrong)
    const refused = await failure(channel.receive(), 'INVALID_MESSAGE')
    expect(refused.message).toBe('/rooms/:room/counts: the peer refused what this side sent (INVALID_MESSAGE)')
    expect((await outcome(channel, 'INVALID_MESSAGE')).message).toBe(refused.message)
  })

  test('a handler whose message is refused gets the route in its error too', async () => {
    await using served = await serve((router) =>
      router.handle(loose, async (channel) => {
        await channel.send(wrong)
        await channel.receive()
      }),
    )
    const channel = await served.client().open(demanding, { params })
    await failure(channel.receive(), 'INVALID_MESSAGE')
    await until(() => served.errors.length > 0)
    expect(served.errors).toMatchObject([
      {
        code: 'INVALID_MESSAGE',
        side: 'local',
        message: '/rooms/:room/counts: the peer refused what this side sent (INVALID_MESSAGE)',
      },
    ])
  })

  test('the error of a peer abort names the route', async () => {
    await using served = await serve((router) => router.handle(loose, (channel) => channel.abort()))
    const channel = await served.client().open(loose, { params })
    expect((await outcome(channel, 'PEER_ABORTED')).message).toBe('/rooms/:room/counts: the peer broke the channel off')
  })

  /** What is printed of a handler, without onError. */
  async function printed(
    handler: (channel: Channel<Count, Count>) => Promise<void>,
    use: (channel: Channel<Count, Count>) => Promise<unknown>,
  ): Promise<unknown> {
    const print = vi.spyOn(console, 'error').mockImplementation(() => {})
    try {
      await using served = await serve((router) => router.handle(strict, handler), { router: { onError: undefined } })
      await use(await served.client().open(loose, { params }))
      await until(() => print.mock.calls.length > 0)
      return print.mock.calls.map(([text]: unknown[]) => text)
    } finally {
      print.mockRestore()
    }
  }

  test('a client that sends what the route does not allow is not the handler’s fault', async () => {
    const texts = await printed(read, async (channel) => {
      await channel.send(wrong)
      await failure(channel.receive(), 'INVALID_MESSAGE')
    })
    expect(texts).toEqual(['h2channel: a client of /rooms/:room/counts sent what the route does not allow:'])
  })

  test('an invalid message on another channel of the handler is the handler’s fault', async () => {
    const [other, peer] = channelPair(strict)
    const texts = await printed(
      async () => {
        void (other as unknown as Channel<Count, Count>).send(wrong).catch(() => {})
        await peer.receive()
      },
      async (channel) => failure(channel.receive(), 'INTERNAL'),
    )
    expect(texts).toEqual(['h2channel: the handler of /rooms/:room/counts failed:'])
  })

  test('an error that the handler throws is its fault, and is printed without the path’s parameters', async () => {
    const texts = await printed(
      async () => Promise.reject(new Error('why')),
      async (channel) => failure(channel.receive(), 'INTERNAL'),
    )
    expect(texts).toEqual(['h2channel: the handler of /rooms/:room/counts failed:'])
  })
})

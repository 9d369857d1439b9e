/** Handlers whose own side ends the channel: that is no failure, and nothing is dropped for it. */
import { json } from '@h2channel/codecs'
import { describe, expect, test } from 'vitest'

import type { Channel } from '../../src/index.ts'
import { defineRoute, lengthPrefixed, newlineDelimited } from '../../src/index.ts'
import type { HandlerContext } from '../../src/server.ts'
import { ask, serve } from '../support/server-support.ts'
import { channels, deferred, failOnUnhandledRejections, failure, outcome, receiveAll } from '../support/support.ts'

failOnUnhandledRejections()

type Handler = (channel: Channel<string, string>, context: HandlerContext) => Promise<void>

const framings = [
  { how: 'with control frames', framing: lengthPrefixed() },
  { how: 'without control frames', framing: newlineDelimited() },
].map(({ how, framing }) => ({
  how,
  route: defineRoute('/served', { client: json<string>(), server: json<string>(), framing }),
}))
/** A few bytes, and more than the buffers and the windows hold. */
const sizes = [10, 500_000]
const count = 8

async function read(channel: Channel<string, string>): Promise<void> {
  for await (const message of channel) void message
}

/** Without waiting for room: most of them still wait when the end is asked for. */
function sendAtOnce(channel: Channel<string, string>, size: number): void {
  for (let sent = 0; sent < count; sent++) void channel.send('x'.repeat(size))
}

async function sendEach(channel: Channel<string, string>, size: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) await channel.send('x'.repeat(size))
}

const closing: [string, (size: number) => Handler][] = [
  [
    'reads, writes and closes at the same time',
    (size) => async (channel) => {
      const write = async (): Promise<void> => {
        await sendEach(channel, size)
        await channel.close()
      }
      await Promise.all([read(channel), write()])
    },
  ],
  [
    'closes when it drains, with sends that wait',
    (size) => async (channel) => {
      channel.draining.addEventListener('abort', () => {
        sendAtOnce(channel, size)
        void channel.close()
      })
      await read(channel)
    },
  ],
  [
    'sends after it has closed',
    (size) => async (channel) => {
      sendAtOnce(channel, size)
      void channel.close()
      await channel.send('too late')
    },
  ],
  [
    'sends after it has ended',
    (size) => async (channel) => {
      sendAtOnce(channel, size)
      void channel.end()
      await channel.send('too late')
    },
  ],
  [
    'receives after it has left its iteration',
    (size) => async (channel) => {
      await sendEach(channel, size)
      for await (const message of channel) if (message === 'go') break
      await channel.receive()
    },
  ],
]

describe.each(framings)('$how', ({ route }) => {
  describe.each(closing)('a handler that %s', (_what, handler) => {
    test.each(sizes)('has not failed: messages of %i', async (size) => {
      const started = deferred()
      await using served = await serve((router) => {
        router.handle(route, async (channel, context) => {
          started.resolve()
          await handler(size)(channel, context)
        })
      })
      const channel = await served.client().open(route)
      await started.promise
      const drained = served.router.drain()
      await channel.send('go').catch(() => {})
      const received = await receiveAll(channel)
      expect(received.map((message) => message.length)).toEqual(Array.from({ length: count }, () => size))
      await channel.close()
      expect(await channel.closed).toEqual({ clean: true })
      await drained
      expect(served.errors).toEqual([])
    })
  })

  test.each(sizes)(
    'a handler that throws its own error after close: all arrives, and onError receives it: %i',
    async (size) => {
      const mine = new Error('mine')
      await using served = await serve((router) => {
        router.handle(route, async (channel) => {
          sendAtOnce(channel, size)
          void channel.close()
          throw mine
        })
      })
      const channel = await served.client().open(route)
      expect(await receiveAll(channel)).toHaveLength(count)
      await channel.close()
      expect(await channel.closed).toEqual({ clean: true })
      expect(served.errors).toEqual([mine])
    },
  )

  test.each(sizes)('a handler that throws its own error after end: all arrives, then INTERNAL: %i', async (size) => {
    const mine = new Error('mine')
    await using served = await serve((router) => {
      router.handle(route, async (channel) => {
        sendAtOnce(channel, size)
        void channel.end()
        throw mine
      })
    })
    const channel = await served.client().open(route)
    expect(await receiveAll(channel)).toHaveLength(count)
    expect(await outcome(channel, 'INTERNAL')).toMatchObject({ side: 'remote' })
    expect(served.errors).toEqual([mine])
  })

  test('a handler that gives up by the error of its own abort has not failed', async () => {
    await using served = await serve((router) => {
      router.handle(route, async (channel) => {
        const receiving = channel.receive()
        channel.abort('why')
        await receiving
      })
    })
    const channel = await served.client().open(route)
    await outcome(channel, 'PEER_ABORTED')
    // The next one is served, and by then everything about the first has been said.
    await ask(served.at, { ':path': '/nowhere' })
    expect(served.errors).toEqual([])
  })

  test('a handler that gives up by the end of another channel of its own has failed', async () => {
    const [other] = channels()
    void other.close()
    const foreign = await failure(other.receive(), 'CLOSED')
    await using served = await serve((router) => {
      router.handle(route, async (channel) => {
        await channel.receive()
        throw foreign
      })
    })
    const channel = await served.client().open(route)
    await channel.send('go')
    await failure(channel.receive(), 'INTERNAL')
    expect(served.errors).toEqual([foreign])
  })
})

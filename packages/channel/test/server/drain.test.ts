/** Draining: servers that stop while channels are open, and channels that reach their maximum age. */
import { json } from '@h2channel/codecs'
import { pipe } from '@h2channel/conn/web'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'

import { coreOf } from '../../src/core/channel.ts'
import { Channel, ChannelError, defineRoute } from '../../src/index.ts'
import { createRouter } from '../../src/server.ts'
import { testClock } from '../../src/testing.ts'
import { ask, bareSession, serve } from '../support/server-support.ts'
import {
  bytesOf,
  concat,
  deferred,
  failOnUnhandledRejections,
  failure,
  hexOf,
  jsonFrames,
  readAll,
  receiveAll,
  settled,
  until,
} from '../support/support.ts'

failOnUnhandledRejections()

const echo = defineRoute('/echo', { client: json<number>(), server: json<number>() })
const plain = { ':path': '/echo', 'content-type': 'application/vnd.h2channel+json' }

/** A handler that answers until its channel drains. */
async function answer(channel: Channel<number, number>): Promise<void> {
  for await (const message of channel) {
    await channel.send(message)
    if (channel.draining.aborted) return
  }
}

describe('drain', () => {
  test('notifies both ends of all channels, and resolves when the channels have ended', async () => {
    const drainings: AbortSignal[] = []
    await using served = await serve((router) => {
      router.handle(echo, async (channel) => {
        drainings.push(channel.draining)
        await answer(channel)
      })
    })
    const client = served.client()
    const channels = await Promise.all(Array.from({ length: 5 }, () => client.open(echo)))
    const told = channels.map(({ draining }) => once(draining, 'abort'))
    const drained = served.router.drain()
    await Promise.all(told)
    expect(drainings.map(({ aborted }) => aborted)).toEqual([true, true, true, true, true])
    // Messages that are sent after that are not lost.
    for (const channel of channels) await channel.send(1)
    await Promise.all(channels.map(async (channel) => channel.end()))
    expect(await Promise.all(channels.map(receiveAll))).toEqual([[1], [1], [1], [1], [1]])
    await drained
    expect(await Promise.all(channels.map(async ({ closed }) => closed))).toEqual(channels.map(() => ({ clean: true })))
  })

  test('a listener may call receive at once, and no message behind the notice is lost', async () => {
    const [near, peer] = pipe()
    const channel = new Channel<number, number>(near, { send: json(), receive: json(), control: true })
    const received: number[] = []
    const over = deferred()
    channel.draining.addEventListener('abort', () => {
      const receive = async (): Promise<void> => {
        for await (const message of channel) received.push(message)
        over.resolve(undefined)
      }
      void receive()
    })
    await peer.write(concat([bytesOf('80 00 00 01 05'), jsonFrames(1, 2, 3, 4)]))
    await settled()
    await peer.write(jsonFrames(5))
    await peer.closeWrite()
    await over.promise
    expect(received).toEqual([1, 2, 3, 4, 5])
    await channel.close()
  })

  test('sends no notice on a channel that is ending with an error', async () => {
    const [near, peer] = pipe()
    const channel = new Channel<unknown, unknown>(near, { send: json(), receive: json(), control: true })
    coreOf(channel).closeWithError(new ChannelError('INTERNAL', 'the handler failed', { side: 'local' }))
    coreOf(channel).startDraining()
    expect(hexOf(await readAll(peer))).toBe('80 00 00 0a 01 08 49 4e 54 45 52 4e 41 4c')
  })

  test('ends channels that are open at the deadline, at both ends (DRAIN-2)', async () => {
    const ended = deferred<unknown>()
    await using served = await serve((router) => {
      router.handle(echo, async (channel) => {
        await answer(channel).catch((error: unknown) => ended.resolve(error))
      })
    })
    const channel = await served.client().open(echo)
    const received = failure(channel.receive(), 'GOING_AWAY')
    await served.router.drain({ timeout: 1 })
    expect(await received).toMatchObject({ side: 'remote', fatal: true })
    expect(await ended.promise).toMatchObject({ code: 'GOING_AWAY', side: 'local', fatal: true })
    expect(await channel.closed).toMatchObject({ clean: false, error: { code: 'GOING_AWAY' } })
    // That is not an error of the handler.
    expect(served.errors).toEqual([])
  })

  test('rejects new channels with 503, and still serves other requests (DRAIN-3)', async () => {
    await using served = await serve((router) => router.handle(echo, answer))
    served.at.server.on('request', (_request, response) => response.end('ok'))
    await served.router.drain()
    const refused = await ask(served.at, plain)
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect((await ask(served.at, { ':path': '/healthz', ':method': 'GET' })).body.toString()).toBe('ok')
    const error = await failure(served.client({ retry: { maxAttempts: 1 } }).open(echo), 'REFUSED')
    expect(error.message).toContain('503')
  })

  test('sends GOAWAY, which excludes no request on its way: clients open their next channels elsewhere', async () => {
    await using served = await serve((router) => router.handle(echo, answer))
    await using session = bareSession(served.at)
    const asked = session.ask(plain, new Uint8Array())
    const [goaway] = await Promise.all([
      once(session.http2, 'goaway'),
      asked.then(async () => {
        await served.router.drain()
      }),
    ])
    expect(goaway.slice(0, 2)).toEqual([0, 2 ** 31 - 1])
  })

  test('sends GOAWAY while channels are still open, and none with an error (DRAIN-3)', async () => {
    await using served = await serve((router) => router.handle(echo, answer))
    await using session = bareSession(served.at)
    const goaways: number[] = []
    session.http2.on('goaway', (code) => goaways.push(code))
    const stream = session.http2.request({ ':method': 'POST', ...plain })
    await once(stream, 'response')
    const told = once(session.http2, 'goaway')
    const drained = served.router.drain()
    await told
    expect([served.router.channels, stream.closed]).toEqual([1, false])
    const closed = once(session.http2, 'close')
    stream.end()
    stream.resume()
    await Promise.all([drained, closed])
    // Node sends more of them when a session closes.
    expect(new Set(goaways)).toEqual(new Set([0]))
  })

  test('waits for channels that were requested before, and notifies them', async () => {
    let draining: AbortSignal | undefined
    await using served = await serve((router) =>
      router.handle(echo, async (channel) => {
        ;({ draining } = channel)
        for await (const message of channel) await channel.send(message)
      }),
    )
    let drained: Promise<void> | undefined
    // In the same turn as the request.
    const original = served.at.server.emit.bind(served.at.server)
    served.at.server.emit = (event: string, ...values: unknown[]): boolean => {
      const isTaken = original(event, ...values)
      if (event === 'stream') drained ??= served.router.drain()
      return isTaken
    }
    const channel = await served.client().open(echo)
    await once(channel.draining, 'abort')
    expect(draining?.aborted).toBe(true)
    await channel.close()
    await drained
    expect(served.router.channels).toBe(0)
  })

  test.each(['a channel', 'another request', 'nothing'])(
    'a server comes to its end, whose client asked for %s',
    async (what) => {
      await using served = await serve((router) => router.handle(echo, answer))
      served.at.server.on('request', (_request, response) => response.end('ok'))
      await using early = bareSession(served.at)
      if (what === 'a channel') await early.ask(plain, new Uint8Array())
      else if (what === 'another request') await early.ask({ ':path': '/healthz', ':method': 'GET' })
      else await once(early.http2, 'connect')
      const channel = await served.client().open(echo)
      const drained = served.router.drain()
      await once(channel.draining, 'abort')
      // A connection that arrives meanwhile, and gets no channel.
      await using late = bareSession(served.at)
      expect((await late.ask(plain, new Uint8Array())).status).toBe(503)
      await channel.close()
      await drained
      await new Promise((resolve) => served.at.server.close(resolve))
      expect(served.router.channels).toBe(0)
    },
  )

  test('a client that does not read does not delay it by its closeTimeout', async () => {
    await using served = await serve(
      (router) =>
        router.handle(echo, async (channel) => {
          for (;;) await channel.send(1)
        }),
      { router: { limits: { closeTimeout: 2 ** 30 } } },
    )
    const channel = await served.client().open(echo)
    await served.router.drain({ timeout: 1 })
    await until(() => served.router.channels === 0)
    channel.abort()
    expect(await channel.closed).toMatchObject({ clean: false })
  })

  test.each(['throwIfAborted', 'a wait of Node'])(
    'a handler that ends by the draining signal, with %s, is not an error',
    async (how) => {
      await using served = await serve((router) =>
        router.handle(echo, async (channel) => {
          await channel.send(1)
          if (how === 'a wait of Node') await sleep(2 ** 30, undefined, { signal: channel.draining })
          await once(channel.draining, 'abort')
          channel.draining.throwIfAborted()
        }),
      )
      const channel = await served.client().open(echo)
      expect(await channel.receive()).toBe(1)
      const rest = receiveAll(channel)
      await served.router.drain()
      expect([await rest, served.errors]).toEqual([[], []])
      await channel.close()
      expect(await channel.closed).toEqual({ clean: true })
    },
  )

  test('resolves at once without channels, for each of several calls', async () => {
    const router = createRouter()
    await expect(Promise.all([router.drain(), router.drain({ timeout: 1 })])).resolves.toHaveLength(2)
  })

  test('a peer without control frames is only reset', async () => {
    await using served = await serve((router) => router.handle(echo, answer))
    await using session = bareSession(served.at)
    const stream = session.http2.request({ ':method': 'POST', ...plain })
    stream.on('error', () => {})
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(stream, 'response')
    const closed = new Promise((resolve) => stream.on('close', resolve))
    await served.router.drain({ timeout: 1 })
    await closed
    expect(stream.rstCode).toBe(0x6832_0001)
    expect(chunks).toEqual([])
  })

  test.each([0, -1, 0.5, Number.NaN, 2 ** 31])('refuses %s as its timeout', async (timeout) => {
    await expect(createRouter().drain({ timeout })).rejects.toThrow(ChannelError)
  })
})

describe('maxAge', () => {
  const [maxAge, maxAgeGrace] = [3_600_000, 60_000]
  // The clock of the clients does not move meanwhile.
  const limits = { heartbeatInterval: 2 ** 30 }

  test('drains a channel at 80% to 100% of it, and sends GOAWAY on its connection (DRAIN-1)', async () => {
    const clock = testClock()
    await using served = await serve((router) => router.handle(echo, answer), {
      router: { clock, limits, maxAge, maxAgeGrace: maxAge },
    })
    const client = served.client()
    const channels = await Promise.all(Array.from({ length: 20 }, async () => client.open(echo)))
    await clock.advance(0.8 * maxAge - 1)
    await settled()
    expect(channels.some(({ draining }) => draining.aborted)).toBe(false)
    const ages: number[] = []
    for (const { draining } of channels) draining.addEventListener('abort', () => ages.push(clock.now()))
    while (clock.now() < maxAge) {
      await clock.advance(maxAge / 100)
      await settled()
    }
    await Promise.all(channels.map(async ({ draining }) => draining.aborted || once(draining, 'abort')))
    // Not all of them at the same time.
    expect(new Set(ages).size).toBeGreaterThan(2)
    // Messages sent meanwhile arrive, and the next channel is on another connection.
    const next = await client.open(echo)
    expect(next.draining.aborted).toBe(false)
    for (const channel of channels) await channel.send(1)
    await Promise.all(channels.map(async (channel) => channel.end()))
    expect(await Promise.all(channels.map(receiveAll))).toEqual(channels.map(() => [1]))
    await next.close()
    await served.router.drain()
    expect(clock.timers).toBe(0)
  })

  test('ends a channel that is open after maxAgeGrace with GOING_AWAY', async () => {
    const clock = testClock()
    await using served = await serve(
      (router) =>
        router.handle(
          echo,
          async (channel) => {
            for await (const message of channel) await channel.send(message)
          },
          { maxAge: 1_000, maxAgeGrace },
        ),
      { router: { clock, limits, maxAge } },
    )
    const channel = await served.client().open(echo)
    const told = once(channel.draining, 'abort')
    await clock.advance(1_000)
    await told
    await channel.send(1)
    expect(await channel.receive()).toBe(1)
    const ended = failure(channel.receive(), 'GOING_AWAY')
    await clock.advance(maxAgeGrace)
    await ended
    expect(served.errors).toEqual([])
  })

  test.each([0, -1, 0.5, 2 ** 31])('refuses %s', (wrong) => {
    expect(() => createRouter({ maxAge: wrong })).toThrow(ChannelError)
    expect(() => createRouter({ maxAgeGrace: wrong })).toThrow(ChannelError)
    expect(() => createRouter().handle(echo, answer, { maxAge: wrong })).toThrow(ChannelError)
  })
})

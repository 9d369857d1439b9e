/** Limits of a route, of a connection and of a router: at the limit, one over it, and after a flood. */
import { json } from '@h2channel/codecs'
import { SessionPool } from '@h2channel/conn'
import { pipe } from '@h2channel/conn/web'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'

import type { Client } from '../../src/client.ts'
import { coreOf } from '../../src/core/channel.ts'
import { resolveLimits } from '../../src/options.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { Channel, ChannelError, defineRoute } from '../../src/index.ts'
import type { HandleOptions, RouterOptions, QuotaLimits } from '../../src/server.ts'
import { createRouter, routerDefaults } from '../../src/server.ts'
import { ChannelUsage, Quota } from '../../src/limits/quota.ts'
import { testClock } from '../../src/testing.ts'
import type { Served } from '../support/server-support.ts'
import { ask, bareSession, serve } from '../support/server-support.ts'
import {
  jsonFrames,
  deferred,
  failOnUnhandledRejections,
  failure,
  outcome,
  receiveAll,
  settled,
  thrown,
  until,
} from '../support/support.ts'

failOnUnhandledRejections()

const echo = defineRoute('/echo', { client: json<string>(), server: json<string>() })
const other = defineRoute('/other', { client: json<string>(), server: json<string>() })
const plain = { 'content-type': 'application/vnd.h2channel+json' }

async function answer(channel: Channel<string, string>): Promise<void> {
  for await (const message of channel) await channel.send(message)
}

/** The pools of clients with separate connections. */
const pools: SessionPool[] = []
afterEach(async () => {
  await Promise.all(pools.splice(0).map(async (pool) => pool.close()))
})

/** The scope of a limit, and how it is set. */
const scopes = ['route', 'session', 'all'] as const
type Scope = (typeof scopes)[number]

interface Given {
  readonly router: RouterOptions
  readonly handle: HandleOptions<'/echo'>
}

function limited(scope: Scope, limits: QuotaLimits, options: RouterOptions = {}): Given {
  if (scope === 'route') return { router: options, handle: { total: limits } }
  return { router: { ...options, [scope === 'all' ? 'total' : 'perSession']: limits }, handle: {} }
}

async function start({ router, handle }: Given): Promise<Served> {
  return serve(
    (made) => {
      made.handle(echo, answer, handle)
      made.handle(other, answer)
    },
    { router },
  )
}

/** A client with a separate connection, without retries. */
function clientOf(served: Served): Client {
  const sessions = new SessionPool()
  pools.push(sessions)
  return served.client({ sessions, retry: { maxAttempts: 1 } })
}

async function isServed(client: Client): Promise<void> {
  const channel = await client.open(echo)
  await channel.send('still there?')
  expect(await channel.receive()).toBe('still there?')
  await channel.close()
}

describe.each(scopes)('channels of one %s', (scope) => {
  const status = scope === 'session' ? 429 : 503

  test('at the limit they are served; one more is rejected, and is admitted when another has ended', async () => {
    await using served = await start(limited(scope, { maxChannels: 3 }))
    const client = clientOf(served)
    const channels = await Promise.all(Array.from({ length: 3 }, async () => client.open(echo)))
    const refused = await failure(client.open(echo), 'REFUSED')
    expect(refused.cause).toMatchObject({ response: { status, headers: { 'retry-after': '1' } } })
    expect(refused).toMatchObject({ retryable: true })
    // Whether the limit applies to another connection or route.
    const elsewhere = scope === 'session' ? clientOf(served).open(echo) : client.open(other)
    if (scope === 'all') await failure(elsewhere, 'REFUSED')
    else await (await elsewhere).close()
    await channels[0]?.close()
    await until(() => served.router.channels === 2)
    await isServed(client)
    await Promise.all(channels.map(async (channel) => channel.close()))
  })

  test('after a flood, a new client is served at once', async () => {
    await using served = await start(limited(scope, { maxChannels: 10 }))
    await using session = bareSession(served.at)
    const asked = Array.from({ length: 1_000 }, async () =>
      session.ask({ ...plain, ':path': '/echo' }, new Uint8Array()),
    )
    const statuses = (await Promise.all(asked)).map((answered) => answered.status)
    expect(new Set(statuses)).toEqual(new Set([200, status]))
    await until(() => served.router.channels === 0)
    await isServed(clientOf(served))
  })
})

describe('a grant', () => {
  test('is released when a client leaves while it is being authorized', async () => {
    const asked = deferred<AbortSignal>()
    const done = deferred()
    await using served = await serve((router) => router.handle(echo, answer), {
      router: {
        total: { maxChannels: 1 },
        authorize: async ({ signal, headers }) => {
          if (headers['x-good'] !== undefined) return
          asked.resolve(signal)
          await done.promise
        },
      },
    })
    await using session = bareSession(served.at)
    const stream = session.http2.request({ ...plain, ':method': 'POST', ':path': '/echo' })
    stream.on('error', () => {})
    const signal = await asked.promise
    stream.close(8)
    await once(signal, 'abort')
    await settled()
    // Not before `authorize` has settled, or it could run any number of times at once.
    const good = { headers: { 'x-good': '1' } }
    await failure(clientOf(served).open(echo, good), 'REFUSED')
    done.resolve(undefined)
    await settled()
    const channel = await clientOf(served).open(echo, good)
    expect(served.router.channels).toBe(1)
    await channel.close()
  })
})

describe.each(scopes)('messages a second of one %s', (scope) => {
  const send = async (channel: Channel<string, string>, count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent++) {
      await channel.send('x')
      await channel.receive()
    }
  }

  test('at the limit they are delivered, one more ends the channel, and the next second counts from zero', async () => {
    const clock = testClock()
    await using served = await start(limited(scope, { maxMessagesPerSecond: 5 }, { clock }))
    const client = clientOf(served)
    const channel = await client.open(echo)
    await send(channel, 5)
    await clock.advance(1_000)
    await send(channel, 5)
    const refused = failure(channel.receive(), 'RATE_LIMITED')
    await channel.send('one more')
    expect(await refused).toMatchObject({ side: 'local', fatal: true, retryable: false })
    expect(served.errors).toEqual([])
    // Its client gets no channel before the next second. Other clients do: the messages of the ended channel no longer
    // count.
    const again = await failure(client.open(echo), 'REFUSED')
    expect(again.cause).toMatchObject({ response: { status: 429 } })
    const next = await clientOf(served).open(echo)
    await send(next, 5)
    await next.close()
    await clock.advance(1_000)
    await (await client.open(echo)).close()
  })

  test('a flood ends the channel that received it, and no other channel', async () => {
    const clock = testClock()
    await using served = await start(limited(scope, { maxMessagesPerSecond: 100 }, { clock }))
    const client = clientOf(served)
    const [quiet, busy] = await Promise.all([client.open(echo), client.open(echo)])
    await send(quiet, 1)
    const flooding = busy.sendAll(Array.from({ length: 100_000 }, () => 'x')).catch((error: unknown) => error)
    const received = receiveAll(busy)
    await failure(received, 'RATE_LIMITED')
    await outcome(busy, 'RATE_LIMITED')
    await flooding
    await send(quiet, 1)
    expect(quiet.stats.received.messages).toBe(2)
    await quiet.close()
    await isServed(clientOf(served))
  })
})

describe('the channels that a rate ends', () => {
  /** Channels of one quota, each with its usage. */
  function sharing(
    maxMessagesPerSecond: number,
    count: number,
  ): { channel: Channel<string, string>; member: ChannelUsage }[] {
    const members = new Set<ChannelUsage>()
    const share = new Quota('all', { maxMessagesPerSecond }, members)
    const clock = testClock()
    return Array.from({ length: count }, () => {
      const channel = new Channel<unknown, unknown>(pipe()[0], { send: json(), receive: json() })
      const member = new ChannelUsage(channel, [share], share, clock)
      members.add(member)
      return { channel: channel as Channel<string, string>, member }
    })
  }

  const sends = ({ member }: { readonly member: ChannelUsage }, count: number): void => {
    for (let sent = 0; sent < count; sent++) member.onMessage()
  }

  test('the busiest ones, also after others were ended in the same second', async () => {
    const [busiest, busy, quiet, last] = sharing(100, 4)
    if (busiest === undefined || busy === undefined || quiet === undefined || last === undefined) throw new Error('4')
    sends(busiest, 60)
    sends(busy, 39)
    sends(quiet, 2)
    await outcome(busiest.channel, 'RATE_LIMITED')
    // 41 messages still count. Most of them came before the first channel was ended.
    sends(last, 38)
    sends(quiet, 22)
    await outcome(busy.channel, 'RATE_LIMITED')
    for (const { channel } of [quiet, last]) {
      expect(await Promise.race([channel.closed, Promise.resolve('open')])).toBe('open')
      channel.abort()
    }
  })

  test('one message on each of many channels ends as many as necessary, with one walk over them in all', () => {
    const count = 2_000
    const members = new Set<ChannelUsage>()
    let looks = 0
    const counting: Iterable<ChannelUsage> = {
      *[Symbol.iterator]() {
        for (const member of members) {
          looks += 1
          yield member
        }
      },
    }
    const share = new Quota('all', { maxMessagesPerSecond: 100 }, counting)
    const clock = testClock()
    for (let made = 0; made < count; made++) {
      const channel = new Channel<unknown, unknown>(pipe()[0], { send: json(), receive: json() })
      members.add(new ChannelUsage(channel, [share], share, clock))
    }
    for (const member of members) member.onMessage()
    expect(looks).toBeLessThanOrEqual(count)
    for (const { channel } of members) channel.abort()
  })
})

describe('buffered bytes, to the byte', () => {
  /** Channels of one quota to peers that do not read. Each has sent one message before. */
  async function sharing(maxBufferedBytes: number, count: number): Promise<Channel<string, string>[]> {
    const members = new Set<ChannelUsage>()
    const share = new Quota('all', { maxBufferedBytes }, members)
    const made = Array.from({ length: count }, () => {
      const [near] = pipe({ highWaterMark: 1 })
      const channel = new Channel<unknown, unknown>(near, { send: json(), receive: json() })
      const member = new ChannelUsage(channel, [share], share, systemClock)
      members.add(member)
      coreOf(channel).watch({ memory: member })
      return channel as Channel<string, string>
    })
    for (const channel of made) await channel.send('')
    await settled()
    return made
  }

  /** A message with `size` bytes, including quotes and length. */
  const messageOf = (size: number): string => 'x'.repeat(size - 6)

  test.each([0, 1])('%i over the limit', async (over) => {
    const [first, second] = await sharing(3_000, 2)
    if (first === undefined || second === undefined) throw new Error('there are two')
    await first.send(messageOf(1_800))
    await second.send(messageOf(1_200 + over))
    await settled()
    if (over === 1) await outcome(first, 'PEER_TOO_SLOW')
    // The bytes of the channel that was reset no longer count.
    if (over === 1) await second.send(messageOf(200))
    await settled()
    expect(await Promise.race([second.closed, Promise.resolve('open')])).toBe('open')
    await second.send(messageOf(3_000))
    await outcome(second, 'PEER_TOO_SLOW')
    for (const channel of [first, second]) channel.abort()
  })
})

describe.each(scopes)('buffered bytes of one %s', (scope) => {
  const text = 'x'.repeat(100_000)
  const push = defineRoute('/echo', { client: json<number>(), server: json<string>() })

  /** A server that sends as many texts as a client requests. The clients do not read. */
  async function pushing(limits: QuotaLimits): Promise<Served & { readonly sent: (count: number) => Promise<void> }> {
    const { router, handle } = limited(scope, limits)
    let accepted = 0
    const served = await serve(
      (made) =>
        made.handle(
          push,
          async (channel) => {
            for await (const count of channel) {
              for (let index = 0; index < count; index++) {
                void channel.send(text).catch(() => {})
                accepted += 1
              }
            }
          },
          handle,
        ),
      { router: { limits: { maxBufferedBytes: 64 * 1024 * 1024 }, ...router } },
    )
    return Object.assign(served, { sent: async (count: number) => until(() => accepted === count) })
  }

  test('under the limit they stay buffered; over it, the channel with most of them is reset', async () => {
    await using served = await pushing({ maxBufferedBytes: 20_000_000 })
    const client = clientOf(served)
    const [little, much] = await Promise.all([client.open(push), client.open(push)])
    await little.send(50)
    await much.send(100)
    await served.sent(150)
    // Both are still open: what was sent arrives.
    expect(await little.receive()).toBe(text)
    expect(await much.receive()).toBe(text)
    await much.send(200)
    await served.sent(350)
    await failure(receiveAll(much), 'PEER_TOO_SLOW')
    for (let index = 1; index < 50; index++) expect(await little.receive()).toBe(text)
    await little.close()
  })

  test('bytes in the streams count too, with one message on each', async () => {
    await using served = await pushing({ maxBufferedBytes: 1_000_000 })
    await using session = bareSession(served.at)
    const streams = Array.from({ length: 50 }, () => {
      const stream = session.http2.request({ ...plain, ':method': 'POST', ':path': '/echo' })
      stream.on('error', () => {})
      // More than the window of this client, which is 64 KiB.
      stream.write(jsonFrames(9))
      return stream
    })
    await Promise.all(streams.map(async (stream) => once(stream, 'response')))
    await served.sent(450)
    await until(() => served.router.channels <= 1)
    for (const stream of streams) stream.destroy()
    await until(() => served.router.channels === 0)
    const next = await clientOf(served).open(push)
    await next.send(1)
    expect(await next.receive()).toBe(text)
    await next.close()
  })

  test('after a flood of clients that do not read, a new one is served at once', async () => {
    await using served = await pushing({ maxBufferedBytes: 10_000_000 })
    const client = clientOf(served)
    const channels = await Promise.all(Array.from({ length: 20 }, async () => client.open(push)))
    await Promise.all(channels.map(async (channel) => channel.send(100)))
    await served.sent(2_000)
    const next = await clientOf(served).open(push)
    await next.send(1)
    expect(await next.receive()).toBe(text)
    await next.close()
    const ended = await Promise.all(
      channels
        .map(async ({ closed }) => closed)
        .map(async (closed, index) => {
          channels[index]?.close().catch(() => {})
          return closed
        }),
    )
    const cut = ended.filter((closed) => !closed.clean && closed.error.code === 'PEER_TOO_SLOW')
    expect(cut.length).toBeGreaterThan(0)
  })
})

describe('the size of a message, by route', () => {
  test('at the limit it is delivered, one byte more ends the channel, and a flood of them no other', async () => {
    await using served = await start({ router: {}, handle: { limits: { maxMessageBytes: 12 } } })
    const client = clientOf(served)
    const [channel, elsewhere] = await Promise.all([client.open(echo), client.open(other)])
    await channel.send('0123456789')
    expect(await channel.receive()).toBe('0123456789')
    await channel.send('01234567890')
    expect(await failure(channel.receive(), 'MESSAGE_TOO_LARGE')).toMatchObject({ side: 'local' })
    await elsewhere.send('x'.repeat(1_000))
    expect(await elsewhere.receive()).toBe('x'.repeat(1_000))
    const flood = await Promise.all(Array.from({ length: 100 }, async () => client.open(echo)))
    await Promise.all(flood.map(async (one) => one.send('x'.repeat(1_000_000))))
    await Promise.all(flood.map(async (one) => failure(one.receive(), 'MESSAGE_TOO_LARGE')))
    await elsewhere.send('still there?')
    expect(await elsewhere.receive()).toBe('still there?')
    await elsewhere.close()
  })
})

describe('stopped readers', () => {
  test.each([1, 99])('%i of 100 channels of a connection never stall the others (FLOW-1)', async (stopped) => {
    const slow: number[] = []
    const text = 'x'.repeat(10_000)
    const push = defineRoute('/push', { client: json<number>(), server: json<string>() })
    await using served = await serve((router) =>
      router.handle(
        push,
        async (channel) => {
          for await (const count of channel) for (let index = 0; index < count; index++) await channel.send(text)
        },
        {
          limits: { slowAfter: 100 },
          onSlow: (waited) => {
            slow.push(waited)
            return 'close'
          },
        },
      ),
    )
    const client = clientOf(served)
    const channels = await Promise.all(Array.from({ length: 100 }, async () => client.open(push)))
    const [readers, others] = [channels.slice(stopped), channels.slice(0, stopped)]
    // More than windows and buffers hold.
    await Promise.all(others.map(async (channel) => channel.send(100_000)))
    await Promise.all(readers.map(async (channel) => channel.send(100)))
    const counts = await Promise.all(
      readers.map(async (channel) => {
        for (let index = 0; index < 100; index++) expect(await channel.receive()).toBe(text)
        await channel.close()
        return 100
      }),
    )
    expect(counts).toHaveLength(100 - stopped)
    // Each is handled as its route defines.
    await until(() => slow.length >= stopped)
    await until(() => served.router.channels === 0)
    await Promise.all(others.map(async (channel) => failure(receiveAll(channel), 'PEER_TOO_SLOW')))
  })
})

describe('limits', () => {
  test('are finite by default, and invalid ones throw', () => {
    expect(routerDefaults.total.maxChannels).toBe(100_000)
    expect(routerDefaults.perSession.maxChannels).toBe(10_000)
    for (const value of [0, -1, 1.5, Number.NaN, Infinity]) {
      for (const name of ['maxChannels', 'maxBufferedBytes', 'maxMessagesPerSecond']) {
        const given = { [name]: value }
        expect(thrown(() => createRouter({ total: given }), 'INVALID_ARGUMENT').message).toContain(`total.${name}`)
        thrown(() => createRouter({ perSession: given }), 'INVALID_ARGUMENT')
        thrown(() => createRouter().handle(echo, answer, { total: given }), 'INVALID_ARGUMENT')
      }
    }
    expect(() => createRouter().handle(echo, answer, { limits: { maxMessageBytes: 0 } })).toThrow(ChannelError)
  })

  test('are resolved once: the channels of a route share one object', () => {
    const limits = resolveLimits({ maxWaitingSends: 7 })
    expect(resolveLimits(limits)).toBe(limits)
    expect(resolveLimits({ maxWaitingSends: undefined, flushBytes: 1 }, limits)).toEqual({ ...limits, flushBytes: 1 })
    expect(() => resolveLimits({ ...limits, flushBytes: 0 })).toThrow('flushBytes')
  })

  test('name the route that has no room', async () => {
    await using served = await start(limited('route', { maxChannels: 1 }))
    const channel = await clientOf(served).open(echo)
    const refused = await ask(served.at, { ...plain, ':path': '/echo' }, new Uint8Array())
    expect(refused.body.toString()).toBe('there are 1 channels of /echo already\n')
    await channel.close()
  })
})

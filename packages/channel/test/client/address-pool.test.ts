// oxlint-disable vitest/expect-expect -- some of these tests assert by the helpers of support.ts
/** Clients of a service that has several addresses. */
import { json } from '@h2channel/codecs'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import { once } from 'node:events'
import { createSecureServer, createServer } from 'node:http2'
import type { Socket } from 'node:net'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { goaway, startRawPeer } from '../../../conn/test/support/raw-peer.ts'
import type { Client, ClientOptions, ClientEvent, RetryOptions } from '../../src/client.ts'
import { createClient } from '../../src/client.ts'
import type { ChannelClosed } from '../../src/index.ts'
import { Channel, defineRoute } from '../../src/index.ts'
import type { Router } from '../../src/server.ts'
import { createRouter } from '../../src/server.ts'
import { testClock } from '../../src/testing.ts'
import { bare, deadPort, serve } from '../support/server-support.ts'
import { deferred, failOnUnhandledRejections, failure, settled, thrown, until } from '../support/support.ts'

failOnUnhandledRejections()
// Each delay is half its bound.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0.5))
afterEach(() => void vi.restoreAllMocks())

const who = defineRoute('/who/:asks', { client: json(), server: json<string>() })

/** The shortest delays, for tests that are not about delays. */
const quick: RetryOptions = { initialDelay: 1, maxDelay: 1 }

interface Service extends AsyncDisposable {
  readonly origin: string
  readonly router: Router
}

/** A server that sends its name. */
async function service(name: string, port = 0): Promise<Service> {
  const server = createServer()
  const router = createRouter()
  router.handle(who, async (channel) => {
    await channel.send(name)
    await channel.receive()
  })
  router.attach(server)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    router,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

const open = (client: Client): ReturnType<typeof client.open<'/who/:asks', unknown, string>> =>
  client.open(who, { params: { asks: 'me' } })

/** The name of the server that accepts the next channel. */
async function ask(client: Client): Promise<string | undefined> {
  const channel = await open(client)
  const name = await channel.receive()
  await channel.close()
  return name
}

/** Rejects with the error that ended a channel. */
function thrownBy(closed: ChannelClosed): void {
  if (!closed.clean) throw closed.error
}

async function askTimes(client: Client, times: number): Promise<(string | undefined)[]> {
  const names: (string | undefined)[] = []
  for (let count = 0; count < times; count++) names.push(await ask(client))
  return names
}

function watched(
  origins: readonly string[],
  options: ClientOptions = {},
): { readonly client: Client; readonly events: ClientEvent[] } {
  const events: ClientEvent[] = []
  const client = createClient(origins, { onEvent: (event) => void events.push(event), ...options })
  return { client, events }
}

/** The events without those of opens that succeeded. */
function notable(events: readonly ClientEvent[]): ClientEvent[] {
  return events.filter(({ type }) => type !== 'open')
}

describe('several addresses', () => {
  test('take turns', async () => {
    await using a = await service('a')
    await using b = await service('b')
    await using c = await service('c')
    const { client, events } = watched([a.origin, b.origin, c.origin])
    expect(await askTimes(client, 7)).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a'])
    expect(events).toEqual(
      [a, b, c, a, b, c, a].map(({ origin }) => ({ type: 'open', origin, path: '/who/:asks', attempts: 1 })),
    )
    await client.close()
  })

  test('may each have a path', async () => {
    await using server = await bare((stream) => {
      stream.respond({ 'content-type': 'application/vnd.h2channel+json' })
      stream.end()
    })
    const { origin, sessions } = server
    const { client, events } = watched([`${origin}/a`, `${origin}/b/`], { sessions })
    for (let count = 0; count < 2; count++) await (await open(client)).close()
    expect(server.asked.map((headers) => headers[':path'])).toEqual(['/a/who/me', '/b/who/me'])
    expect(events).toMatchObject([{ origin: `${origin}/a` }, { origin: `${origin}/b` }])
  })

  test('count once, even if they are listed twice', async () => {
    await using a = await service('a')
    await using b = await service('b')
    const { client } = watched([a.origin, `${a.origin}/`, b.origin])
    expect(await askTimes(client, 4)).toEqual(['a', 'b', 'a', 'b'])
    await client.close()
  })

  test.each([
    ['none', []],
    ['an invalid one', ['http://localhost', 'localhost']],
    ['one of another protocol', ['http://localhost', 'ftp://localhost']],
    ['some in cleartext', ['http://localhost', 'https://localhost']],
    ['one with a query', ['http://localhost/base?tenant=7']],
    ['one with a fragment', ['http://localhost/#top']],
    ['user and password', ['https://user:secret@localhost']],
    ['a user', ['https://secret@localhost']],
    ['user and password in what is no URL', ['https://user:secret@localhost:99999']],
    ['user and password for another protocol', ['ftp://user:secret@localhost']],
    ['a token in a query of another protocol', ['wss://localhost/x?token=secret']],
    ['a token in a query of what is no URL', ['localhost/x?token=secret']],
  ])('createClient rejects %s', (_what, origins) => {
    const error = thrown(() => createClient(origins), 'INVALID_ARGUMENT')
    expect(inspect(error)).not.toContain('secret')
  })

  test('createClient rejects TLS options for cleartext addresses', () => {
    thrown(() => createClient(['http://localhost', 'http://127.0.0.1'], { tls: {} }), 'INVALID_ARGUMENT')
  })
})

describe('an address that is unreachable', () => {
  test('causes no delay, and is ejected for a while', async () => {
    const dead = `http://127.0.0.1:${await deadPort()}`
    await using b = await service('b')
    // The clock stands still, so that no delay ever passes.
    const { client, events } = watched([dead, b.origin], { clock: testClock() })
    expect(await askTimes(client, 3)).toEqual(['b', 'b', 'b'])
    expect(events).toMatchObject([
      { type: 'unavailable', origin: dead, error: { code: 'CONNECT_FAILED' } },
      { type: 'retry', origin: dead, path: '/who/:asks', attempt: 1, delay: 0, error: { code: 'CONNECT_FAILED' } },
      { type: 'open', origin: b.origin, attempts: 2 },
      { type: 'open', origin: b.origin, attempts: 1 },
      { type: 'open', origin: b.origin, attempts: 1 },
    ])
    await client.close()
  })

  test('is tried when it is due, ejected for longer each time, and takes turns again once it answers', async () => {
    const port = await deadPort()
    await using b = await service('b')
    const clock = testClock()
    const { client, events } = watched([`http://127.0.0.1:${port}`, b.origin], { clock })
    const delays: number[] = []
    for (let round = 0; round < 4; round++) {
      expect(await askTimes(client, 2)).toEqual(['b', 'b'])
      const told = notable(events.splice(0))
      expect(told).toMatchObject([{ type: 'unavailable' }, { type: 'retry', delay: 0 }])
      const [event] = told
      if (event?.type !== 'unavailable') throw new Error('not told')
      delays.push(event.delay)
      await clock.advance(event.delay - 1)
      expect(await ask(client)).toBe('b')
      await clock.advance(1)
    }
    expect(delays).toEqual([50, 100, 200, 400])
    await using a = await service('a', port)
    expect(new Set(await askTimes(client, 2))).toEqual(new Set(['a', 'b']))
    expect(notable(events)).toEqual([{ type: 'available', origin: a.origin }])
    await client.close()
  })

  test('is ejected for a short time again after it answered', async () => {
    const port = await deadPort()
    await using b = await service('b')
    const clock = testClock()
    const { client, events } = watched([`http://127.0.0.1:${port}`, b.origin], { clock })
    for (const delay of [50, 100]) {
      expect(await askTimes(client, 2)).toEqual(['b', 'b'])
      await clock.advance(delay)
    }
    await using a = await service('a', port)
    const channels = [await open(client), await open(client)]
    await a[Symbol.asyncDispose]()
    // A connection that has ended unnoticed would be used for the next request.
    await Promise.race(channels.map((channel) => failure(channel.closed.then(thrownBy), 'CONN_LOST')))
    for (const channel of channels) channel.abort()
    expect(await askTimes(client, 2)).toEqual(['b', 'b'])
    expect(events.filter(({ type }) => type === 'unavailable')).toMatchObject([
      { delay: 50 },
      { delay: 100 },
      { delay: 50 },
    ])
    await client.close()
  })

  test('is ejected once by opens that failed together', async () => {
    const dead = `http://127.0.0.1:${await deadPort()}`
    await using b = await service('b')
    const { client, events } = watched([dead, b.origin], { clock: testClock() })
    expect(await Promise.all(Array.from({ length: 20 }, () => ask(client)))).toEqual(
      Array.from({ length: 20 }, () => 'b'),
    )
    expect(events.filter(({ type }) => type === 'unavailable')).toHaveLength(1)
    expect(events.filter(({ type }) => type === 'retry')).toHaveLength(10)
    await client.close()
  })

  test('is tried by a single open when it is due', async () => {
    const requests: (() => void)[] = []
    await using slow = await bare((stream) => {
      if (requests.push(() => stream.close(7)) === 1) stream.close(7)
    })
    await using b = await service('b')
    const clock = testClock()
    const { client } = watched([slow.origin, b.origin], { clock })
    expect(await ask(client)).toBe('b')
    await clock.advance(50)
    const looking = ask(client)
    await until(() => requests.length === 2)
    expect(await askTimes(client, 4)).toEqual(['b', 'b', 'b', 'b'])
    expect(requests).toHaveLength(2)
    requests[1]?.()
    expect(await looking).toBe('b')
    await client.close()
  })

  test('stays ejected when a request from before the ejection is answered', async () => {
    const answers: (() => void)[] = []
    await using slow = await bare((stream) => {
      answers.push(() => {
        stream.respond({ 'content-type': 'application/vnd.h2channel+json' })
        stream.end()
      })
      if (answers.length === 2) stream.close(7)
    })
    await using b = await service('b')
    const { client, events } = watched([slow.origin, b.origin], { clock: testClock() })
    const early = open(client)
    await until(() => answers.length === 1)
    expect(await askTimes(client, 2)).toEqual(['b', 'b'])
    answers[0]?.()
    await (await early).close()
    expect(notable(events).map(({ type }) => type)).toEqual(['unavailable', 'retry'])
    await client.close()
  })

  test('does not disturb the remaining addresses while servers die', async () => {
    await using a = await service('a')
    await using b = await service('b')
    const { client, events } = watched([a.origin, b.origin], { clock: testClock() })
    const channel = await open(client)
    expect(await channel.receive()).toBe('a')
    await a[Symbol.asyncDispose]()
    await failure(channel.receive(), 'CONN_LOST')
    expect(await askTimes(client, 4)).toEqual(['b', 'b', 'b', 'b'])
    expect(notable(events)).toMatchObject([
      { type: 'unavailable', origin: a.origin },
      { type: 'retry', origin: a.origin, delay: 0 },
    ])
    await client.close()
  })

  test('is ejected after failed TLS too, although that open is not tried again', async () => {
    const setUp = (router: Router): void => {
      router.handle(who, (channel) => channel.send('known'))
    }
    await using known = await serve(setUp, { tls: true })
    const certificate = await makeCertificate()
    await using stranger = await listen(createSecureServer({ ...certificate }), certificate)
    const { client, events } = watched([stranger.origin, known.at.origin], { tls: known.at.tls, clock: testClock() })
    expect(await failure(open(client), 'CONNECT_FAILED')).toMatchObject({ cause: { code: 'TLS_FAILED' } })
    expect(events).toMatchObject([
      { type: 'unavailable', origin: stranger.origin },
      { type: 'fail', origin: stranger.origin, attempts: 1 },
    ])
    expect(await askTimes(client, 3)).toEqual(['known', 'known', 'known'])
    await client.close()
  })
})

describe('an address that drains', () => {
  test('is ejected after 503 for as long as retry-after says', async () => {
    await using a = await service('a')
    await using b = await service('b')
    const clock = testClock()
    const { client, events } = watched([a.origin, b.origin], { clock })
    const [first, second] = [await open(client), await open(client)]
    expect([await first.receive(), await second.receive()]).toEqual(['a', 'b'])
    const drained = a.router.drain()
    await until(() => events.some(({ type }) => type === 'drain'))
    expect(events.at(-1)).toEqual({ type: 'drain', origin: a.origin, path: '/who/:asks' })
    expect(await askTimes(client, 4)).toEqual(['b', 'b', 'b', 'b'])
    const told = notable(events).slice(1)
    expect(told).toMatchObject([
      { type: 'unavailable', origin: a.origin, error: { code: 'REFUSED', retryable: true } },
      { type: 'retry', origin: a.origin, delay: 0 },
    ])
    // retry-after is a second.
    await clock.advance(999)
    expect(await askTimes(client, 2)).toEqual(['b', 'b'])
    await clock.advance(101)
    expect(await askTimes(client, 2)).toEqual(['b', 'b'])
    expect(notable(events).slice(3)).toMatchObject([{ type: 'unavailable', origin: a.origin }, { type: 'retry' }])
    await first.close()
    await second.close()
    await drained
    await client.close()
  })

  test('is ejected after GOAWAY', async () => {
    await using peer = await startRawPeer({ onRequest: (socket) => void socket.write(goaway(0, 0)) })
    await using b = await service('b')
    const { client, events } = watched([peer.origin, b.origin], { clock: testClock() })
    expect(await askTimes(client, 3)).toEqual(['b', 'b', 'b'])
    expect(notable(events)).toMatchObject([
      { type: 'unavailable', origin: peer.origin },
      { type: 'retry', delay: 0 },
    ])
    await peer[Symbol.asyncDispose]()
    await client.close()
  })

  test('makes no draining signal without an onEvent hook', async () => {
    const asked = vi.spyOn(Channel.prototype, 'draining', 'get')
    await using a = await service('a')
    const client = createClient(a.origin)
    await (await open(client)).close()
    expect(asked).not.toHaveBeenCalled()
    const { client: told } = watched([a.origin])
    await (await open(told)).close()
    expect(asked).toHaveBeenCalledOnce()
    await Promise.all([client.close(), told.close()])
  })
})

describe('an address that is too busy', () => {
  test('stays available after 429: the client has to slow down', async () => {
    let requests = 0
    await using busy = await bare((stream) => {
      requests += 1
      stream.respond({ ':status': 429, 'retry-after': '1' })
      stream.end()
    })
    await using b = await service('b')
    const clock = testClock()
    const waiting = deferred<number>()
    const events: ClientEvent[] = []
    const client = createClient([busy.origin, b.origin], {
      clock,
      onEvent(event) {
        events.push(event)
        if (event.type === 'retry') waiting.resolve(event.delay)
      },
    })
    const asking = ask(client)
    const delay = await waiting.promise
    expect(delay).toBeGreaterThanOrEqual(1_000)
    await clock.advance(delay)
    expect(await asking).toBe('b')
    expect([requests, ...events.map(({ type }) => type)]).toEqual([1, 'retry', 'open'])
    await client.close()
  })
})

describe('when all addresses are unreachable', () => {
  test('open tries all at once, then the first that is due, and throws the last error', async () => {
    const dead = [`http://127.0.0.1:${await deadPort()}`, `http://127.0.0.1:${await deadPort()}`]
    const clock = testClock()
    const { client, events } = watched(dead, { clock })
    const opening = failure(open(client), 'CONNECT_FAILED')
    const retryings = (): ClientEvent[] => events.filter(({ type }) => type === 'retry')
    // At once, then after the delay of one address, then when the other is due: both have passed.
    await until(() => retryings().length === 2)
    await clock.advance(50)
    const error = await opening
    expect(error).toMatchObject({ retryable: true, cause: { code: 'CONNECT_FAILED' } })
    expect(retryings()).toMatchObject([
      { origin: dead[0], delay: 0 },
      { origin: dead[1], delay: 50 },
      { origin: dead[0], delay: 0 },
    ])
    expect(events.at(-1)).toEqual({ type: 'fail', origin: dead[1], path: '/who/:asks', attempts: 4, error })
    await client.close()
  })

  test('open does not wait at first, and then no longer than with one address', async () => {
    const dead = [`http://127.0.0.1:${await deadPort()}`, `http://127.0.0.1:${await deadPort()}`]
    const clock = testClock()
    const { client, events } = watched(dead, { clock, retry: { maxAttempts: 2, maxDelay: 60_000 } })
    const delaysOf = (kind: 'retry' | 'unavailable'): number[] =>
      events.flatMap((event) => (event.type === kind && 'delay' in event ? [event.delay] : []))
    for (let round = 1; round <= 6; round++) {
      const opening = failure(open(client), 'CONNECT_FAILED')
      await until(() => delaysOf('retry').length === round)
      await clock.advance(delaysOf('retry').at(-1) ?? 0)
      await opening
    }
    expect(delaysOf('unavailable')).toEqual([50, 50, 100, 100, 200, 200, 400, 400, 800, 800, 1_600, 1_600])
    expect(delaysOf('retry')).toEqual([0, 50, 50, 50, 50, 50])
    await client.close()
  })

  test('the address that answers first gets the channel', async () => {
    const [left, right] = [await deadPort(), await deadPort()]
    const origins = [`http://127.0.0.1:${left}`, `http://127.0.0.1:${right}`]
    const clock = testClock()
    const { client, events } = watched(origins, { clock, retry: { maxAttempts: 10 } })
    const asking = ask(client)
    await until(() => events.some((event) => event.type === 'retry' && event.delay > 0))
    await using b = await service('b', right)
    while (!events.some(({ type }) => type === 'open')) {
      await clock.advance(5_000)
      await settled()
    }
    expect(await asking).toBe('b')
    expect(notable(events).at(-1)).toEqual({ type: 'available', origin: b.origin })
    await client.close()
  })

  test('maxAttempts counts the attempts at all addresses together', async () => {
    const servers = await Promise.all(Array.from({ length: 3 }, () => bare((stream) => stream.close(7))))
    const client = createClient(
      servers.map(({ origin }) => origin),
      { retry: { ...quick, maxAttempts: 2 } },
    )
    await failure(open(client), 'CONNECT_FAILED')
    expect(servers.map(({ asked }) => asked.length)).toEqual([1, 1, 0])
    await client.close()
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
  })
})

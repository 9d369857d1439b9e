/** Authorization of channels, and the expiry of credentials. */
import { json } from '@h2channel/codecs'
import { once } from 'node:events'
import type { ClientHttp2Stream } from 'node:http2'
import { describe, expect, expectTypeOf, test, vi } from 'vitest'

import { createClient } from '../../src/client.ts'
import { defineRoute } from '../../src/index.ts'
import type { ChannelRequest, HandleOptions, HandlerContext, Router, RouterOptions } from '../../src/server.ts'
import { createRouter, Refusal } from '../../src/server.ts'
import { testClock } from '../../src/testing.ts'
import type { ServeOptions, Served } from '../support/server-support.ts'
import { ask, bareSession, serve } from '../support/server-support.ts'
import {
  deferred,
  failOnUnhandledRejections,
  failure,
  outcome,
  receiveAll,
  settled,
  thrown,
} from '../support/support.ts'

failOnUnhandledRejections()

const greet = defineRoute('/greet/:name', { client: json<string>(), server: json() })
const plain = { 'content-type': 'application/vnd.h2channel+json', ':path': '/greet/ada' }

/** The clock of the clients does not move while a test moves the clock of the server. */
const limits = { heartbeatInterval: 2 ** 30 }

/** A server whose handler sends what it knows about its client, then answers messages. */
async function guarded<Auth>(authorize: RouterOptions<Auth>['authorize'], options?: RouterOptions): Promise<Served> {
  const setUp = (router: Router): void => {
    router.handle(greet, async (channel, { auth }) => {
      await channel.send(auth)
      for await (const message of channel) await channel.send(message)
    })
  }
  return serve(setUp, { router: { limits, ...options, authorize } } satisfies ServeOptions)
}

describe('authorize', () => {
  test.each(['at once', 'later'])(
    'what it returns %s is `context.auth` of the handler, with its type',
    async (when) => {
      await using served = await guarded(({ headers, params }) => {
        const auth = { user: headers['authorization'], of: params['name'] }
        return when === 'later' ? Promise.resolve(auth) : auth
      })
      const channel = await served
        .client({ headers: { authorization: 'ada' } })
        .open(greet, { params: { name: 'ada' } })
      expect(await channel.receive()).toEqual({ user: 'ada', of: 'ada' })
      await channel.close()
      const router = createRouter({
        authorize: async ({ headers }) => ({ user: headers.authorization ?? 'anonymous' }),
      })
      router.handle(greet, (_channel, context) => {
        expectTypeOf(context).toEqualTypeOf<HandlerContext<'/greet/:name', { user: string }>>()
      })
    },
  )

  test('gets the whole request', async () => {
    const told = deferred<ChannelRequest>()
    await using served = await guarded((request) => told.resolve(request))
    await ask(served.at, { ...plain, ':path': '/greet/a%20b?full=1' }, new Uint8Array())
    const { route, params, headers, query, session } = await told.promise
    expect([route, { ...params }, headers[':method'], query.get('full')]).toEqual([
      '/greet/:name',
      { name: 'a b' },
      'POST',
      '1',
    ])
    expect(session?.encrypted).toBe(false)
  })

  test.each([
    [401, 'UNAUTHENTICATED', { 'www-authenticate': 'Bearer' }],
    [403, 'REFUSED', {}],
    [429, 'REFUSED', { 'retry-after': '7' }],
  ] as const)('refuses with %i and headers, before anything is accepted', async (status, code, headers) => {
    await using served = await guarded(async () => {
      await settled()
      throw new Refusal(status, 'not you', headers)
    })
    const refused = await ask(served.at, plain, new Uint8Array())
    expect(refused).toMatchObject({ status, headers })
    expect(refused.body.toString()).toBe('not you\n')
    const client = served.client({ retry: { maxAttempts: 1 } })
    await failure(client.open(greet, { params: { name: 'ada' } }), code)
    expect(served.errors).toEqual([])
    expect(served.router.channels).toBe(0)
  })

  test('a client calls its `headers` function for each attempt', async () => {
    let asked = 0
    await using served = await guarded(({ headers }) => {
      if (headers.authorization !== '2') throw new Refusal(401, 'who are you?')
    })
    const client = served.client({ headers: async () => ({ authorization: String(++asked) }) })
    await failure(client.open(greet, { params: { name: 'ada' } }), 'UNAUTHENTICATED')
    await (await client.open(greet, { params: { name: 'ada' } })).close()
    expect(asked).toBe(2)
  })

  test('any other error is answered with 500 and passed to onError, and not to the client', async () => {
    const error = new Error('the password is 1234')
    await using served = await guarded(() => {
      throw error
    })
    const refused = await ask(served.at, plain, new Uint8Array())
    expect([refused.status, refused.body.toString()]).toEqual([500, 'the channel could not be opened\n'])
    expect(served.errors).toEqual([error])
  })

  test('an invalid expiresAt is an error of authorize', async () => {
    await using served = await guarded(() => ({ expiresAt: 'tomorrow' }))
    expect((await ask(served.at, plain, new Uint8Array())).status).toBe(500)
    expect(served.errors).toMatchObject([{ code: 'INVALID_ARGUMENT' }])
  })

  test('what arrives while it runs counts towards the limits, and the channel with most of it is reset', async () => {
    const asked = deferred()
    const answered = deferred()
    const quiet = deferred<HandlerContext>()
    const codes: unknown[] = []
    const setUp = (router: Router): void => {
      router.handle(greet, async (channel, context) => {
        if (context.params.name === 'quiet') quiet.resolve(context)
        const closed = await channel.closed
        codes.push([context.params.name, closed.clean ? 'clean' : closed.error.code])
      })
    }
    const authorize = async ({ params }: ChannelRequest): Promise<void> => {
      if (params['name'] === 'quiet') return
      asked.resolve()
      await answered.promise
    }
    await using served = await serve(setUp, { router: { limits, authorize, total: { maxBufferedBytes: 200_000 } } })
    await using session = bareSession(served.at)
    const open = (name: string): ClientHttp2Stream => {
      const stream = session.http2.request({ ':method': 'POST', ...plain, ':path': `/greet/${name}` })
      stream.on('error', () => {})
      return stream
    }
    open('quiet')
    const { signal } = await quiet.promise
    const flood = open('flood')
    await asked.promise
    // The start of one message that is longer than everything that arrives.
    flood.write(Buffer.concat([Buffer.of(0, 0, 0x0f, 0xff, 0xff), Buffer.alloc(900_000)]))
    await new Promise((resolve) => setTimeout(resolve, 200))
    answered.resolve()
    await vi.waitFor(() => expect(codes).toEqual([['flood', 'RATE_LIMITED']]), 3_000)
    expect(signal.aborted).toBe(false)
    session.http2.destroy()
  })

  test('that takes longer than authorizeTimeout is answered with 503, and its signal aborts', async () => {
    const clock = testClock()
    const asked = deferred<AbortSignal>()
    await using served = await guarded(
      async ({ signal }) => {
        asked.resolve(signal)
        await once(signal, 'abort')
      },
      { clock },
    )
    const answered = ask(served.at, plain, new Uint8Array())
    const signal = await asked.promise
    await clock.advance(9_999)
    expect(signal.aborted).toBe(false)
    await clock.advance(1)
    expect(await answered).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(served.errors).toEqual([])
    expect(clock.timers).toBe(0)
  })

  test('its signal aborts when the client leaves, and nothing stays in memory', async () => {
    const asked = deferred<AbortSignal>()
    await using served = await guarded(async ({ signal }) => {
      asked.resolve(signal)
      await once(signal, 'abort')
      throw signal.reason
    })
    await using session = bareSession(served.at)
    const stream = session.http2.request({ ...plain, ':method': 'POST' })
    stream.on('error', () => {})
    const signal = await asked.promise
    stream.close(8)
    await once(signal, 'abort')
    await settled()
    expect([served.errors, served.router.channels]).toEqual([[], 0])
  })

  test('a client that is being authorized when the router begins to drain gets 503', async () => {
    const [asked, go] = [deferred(), deferred()]
    await using served = await guarded(async () => {
      asked.resolve(undefined)
      await go.promise
    })
    const answered = ask(served.at, plain, new Uint8Array())
    await asked.promise
    const drained = served.router.drain()
    go.resolve(undefined)
    expect((await answered).status).toBe(503)
    await drained
  })

  test('credentials that have expired get 401, and no handler runs', async () => {
    await using served = await guarded(() => ({ expiresAt: Date.now() - 1 }))
    const refused = await ask(served.at, plain, new Uint8Array())
    expect([refused.status, refused.body.toString()]).toEqual([401, 'the credentials have expired\n'])
  })

  test('does not delay a drain', async () => {
    const asked = deferred<AbortSignal>()
    await using served = await guarded(
      async ({ signal }) => {
        asked.resolve(signal)
        await new Promise(() => {})
      },
      { authorizeTimeout: 2 ** 30 },
    )
    const answered = ask(served.at, plain, new Uint8Array())
    const signal = await asked.promise
    await served.router.drain()
    expect([(await answered).status, signal.aborted]).toEqual([503, true])
  })

  test('is not called more often at once than there may be channels, although clients leave and return', async () => {
    let [running, most] = [0, 0]
    const done = deferred()
    await using served = await guarded(
      async () => {
        running += 1
        most = Math.max(most, running)
        await done.promise
        running -= 1
      },
      { total: { maxChannels: 2 } },
    )
    await using session = bareSession(served.at)
    for (let count = 0; count < 50; count++) {
      const stream = session.http2.request({ ...plain, ':method': 'POST' })
      stream.on('error', () => {})
      stream.resume()
      const closed = once(stream, 'close')
      await settled()
      stream.close(8)
      await closed
    }
    expect(most).toBe(2)
    done.resolve(undefined)
    await settled()
    expect(running).toBe(0)
    const channel = await served.client().open(greet, { params: { name: 'ada' } })
    await channel.close()
  })

  test('must be a function, and authorizeTimeout a valid delay', () => {
    const authorize: never = 'all' as never
    expect(thrown(() => createRouter({ authorize }), 'INVALID_ARGUMENT').message).toContain('authorize')
    expect(thrown(() => createRouter({ authorizeTimeout: 0 }), 'INVALID_ARGUMENT').message).toContain(
      'authorizeTimeout',
    )
    for (const name of [':status', 'connection', 'Transfer-Encoding']) {
      thrown(() => new Refusal(401, 'no', { [name]: 'x' }), 'INVALID_ARGUMENT')
    }
    for (const status of [200, 302, 399, 600, 401.5]) thrown(() => new Refusal(status, 'no'), 'INVALID_ARGUMENT')
  })
})

describe('context.expiresAt', () => {
  const hour = 3_600_000

  test.each([['a Date'], ['milliseconds']])('ends the channel with UNAUTHENTICATED: %s', async (kind) => {
    const clock = testClock()
    const at = Date.now() + hour
    await using served = await guarded(() => ({ expiresAt: kind === 'a Date' ? new Date(at) : at }), { clock })
    const client = createClient(served.at.origin, { sessions: served.at.sessions })
    const channel = await client.open(greet, { params: { name: 'ada' } })
    await channel.receive()
    await clock.advance(hour - 10_000)
    await channel.send('still there?')
    expect(await channel.receive()).toBe('still there?')
    const ended = failure(channel.receive(), 'UNAUTHENTICATED')
    await clock.advance(10_000)
    expect(await ended).toMatchObject({ side: 'remote', fatal: true })
    await outcome(channel, 'UNAUTHENTICATED')
    // That is not reported as an error of the handler, and the client opens another channel.
    expect(served.errors).toEqual([])
    await (await client.open(greet, { params: { name: 'ada' } })).close()
  })

  test('can be changed or removed by the handler', async () => {
    const clock = testClock()
    const seen: (Date | undefined)[] = []
    const at = Date.now()
    await using served = await serve(
      (router) => {
        router.handle(greet, async (channel, context) => {
          seen.push(context.expiresAt)
          for await (const message of channel) {
            context.expiresAt = message === 'never' ? undefined : at + Number(message)
            seen.push(context.expiresAt)
            await channel.send('ok')
          }
        })
      },
      { router: { clock, limits, authorize: () => ({ expiresAt: at + hour }) } },
    )
    const client = createClient(served.at.origin, { sessions: served.at.sessions })
    const channel = await client.open(greet, { params: { name: 'ada' } })
    await channel.send(String(2 * hour))
    await channel.receive()
    await clock.advance(1.5 * hour)
    await channel.send('never')
    await channel.receive()
    await clock.advance(100 * hour)
    await channel.send('0')
    await failure(receiveAll(channel), 'UNAUTHENTICATED')
    expect(seen).toEqual([new Date(at + hour), new Date(at + 2 * hour), undefined, new Date(at)])
  })

  test('may be further away than the longest timer', async () => {
    const clock = testClock()
    const month = 30 * 24 * hour
    await using served = await guarded(() => ({ expiresAt: Date.now() + month }), { clock })
    const channel = await createClient(served.at.origin, { sessions: served.at.sessions }).open(greet, {
      params: { name: 'ada' },
    })
    await channel.receive()
    let isOver = false
    void channel.closed.then(() => (isOver = true))
    for (let day = 0; day < 29; day++) await clock.advance(24 * hour)
    await settled()
    expect(isOver).toBe(false)
    await clock.advance(24 * hour + 10_000)
    await outcome(channel, 'UNAUTHENTICATED')
  })

  const graces: [string, RouterOptions, HandleOptions, left: number, grace: number][] = [
    ['20 s before by default', {}, {}, hour, 20_000],
    ['a tenth of the remaining time before, if that is less', {}, {}, 60_000, 6_000],
    ['by the option of the router', { expiryGrace: 60_000 }, {}, hour, 60_000],
    ['by the option of the route', { expiryGrace: 60_000 }, { expiryGrace: 1_000 }, hour, 1_000],
  ]

  test.each(graces)('drains at both ends: %s', async (_what, router, handle, left, grace) => {
    const clock = testClock()
    const drained: string[] = []
    const authorize = (): unknown => ({ expiresAt: Date.now() + left })
    await using served = await serve(
      (made) => {
        made.handle(
          greet,
          async (channel) => {
            channel.draining.addEventListener('abort', () => drained.push('server'))
            await channel.send('ready')
            for await (const message of channel) await channel.send(message)
          },
          handle,
        )
      },
      { router: { clock, limits, authorize, ...router } },
    )
    const client = served.client()
    const channel = await client.open(greet, { params: { name: 'ada' } })
    await channel.receive()
    // Credentials are measured by the wall clock, which has moved a little since.
    await clock.advance(left - grace - 2_000)
    await channel.send('still there?')
    expect(await channel.receive()).toBe('still there?')
    expect([channel.draining.aborted, ...drained]).toEqual([false])
    const draining = once(channel.draining, 'abort')
    await clock.advance(2_000)
    await draining
    expect(drained).toEqual(['server'])
    expect(channel.draining.reason).toMatchObject({ code: 'GOING_AWAY', fatal: false })
    // Meanwhile it stays open, and another channel can be opened on the same connection.
    await channel.send('continue')
    expect(await channel.receive()).toBe('continue')
    await (await client.open(greet, { params: { name: 'bob' } })).close()
    expect(served.at.sessions.size).toBe(1)
    await clock.advance(grace)
    await outcome(channel, 'UNAUTHENTICATED')
    expect(served.errors).toEqual([])
  })

  test('a client that ends when the channel drains loses no message', async () => {
    const clock = testClock()
    await using served = await guarded(() => ({ expiresAt: Date.now() + hour }), { clock })
    const channel = await served.client().open(greet, { params: { name: 'ada' } })
    await channel.receive()
    const draining = once(channel.draining, 'abort')
    await clock.advance(hour - 10_000)
    await draining
    await channel.send('last')
    await channel.end()
    expect(await receiveAll(channel)).toEqual(['last'])
    expect(await channel.closed).toEqual({ clean: true })
    await served.router.drain()
    expect(clock.timers).toBe(0)
  })

  test('a new time replaces the one at which it would have drained, and keeps a draining channel open', async () => {
    const clock = testClock()
    const at = Date.now()
    await using served = await serve(
      (router) => {
        router.handle(greet, async (channel, context) => {
          for await (const message of channel) {
            context.expiresAt = at + Number(message)
            await channel.send('ok')
          }
        })
      },
      { router: { clock, limits, authorize: () => ({ expiresAt: at + hour }) } },
    )
    const channel = await served.client().open(greet, { params: { name: 'ada' } })
    const renew = async (left: number): Promise<void> => {
      await channel.send(String(left))
      expect(await channel.receive()).toBe('ok')
    }
    await renew(2 * hour)
    await clock.advance(hour)
    await renew(2 * hour)
    expect(channel.draining.aborted).toBe(false)
    const draining = once(channel.draining, 'abort')
    // Two hours are left by the wall clock, which does not move in this test.
    await clock.advance(2 * hour - 10_000)
    await draining
    await renew(4 * hour)
    await clock.advance(2 * hour)
    await renew(4 * hour)
    await channel.close()
  })

  test.each([0, -1, 1.5, Number.NaN, 2 ** 31])('expiryGrace: %s is invalid', (expiryGrace) => {
    expect(thrown(() => createRouter({ expiryGrace }), 'INVALID_ARGUMENT').message).toContain('expiryGrace')
    thrown(() => createRouter().handle(greet, () => {}, { expiryGrace }), 'INVALID_ARGUMENT')
  })

  test('has no timer once the channel has ended', async () => {
    const clock = testClock()
    await using served = await guarded(() => ({ expiresAt: Date.now() + hour }), { clock })
    const channel = await served.client().open(greet, { params: { name: 'ada' } })
    await channel.close()
    await served.router.drain()
    expect(clock.timers).toBe(0)
  })
})

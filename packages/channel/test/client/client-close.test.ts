// oxlint-disable vitest/expect-expect -- some of these tests assert by the helpers of support.ts
/** `client.close()` with open channels, and with `open`s in progress. */
import { json } from '@h2channel/codecs'
import { SessionPool } from '@h2channel/conn'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { Client, ClientOptions, ClientEvent } from '../../src/client.ts'
import { createClient } from '../../src/client.ts'
import type { Channel } from '../../src/index.ts'
import { ChannelError, defineRoute } from '../../src/index.ts'
import { resetReason } from '../../src/core/close-codes.ts'
import { createRouter } from '../../src/server.ts'
import type { RunningServer } from '../../src/testing.ts'
import { startServer } from '../../src/testing.ts'
import { bare } from '../support/server-support.ts'
import type { Deferred } from '../support/support.ts'
import { deferred, failOnUnhandledRejections, failure } from '../support/support.ts'

failOnUnhandledRejections()

const feed = defineRoute('/feed', { client: json<string>(), server: json<string>() })

/** The server's end of the last channel, whose handler ends when the channel does. */
let accepted: Deferred<Channel<string, string>>
let server: RunningServer
let shared: SessionPool
beforeEach(async () => {
  accepted = deferred()
  const router = createRouter({ onError: (error) => expect.unreachable(String(error)) })
  router.handle(feed, async (channel) => {
    accepted.resolve(channel)
    await channel.closed
  })
  server = await startServer(router)
  shared = new SessionPool({ closeTimeout: 50 })
})
afterEach(async () => {
  await shared.close()
  await server[Symbol.asyncDispose]()
})

const kinds: readonly { readonly kind: string; readonly make: (options?: ClientOptions) => Client }[] = [
  { kind: 'its own connections', make: (options) => createClient(server.origin, options) },
  { kind: 'a shared pool', make: (options) => createClient(server.origin, { sessions: shared, ...options }) },
  { kind: 'startServer', make: (options) => server.client(options) },
]

describe.each(kinds)('close, of a client with $kind', ({ make }) => {
  test('drains both ends of each channel, and waits until they have ended (DRAIN-1)', async () => {
    const events: ClientEvent[] = []
    const client = make({ onEvent: (event) => void events.push(event) })
    const channel = await client.open(feed)
    const peer = await accepted.promise
    let isOver = false
    const closing = client.close().then(() => (isOver = true))
    for (const { draining } of [channel, peer]) {
      if (!draining.aborted) await new Promise((resolve) => draining.addEventListener('abort', resolve))
      expect(draining.reason).toMatchObject({ code: 'GOING_AWAY', fatal: false })
    }
    // Both ends stay open until one of them ends the channel.
    await peer.send('last words')
    expect(await channel.receive()).toBe('last words')
    expect(isOver).toBe(false)
    await channel.close()
    await closing
    expect(await channel.closed).toEqual({ clean: true })
    // No drain event: the client closes, not the server.
    expect(events.map(({ type }) => type)).toEqual(['open'])
  })

  test('ends channels that are open after the timeout with GOING_AWAY at both ends', async () => {
    const client = make()
    const channel = await client.open(feed)
    const peer = await accepted.promise
    const [here, there] = [failure(channel.receive(), 'GOING_AWAY'), failure(peer.receive(), 'GOING_AWAY')]
    const began = performance.now()
    await client.close({ timeout: 30 })
    // Timers may fire up to a millisecond early.
    expect(performance.now() - began).toBeGreaterThan(29)
    expect(await here).toMatchObject({ side: 'local', fatal: true })
    expect(await there).toMatchObject({ side: 'remote', fatal: true })
    await failure(client.open(feed), 'CLOSED')
  })

  test('waits for the same end when it is called again', async () => {
    const client = make()
    const channel = await client.open(feed)
    const closing = client.close()
    const again = client.close({ timeout: 1 })
    const disposed = client[Symbol.asyncDispose]()
    await channel.close()
    await Promise.all([closing, again, disposed])
    expect(await channel.closed).toEqual({ clean: true })
  })

  test('rejects an invalid timeout', async () => {
    const client = make()
    for (const timeout of [0, -1, Number.NaN, Infinity, 1.5])
      await failure(client.close({ timeout }), 'INVALID_ARGUMENT')
    const channel = await client.open(feed)
    await channel.close()
    await client.close()
  })
})

describe('close, of one client of a shared pool', () => {
  test('leaves the pool and the channels of other clients open', async () => {
    const [one, other] = [0, 1].map(() => createClient(server.origin, { sessions: shared })) as [Client, Client]
    const [gone, kept] = [await one.open(feed), await other.open(feed)]
    await one.close({ timeout: 1 })
    expect(await gone.closed).toMatchObject({ clean: false, error: { code: 'GOING_AWAY' } })
    expect(kept.draining.aborted).toBe(false)
    expect(shared.size).toBe(1)
    await kept.close()
    await (await other.open(feed)).close()
    await other.close()
  })
})

describe('close, with a server that does not read', () => {
  test('resets the channel a second after the timeout', async () => {
    await using deaf = await bare((stream) => {
      stream.respond({ 'content-type': 'application/vnd.h2channel+json', h2channel: '1' })
      stream.pause()
    })
    const client = createClient(deaf.origin)
    const channel = await client.open(feed)
    const filling = (async (): Promise<never> => {
      for (;;) await channel.send('x'.repeat(100_000))
    })()
    const filled = failure(filling, 'GOING_AWAY')
    await client.close({ timeout: 20 })
    expect(await channel.closed).toMatchObject({ clean: false, error: { code: 'GOING_AWAY', side: 'local' } })
    await filled
    expect(await deaf.resets[0]).toBe(resetReason(new ChannelError('GOING_AWAY', '')).rstCode)
  })
})

describe('an open in progress ends with CLOSED', () => {
  const never = new Promise<never>(() => {})
  const waits: readonly {
    readonly what: string
    readonly options: ClientOptions
    readonly answers: number | undefined
  }[] = [
    { what: 'its headers', options: { headers: async () => never }, answers: 200 },
    { what: 'the response', options: {}, answers: undefined },
    { what: 'the next attempt', options: { retry: { initialDelay: 60_000, maxDelay: 60_000 } }, answers: 503 },
  ]

  test.each(waits.flatMap((wait) => [true, false].map((isShared) => ({ ...wait, isShared }))))(
    'while it waits for $what (shared pool: $isShared)',
    async ({ options, answers, isShared }) => {
      const waiting = deferred()
      await using peer = await bare((stream) => {
        if (answers !== undefined) stream.respond({ ':status': answers }, { endStream: true })
        else waiting.resolve()
      })
      const { headers } = options
      const client = createClient(peer.origin, {
        ...options,
        ...(isShared ? { sessions: peer.sessions } : {}),
        ...(typeof headers === 'function' ? { headers: () => (waiting.resolve(), headers()) } : {}),
        onEvent: ({ type }) => void (type === 'retry' && waiting.resolve()),
      })
      const opening = failure(client.open(feed), 'CLOSED')
      await waiting.promise
      await client.close()
      expect(await opening).toMatchObject({ side: 'local', retryable: false })
      // The headers are not asked for again either.
      await failure(client.open(feed), 'CLOSED')
    },
  )

  test('after close, without calling the headers function', async () => {
    let asked = 0
    for (const sessions of [undefined, shared]) {
      const headers = (): Promise<never> => {
        asked += 1
        return never
      }
      const client = createClient(server.origin, { sessions, headers })
      await client.close()
      await failure(client.open(feed), 'CLOSED')
    }
    expect(asked).toBe(0)
  })
})

/** Channels over HTTP/2 that outlive their connections: client and router. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http2'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'

import { json } from '@h2channel/codecs'

import { createClient } from '../../src/client.ts'
import type { DiagnosticEvents } from '../../src/diagnostics.ts'
import type { ChannelClosed } from '../../src/index.ts'
import { defineRoute } from '../../src/index.ts'
import { Refusal, resumeDefaults } from '../../src/server.ts'
import { testClock } from '../../src/testing.ts'
import { ask, bareSession, serve } from '../support/server-support.ts'
import { deferred, failOnUnhandledRejections, failure, until } from '../support/support.ts'
import type { Numbered, Ours } from './resume-world.ts'
import { echo, numbers, World } from './resume-world.ts'

failOnUnhandledRejections()

const codeOf = (closed: ChannelClosed): string => (closed.clean ? 'clean' : closed.error.code)

describe('a channel with resume', () => {
  test('loses and doubles nothing while its connection is cut fifty times', async () => {
    await using world = await World.start()
    const channel = await world.client().open(numbers)
    const got: number[] = []
    for (let round = 0; round < 50; round++) {
      const first = round * 100
      const receiving = (async () => {
        while (got.length < first + 100) got.push((await channel.receive())?.n ?? -1)
      })()
      for (let n = first; n < first + 100; n++) await channel.send({ n })
      // In the middle of them, at another place each time.
      await until(() => got.length >= first + round)
      world.cut()
      await receiving
    }
    await channel.end()
    expect(await channel.receive()).toBeUndefined()
    expect(got).toEqual(Array.from({ length: 5_000 }, (_, n) => n))
    expect(await channel.closed).toEqual({ clean: true })
    expect(channel.stats.carriers).toBeGreaterThan(40)
    await until(() => world.router.channels === 0)
    expect(world.router.detached).toBe(0)
  })

  test('tells its client of it, and what measures the server', async () => {
    await using world = await World.start()
    const seen: string[] = []
    const onDetach = (event: unknown): void => {
      seen.push(`detach ${(event as DiagnosticEvents['detach']).opening.route}`)
    }
    const onResume = (event: unknown): void => {
      seen.push(`resume ${(event as DiagnosticEvents['resume']).opening.route}`)
    }
    subscribe('h2channel:detach', onDetach)
    subscribe('h2channel:resume', onResume)
    try {
      const channel = await world.client().open(numbers)
      world.cut()
      await channel.send({ n: 1 })
      expect(await channel.receive()).toEqual({ n: 1 })
      expect(seen).toEqual(['detach /numbers', 'resume /numbers'])
      expect(world.events.map(({ type }) => type)).toEqual(['open', 'reconnecting', 'resumed'])
      expect(world.events[1]).toMatchObject({ path: '/numbers', error: { name: 'ConnError' } })
      expect(world.events[2]).toMatchObject({ path: '/numbers', carriers: 2 })
    } finally {
      unsubscribe('h2channel:detach', onDetach)
      unsubscribe('h2channel:resume', onResume)
    }
  })

  test('passes authorize again: it sees the user before, and the handler the new one', async () => {
    const users: unknown[] = []
    let count = 0
    await using world = await World.start(
      async (channel, context) => {
        for await (const message of channel) {
          users.push(context.auth)
          await channel.send(message)
        }
      },
      {
        authorize({ resumes }) {
          count += 1
          return { user: count, before: (resumes?.auth as { readonly user: number } | undefined)?.user }
        },
      },
    )
    const channel = await world.client().open(numbers)
    await channel.send({ n: 1 })
    await channel.receive()
    world.cut()
    await channel.send({ n: 2 })
    expect(await channel.receive()).toEqual({ n: 2 })
    expect(users).toEqual([
      { user: 1, before: undefined },
      { user: 2, before: 1 },
    ])
  })

  test('ends with CONN_LOST when authorize refuses the second time; the server learns it by its timeout', async () => {
    let count = 0
    const ended = deferred<ChannelClosed>()
    await using world = await World.start(async (channel) => ended.resolve(await channel.closed), {
      resume: { timeout: 100 },
      authorize() {
        count += 1
        if (count > 1) throw new Refusal(401, 'no more')
        return {}
      },
    })
    const channel = await world.client().open(numbers)
    world.cut()
    const closed = await channel.closed
    expect(closed).toMatchObject({ clean: false, error: { code: 'CONN_LOST', reopen: true } })
    expect(closed.clean ? '' : closed.error.message).toContain('no more')
    expect(codeOf(await ended.promise)).toBe('CONN_LOST')
    expect(world.router.detached).toBe(0)
  })

  test('ends with CONN_LOST at both ends, in time, when its client does not return', async () => {
    const ended = deferred<ChannelClosed>()
    await using world = await World.start(async (channel) => ended.resolve(await channel.closed), {
      resume: { timeout: 100 },
    })
    const channel = await world.client().open(numbers)
    await channel.send({ n: 1 })
    world.cutOff()
    expect(codeOf(await ended.promise)).toBe('CONN_LOST')
    expect(codeOf(await channel.closed)).toBe('CONN_LOST')
    await failure(channel.close(), 'CONN_LOST')
  })

  test('ends with CONN_LOST at once when the server has restarted (LINK-3)', async () => {
    const ended = deferred<ChannelClosed>()
    await using world = await World.start(async (channel) => ended.resolve(await channel.closed), {
      resume: { timeout: 200 },
    })
    const before = world.served
    const channel = await world.client().open(numbers)
    await channel.send({ n: 1 })
    // Another process, as far as the client can tell.
    world.served = await World.serve()
    world.cut()
    expect(codeOf(await channel.closed)).toBe('CONN_LOST')
    await failure(channel.close(), 'CONN_LOST')
    expect(codeOf(await ended.promise)).toBe('CONN_LOST')
    await before[Symbol.asyncDispose]()
  })

  test('is counted while it is detached; the oldest ends when there are too many, and its client learns it', async () => {
    await using world = await World.start(async (channel) => void (await channel.closed), {
      resume: { maxDetached: 2 },
    })
    const client = world.client()
    const opened = [await client.open(numbers), await client.open(numbers), await client.open(numbers)]
    await until(() => world.router.channels === 3)
    world.cutOff()
    await until(() => world.router.channels === 2)
    expect(world.router.detached).toBe(2)
    world.isReachable = true
    await until(() => world.router.detached === 0)
    const lost = await Promise.race(opened.map(async (channel) => channel.closed))
    expect(codeOf(lost)).toBe('CONN_LOST')
    expect(world.router.channels).toBe(2)
  })

  test('counts what it keeps while it is detached, and ends when that is too much', async () => {
    const ended = deferred<ChannelClosed>()
    await using world = await World.start(
      async (channel) => {
        await channel.receive()
        try {
          for (let n = 0; ; n++) await channel.send({ n })
        } catch {}
        ended.resolve(await channel.closed)
      },
      { resume: { maxBufferedBytes: 100_000 } },
    )
    const channel = await world.client().open(numbers)
    await channel.send({ n: 1 })
    await channel.receive()
    world.cutOff()
    expect(codeOf(await ended.promise)).toBe('CONN_LOST')
    world.isReachable = true
    expect(codeOf(await channel.closed)).toBe('CONN_LOST')
  })

  test('is counted once while it is detached, however many requests for it come to nothing', async () => {
    let [isFailing, tried] = [false, 0]
    const ended: ChannelClosed[] = []
    await using world = await World.start(async (channel) => void ended.push(await channel.closed), {
      resume: { maxDetached: 3 },
      async authorize({ session }) {
        await Promise.resolve()
        if (isFailing) {
          tried += 1
          session?.destroy()
        }
        return {}
      },
    })
    const client = world.client({ retry: { initialDelay: 1, maxDelay: 1 } })
    const opened = [await client.open(numbers), await client.open(numbers)]
    await until(() => world.router.channels === 2)
    isFailing = true
    world.cut()
    await until(() => tried >= 20)
    expect([world.router.detached, ended]).toEqual([2, []])
    isFailing = false
    await Promise.all(opened.map(async (channel) => channel.close()))
    await until(() => ended.length === 2)
    expect(ended).toEqual([{ clean: true }, { clean: true }])
  })

  test('drains while it is detached: its client returns, and ends it', async () => {
    await using world = await World.start(async (channel) => {
      await new Promise((resolve) => channel.draining.addEventListener('abort', resolve))
      await channel.send({ n: 7 })
      await channel.end()
      await channel.receive()
    })
    const channel = await world.client().open(numbers)
    await until(() => world.router.channels === 1)
    world.cutOff()
    await until(() => world.router.detached === 1)
    const drained = world.router.drain({ timeout: 10_000 })
    world.isReachable = true
    expect(await channel.receive()).toEqual({ n: 7 })
    expect(await channel.receive()).toBeUndefined()
    expect(channel.draining.aborted).toBe(true)
    await channel.close()
    await drained
  })

  test('has given its place back once it has ended, although its client returns to learn of that (LINK-10)', async () => {
    await using world = await World.start(echo, { total: { maxChannels: 1 } })
    const type = 'application/vnd.h2channel+json'
    const headers = { ':path': '/numbers', 'content-type': type, accept: type, h2channel: '1' }
    for (let round = 0; round < 3; round++) {
      await using session = bareSession({ ...world.served.at, origin: world.origin })
      const stream = session.http2.request(
        { ...headers, ':method': 'POST', 'h2channel-link': 'new; window=1000' },
        { endStream: false },
      )
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      const [response] = (await once(stream, 'response')) as [IncomingHttpHeaders]
      expect(response).toMatchObject({ ':status': 200 })
      const id = String(response['h2channel-link']).split(';')[0] ?? ''
      // A message, and the end. Then an ack of the answer and its end: the channel has ended at both sides.
      stream.write(Buffer.from('0000000b000000077b226e223a317d8000000112', 'hex'))
      await until(() => Buffer.concat(chunks).includes(Buffer.from('8000000112', 'hex')))
      stream.write(Buffer.from('8000000911000000000000000c', 'hex'))
      await until(() => world.router.channels === 0)
      // The server has not seen the client end the carrier.
      stream.on('error', () => {})
      world.cut()
      await until(() => stream.destroyed)
      const statusOf = async (link: string): Promise<number | undefined> =>
        (await ask(world.served.at, { ...headers, 'h2channel-link': link })).status
      // Once this is answered, the server has noticed the loss.
      expect(await statusOf(`${'a'.repeat(24)}; received=0`)).toBe(410)
      expect([world.router.channels, world.router.detached]).toEqual([0, 0])
      expect(await statusOf(`${id}; received=12`)).toBe(200)
      expect([world.router.channels, world.router.detached]).toEqual([0, 0])
    }
  })

  test.each([
    ['end()', async (channel: Ours) => channel.end()],
    ['close()', async (channel: Ours) => channel.close()],
  ])('ends cleanly at both ends where the client calls %s while it is detached', async (_what, end) => {
    const [got, ended] = [[] as number[], deferred<ChannelClosed>()]
    await using world = await World.start(async (channel) => {
      for await (const { n } of channel) got.push(n)
      void channel.closed.then(ended.resolve)
    })
    const channel = await world.client().open(numbers)
    await until(() => world.router.channels === 1)
    world.cutOff()
    await channel.send({ n: 1 })
    const ending = end(channel)
    await until(() => world.router.detached === 1)
    world.isReachable = true
    await ending
    expect(await channel.closed).toEqual({ clean: true })
    expect(await ended.promise).toEqual({ clean: true })
    expect(got).toEqual([1])
    await until(() => world.router.channels === 0)
  })

  test.each([
    ['returns', async () => {}],
    ['calls end() and receives', async (channel: Ours) => channel.end().then(async () => channel.receive())],
    ['calls close()', async (channel: Ours) => channel.close()],
  ])('ends cleanly at both ends where the handler %s while it is detached', async (_what, end) => {
    const [detached, ended] = [deferred(), deferred<ChannelClosed>()]
    await using world = await World.start(async (channel) => {
      void channel.closed.then(ended.resolve)
      await detached.promise
      await channel.send({ n: 7 })
      await end(channel)
    })
    const channel = await world.client().open(numbers)
    await until(() => world.router.channels === 1)
    world.cutOff()
    await until(() => world.router.detached === 1)
    detached.resolve()
    world.isReachable = true
    expect(await channel.receive()).toEqual({ n: 7 })
    expect(await channel.receive()).toBeUndefined()
    await channel.close()
    expect(await channel.closed).toEqual({ clean: true })
    expect(await ended.promise).toEqual({ clean: true })
  })

  test('ends cleanly at both ends, wherever its connection is cut while both end', async () => {
    const ended: string[] = []
    await using world = await World.start(
      async (channel) => {
        void channel.closed.then((closed) => ended.push(codeOf(closed)))
        await echo(channel)
      },
      // A channel whose client returns to learn of its end takes no place again.
      { total: { maxChannels: 5 } },
    )
    const rounds = 60
    for (let round = 0; round < rounds; round++) {
      // A client may not know yet that its connection was cut.
      const channel = await world.client().open(numbers, { initial: [{ n: round }] })
      const ending = channel.end()
      // Each time somewhat later: within the handshake, with the end on its way, or when all has arrived.
      for (let turn = 0; turn < round / 2; turn++) await new Promise((resolve) => setImmediate(resolve))
      world.cut()
      await ending
      expect(await channel.receive()).toEqual({ n: round })
      expect(await channel.receive()).toBeUndefined()
      expect(codeOf(await channel.closed)).toBe('clean')
    }
    await until(() => ended.length === rounds)
    expect(new Set(ended)).toEqual(new Set(['clean']))
    await until(() => world.router.channels === 0)
  })

  test('ends when the drain is over and its client has not returned', async () => {
    const ended = deferred<ChannelClosed>()
    await using world = await World.start(async (channel) => ended.resolve(await channel.closed))
    await world.client().open(numbers)
    await until(() => world.router.channels === 1)
    world.cutOff()
    await until(() => world.router.detached === 1)
    await world.router.drain({ timeout: 20 })
    expect(codeOf(await ended.promise)).toBe('GOING_AWAY')
    expect([world.router.channels, world.router.detached]).toEqual([0, 0])
  })

  test('is a plain channel where the server does not resume', async () => {
    await using world = await World.start(echo, { resume: false })
    const channel = await world.client().open(numbers, { initial: [{ n: 7 }] })
    expect(await channel.receive()).toEqual({ n: 7 })
    expect(channel.stats.carriers).toBe(1)
    world.cut()
    expect(codeOf(await channel.closed)).toBe('CONN_LOST')
  })

  test('is a plain channel where the client does not ask for it', async () => {
    await using world = await World.start()
    const channel = await world.client().open(numbers, { resume: false })
    world.cut()
    expect(codeOf(await channel.closed)).toBe('CONN_LOST')
    expect(world.router.detached).toBe(0)
  })

  test('carries its initial messages, once', async () => {
    await using world = await World.start()
    const channel = await world.client().open(numbers, { initial: [{ n: 7 }, { n: 8 }] })
    expect(await channel.receive()).toEqual({ n: 7 })
    world.cut()
    expect(await channel.receive()).toEqual({ n: 8 })
    expect(channel.stats.sent.messages).toBe(2)
    await channel.end()
    expect(await channel.receive()).toBeUndefined()
  })

  test('waits with its own deadlines while it is detached', async () => {
    await using world = await World.start()
    const channel = await world.client().open(numbers)
    world.cutOff()
    await failure(channel.receive({ signal: AbortSignal.timeout(5) }), 'TIMEOUT')
    await channel.send({ n: 1 })
    world.isReachable = true
    expect(await channel.receive()).toEqual({ n: 1 })
  })

  test('ends its client at once where that aborts it, with or without a connection', async () => {
    const ended: ChannelClosed[] = []
    await using world = await World.start(async (channel) => void ended.push(await channel.closed), {
      resume: { timeout: 100 },
    })
    const client = world.client()
    const first = await client.open(numbers)
    first.abort()
    await until(() => ended.length === 1)
    const second = await client.open(numbers)
    world.cutOff()
    second.abort()
    await until(() => ended.length === 2)
    expect(ended.map(codeOf)).toEqual(['PEER_ABORTED', 'CONN_LOST'])
  })

  test('ends when the handler said that its credentials expire, although it was resumed meanwhile', async () => {
    const clock = testClock()
    const opened = deferred()
    await using world = await World.start(
      async (channel, context) => {
        context.expiresAt = Date.now() + 60_000
        opened.resolve()
        await channel.closed
      },
      { clock },
    )
    const channel = await world.client().open(numbers)
    await opened.promise
    world.cut()
    await until(() => channel.stats.carriers === 2)
    await clock.advance(61_000)
    expect(codeOf(await channel.closed)).toBe('UNAUTHENTICATED')
  })

  test('survives a failure of the function `headers`, which may need the network as well', async () => {
    await using world = await World.start()
    let calls = 0
    const client = world.client({
      headers() {
        calls += 1
        if (calls === 2) throw new TypeError('fetch failed')
        return {}
      },
    })
    const channel = await client.open(numbers)
    world.cut()
    await channel.send({ n: 1 })
    expect(await channel.receive()).toEqual({ n: 1 })
    expect(calls).toBe(3)
  })

  test('returns to the server that knows it, and sends its id to no other', async () => {
    await using world = await World.start()
    const links: unknown[] = []
    const other = createServer((request, response) => {
      links.push(request.headers['h2channel-link'])
      response.writeHead(410).end()
    })
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    await using client = createClient([world.origin, `http://127.0.0.1:${port}`], {
      resume: true,
      retry: { initialDelay: 1, maxDelay: 1 },
    })
    const channel = await client.open(numbers)
    world.cutOff()
    await until(() => world.refused > 5)
    world.isReachable = true
    await channel.send({ n: 1 })
    expect(await channel.receive()).toEqual({ n: 1 })
    expect(links).toEqual([])
    await client.close()
    other.close()
  })

  test('delivers what was accepted when its client is closed while it is detached', async () => {
    const got: number[] = []
    await using world = await World.start(async (channel) => {
      for await (const { n } of channel) got.push(n)
    })
    const client = world.client()
    const channel = await client.open(numbers)
    await until(() => world.router.channels === 1)
    world.cutOff()
    for (let n = 0; n < 9; n++) await channel.send({ n })
    const closed = client.close({ timeout: 10_000 })
    // Its handler ends its half because the client has ended its own.
    void channel.end()
    await until(() => world.refused > 1)
    world.isReachable = true
    await closed
    expect(got).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    expect(await channel.closed).toEqual({ clean: true })
  })

  test('ends with UNAUTHENTICATED when the credentials expire that it was resumed with', async () => {
    let count = 0
    await using world = await World.start(undefined, {
      authorize() {
        count += 1
        return count === 1 ? {} : { expiresAt: Date.now() + 50 }
      },
    })
    const channel = await world.client().open(numbers)
    world.cut()
    expect(codeOf(await channel.closed)).toBe('UNAUTHENTICATED')
  })
})

describe('a request for a link', () => {
  const headers = {
    ':path': '/numbers',
    'content-type': 'application/vnd.h2channel+json',
    accept: 'application/vnd.h2channel+json',
    h2channel: '1',
  }

  test('gets the id, the window and the timeout, and the id is never the same (LINK-1, LINK-2)', async () => {
    await using world = await World.start((channel) => channel.close())
    const ids = new Set<string>()
    for (let count = 0; count < 20; count++) {
      const answer = await ask(world.served.at, { ...headers, 'h2channel-link': 'new; window=1000; later=1' })
      expect(answer.status).toBe(200)
      const { window, timeout } = resumeDefaults
      const header = String(answer.headers['h2channel-link'])
      const [, id = ''] = new RegExp(`^([\\w-]{24}); window=${window}; timeout=${timeout}$`).exec(header) ?? []
      ids.add(id)
    }
    expect(ids.size).toBe(20)
    expect(ids.has('')).toBe(false)
  })

  test('gets a plain channel without the header, or where control frames are not agreed (LINK-1)', async () => {
    await using world = await World.start((channel) => channel.close())
    const plain = await ask(world.served.at, headers)
    expect([plain.status, plain.headers['h2channel-link']]).toEqual([200, undefined])
    const { h2channel: _, ...without } = headers
    const bare = await ask(world.served.at, { ...without, 'h2channel-link': 'new; window=1000' })
    expect([bare.status, bare.headers['h2channel-link']]).toEqual([200, undefined])
  })

  test.each(['', 'new', 'new; window=0', 'new; window=x', 'short; received=0', `${'a'.repeat(24)}; received=-1`])(
    'that is malformed is answered with 400: %j (LINK-1)',
    async (value) => {
      await using world = await World.start()
      const answer = await ask(world.served.at, { ...headers, 'h2channel-link': value })
      expect(answer.status).toBe(400)
    },
  )

  test('for an id that is unknown, or of another route, is answered with 410 (LINK-3)', async () => {
    await using world = await World.start()
    const unknown = await ask(world.served.at, { ...headers, 'h2channel-link': `${'a'.repeat(24)}; received=0` })
    expect(unknown.status).toBe(410)
    await using other = await World.start(echo, { resume: false })
    const off = await ask(other.served.at, { ...headers, 'h2channel-link': `${'a'.repeat(24)}; received=0` })
    expect(off.status).toBe(410)
  })

  test('for an id that has expired is answered with 410 (LINK-3, LINK-5)', async () => {
    const ended = deferred()
    await using world = await World.start(async (channel) => void channel.closed.then(() => ended.resolve()), {
      resume: { timeout: 20 },
    })
    const first = await ask(world.served.at, { ...headers, 'h2channel-link': 'new; window=1000' })
    await ended.promise
    const id = String(first.headers['h2channel-link']).split(';')[0] ?? ''
    await until(() => world.router.detached === 0)
    const again = await ask(world.served.at, { ...headers, 'h2channel-link': `${id}; received=0` })
    expect(again.status).toBe(410)
  })

  test('of another user is refused as `authorize` says, and changes nothing for the channel (LINK-3)', async () => {
    await using world = await World.start(echo, {
      authorize({ headers: given, resumes }) {
        const user = given['x-user']
        if (resumes !== undefined && (resumes.auth as { readonly user: unknown }).user !== user)
          throw new Refusal(403, 'not yours')
        return { user }
      },
    })
    await using session = bareSession(world.served.at)
    const first = { ...headers, ':method': 'POST', 'x-user': 'anna', 'h2channel-link': 'new; window=1000' }
    const stream = session.http2.request(first, { endStream: false })
    const [response] = (await once(stream, 'response')) as [IncomingHttpHeaders]
    const id = String(response['h2channel-link']).split(';')[0] ?? ''
    const stolen = { ...headers, 'x-user': 'bert', 'h2channel-link': `${id}; received=0` }
    expect((await ask(world.served.at, stolen)).status).toBe(403)
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.write(Buffer.from('0000000b000000077b226e223a317d', 'hex'))
    await until(() => Buffer.concat(chunks).includes('{"n":1}'))
    expect([world.router.channels, world.router.detached]).toEqual([1, 0])
    session.http2.destroy()
  })

  test('for another path of the same route is answered with 410: `authorize` decided for the first (LINK-3)', async () => {
    const rooms = defineRoute('/rooms/:room', { client: json<Numbered>(), server: json<Numbered>() })
    const revoked = new Set<string>()
    await using served = await serve((router) => router.handle(rooms, echo), {
      router: {
        resume: true,
        authorize({ params }) {
          if (revoked.has(String(params['room']))) throw new Refusal(403, 'no more')
          return {}
        },
      },
    })
    const statusOf = async (path: string, link: string): Promise<readonly [number | undefined, string]> => {
      const answer = await ask(served.at, { ...headers, ':path': path, 'h2channel-link': link })
      return [answer.status, String(answer.headers['h2channel-link']).split(';')[0] ?? '']
    }
    const [, id] = await statusOf('/rooms/secret', 'new; window=1000')
    revoked.add('secret')
    const again = `${id}; received=0`
    expect([(await statusOf('/rooms/secret', again))[0], (await statusOf('/rooms/public', again))[0]]).toEqual([
      403, 410,
    ])
    expect((await statusOf('/rooms/secret?as=public', again))[0]).toBe(410)
  })

  test('does not show its id to `authorize` or to the handler (LINK-2)', async () => {
    const seen: unknown[] = []
    await using world = await World.start((channel, context) => void channel.closed.then(() => seen.push(context)), {
      authorize(request) {
        seen.push(request.headers)
        return {}
      },
    })
    const channel = await world.client().open(numbers)
    world.cut()
    await until(() => channel.stats.carriers === 2)
    await channel.close()
    await until(() => seen.length === 3)
    expect(inspect(seen, { depth: 9, showHidden: true })).not.toMatch(/received=\d/)
  })

  test('that has received what was never sent ends the channel (LINK-4)', async () => {
    const ended = deferred<ChannelClosed>()
    await using world = await World.start(async (channel) => ended.resolve(await channel.closed))
    const answer = ask(world.served.at, { ...headers, 'h2channel-link': 'new; window=1000' }, undefined)
    // The client ends the carrier at once: the channel waits for another.
    const id = String((await answer).headers['h2channel-link']).split(';')[0] ?? ''
    const again = await ask(world.served.at, { ...headers, 'h2channel-link': `${id}; received=999` })
    expect(again.status).toBe(200)
    expect(codeOf(await ended.promise)).toBe('INVALID_FRAME')
  })
})

test('a request that is older than one which has continued the channel is refused, and changes nothing (LINK-4)', async () => {
  const ended: ChannelClosed[] = []
  await using world = await World.start(async (channel) => {
    await channel.send({ n: 1 })
    ended.push(await channel.closed)
  })
  const headers = {
    ':path': '/numbers',
    'content-type': 'application/vnd.h2channel+json',
    accept: 'application/vnd.h2channel+json',
    h2channel: '1',
  }
  await using session = bareSession(world.served.at)
  /** Sends a request, and leaves its carrier once `bytes` have come. */
  const request = async (link: string, bytes: number): Promise<IncomingHttpHeaders & { ':status'?: number }> => {
    const stream = session.http2.request(
      { ...headers, ':method': 'POST', 'h2channel-link': link },
      { endStream: false },
    )
    stream.on('error', () => {})
    const [response] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }]
    let came = 0
    stream.on('data', (chunk: Buffer) => {
      came += chunk.length
    })
    await until(() => came >= bytes)
    stream.close(8)
    await once(stream, 'close')
    return response
  }
  // The message in its frame, in its record.
  const first = await request('new; window=1000', 15)
  const id = String(first['h2channel-link']).split(';')[0] ?? ''
  const statusOf = async (received: number): Promise<number | undefined> =>
    (await request(`${id}; received=${received}`, 0))[':status']
  const got = [await statusOf(0), await statusOf(11), await statusOf(0), await statusOf(11)]
  expect(ended).toEqual([])
  expect(got).toEqual([200, 200, 503, 200])
})

test('no log shows the id of a link (LINK-2)', async () => {
  const shown: string[] = []
  await using world = await World.start(async (channel, context) => {
    shown.push(inspect(context, { depth: 9 }), JSON.stringify(context), inspect(channel, { depth: 9 }))
    await channel.closed
  })
  const channel = await world.client().open(numbers)
  await until(() => shown.length > 0)
  shown.push(inspect(channel, { depth: 9 }), JSON.stringify(channel), inspect(world.events, { depth: 9 }))
  expect(shown.join('\n')).not.toMatch(/h2channel-link|received=|; window=/)
})

/** Over HTTP/2 without control frames, only the reset code shows how a channel ended. */
import { bytes, json } from '@h2channel/codecs'
import { describe, expect, test } from 'vitest'

import type { ChannelErrorCode, Route } from '../../src/index.ts'
import { defineRoute, fixedLength, newlineDelimited } from '../../src/index.ts'
import type { HandlerContext, RouterOptions } from '../../src/server.ts'
import type { Served } from '../support/server-support.ts'
import { bareSession, serve } from '../support/server-support.ts'
import { deferred, failOnUnhandledRejections, failure, outcome } from '../support/support.ts'

failOnUnhandledRejections()

const lines = defineRoute('/lines', { client: json<string>(), server: json<string>(), framing: newlineDelimited() })
const records = defineRoute('/records', { client: bytes(4), server: bytes(4), framing: fixedLength(4) })

interface Way {
  readonly what: string
  readonly route: Route
  readonly message: unknown
  readonly contentType: string
  readonly body: string
}

const ways: readonly Way[] = [
  {
    what: 'newline-delimited',
    route: lines,
    message: 'hello',
    contentType: 'application/x-ndjson',
    body: '"hello"\n',
  },
  {
    what: 'fixed-length',
    route: records,
    message: Uint8Array.of(1, 2, 3, 4),
    contentType: 'application/octet-stream; size=4',
    body: 'abcd',
  },
]

interface Ending {
  readonly code: ChannelErrorCode
  readonly rstCode: number
  readonly side: 'local' | 'remote'
  readonly router?: RouterOptions
  readonly end: (served: Served, context: HandlerContext, send: () => unknown) => unknown
}

const endings: readonly Ending[] = [
  {
    code: 'GOING_AWAY',
    rstCode: 0x6832_0001,
    side: 'remote',
    end: (served) => void served.router.drain({ timeout: 1 }),
  },
  {
    code: 'RATE_LIMITED',
    rstCode: 0x6832_0002,
    side: 'local',
    router: { total: { maxMessagesPerSecond: 1 } },
    // However the seconds lie, two of them are in the same.
    end: (_served, _context, send) => [1, 2, 3].map(send),
  },
  {
    code: 'UNAUTHENTICATED',
    rstCode: 0x6832_0003,
    side: 'remote',
    end: (_served, context) => {
      context.expiresAt = Date.now() - 1
    },
  },
]

describe.each(ways)('$what', ({ route, message, contentType, body }) => {
  async function start(options: RouterOptions): Promise<{ served: Served; context: Promise<HandlerContext> }> {
    const context = deferred<HandlerContext>()
    const served = await serve(
      (router) => {
        router.handle(route, async (channel, given) => {
          context.resolve(given)
          for await (const received of channel) void received
        })
      },
      { router: options },
    )
    return { served, context: context.promise }
  }

  test.each(endings)('$code reaches a client of this library', async ({ code, side, router = {}, end }) => {
    const { served, context } = await start(router)
    await using _ = served
    const channel = await served.client().open(route)
    const failed = failure(channel.receive(), code)
    await end(served, await context, () => channel.send(message).catch(() => {}))
    expect(await failed).toMatchObject({ side, fatal: true })
    await outcome(channel, code)
    expect(served.errors).toEqual([])
  })

  test.each(endings)(
    '$code reaches any other client as its own reset code (END-5, ERR-3)',
    async ({ rstCode, router = {}, end }) => {
      const { served, context } = await start(router)
      await using _ = served
      await using session = bareSession(served.at)
      const stream = session.http2.request({ ':method': 'POST', ':path': route.path, 'content-type': contentType })
      const closed = deferred()
      stream.on('error', () => {})
      stream.on('close', () => closed.resolve())
      stream.resume()
      await end(served, await context, () => stream.write(body))
      await closed.promise
      expect(stream.rstCode).toBe(rstCode)
    },
  )
})

describe('a peer that stops receiving, without control frames', () => {
  test.each(ways)('after all was received, it has ended cleanly: $what (END-4)', async ({ route, message }) => {
    await using served = await serve((router) => router.handle(route, async (channel) => channel.send(message)))
    const channel = await served.client().open(route)
    await channel.send(message)
    const received: unknown[] = []
    for await (const one of channel) received.push(one)
    expect(received).toEqual([message])
    // The server waits for a second.
    expect(await channel.closed).toEqual({ clean: true })
    expect(await failure(channel.send(message), 'PEER_STOPPED')).toMatchObject({ fatal: true })
    await channel.close()
  })

  test.each(ways)('before all was received, it has not: $what', async ({ route, message }) => {
    await using served = await serve((router) => router.handle(route, async (channel) => channel.send(message)))
    const channel = await served.client().open(route)
    await outcome(channel, 'PEER_STOPPED')
    // What came whole is there all the same.
    expect(await channel.receive()).toEqual(message)
    expect(await channel.receive()).toBeUndefined()
  })
})

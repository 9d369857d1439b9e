/** Servers that stop while channels are open. */
import { json } from '@h2channel/codecs'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'

import type { Channel } from '../src/index.ts'
import { ChannelError, defineRoute } from '../src/index.ts'
import { createRouter } from '../src/server.ts'
import { ask, bareSession, serve } from './server-support.ts'
import { deferred, failOnUnhandledRejections, failure, receiveAll } from './support.ts'

failOnUnhandledRejections()

const echo = defineRoute('/echo', { client: json<number>(), server: json<number>() })
const plain = { ':path': '/echo', 'content-type': 'application/vnd.h2channel+json' }

/** A handler that answers until it is to end. */
async function answer(channel: Channel<number, number>): Promise<void> {
  for await (const message of channel) {
    await channel.send(message)
    if (channel.draining.aborted) return
  }
}

describe('drain', () => {
  test('tells both ends of all channels, lets them end, and resolves when they have', async () => {
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
    // Nothing is lost of what is said after that.
    for (const channel of channels) await channel.send(1)
    await Promise.all(channels.map(async (channel) => channel.end()))
    expect(await Promise.all(channels.map(receiveAll))).toEqual([[1], [1], [1], [1], [1]])
    await drained
    expect(await Promise.all(channels.map(async ({ closed }) => closed))).toEqual(channels.map(() => ({ clean: true })))
  })

  test('cuts what is left at the deadline, which both ends are told', async () => {
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
    // That is not the handler's fault.
    expect(served.errors).toEqual([])
  })

  test('refuses new channels with 503, and goes on with other requests', async () => {
    await using served = await serve((router) => router.handle(echo, answer))
    served.at.server.on('request', (_request, response) => response.end('ok'))
    await served.router.drain()
    const refused = await ask(served.at, plain)
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect((await ask(served.at, { ':path': '/healthz', ':method': 'GET' })).body.toString()).toBe('ok')
    const error = await failure(served.client().open(echo), 'REFUSED')
    expect(error.message).toContain('503')
  })

  test('sends GOAWAY, so that clients open what comes next elsewhere', async () => {
    await using served = await serve((router) => router.handle(echo, answer))
    await using session = bareSession(served.at)
    const asked = session.ask(plain, new Uint8Array())
    const [goaway] = await Promise.all([
      once(session.http2, 'goaway'),
      asked.then(async () => {
        await served.router.drain()
      }),
    ])
    expect(goaway[0]).toBe(0)
  })

  test('is done at once without channels, and the same for all who ask', async () => {
    const router = createRouter()
    await expect(Promise.all([router.drain(), router.drain({ timeout: 1 })])).resolves.toHaveLength(2)
  })

  test('a peer without control frames is only cut', async () => {
    await using served = await serve((router) => router.handle(echo, answer))
    await using session = bareSession(served.at)
    const stream = session.http2.request({ ':method': 'POST', ...plain })
    stream.on('error', () => {})
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(stream, 'response')
    const closed = once(stream, 'close')
    await served.router.drain({ timeout: 1 })
    await closed
    expect(stream.rstCode).toBe(8)
    expect(chunks).toEqual([])
  })

  test.each([0, -1, 0.5, Number.NaN, 2 ** 31])('refuses %s as its timeout', async (timeout) => {
    await expect(createRouter().drain({ timeout })).rejects.toThrow(ChannelError)
  })
})

/** Channels keep working under the fake timers of a test runner, which are meant for the program under test. */
import { json } from '@h2channel/codecs'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'

import { defineRoute } from '../../src/index.ts'
import { channelPair } from '../../src/testing.ts'
import { serve } from '../support/server-support.ts'
import { failOnUnhandledRejections, failure } from '../support/support.ts'

failOnUnhandledRejections()

const echo = defineRoute('/echo', { client: json<number>(), server: json<number>() })
const strict = defineRoute('/strict', { client: json(z.number()), server: json(z.number()) })
const loose = defineRoute('/strict', { client: json(), server: json<number>() })
const unknown = defineRoute('/unknown', { client: json(), server: json() })

const realTimeout = globalThis.setTimeout

/** By the real time. */
async function wait(milliseconds: number): Promise<void> {
  await new Promise((resolve) => realTimeout(resolve, milliseconds))
}

afterEach(() => {
  vi.useRealTimers()
})

describe('over a socket, with all timers fake and the clock stopped', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })

  async function echoing() {
    return serve((router) => {
      router.handle(echo, async (channel) => {
        for await (const message of channel) await channel.send(message)
      })
      router.handle(
        strict,
        async (channel) => {
          for await (const message of channel) await channel.send(message)
        },
        { onInvalid: () => 'skip' },
      )
    })
  }

  test('open, send, receive and close', async () => {
    await using served = await echoing()
    const channel = await served.client().open(echo)
    await channel.send(1)
    expect(await channel.receive()).toBe(1)
    await channel.close()
    expect(await channel.closed).toEqual({ clean: true })
  })

  test.each(['client', 'server'])('an abort of the %s reaches the other end', async (side) => {
    let atServer: { abort(): void; readonly closed: Promise<unknown> } | undefined
    await using served = await serve((router) =>
      router.handle(echo, async (channel) => {
        atServer = channel
        await channel.send(1)
        await channel.closed
      }),
    )
    const channel = await served.client().open(echo)
    await channel.receive()
    const [ending, other] = side === 'client' ? [channel, atServer] : [atServer, channel]
    ending?.abort()
    expect(await other?.closed).toMatchObject({ clean: false, error: { code: 'PEER_ABORTED' } })
  })

  test('a reset reaches a peer without control frames', async () => {
    await using served = await echoing()
    const session = connect(served.at.origin)
    const type = 'application/x-ndjson'
    const headers = { ':method': 'POST', ':path': '/echo', 'content-type': type, accept: type }
    const stream = session.request(headers, { endStream: false })
    stream.on('error', () => {})
    await once(stream, 'response')
    stream.write('nonsense\n')
    await new Promise((resolve) => stream.once('close', resolve))
    expect(stream.rstCode).toBe(1)
    session.destroy()
  })

  test('a refusal arrives', async () => {
    await using served = await echoing()
    expect((await failure(served.client().open(unknown), 'NOT_FOUND')).side).toBe('remote')
  })

  test('messages that are skipped do not stop those behind them', async () => {
    await using served = await echoing()
    await using channel = await served.client().open(loose)
    for (let count = 0; count < 250; count += 1) await channel.send('no number')
    await channel.send(1)
    expect(await channel.receive()).toBe(1)
  })

  test('an open is tried again after a delay', async () => {
    let asked = 0
    const authorize = () => {
      asked += 1
      if (asked === 1) throw Object.assign(new Error('soon'), { name: 'Refusal', status: 503, headers: {} })
      return undefined
    }
    await using served = await serve((router) => router.handle(echo, async (channel) => channel.send(1)), {
      router: { authorize },
    })
    await using channel = await served.client().open(echo)
    expect(await channel.receive()).toBe(1)
    expect(asked).toBe(2)
  })

  test('a router drains by the real time', async () => {
    await using served = await serve((router) => router.handle(echo, async (channel) => void (await channel.closed)))
    const channel = await served.client().open(echo)
    await served.router.drain({ timeout: 20 })
    expect(await channel.closed).toMatchObject({ clean: false, error: { code: 'GOING_AWAY' } })
  })

  test('nothing of the channels is among the fake timers', async () => {
    await using served = await echoing()
    await using channel = await served.client().open(echo)
    await channel.send(1)
    expect(await channel.receive()).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each(['advanceTimersByTime', 'advanceTimersByTimeAsync'] as const)('%s ends no channel', async (advance) => {
    await using served = await echoing()
    await using channel = await served.client().open(echo)
    await vi[advance](600_000)
    await wait(20)
    await channel.send(2)
    expect(await channel.receive()).toBe(2)
  })
})

describe('in memory', () => {
  async function talk(left: { send(message: number): Promise<void> }, right: { receive(): Promise<unknown> }) {
    await left.send(1)
    expect(await right.receive()).toBe(1)
  }

  test('a channel left open on real timers does not affect one under fake timers, and vice versa', async () => {
    const [first, second] = channelPair(echo)
    await talk(first, second)
    for (let round = 0; round < 5; round += 1) {
      vi.useFakeTimers()
      // Each is left open.
      const [left, right] = channelPair(echo)
      await talk(left, right)
      await vi.advanceTimersByTimeAsync(600_000)
      await talk(left, right)
      await talk(first, second)
      vi.useRealTimers()
      await wait(1)
      await talk(right, left)
      await talk(second, first)
    }
    expect(first.stats.sent.messages).toBe(6)
    first.abort()
  })

  // In a process of its own: the messages between vitest and its workers need ticks, and a lost one hangs the run.
  test('ticks and microtasks may be fake too', async () => {
    const program = `
      import { json } from '@h2channel/codecs'
      import { defineRoute } from '@h2channel/channel'
      import { channelPair } from '@h2channel/channel/testing'

      const echo = defineRoute('/echo', { client: json(), server: json() })
      const { nextTick } = process
      for (const name of ['queueMicrotask', 'setImmediate', 'setTimeout']) globalThis[name] = () => {}
      process.nextTick = () => {}
      const [left, right] = channelPair(echo)
      await left.send(1)
      const received = await right.receive()
      await Promise.all([left.close(), right.close()])
      const closed = await left.closed
      process.nextTick = nextTick
      console.log(JSON.stringify({ received, closed }))
    `
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@h2channel/source', '--import', import.meta.resolve('tsx'), '--input-type=module', '-e', program],
      { cwd: import.meta.dirname },
    )
    expect(JSON.parse(stdout)).toEqual({ received: 1, closed: { clean: true } })
  })
})

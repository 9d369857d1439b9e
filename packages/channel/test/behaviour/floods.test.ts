/** Peers that send what no message limit counts: control frames, and data after a stop frame. */
import { json } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'
import { pipe } from '@h2channel/conn/web'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'

import { createClient } from '../../src/client.ts'
import { Channel, channelDefaults, defineRoute } from '../../src/index.ts'
import type { TestClock } from '../../src/testing.ts'
import { channelPair, testClock } from '../../src/testing.ts'
import { bare, bareSession, serve } from '../support/server-support.ts'
import {
  bytesOf,
  concat,
  deferred,
  failOnUnhandledRejections,
  failure,
  jsonFrames,
  outcome,
  settled,
  until,
} from '../support/support.ts'

failOnUnhandledRejections()

const rate = channelDefaults.maxControlFramesPerSecond
const windowSize = 1024 * 1024

const frames: [string, Uint8Array][] = [
  ['pings', bytesOf('80 00 00 02 03 01')],
  ['pongs', bytesOf('80 00 00 02 04 01')],
  ['stops', bytesOf('80 00 00 01 02')],
  ['drainings', bytesOf('80 00 00 01 05')],
  ['frames of a type that is not known', bytesOf('80 00 00 01 77')],
]

function times(count: number, frame: Uint8Array): Uint8Array {
  const all = new Uint8Array(count * frame.length)
  for (let index = 0; index < count; index++) all.set(frame, index * frame.length)
  return all
}

interface Ends {
  readonly channel: Channel<unknown, unknown>
  readonly peer: Conn
  readonly clock: TestClock
  /** What the peer got. */
  readonly got: () => string
}

/** A channel on a clock that stands still, and a peer that reads all that it gets. */
function channelAndFlooder(): Ends {
  const clock = testClock()
  const [conn, peer] = pipe({ highWaterMark: 16 * windowSize })
  const limits = { heartbeatInterval: 2 ** 30 }
  const channel = new Channel<unknown, unknown>(conn, { send: json(), receive: json(), control: true, clock, limits })
  let text = ''
  void (async () => {
    for await (const chunk of peer) text += Buffer.from(chunk).toString('latin1')
  })().catch(() => {})
  return { channel, peer, clock, got: () => text }
}

describe.each(frames)('a flood of %s', (_what, frame) => {
  test('is accepted within the limit, second after second, and one frame more ends the channel (CTRL-5)', async () => {
    const { channel, peer, clock, got } = channelAndFlooder()
    for (let second = 0; second < 5; second++) {
      await peer.write(times(rate, frame))
      await settled()
      await clock.advance(1_000)
    }
    await peer.write(concat([times(rate, frame), jsonFrames('still there')]))
    expect(await channel.receive()).toBe('still there')
    await peer.write(frame)
    expect(await failure(channel.receive(), 'RATE_LIMITED')).toMatchObject({ side: 'remote', fatal: true })
    await peer.closeWrite()
    await outcome(channel, 'RATE_LIMITED')
    expect(got()).toContain('RATE_LIMITED')
  })

  test('ends a channel that has stopped receiving too', async () => {
    const { channel, peer } = channelAndFlooder()
    const iterator = channel[Symbol.asyncIterator]()
    await iterator.return?.()
    await peer.write(times(rate + 1, frame))
    await peer.closeWrite()
    expect((await outcome(channel, 'RATE_LIMITED')).message).toContain(`more than ${rate} control frames`)
  })
})

describe('control frames', () => {
  test('that arrived while the server did not read do not count as a flood (CTRL-5)', async () => {
    const clock = testClock()
    const route = defineRoute('/quiet', { client: json<number>(), server: json<number>() })
    const [client, server] = channelPair(route, { clock })
    await client.send(1)
    await client.send(2)
    // A week of heartbeats. The server reads none of them, since it does not receive.
    await clock.advance(7 * 24 * 3_600_000)
    expect(client.stats.sent.bytes).toBeGreaterThan(10 * rate)
    expect(await server.receive()).toBe(1)
    expect(await server.receive()).toBe(2)
    await server.send(3)
    expect(await client.receive()).toBe(3)
    await Promise.all([client.close(), server.close()])
    expect(await Promise.all([client.closed, server.closed])).toEqual([{ clean: true }, { clean: true }])
  })

  test('have a limit that can be set', async () => {
    const [conn, peer] = pipe()
    const limits = { maxControlFramesPerSecond: 3 }
    const options = { send: json(), receive: json(), control: true, clock: testClock(), limits }
    const channel = new Channel<unknown, unknown>(conn, options)
    await peer.write(times(3, bytesOf('80 00 00 01 77')))
    await peer.write(jsonFrames(1))
    expect(await channel.receive()).toBe(1)
    await peer.write(bytesOf('80 00 00 01 77'))
    expect((await failure(channel.receive(), 'RATE_LIMITED')).message).toContain('more than 3 control frames a second')
    await peer.close()
  })
})

describe('over HTTP/2', () => {
  const route = defineRoute('/flooded', { client: json<number>(), server: json<number>() })
  const headers = { 'content-type': 'application/vnd.h2channel+json', h2channel: '1' }
  const flood = times(100_000, bytesOf('80 00 00 05 03 00 00 00 01'))

  test('a client that floods gets RATE_LIMITED, and other clients are served', async () => {
    const ended = deferred<unknown>()
    await using served = await serve((router) => {
      router.handle(route, async (channel) => {
        for await (const message of channel) await channel.send(message)
      })
    })
    const other = await served.client().open(route)
    await using session = bareSession(served.at)
    const stream = session.http2.request({ ':method': 'POST', ':path': '/flooded', ...headers })
    stream.on('error', () => {})
    let got = ''
    stream.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
    stream.on('close', () => ended.resolve(undefined))
    stream.write(flood)
    await other.send(1)
    expect(await other.receive()).toBe(1)
    await ended.promise
    expect(got).toContain('RATE_LIMITED')
    expect(served.errors).toEqual([])
    await other.close()
  })

  test('a server that floods ends its channel', async () => {
    await using server = await bare((stream) => {
      stream.respond({ ':status': 200, ...headers })
      stream.write(flood)
      stream.resume()
      stream.on('end', () => stream.end())
    })
    const channel = await createClient(server.origin, { sessions: server.sessions }).open(route)
    await failure(channel.receive(), 'RATE_LIMITED')
    expect(await outcome(channel, 'RATE_LIMITED')).toMatchObject({ side: 'remote' })
  })
})

describe('a peer that keeps sending after a stop frame', () => {
  const message = jsonFrames('x'.repeat(50_000))
  /** Writes so much, a message at a time. */
  const floodWith = async (peer: Conn, size: number): Promise<void> => {
    for (let sent = 0; sent < size; sent += message.length) await peer.write(message)
  }

  test('is read for a window a second, and its control frames are still answered (STOP-1, STOP-2)', async () => {
    const { channel, peer, clock, got } = channelAndFlooder()
    await (channel[Symbol.asyncIterator]().return?.() as Promise<unknown>)
    const flood = floodWith(peer, 4 * windowSize)
    const received = (): number => channel.stats.received.bytes
    await until(() => received() >= windowSize)
    await settled()
    const before = received()
    expect(before).toBeLessThan(1.5 * windowSize)
    await clock.advance(999)
    expect(received()).toBe(before)
    await clock.advance(1)
    await until(() => received() >= before + windowSize)
    await settled()
    expect(received()).toBeLessThan(before + 1.5 * windowSize)
    for (let second = 0; second < 5; second++) {
      await clock.advance(1_000)
      await settled()
      await settled()
    }
    await flood
    await peer.write(bytesOf('80 00 00 06 03 68 65 6c 6c 6f'))
    await clock.advance(1_000)
    expect(got()).toContain('hello')
    // The end of the stream is noticed too.
    await peer.closeWrite()
    await channel.end()
    expect(await channel.closed).toEqual({ clean: true })
  })

  test('is not waited for by close (END-3)', async () => {
    const { channel, peer } = channelAndFlooder()
    await (channel[Symbol.asyncIterator]().return?.() as Promise<unknown>)
    const flood = floodWith(peer, 4 * windowSize).catch(() => {})
    await settled()
    await channel.close()
    await flood
    expect(await channel.closed).toEqual({ clean: true })
  })

  test('does not count as silent while it is not read', async () => {
    const clock = testClock()
    const [conn, peer] = pipe({ highWaterMark: 16 * windowSize })
    const channel = new Channel<unknown, unknown>(conn, { send: json(), receive: json(), control: true, clock })
    const flood = floodWith(peer, 60 * windowSize).catch(() => {})
    await (channel[Symbol.asyncIterator]().return?.() as Promise<unknown>)
    await clock.advance(50_000)
    expect(await Promise.race([channel.closed, Promise.resolve('open')])).toBe('open')
    channel.abort()
    await flood
  })

  test('over HTTP/2, is held back by its window (STOP-3)', async () => {
    const route = defineRoute('/left', { client: json<string>(), server: json<string>() })
    const clock = testClock()
    const left = deferred<Channel<string, string>>()
    await using served = await serve(
      (router) => {
        router.handle(route, async (channel, { signal }) => {
          for await (const first of channel) if (first === 'go') break
          left.resolve(channel)
          await once(signal, 'abort')
        })
      },
      { router: { clock } },
    )
    await using session = bareSession(served.at)
    const stream = session.http2.request({
      ':method': 'POST',
      ':path': '/left',
      'content-type': 'application/vnd.h2channel+json',
      h2channel: '1',
    })
    stream.on('error', () => {})
    stream.resume()
    stream.write(jsonFrames('go'))
    const channel = await left.promise
    const send = (error?: Error | null): void => {
      if (error === undefined || error === null) stream.write(message, send)
    }
    send()
    const received = (): number => channel.stats.received.bytes
    await until(() => received() >= windowSize)
    await settled()
    const before = received()
    expect(before).toBeLessThan(1.5 * windowSize)
    await clock.advance(1_000)
    await until(() => received() >= before + windowSize)
    await settled()
    expect(received()).toBeLessThan(before + 1.5 * windowSize)
    stream.close(8)
  })
})

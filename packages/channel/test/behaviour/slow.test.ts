/** Peers that do not read what was sent. */
import { json } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn/web'
import { pipe } from '@h2channel/conn/web'
import { describe, expect, test } from 'vitest'

import type { ChannelOptions, OnSlow } from '../../src/index.ts'
import { Channel } from '../../src/index.ts'
import { type TestClock, testClock } from '../../src/testing.ts'
import { failOnUnhandledRejections, failure, outcome, settled, thrown } from '../support/support.ts'

failOnUnhandledRejections()

interface Filled {
  readonly channel: Channel<string, string>
  /** It does not read, unless the test does. */
  readonly peer: Conn
  readonly clock: TestClock
  /** The send that waits. */
  readonly sending: Promise<void>
}

/** A channel with one send that waits. */
async function filled(options?: Partial<ChannelOptions<string, string>>): Promise<Filled> {
  const [near, peer] = pipe({ highWaterMark: 1 })
  const clock = testClock()
  const limits = { maxBufferedBytes: 1 }
  const channel = new Channel<string, string>(near, { send: json(), receive: json(), clock, limits, ...options })
  while (channel.bufferedBytes === 0) {
    await channel.send('x'.repeat(1_000))
    await settled()
  }
  const sending = channel.send('late')
  sending.catch(() => {})
  return { channel, peer, clock, sending }
}

/** Notes what it is asked, and answers the same each time. */
function noting(waits: number[], answer: 'wait' | 'close'): OnSlow {
  return (waited) => {
    waits.push(waited)
    return answer
  }
}

describe('onSlow', () => {
  test('is called when a send has waited for slowAfter, and after the same time again', async () => {
    const waits: number[] = []
    const { channel, clock } = await filled({ onSlow: noting(waits, 'wait') })
    await clock.advance(29_999)
    expect(waits).toEqual([])
    await clock.advance(1)
    expect(waits).toEqual([30_000])
    await clock.advance(60_000)
    expect(waits).toEqual([30_000, 60_000, 90_000])
    channel.abort()
  })

  test('is not called once there was room, and no timer stays', async () => {
    const waits: number[] = []
    const { channel, peer, clock, sending } = await filled({ onSlow: noting(waits, 'wait') })
    await clock.advance(29_000)
    await peer.read()
    await sending
    await clock.advance(600_000)
    expect(waits).toEqual([])
    channel.abort()
    expect(clock.timers).toBe(0)
  })

  test('counts from the time when the previous send was accepted', async () => {
    const waits: number[] = []
    const { channel, peer, clock, sending } = await filled({ onSlow: noting(waits, 'wait') })
    const next = channel.send('x'.repeat(2_000))
    const last = failure(channel.send('last'), 'ABORTED')
    await clock.advance(20_000)
    // Room for the first two of them.
    for (let reads = 0; reads < 2; reads++) await peer.read()
    await Promise.all([sending, next])
    await settled()
    const since = clock.now()
    await clock.advance(29_999)
    expect(waits).toEqual([])
    await clock.advance(1)
    expect([waits, since]).toEqual([[30_000], 20_000])
    channel.abort()
    await last
  })

  test('counts the time since the peer last read, not the wait of one send', async () => {
    const waits: number[] = []
    const { channel, clock } = await filled({ onSlow: noting(waits, 'wait') })
    // Each send gives up early, but the peer reads nothing all the time.
    for (let count = 0; count < 5; count++) {
      const giveUp = new AbortController()
      const sending = failure(channel.send('late', { signal: giveUp.signal }), 'CANCELLED')
      await clock.advance(10_000)
      giveUp.abort()
      await sending
    }
    expect(waits).toEqual([30_000])
    channel.abort()
  })

  test('leaves no timer behind a channel that ended well', async () => {
    const { channel, peer, clock, sending } = await filled({ onSlow: () => 'wait' })
    const read = async (): Promise<void> => {
      for await (const chunk of peer) expect(chunk.length).toBeGreaterThan(0)
      await peer.close()
    }
    const reading = read()
    await sending
    await channel.close()
    await reading
    expect(clock.timers).toBe(0)
  })

  test('cuts the channel off when it returns close: waiting messages are dropped', async () => {
    const { channel, clock, sending } = await filled({ onSlow: () => 'close' })
    await clock.advance(30_000)
    expect(await failure(sending, 'PEER_TOO_SLOW')).toMatchObject({ side: 'remote', fatal: true, retryable: false })
    await outcome(channel, 'PEER_TOO_SLOW')
    await failure(channel.receive(), 'PEER_TOO_SLOW')
    expect(channel.bufferedBytes).toBe(0)
    expect(clock.timers).toBe(0)
  })

  test('when absent, sends wait without a time limit', async () => {
    const { channel, clock, sending, peer } = await filled()
    await clock.advance(24 * 3_600_000)
    await peer.read()
    await peer.read()
    await expect(sending).resolves.toBeUndefined()
    channel.abort()
  })

  test('ends the channel with INTERNAL when it throws', async () => {
    const cause = new Error('not today')
    const { channel, clock, sending } = await filled({
      onSlow: () => {
        throw cause
      },
    })
    await clock.advance(30_000)
    await failure(sending, 'INTERNAL')
    expect(await outcome(channel, 'INTERNAL')).toMatchObject({ side: 'local', cause })
  })

  test('slowAfter is a limit of the channel', async () => {
    const waits: number[] = []
    const limits = { maxBufferedBytes: 1, slowAfter: 7 }
    const { channel, clock } = await filled({ limits, onSlow: noting(waits, 'wait') })
    await clock.advance(7)
    expect(waits).toEqual([7])
    channel.abort()
  })

  test('must be a function', () => {
    const [near] = pipe()
    // @ts-expect-error - said to be checked at run time too
    const options: ChannelOptions<string, string> = { send: json(), receive: json(), onSlow: 'close' }
    expect(thrown(() => new Channel(near, options), 'INVALID_ARGUMENT').message).toContain('onSlow')
  })
})

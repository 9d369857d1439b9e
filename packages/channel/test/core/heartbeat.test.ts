/** Pings, their answers, and peers from which nothing comes. */
import { json } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn/web'
import { pipe } from '@h2channel/conn/web'
import { describe, expect, test } from 'vitest'

import type { LimitOptions } from '../../src/index.ts'
import { Channel, ChannelError, defineRoute } from '../../src/index.ts'
import { Heartbeat } from '../../src/core/heartbeat.ts'
import { channelPair, type TestClock, testClock } from '../../src/testing.ts'
import { bytesOf, failOnUnhandledRejections, failure, hexOf, jsonFrames, settled } from '../support/support.ts'

failOnUnhandledRejections()

const [interval, timeout] = [25_000, 10_000]
const route = defineRoute('/numbers', { client: json<number>(), server: json<number>() })

/** A channel whose peer is a conn that a test writes to by hand. */
function withPeer(limits?: LimitOptions, control = true): [Channel<number, number>, peer: Conn, clock: TestClock] {
  const [near, peer] = pipe()
  const clock = testClock()
  const channel = new Channel<number, number>(near, { send: json(), receive: json(), control, clock, limits })
  return [channel, peer, clock]
}

/** Notes each frame that arrives, as hexadecimal digits. */
function framesOf(peer: Conn): string[] {
  const frames: string[] = []
  const read = async (): Promise<void> => {
    for await (const chunk of peer) frames.push(hexOf(chunk))
  }
  read().catch(() => frames.push('broken off'))
  return frames
}

/** The conn, with a note of each write. */
function counted(conn: Conn, counts: number[]): Conn {
  return {
    closed: conn.closed,
    read: (options) => conn.read(options),
    write: (bytes, options) => {
      counts.push(bytes.length)
      return conn.write(bytes, options)
    },
    closeWrite: () => conn.closeWrite(),
    close: () => conn.close(),
    abort: (reason) => conn.abort(reason),
    [Symbol.asyncDispose]: () => conn.close(),
    [Symbol.asyncIterator]: () => conn[Symbol.asyncIterator](),
  }
}

describe('a channel that is idle', () => {
  test('pings once within the interval, and again after each answer (PING-2)', async () => {
    const [channel, peer, clock] = withPeer()
    const frames = framesOf(peer)
    await clock.advance(interval)
    expect(frames).toEqual(['80 00 00 05 03 00 00 00 01'])
    await peer.write(bytesOf('80 00 00 05 04 00 00 00 01'))
    await settled()
    await clock.advance(interval)
    expect(frames).toEqual(['80 00 00 05 03 00 00 00 01', '80 00 00 05 03 00 00 00 02'])
    channel.abort()
  })

  // Several times, since pings that cross once could cross ever after.
  test(
    'stays for a day, with one ping and one answer per interval for both ends together (PING-2)',
    { repeats: 9 },
    async () => {
      const clock = testClock()
      const [near, far] = pipe()
      const counts: number[] = []
      const parts = { send: json<number>(), receive: json<number>(), control: true, clock }
      const [left, right] = [new Channel(counted(near, counts), parts), new Channel(counted(far, counts), parts)]
      const day = 24 * 60 * 60 * 1_000
      await clock.advance(day)
      await left.send(1)
      expect(await right.receive()).toBe(1)
      // Pings come up to a tenth sooner than they must; now and then both ends ping at once.
      expect(counts.length / 2).toBeLessThan(1.15 * (day / interval))
      expect(counts.length / 2).toBeGreaterThan(day / interval)
      left.abort()
      right.abort()
    },
  )

  test('sends no ping to a peer that announced nothing, and does not call it silent', async () => {
    const [channel, peer, clock] = withPeer({}, false)
    const frames = framesOf(peer)
    await clock.advance(10 * (interval + timeout))
    expect(frames).toEqual([])
    channel.abort()
  })
})

describe('a channel of which one half has ended', () => {
  test('does not call the peer silent that has ended its half, and still pings (PING-2, PING-4)', async () => {
    const [channel, peer, clock] = withPeer()
    const frames = framesOf(peer)
    await peer.closeWrite()
    expect(await channel.receive()).toBeUndefined()
    await clock.advance(10 * (interval + timeout))
    expect(frames.length).toBeGreaterThanOrEqual(10 * 1.4)
    await channel.send(1)
    await settled()
    expect(frames.at(-1)).toBe(hexOf(jsonFrames(1)))
    await channel.end()
    expect(await channel.closed).toEqual({ clean: true })
  })

  test('pings no more after its own end, and answers none (PING-1, PING-2)', async () => {
    const [channel, peer, clock] = withPeer()
    const frames = framesOf(peer)
    await channel.end()
    for (let second = 0; second < 100; second += 10) {
      await clock.advance(10_000)
      await peer.write(bytesOf('80 00 00 01 03'))
      await settled()
    }
    expect(frames).toEqual([])
    // The peer, which has to ping, is silent if it does not.
    const received = failure(channel.receive(), 'PEER_SILENT')
    await clock.advance(interval + timeout)
    await received
  })

  test('answers pings after a stop, until the other half ends (STOP-2)', async () => {
    const [channel, peer, clock] = withPeer()
    const frames = framesOf(peer)
    await peer.write(bytesOf('80 00 00 01 02'))
    await settled()
    await failure(channel.send(1), 'PEER_STOPPED')
    await peer.write(bytesOf('80 00 00 02 03 07'))
    await settled()
    expect(frames).toEqual(['80 00 00 02 04 07'])
    await clock.advance(interval - 1)
    await peer.closeWrite()
    expect(await channel.receive()).toBeUndefined()
    expect(await channel.closed).toEqual({ clean: true })
  })
})

test('with the defaults, no ping follows another within five seconds (PING-3)', async () => {
  const clock = testClock()
  const [near, far] = pipe()
  /** When each end sent its pings. */
  const times: [number[], number[]] = [[], []]
  const noted = (conn: Conn, pings: number[]): Conn => ({
    ...counted(conn, []),
    write: (bytes, options) => {
      if (bytes[4] === 3) pings.push(clock.now())
      return conn.write(bytes, options)
    },
  })
  const parts = { send: json<number>(), receive: json<number>(), control: true, clock }
  const left = new Channel(noted(near, times[0]), parts)
  const right = new Channel(noted(far, times[1]), parts)
  await clock.advance(60 * 60 * 1_000)
  expect(times.flat().length).toBeGreaterThan(100)
  const gaps = times.flatMap((own) => own.slice(1).map((time, index) => time - (own[index] ?? 0)))
  expect(Math.min(...gaps)).toBeGreaterThan(5_000)
  left.abort()
  right.abort()
})

describe('a peer from which nothing comes', () => {
  test('is silent after the interval and the timeout, and not before (PING-4)', async () => {
    const [channel, peer, clock] = withPeer()
    framesOf(peer)
    const received = failure(channel.receive(), 'PEER_SILENT')
    await clock.advance(interval + timeout - 1)
    await channel.send(1)
    await clock.advance(1)
    const error = await received
    expect(error).toMatchObject({ side: 'remote', fatal: true })
    expect(error.message).toContain('35000 ms')
    expect(await channel.closed).toEqual({ clean: false, error })
    expect(await peer.closed).toMatchObject({ clean: false })
  })

  test('is noticed by a channel that only sends', async () => {
    const [channel, , clock] = withPeer({ heartbeatInterval: 100, heartbeatTimeout: 50 })
    await channel.send(1)
    await clock.advance(150)
    expect((await failure(channel.send(2), 'PEER_SILENT')).message).toContain('150 ms')
  })

  test.each([
    ['a message', jsonFrames(1)],
    ['a part of a frame', bytesOf('00 00')],
    ['a frame that is not known', bytesOf('80 00 00 01 7f')],
    ['a pong that answers nothing', bytesOf('80 00 00 02 04 ff')],
  ])('is not silent with %s (PING-4)', async (_what, bytes) => {
    const [channel, peer, clock] = withPeer()
    framesOf(peer)
    const iteration = channel[Symbol.asyncIterator]()
    const first = iteration.next().catch((error: unknown) => error)
    await clock.advance(interval)
    await peer.write(bytes)
    await settled()
    const second = iteration.next().catch((error: unknown) => error)
    await clock.advance(interval + timeout - 1)
    await channel.send(1)
    await clock.advance(1)
    const ends = await Promise.all([first, second])
    expect(ends).toContainEqual(expect.objectContaining({ code: 'PEER_SILENT' }))
  })

  test('is not silent while this side does not read (PING-4)', async () => {
    const [channel, peer, clock] = withPeer()
    framesOf(peer)
    await peer.write(jsonFrames(1, 2))
    await settled()
    await clock.advance(100 * (interval + timeout))
    expect(await channel.receive()).toBe(1)
    expect(await channel.receive()).toBe(2)
    const third = failure(channel.receive(), 'PEER_SILENT')
    await clock.advance(interval + timeout)
    await third
  })

  test('is not silent when it does not read but sends pings (PING-5)', async () => {
    const clock = testClock()
    const [client, server] = channelPair(route, { clock })
    // The server's handler does not receive: unread messages wait for it, and pings behind them.
    await client.send(1)
    await client.send(2)
    await clock.advance(100 * (interval + timeout))
    expect(await server.receive()).toBe(1)
    await server.send(3)
    expect(await client.receive()).toBe(3)
    client.abort()
  })

  test('gets another timeout when this process itself was suspended', async () => {
    let now = 0
    let fire = (): void => {}
    const silences: number[] = []
    const clock = {
      now: () => now,
      setTimer: <Subject>(task: (subject: Subject) => void, delay: number, subject: Subject) => {
        fire = () => task(subject)
        return delay
      },
      clearTimer: () => {},
    }
    const times = { heartbeatInterval: interval, heartbeatTimeout: timeout }
    const events = { quietSince: () => 0, ping: () => true, onSilent: (silence: number) => void silences.push(silence) }
    const heartbeat = new Heartbeat(clock, times, events)
    now = 1_000_000
    fire()
    expect(silences).toEqual([])
    now += timeout - 1
    fire()
    expect(silences).toEqual([])
    now += 1
    fire()
    expect(silences).toEqual([interval + timeout])
    heartbeat.stop()
  })

  test('does not get another timeout for ever when each beat is late', async () => {
    let now = 0
    let fire = (): void => {}
    const silences: number[] = []
    const clock = {
      now: () => now,
      setTimer: <Subject>(task: (subject: Subject) => void, delay: number, subject: Subject) => {
        fire = () => {
          now += delay + timeout / 5
          task(subject)
        }
        return delay
      },
      clearTimer: () => {},
    }
    const times = { heartbeatInterval: interval, heartbeatTimeout: timeout }
    const events = { quietSince: () => 0, ping: () => true, onSilent: (silence: number) => void silences.push(silence) }
    const heartbeat = new Heartbeat(clock, times, events)
    for (let beats = 0; beats < 10 && silences.length === 0; beats++) fire()
    expect(silences).toHaveLength(1)
    expect(now).toBeLessThan(interval + 3 * timeout)
    heartbeat.stop()
  })

  test('is not silent when its bytes wait in the socket because this process was busy', async () => {
    let now = 0
    let since = 0
    let at = 0
    let fire = (): void => {}
    const silences: number[] = []
    const clock = {
      now: () => now,
      setTimer: <Subject>(task: (subject: Subject) => void, delay: number, subject: Subject) => {
        at = now + delay
        fire = () => task(subject)
        return delay
      },
      clearTimer: () => {},
    }
    const times = { heartbeatInterval: interval, heartbeatTimeout: timeout }
    const events = { quietSince: () => since, ping: () => true, onSilent: (ms: number) => void silences.push(ms) }
    const heartbeat = new Heartbeat(clock, times, events)
    now = interval
    fire()
    // Less late than what counts as having slept.
    now = interval + timeout + timeout / 20
    fire()
    expect(silences).toEqual([])
    // The answer is read after the timers.
    since = now
    now += 1
    fire()
    expect(silences).toEqual([])
    while (silences.length === 0) {
      now = at
      fire()
    }
    expect([now, silences]).toEqual([since + interval + timeout, [interval + timeout]])
    heartbeat.stop()
  })

  test('does not keep a channel from being closed, however short the times are', async () => {
    const clock = testClock()
    const limits = { heartbeatInterval: 300, heartbeatTimeout: 300 }
    const [client, server] = channelPair(route, { clock, limits })
    for (const message of [1, 2]) await server.send(message)
    const closing = client.close()
    await clock.advance(900)
    server.abort()
    await closing
    expect(await client.closed).not.toMatchObject({ error: { code: 'PEER_SILENT' } })
  })

  test('is not checked once the channel has ended: no timer stays', async () => {
    const clock = testClock()
    const [client, server] = channelPair(route, { clock })
    // One where both are due at the same time.
    expect([1, 2]).toContain(clock.timers)
    await Promise.all([client.close(), server.close()])
    expect(clock.timers).toBe(0)
  })

  describe('on a clock whose timers come before anything is read', () => {
    /** Time goes by as a test says, and the event loop turns when it says so. */
    function startBeating(): {
      readonly silences: number[]
      readonly heartbeat: Heartbeat
      came(): void
      /** Fires all timers up to then, however many. */
      timersUntil(time: number): void
      turn(): void
      readonly isWaiting: boolean
    } {
      let [now, since] = [0, 0]
      const timers = new Map<number, () => void>()
      const turns: (() => void)[] = []
      const silences: number[] = []
      const clock = {
        now: () => now,
        setTimer: <Subject>(task: (subject: Subject) => void, delay: number, subject: Subject) => {
          timers.set(now + delay, () => task(subject))
          return now + delay
        },
        clearTimer: (timer: unknown) => void timers.delete(timer as number),
        afterTurn: (task: () => void) => void turns.push(task),
      }
      const heartbeat = new Heartbeat(
        clock,
        { heartbeatInterval: interval, heartbeatTimeout: timeout },
        { quietSince: () => since, ping: () => true, onSilent: (silence) => void silences.push(silence) },
      )
      return {
        silences,
        heartbeat,
        came() {
          since = now
        },
        timersUntil(time) {
          for (;;) {
            const [next] = [...timers].filter(([at]) => at <= time).toSorted(([left], [right]) => left - right)
            if (next === undefined) break
            timers.delete(next[0])
            now = Math.max(now, next[0])
            next[1]()
          }
          now = time
        },
        turn() {
          for (const task of turns.splice(0)) task()
        },
        get isWaiting() {
          return turns.length > 0
        },
      }
    }

    test('is silent when the event loop has turned, and not before', () => {
      const beating = startBeating()
      beating.timersUntil(interval + timeout - 1)
      expect(beating.isWaiting).toBe(false)
      beating.timersUntil(interval + timeout + timeout / 20)
      expect(beating.silences).toEqual([])
      beating.turn()
      expect(beating.silences).toEqual([interval + timeout])
    })

    test('is not silent when something was read in that turn', () => {
      const beating = startBeating()
      beating.timersUntil(interval + timeout)
      expect(beating.isWaiting).toBe(true)
      beating.came()
      beating.turn()
      expect(beating.silences).toEqual([])
      // The next silence is found, too.
      beating.timersUntil(2 * (interval + timeout))
      beating.turn()
      expect(beating.silences).toEqual([interval + timeout])
    })

    test('has another timeout when that turn came late, since the ping may have left only then', () => {
      const beating = startBeating()
      beating.timersUntil(interval + timeout)
      beating.timersUntil(interval + 3 * timeout)
      beating.turn()
      beating.timersUntil(interval + 4 * timeout - 1)
      beating.turn()
      expect(beating.silences).toEqual([])
      beating.timersUntil(interval + 4 * timeout)
      beating.turn()
      expect(beating.silences).toEqual([interval + timeout])
    })

    test('is not called silent by a heartbeat that was stopped meanwhile', () => {
      const beating = startBeating()
      beating.timersUntil(interval + timeout)
      expect(beating.isWaiting).toBe(true)
      beating.heartbeat.stop()
      beating.turn()
      expect(beating.silences).toEqual([])
      expect(beating.isWaiting).toBe(false)
    })
  })

  test('ends a channel that its program no longer uses', async () => {
    const [channel, , clock] = withPeer()
    await channel.end()
    await clock.advance(interval + timeout)
    expect(await channel.closed).toMatchObject({ clean: false, error: { code: 'PEER_SILENT' } })
  })
})

describe('Heartbeat', () => {
  test('measures the round trip by the answer to its last ping, and by no other (PING-3)', async () => {
    const clock = testClock()
    const pings: Uint8Array[] = []
    const events = {
      quietSince: () => undefined,
      ping: (opaque: Uint8Array) => pings.push(opaque) > 0,
      onSilent: () => {},
    }
    const heartbeat = new Heartbeat(clock, { heartbeatInterval: 100, heartbeatTimeout: 50 }, events)
    heartbeat.onPong(bytesOf('00 00 00 00'))
    expect(heartbeat.roundTrip).toBeUndefined()
    await clock.advance(100)
    const [ping] = pings
    expect(ping).toEqual(bytesOf('00 00 00 01'))
    const before = clock.now()
    for (const wrong of ['', '00 00 00 02', '00 00 00 01 00']) heartbeat.onPong(bytesOf(wrong))
    expect(heartbeat.roundTrip).toBeUndefined()
    heartbeat.onPong(bytesOf('00 00 00 01'))
    const first = heartbeat.roundTrip
    expect(first).toBeGreaterThanOrEqual(0)
    expect(first).toBeLessThanOrEqual(before)
    await clock.advance(1)
    heartbeat.onPong(bytesOf('00 00 00 01'))
    expect(heartbeat.roundTrip).toBe(first)
    heartbeat.stop()
  })
})

test('a peer that pings and does not read is answered until 64 KiB wait (PING-1)', async () => {
  // Whatever the limits say of messages.
  const [channel, peer] = withPeer({ flushBytes: 1024 * 1024 })
  const pings = new Uint8Array(1_000 * 1_028)
  for (let at = 0; at < pings.length; at += 1_028) pings.set(bytesOf('80 00 04 00 03'), at)
  for (let round = 0; round < 5; round++) await peer.write(pings)
  await settled()
  expect(channel.bufferedBytes).toBeLessThan(3 * 64 * 1024)
  channel.abort()
})

test.each([
  ['80 00 00 05 03 00 00 00 01', '80 00 00 05 04 00 00 00 01'],
  ['80 00 00 01 03', '80 00 00 01 04'],
])('the ping %s is answered with %s (PING-1)', async (ping, pong) => {
  const [channel, peer] = withPeer()
  const frames = framesOf(peer)
  await peer.write(bytesOf(ping))
  await settled()
  expect(frames).toEqual([pong])
  channel.abort()
})

test('a clock may be an object that needs its this', async () => {
  class Wrapped {
    readonly #clock = testClock()
    now(): number {
      return this.#clock.now()
    }
    setTimer<Subject>(task: (subject: Subject) => void, delay: number, subject: Subject): unknown {
      return this.#clock.setTimer(task, delay, subject)
    }
    clearTimer(timer: unknown): void {
      this.#clock.clearTimer(timer)
    }
    advance(milliseconds: number): Promise<void> {
      return this.#clock.advance(milliseconds)
    }
  }
  const clock = new Wrapped()
  const [client, server] = channelPair(route, { clock })
  await clock.advance(10 * interval)
  await client.send(1)
  expect(await server.receive()).toBe(1)
  expect(client.stats.age).toBe(10 * interval)
  client.abort()
})

test.each(['heartbeatInterval', 'heartbeatTimeout'])('%s must be a time', (name) => {
  for (const value of [0, -1, 1.5, Number.NaN, Infinity, 2 ** 31]) {
    expect(() => withPeer({ [name]: value })).toThrow(ChannelError)
  }
})

describe('stats', () => {
  test('count messages and bytes both ways, and know the round trip and the age', async () => {
    const clock = testClock()
    const [client, server] = channelPair(route, { clock })
    const none = { messages: 0, bytes: 0 }
    expect(client.stats).toEqual({
      sent: none,
      received: none,
      bufferedBytes: 0,
      roundTrip: undefined,
      carriers: 1,
      age: 0,
    })
    await client.send(1)
    await client.send(22)
    expect(client.stats).toMatchObject({ sent: { messages: 2, bytes: 0 }, bufferedBytes: 11 })
    expect(await server.receive()).toBe(1)
    expect(client.stats).toMatchObject({ sent: { messages: 2, bytes: 11 }, bufferedBytes: 0 })
    expect(server.stats).toMatchObject({ sent: none, received: { messages: 1, bytes: 11 } })
    expect(await server.receive()).toBe(22)
    expect(server.stats.received).toEqual({ messages: 2, bytes: 11 })
    await clock.advance(60_000)
    expect(client.stats).toMatchObject({ age: 60_000, sent: { messages: 2 } })
    // The side that pinged has an answer. Its round trip is 0, since the clock stood still.
    expect([client.stats.roundTrip, server.stats.roundTrip]).toContain(0)
    client.abort()
  })

  test('do not count what is refused', async () => {
    const [channel, peer] = withPeer({ maxMessageBytes: 4 })
    await failure(channel.send(123_456), 'MESSAGE_TOO_LARGE')
    expect(channel.stats.sent).toEqual({ messages: 0, bytes: 0 })
    await peer.write(bytesOf('00 00 00 01 21'))
    await failure(channel.receive(), 'INVALID_MESSAGE')
    expect(channel.stats.received).toEqual({ messages: 0, bytes: 5 })
  })
})

describe('draining', () => {
  test('aborts when the peer starts to drain, once, with a reason (DRAIN-1)', async () => {
    const [channel, peer] = withPeer()
    const { draining } = channel
    expect(draining.aborted).toBe(false)
    await peer.write(bytesOf('80 00 00 01 05 80 00 00 01 05'))
    await settled()
    expect(draining.aborted).toBe(true)
    expect(draining.reason).toMatchObject({ code: 'GOING_AWAY', fatal: false })
    expect(channel.draining).toBe(draining)
    await channel.send(1)
    channel.abort()
  })

  test('has aborted when it is read afterwards', async () => {
    const [channel, peer] = withPeer()
    await peer.write(bytesOf('80 00 00 01 05'))
    await settled()
    expect(channel.draining.aborted).toBe(true)
    channel.abort()
  })
})

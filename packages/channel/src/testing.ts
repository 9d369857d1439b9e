/** What tests of programs that use channels need. */
import type { Codec } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn/web'
import { pipe } from '@h2channel/conn/web'

import type { ChannelOptions, OnInvalid } from './channel.ts'
import { Channel } from './channel.ts'
import type { Client, ClientOptions } from './client.ts'
import type { Clock } from './clock.ts'
import type { LimitOptions } from './defaults.ts'
import type { Format } from './formats.ts'
import { format, formatsOf } from './formats.ts'
import { lengthPrefixed } from './length-prefixed.ts'
import { platform } from './platform.ts'
import type { Route } from './route.ts'
import type { Router } from './router.ts'

export interface ChannelPairOptions {
  /** The limits of both ends. */
  readonly limits?: LimitOptions | undefined
  /** Where both ends have their times from: see {@link testClock}. */
  readonly clock?: Clock | undefined
  /** What each end does about an invalid message, as `client.open` and `router.handle` take it. */
  readonly onInvalid?: { readonly client?: OnInvalid | undefined; readonly server?: OnInvalid | undefined } | undefined
}

/**
 * Both typed ends of a route, joined in memory: everything of a channel but the network.
 *
 * @example
 * ```ts
 * const [client, server] = channelPair(quotes)
 * void serveQuotes(server)
 * await client.send({ symbols: ['SAP'] })
 * expect(await client.receive()).toEqual({ symbol: 'SAP', price: 196.2 })
 * ```
 */
export function channelPair<Path extends string, C, S>(
  route: Route<Path, C, S>,
  options: ChannelPairOptions = {},
): [client: Channel<C, S>, server: Channel<S, C>] {
  const [clientConn, serverConn] = pipe()
  const [sent, answered] = [formatOf(route.client, route), formatOf(route.server, route)]
  const { limits, clock, onInvalid } = options
  const client = endOf(clientConn, sent, answered, { limits, clock, name: route.path, onInvalid: onInvalid?.client })
  const server = endOf(serverConn, answered, sent, { limits, clock, name: route.path, onInvalid: onInvalid?.server })
  return [client, server]
}

export interface StartServerOptions {
  /** Whether to speak TLS, with a certificate made on the spot by `selfsigned`: no unless said otherwise. */
  readonly tls?: boolean | undefined
}

/** A server with a router, on a free port of 127.0.0.1. Disposing of it ends it, with all connections. */
export interface RunningServer extends AsyncDisposable {
  /** Such as `http://127.0.0.1:49152`. */
  readonly origin: string
  /** TLS options of a client that trusts it. Undefined for cleartext. */
  readonly tls: ClientOptions['tls']
  /** A client of it, with connections of its own. */
  client(options?: ClientOptions): Client
}

/**
 * Serves a router as in production, for tests of all that lies before a handler: routes, `authorize`, limits, draining. Only in
 * Node.
 *
 * @example
 * ```ts
 * await using server = await startServer(router)
 * await using channel = await server.client({ headers: { authorization } }).open(quotes, { params: { market: 'xetra' } })
 * ```
 */
export async function startServer<Auth>(
  router: Router<Auth>,
  options: StartServerOptions = {},
): Promise<RunningServer> {
  // Not before it is called: all else here runs in browsers too.
  const { run } = await import('./test-server.ts')
  return run(router, options)
}

/** A clock that stands still until it is moved. */
export interface TestClock extends Clock {
  /**
   * Moves the clock on. Timers that are due by then fire in order, each at its time, and what they make channels of
   * {@link channelPair} send has arrived before the next fires.
   */
  advance(milliseconds: number): Promise<void>
  /** How many timers are set. */
  readonly timers: number
}

/**
 * A clock for tests of what happens after a while: heartbeats, and peers that are gone.
 *
 * @example
 * ```ts
 * const clock = testClock()
 * const [client, server] = channelPair(quotes, { clock })
 * await clock.advance(60_000)
 * ```
 */
export function testClock(): TestClock {
  let now = 0
  const timers = new Set<{ readonly at: number; readonly fire: () => void }>()
  return {
    now: () => now,
    setTimer(task, delay, subject) {
      const timer = { at: now + delay, fire: () => task(subject) }
      timers.add(timer)
      return timer
    },
    clearTimer: (timer) => void timers.delete(timer as never),
    get timers() {
      return timers.size
    },
    async advance(milliseconds) {
      const end = now + milliseconds
      // What was sent before arrives before.
      await settle()
      for (;;) {
        const [first] = [...timers].filter(({ at }) => at <= end).toSorted((left, right) => left.at - right.at)
        if (first === undefined) break
        timers.delete(first)
        now = Math.max(now, first.at)
        first.fire()
        await settle()
      }
      now = end
    },
  }
}

/** A pipe hands its bytes over in a turn of its own: there, and back again, with one to spare at each end. */
const turnsToSettle = 6

/** Taken when the module is loaded, so that a test's fake timers don't stop it. */
const { setImmediate, setTimeout } = platform

async function settle(): Promise<void> {
  for (let turn = 0; turn < turnsToSettle; turn++) await nextTurn()
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (setImmediate === undefined) setTimeout(resolve, 0, undefined)
    else setImmediate(resolve, undefined)
  })
}

/** The format that both sides would agree on. */
function formatOf<T>(codec: Codec<T>, route: Route): Format<T> {
  const [first = format(codec.contentType, codec, lengthPrefixed())] = formatsOf(codec, route.framing)
  return first
}

function endOf<S, R>(
  conn: Conn,
  send: Format<S>,
  receive: Format<R>,
  options: Pick<ChannelOptions<S, R>, 'clock' | 'limits' | 'name' | 'onInvalid'>,
): Channel<S, R> {
  return new Channel<S, R>(conn, {
    send: send.codec,
    receive: receive.codec,
    framing: { send: send.framing, receive: receive.framing },
    control: true,
    ...options,
  })
}

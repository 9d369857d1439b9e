import type { ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import type { ConnectionOptions } from 'node:tls'

import { checkedDelay, connDefaults, longestDelay } from '../limits.ts'
import { ConnError } from '../errors.ts'
import { isSessionSpent, sendFailure } from './node-errors.ts'
import { runInRootContext } from '../runtime/root-context.ts'
import type { Pool, SessionTimeouts } from './session.ts'
import { Session } from './session.ts'
import { clearTimeout, setTimeout } from '../runtime/timers.ts'
import { WaitQueue } from '../waits/wait-queue.ts'

/** Times in milliseconds. */
export interface SessionPoolOptions {
  /** How long a session without streams stays open. */
  readonly idleTimeout?: number | undefined
  /** How often a session that has streams is pinged. */
  readonly pingInterval?: number | undefined
  /** How long the answer to a ping may take before the session counts as dead. */
  readonly pingTimeout?: number | undefined
  /** How long `close()` waits for streams to end, and any session without streams for its peer to hang up. */
  readonly closeTimeout?: number | undefined
}

/**
 * The HTTP/2 connections of a client: one per origin and set of TLS options, opened on demand, shared by the conns to
 * that origin, replaced once the peer says GOAWAY, and joined by others while the peer's limit of streams is reached: up to
 * `sessionsPerOrigin`, beyond which `connect` waits for a stream to end.
 * Those that drain don't count among these, but `drainingPerOrigin` of them are the most.
 * None of them keeps the process alive while it carries no stream.
 *
 * `connect` uses one that all share unless it is given another. A pool of one's own can be closed.
 */
export class SessionPool implements AsyncDisposable {
  readonly #timeouts: Omit<SessionTimeouts, 'isCalm'>
  readonly #byOrigin = new Map<string, Set<Session>>()
  /** How often to ping those that asked to be pinged less (ENHANCE_YOUR_CALM), by origin. */
  readonly #calmer = new Map<string, number>()
  /** Waits for room on a connection. The signal of each aborts with a ConnError. */
  readonly #waiting = new WaitQueue<null, void>((reason) => reason)
  readonly #wake = (): void => {
    for (let waiting = this.#waiting.take(); waiting !== undefined; waiting = this.#waiting.take()) waiting.resolve()
  }
  #closed = false

  constructor(options: SessionPoolOptions = {}) {
    this.#timeouts = {
      idleTimeout: checkedDelay('idleTimeout', options.idleTimeout ?? connDefaults.idleTimeout),
      pingInterval: checkedDelay('pingInterval', options.pingInterval ?? connDefaults.pingInterval),
      pingTimeout: checkedDelay('pingTimeout', options.pingTimeout ?? connDefaults.pingTimeout),
      closeTimeout: checkedDelay('closeTimeout', options.closeTimeout ?? connDefaults.closeTimeout),
    }
  }

  /** How many connections there are, in whatever state. */
  get size(): number {
    let size = 0
    for (const sessions of this.#byOrigin.values()) size += sessions.size
    return size
  }

  /**
   * Lets the open streams end, then closes every connection; those that are left after `timeout`, by default `closeTimeout`, are
   * cut. No new stream is opened any more.
   */
  async close({
    timeout = this.#timeouts.closeTimeout,
  }: { readonly timeout?: number | undefined } = {}): Promise<void> {
    checkedDelay('timeout', timeout)
    this.#closed = true
    const sessions = [...this.#byOrigin.values()].flatMap((set) => [...set])
    for (const session of sessions) session.shutDown()
    // Who waits for room is told now: streams that are open may take their time.
    this.#wake()
    const timer = setTimeout(() => {
      const error = new ConnError('SESSIONS_CLOSED', `the sessions were closed, and ${timeout} ms are over`)
      for (const session of sessions) session.destroy(error)
    }, timeout)
    await Promise.all(sessions.map((session) => session.gone()))
    clearTimeout(timer)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal Opens a stream to `origin`, on a session that is there or a new one. `signal` aborts with a ConnError. */
  async open(
    origin: URL,
    tls: ConnectionOptions | undefined,
    headers: OutgoingHttpHeaders,
    signal: AbortSignal,
  ): Promise<{ session: Session; stream: ClientHttp2Stream }> {
    for (;;) {
      const session = this.#take(origin, tls)
      if (session === undefined) {
        signal.throwIfAborted()
        // Until a stream has ended somewhere.
        await this.#waiting.add(null, signal)
        continue
      }
      await session.connected(signal)
      // Connecting may have filled it, or ended it: whoever comes late takes another.
      if (!session.isUsable) continue
      try {
        return { session, stream: session.request(headers) }
      } catch (error) {
        // A GOAWAY can come between the check and the request.
        if (!isSessionSpent(error)) throw sendFailure('the request was refused', error)
        session.drain()
      }
    }
  }

  /** A session that takes another stream, new where there is none. `undefined` when no more may be opened. */
  #take(origin: URL, tls: ConnectionOptions | undefined): Session | undefined {
    if (this.#closed) throw new ConnError('SESSIONS_CLOSED', 'these sessions were closed')
    const key = `${origin.origin} ${tls === undefined ? 0 : identify(tls)}`
    const sessions = this.#byOrigin.get(key) ?? new Set()
    let ending = 0
    for (const session of sessions) {
      if (session.isUsable) return session
      if (session.isEnding) ending += 1
    }
    // Those that drain take no place from others: each has streams that may last, and a peer may say GOAWAY as often as it likes.
    if (sessions.size - ending >= connDefaults.sessionsPerOrigin || ending >= connDefaults.drainingPerOrigin)
      return undefined
    const pingInterval = this.#calmer.get(origin.origin) ?? this.#timeouts.pingInterval
    const timeouts = { ...this.#timeouts, pingInterval, isCalm: this.#calmer.has(origin.origin) }
    const pool = {
      onRoom: this.#wake,
      onTooManyPings: () => this.#calmer.set(origin.origin, Math.min(2 * pingInterval, longestDelay)),
    }
    return runInRootContext(() => {
      const session = dial(origin, tls, timeouts, pool)
      this.#byOrigin.set(key, sessions.add(session))
      void session.gone().then(() => {
        sessions.delete(session)
        if (sessions.size === 0 && this.#byOrigin.get(key) === sessions) this.#byOrigin.delete(key)
      })
      return session
    })
  }
}

/** Node throws at once for TLS options that can't be. */
function dial(origin: URL, tls: ConnectionOptions | undefined, timeouts: SessionTimeouts, pool: Pool): Session {
  try {
    return new Session(origin, tls, timeouts, pool)
  } catch (error) {
    throw sendFailure('the TLS options were refused', error)
  }
}

/** What `connect` uses unless it is told otherwise. */
export const sharedSessions: SessionPool = new SessionPool()

const identities = new WeakMap<ConnectionOptions, number>()
let identitiesGiven = 0

/** TLS options are told apart by identity: the same object, the same connection. */
function identify(tls: ConnectionOptions): number {
  const known = identities.get(tls)
  if (known !== undefined) return known
  identitiesGiven += 1
  identities.set(tls, identitiesGiven)
  return identitiesGiven
}

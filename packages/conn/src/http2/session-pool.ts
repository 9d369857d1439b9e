import type { ClientHttp2Stream } from 'node:http2'
import type { ConnectionOptions } from 'node:tls'

import { checkDelay, connDefaults, connLimits, maxDelay } from '../limits.ts'
import { ConnError } from '../errors.ts'
import type { SizedHeaders } from './headers.ts'
import { isSessionExhausted, sendError } from './node-errors.ts'
import { runInRootContext } from '../runtime/root-context.ts'
import type { PoolEvents, SessionOptions } from './session.ts'
import { Session } from './session.ts'
import { clearTimeout, setTimeout } from '../runtime/timers.ts'
import { WaitQueue } from '../waits/wait-queue.ts'

/** Times in milliseconds. */
export interface SessionPoolOptions {
  /** How long a connection without streams stays open. Default: 60 s. */
  readonly idleTimeout?: number | undefined
  /** How often a connection that has streams is pinged. Default: 25 s. */
  readonly pingInterval?: number | undefined
  /** How long the answer to a ping may take before the connection is lost. Default: 10 s. */
  readonly pingTimeout?: number | undefined
  /** How long `close()` waits for streams to end, and a drained connection for its peer to hang up. Default: 10 s. */
  readonly closeTimeout?: number | undefined
}

/**
 * The HTTP/2 connections of a client. A pool opens one connection for each origin and object of TLS options, and shares
 * it between conns. After GOAWAY it opens another. It also opens more while the peer's limit of streams is reached: at
 * most `sessionsPerOrigin`, and then `connect` waits for a stream to end. Draining connections are not counted among
 * these, but there may be only `drainingPerOrigin` of them. A connection without streams does not keep the process
 * alive.
 *
 * By default, `connect` uses one pool for the whole process. Create your own to be able to close it.
 */
export class SessionPool implements AsyncDisposable {
  readonly #timeouts: Omit<SessionOptions, 'pingsForResponses'>
  readonly #byOrigin = new Map<string, Set<Session>>()
  readonly #identities = new WeakMap<ConnectionOptions, number>()
  #identityCount = 0
  /** The ping intervals of origins that asked for fewer pings (ENHANCE_YOUR_CALM). */
  readonly #pingIntervals = new Map<string, number>()
  /** Waits for room on a connection. Each signal aborts with a ConnError. */
  readonly #waiting = new WaitQueue<null, void>((reason) => reason)
  readonly #wake = (): void => {
    for (let waiting = this.#waiting.take(); waiting !== undefined; waiting = this.#waiting.take()) waiting.resolve()
  }
  #closed = false

  constructor(options: SessionPoolOptions = {}) {
    this.#timeouts = {
      idleTimeout: checkDelay('idleTimeout', options.idleTimeout ?? connDefaults.idleTimeout),
      pingInterval: checkDelay('pingInterval', options.pingInterval ?? connDefaults.pingInterval),
      pingTimeout: checkDelay('pingTimeout', options.pingTimeout ?? connDefaults.pingTimeout),
      closeTimeout: checkDelay('closeTimeout', options.closeTimeout ?? connDefaults.closeTimeout),
    }
  }

  /** Number of connections in any state. */
  get size(): number {
    let size = 0
    for (const sessions of this.#byOrigin.values()) size += sessions.size
    return size
  }

  /**
   * Closes the pool: it opens no more streams, lets the open streams end and then closes each connection. After
   * `timeout`, the remaining streams are reset. Unit: milliseconds. Default: `closeTimeout`.
   */
  async close({
    timeout = this.#timeouts.closeTimeout,
  }: { readonly timeout?: number | undefined } = {}): Promise<void> {
    checkDelay('timeout', timeout)
    this.#closed = true
    const sessions = [...this.#byOrigin.values()].flatMap((set) => [...set])
    for (const session of sessions) session.close()
    // Calls that wait for room fail now, however long the open streams take.
    this.#wake()
    const timer = setTimeout(() => {
      const error = new ConnError('SESSIONS_CLOSED', `the pool was closed ${timeout} ms ago`)
      for (const session of sessions) session.destroy(error)
    }, timeout)
    await Promise.all(sessions.map(({ closed }) => closed))
    clearTimeout(timer)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Opens a stream to `origin` at once, where a connection is open and has room. Returns `undefined` otherwise.
   *
   * @internal
   */
  openNow(
    origin: URL,
    tls: ConnectionOptions | undefined,
    headers: SizedHeaders,
  ): { session: Session; stream: ClientHttp2Stream } | undefined {
    const session = this.#usableSession(origin, tls)
    return session?.isOpen === true ? requestOn(session, headers) : undefined
  }

  /**
   * Opens a stream to `origin`, on an open connection or a new one.
   *
   * @param signal - aborts with a ConnError.
   * @internal
   */
  async open(
    origin: URL,
    tls: ConnectionOptions | undefined,
    headers: SizedHeaders,
    signal: AbortSignal,
  ): Promise<{ session: Session; stream: ClientHttp2Stream }> {
    for (;;) {
      const session = this.#usableSession(origin, tls)
      if (session === undefined) {
        signal.throwIfAborted()
        await this.#waiting.add(null, signal)
        continue
      }
      await session.connected(signal)
      // It may have ended or filled up while it was connecting.
      const opened = session.isUsable ? requestOn(session, headers) : undefined
      if (opened !== undefined) return opened
    }
  }

  /** Finds or creates a session with room for another stream. Returns `undefined` where the limits allow neither. */
  #usableSession(origin: URL, tls: ConnectionOptions | undefined): Session | undefined {
    if (this.#closed) throw new ConnError('SESSIONS_CLOSED', 'the pool was closed')
    const key = `${origin.origin} ${tls === undefined ? 0 : this.#identify(tls)}`
    const sessions = this.#byOrigin.get(key) ?? new Set()
    let ending = 0
    for (const session of sessions) {
      if (session.isUsable) return session
      if (session.isEnding) ending += 1
    }
    // Draining sessions have their own limit: streams may last long, and a peer may send GOAWAY any number of times.
    const { sessionsPerOrigin, drainingPerOrigin } = connLimits
    if (sessions.size - ending >= sessionsPerOrigin || ending >= drainingPerOrigin) return undefined
    return runInRootContext(() => {
      const session = this.#createSession(origin, tls)
      this.#byOrigin.set(key, sessions.add(session))
      void session.closed.then(() => {
        sessions.delete(session)
        if (sessions.size === 0 && this.#byOrigin.get(key) === sessions) this.#byOrigin.delete(key)
      })
      return session
    })
  }

  /** Returns the number of an object of TLS options. The same object always has the same number. */
  #identify(tls: ConnectionOptions): number {
    const identity = this.#identities.get(tls) ?? ++this.#identityCount
    this.#identities.set(tls, identity)
    return identity
  }

  #createSession(origin: URL, tls: ConnectionOptions | undefined): Session {
    const slower = this.#pingIntervals.get(origin.origin)
    const pingInterval = slower ?? this.#timeouts.pingInterval
    const options = { ...this.#timeouts, pingInterval, pingsForResponses: slower === undefined }
    const events: PoolEvents = {
      onRoom: this.#wake,
      onTooManyPings: () => this.#pingIntervals.set(origin.origin, Math.min(2 * pingInterval, maxDelay)),
    }
    try {
      return new Session(origin, tls, options, events)
    } catch (error) {
      // Node throws for invalid TLS options.
      throw sendError('the TLS options were refused', error)
    }
  }
}

/** Returns `undefined` where the session accepts no more streams: a GOAWAY can come between a check and the request. */
function requestOn(
  session: Session,
  headers: SizedHeaders,
): { session: Session; stream: ClientHttp2Stream } | undefined {
  try {
    return { session, stream: session.request(headers) }
  } catch (error) {
    if (!isSessionExhausted(error)) throw sendError('the request was refused', error)
    session.drain()
    return undefined
  }
}

/** The pool of all calls of `connect` that name none. */
export const sharedSessions: SessionPool = new SessionPool()

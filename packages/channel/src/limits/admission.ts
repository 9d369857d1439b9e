import type { Http2Conn } from '@h2channel/conn'
import { LinkedList } from '@h2channel/conn/internal'
import type { Http2Session } from 'node:http2'

import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import type { Clock } from '../runtime/clock.ts'
import type { QuotaLimits } from './quota.ts'
import { ChannelUsage, Quota, secondOf } from './quota.ts'
import type { Rejection } from './rejection.ts'
import { unavailable } from './rejection.ts'

/** The default quotas of a router. They are finite, but for message rates: no rate would be right for every service. */
export const routerDefaults: {
  /** The quota of all channels of a router. */
  readonly total: QuotaLimits
  /** The quota of all channels of one connection. */
  readonly perSession: QuotaLimits
} = {
  total: { maxChannels: 100_000, maxBufferedBytes: 1024 * 1024 * 1024 },
  perSession: { maxChannels: 10_000, maxBufferedBytes: 256 * 1024 * 1024 },
}

/** The quotas that count one channel. */
export interface Grant {
  /** Those of its route, of its connection and of the router. */
  readonly quotas: readonly Quota[]
  /** The quota of its connection. */
  readonly session: Quota
}

interface SessionState {
  readonly quota: Quota
  /** The quotas of its channels by route, so that all channels of a route share one list. */
  readonly quotasOfRoutes: Map<Quota, readonly Quota[]>
}

/** Admission control: the connections and channels of a router, and whether there is room for another channel. */
export class Admission {
  /** The channels that are open, or whose handler is still running. */
  readonly usages: LinkedList<ChannelUsage> = new LinkedList()
  readonly #sessions = new Map<Http2Session, SessionState>()
  /** The connections that have sent GOAWAY, by their quotas. */
  readonly #leaving = new Map<Quota, Http2Session>()
  readonly #total: Quota
  readonly #perSession: QuotaLimits
  readonly #clock: Clock

  constructor(total: QuotaLimits, perSession: QuotaLimits, clock: Clock) {
    this.#clock = clock
    this.#total = new Quota('all routes', total, this.usages)
    this.#perSession = perSession
  }

  /** Keeps track of a connection until it closes. */
  track(session: Http2Session): SessionState {
    const known = this.#sessions.get(session)
    if (known !== undefined) return known
    const quota = new Quota('this connection', this.#perSession, this.usages)
    const state: SessionState = { quota, quotasOfRoutes: new Map() }
    if (session.destroyed) return state
    this.#sessions.set(session, state)
    session.once('close', () => {
      this.#sessions.delete(session)
      this.#leaving.delete(quota)
    })
    return state
  }

  /** Counts a channel in each of its quotas, if all of them have room. */
  admit(session: Http2Session, route: Quota): Grant | Rejection {
    const state = this.track(session)
    const isOverRate = state.quota.exceededIn === secondOf(this.#clock)
    const rejection = isOverRate ? 'too many messages a second' : state.quota.rejection
    if (rejection !== undefined) return { status: 429, message: rejection, headers: { 'retry-after': '1' } }
    const message = route.rejection ?? this.#total.rejection
    if (message !== undefined) return unavailable(message)
    let quotas = state.quotasOfRoutes.get(route)
    if (quotas === undefined) {
      quotas = [route, state.quota, this.#total]
      state.quotasOfRoutes.set(route, quotas)
    }
    for (const quota of quotas) quota.channels += 1
    return { quotas, session: state.quota }
  }

  /** Stops counting a channel that {@link admit} has counted. */
  release({ quotas, session }: Pick<ChannelUsage, 'quotas' | 'session'>): void {
    for (const quota of quotas) quota.channels -= 1
    this.#closeIfDone(session)
  }

  /** A channel has lost its connection, and waits for its client: only its route and the router still count it. */
  detach(usage: ChannelUsage): void {
    const { session } = usage
    usage.moveTo(
      usage.quotas.filter((quota) => quota !== session),
      undefined,
    )
    this.#closeIfDone(session)
  }

  /** A channel continues on the connection `session`, if that has room for it. */
  resume(usage: ChannelUsage, session: Http2Session): Rejection | undefined {
    const { quota } = this.track(session)
    if (quota === usage.session) return undefined
    const { rejection } = quota
    if (rejection !== undefined) return { status: 429, message: rejection, headers: { 'retry-after': '1' } }
    this.detach(usage)
    usage.moveTo([...usage.quotas, quota], quota)
    return undefined
  }

  /** After GOAWAY, Node reads no more from a connection without streams: it does not see that the client leaves. */
  #closeIfDone(session: Quota | undefined): void {
    if (session?.channels === 0) this.#leaving.get(session)?.close()
  }

  /**
   * Adds a channel that was admitted and is open now. Measures only what a limit of its quotas bounds: a new kind of
   * limit is one more condition here.
   */
  add(channel: Channel<unknown, unknown>, conn: Http2Conn | undefined, { quotas, session }: Grant): ChannelUsage {
    const usage = new ChannelUsage(channel, quotas, session, this.#clock)
    const memory = quotas.some(({ limits }) => limits.maxBufferedBytes !== undefined) ? usage : undefined
    const messageWatcher = quotas.some(({ limits }) => limits.maxMessagesPerSecond !== undefined) ? usage : undefined
    coreOf(channel).watch({ memory, messages: messageWatcher })
    this.usages.add(usage)
    // Much may have arrived before the request was accepted, so that the channel may be reset here.
    // A link reads all that comes, and reports what it holds.
    if (memory !== undefined && conn !== undefined) conn.watchUnread(usage)
    return usage
  }

  /** Removes a channel that has ended, and whose handler has returned. */
  remove(usage: ChannelUsage): void {
    this.usages.delete(usage)
    this.release(usage)
    usage.release()
  }

  /** Sends GOAWAY, so that the client opens its next channel on another connection. Open channels continue. */
  goAway(session: Http2Session): void {
    const { quota } = this.track(session)
    if (this.#leaving.has(quota) || session.destroyed) return
    this.#leaving.set(quota, session)
    // The largest identifier excludes no request that is on its way (RFC 9113, section 6.8). Otherwise Node names the
    // last request until now, and still reads further ones until the frame leaves: their handlers would run, and their
    // clients would send them again.
    session.goaway(0, 2 ** 31 - 1)
  }

  goAwayAll(): void {
    for (const session of this.#sessions.keys()) this.goAway(session)
  }

  /** Closes each connection as soon as it has no open streams. */
  closeAll(): void {
    for (const session of this.#sessions.keys()) session.close()
  }
}

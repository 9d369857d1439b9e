import type { Http2Session } from 'node:http2'

import type { Clock } from '../runtime/clock.ts'
import { type Member, secondOf, Share, type QuotaLimits } from './quota.ts'

/** Limits unless others are given: finite, except for the rate, where no number would be right for all. */
export const routerDefaults: {
  /** Of all channels of a router together. */
  readonly total: QuotaLimits
  /** Of all channels of one connection together. */
  readonly perSession: QuotaLimits
} = {
  total: { maxChannels: 100_000, maxBufferedBytes: 1024 * 1024 * 1024 },
  perSession: { maxChannels: 10_000, maxBufferedBytes: 256 * 1024 * 1024 },
}

/** One more channel than there may be. */
export interface Full {
  readonly status: 429 | 503
  readonly message: string
}

/** What was taken for one channel: a place in each of these. */
export interface Place {
  readonly shares: readonly Share[]
  /** That of its connection. */
  readonly session: Share
}

/** What a router knows of a connection. */
interface SessionState {
  /** By route, so that channels of the same route share one list: that of the route, of this connection, of all. */
  readonly shares: Map<Share, readonly Share[]>
  readonly share: Share
  isLeaving: boolean
}

/** The connections and channels of a router, and who may still come in. */
export class Admission {
  /** The channels that are not over, or whose handlers are not. */
  readonly members: Set<Member> = new Set()
  readonly #sessions = new Map<Http2Session, SessionState>()
  readonly #total: Share
  readonly #perSession: QuotaLimits
  readonly #clock: Clock

  constructor(total: QuotaLimits, perSession: QuotaLimits, clock: Clock) {
    this.#clock = clock
    this.#total = new Share('all routes', total, this.members)
    this.#perSession = perSession
  }

  /** Notes a connection, until it is closed. */
  note(session: Http2Session): SessionState {
    const known = this.#sessions.get(session)
    if (known !== undefined) return known
    const share = new Share('this connection', this.#perSession, this.members)
    const state: SessionState = { share, shares: new Map(), isLeaving: false }
    if (session.destroyed) return state
    this.#sessions.set(session, state)
    session.once('close', () => this.#sessions.delete(session))
    return state
  }

  /** Takes a place for a channel of a route, in each of its shares. */
  enter(session: Http2Session, route: Share): Place | Full {
    const state = this.note(session)
    const full = state.share.exceededIn === secondOf(this.#clock) ? 'too many messages a second' : state.share.fullness
    if (full !== undefined) return { status: 429, message: full }
    const message = route.fullness ?? this.#total.fullness
    if (message !== undefined) return { status: 503, message }
    let shares = state.shares.get(route)
    if (shares === undefined) {
      shares = [route, state.share, this.#total]
      state.shares.set(route, shares)
    }
    for (const share of shares) share.take()
    return { shares, session: state.share }
  }

  /** Gives the places back. */
  leave(shares: readonly Share[]): void {
    for (const share of shares) share.release()
  }

  /** Tells a client that its next channel should be on another connection. What is under way goes on. */
  sendAway(session: Http2Session): void {
    const state = this.note(session)
    if (state.isLeaving || session.destroyed) return
    state.isLeaving = true
    // Node's own `close` would do the same, and then take no more requests that are on their way.
    session.goaway()
  }

  sendAllAway(): void {
    for (const session of this.#sessions.keys()) this.sendAway(session)
  }

  /** Closes the connections as soon as what is under way on them is done. */
  closeAll(): void {
    for (const session of this.#sessions.keys()) session.close()
  }
}

/** Whether a channel's messages are counted, or its bytes: where nobody set a limit, it costs nothing. */
export function countsOf(shares: readonly Share[]): { readonly messages: boolean; readonly bytes: boolean } {
  return {
    messages: shares.some(({ limits }) => limits.maxMessagesPerSecond !== undefined),
    bytes: shares.some(({ limits }) => limits.maxBufferedBytes !== undefined),
  }
}

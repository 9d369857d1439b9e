import type { Clock } from '../runtime/clock.ts'
import type { HeartbeatEvents } from './events.ts'
import { SharedTimers, type Timed, type TimerGroup } from '../runtime/shared-timers.ts'

export interface HeartbeatTimes {
  readonly heartbeatInterval: number
  readonly heartbeatTimeout: number
}

interface Doubt {
  /** Since when nothing came. */
  readonly since: number
  /** When it is settled. */
  readonly until: number
  /** Whether the peer was given more time, since this process stood still. */
  readonly hasSlept: boolean
}

/**
 * In an interval there are so many times at which beats are due, the same for all channels of a process: it is woken up
 * less often, and pings of a connection leave together.
 */
const stepsOfInterval = 32

/** The events of a heartbeat that has stopped. */
const silent: HeartbeatEvents = { quietSince: () => undefined, ping: () => false, onSilent() {} }

/**
 * Keeps a channel alive through the proxies between its ends, and notices a peer that stops responding:
 *
 * - It pings when `heartbeatInterval` has passed since the last ping, this side's or the peer's. A peer that pings is
 *   answered, and so has no need to be pinged: usually one side pings, and the other answers.
 * - The peer is silent when nothing at all came from it for `heartbeatInterval` and `heartbeatTimeout` together. That
 *   counts only while this side reads, since unread bytes show nothing. A peer that does not read answers no pings, but
 *   it still sends its own.
 */
export class Heartbeat implements Timed {
  readonly #clock: Clock
  readonly #times: HeartbeatTimes
  #events: HeartbeatEvents
  readonly #timers: SharedTimers
  /** When the next ping is due. */
  #due: number
  /** `undefined` when it has stopped. */
  #group: TimerGroup | undefined
  /** What looked like the peer's silence, until something comes. */
  #doubt: Doubt | undefined
  #count = 0
  /** The last ping, until it is answered. */
  #pinged: { readonly opaque: Uint8Array; readonly at: number } | undefined
  #roundTrip: number | undefined

  constructor(clock: Clock, times: HeartbeatTimes, events: HeartbeatEvents) {
    this.#clock = clock
    this.#times = times
    this.#timers = SharedTimers.of(clock)
    this.#events = events
    this.#due = this.#nextDue(clock.now())
    this.#group = this.#schedule()
  }

  /** How long the last ping and its answer took. Unit: milliseconds. */
  get roundTrip(): number | undefined {
    return this.#roundTrip
  }

  /**
   * The peer has sent a ping, and will again. The next ping of this side is delayed, so that only one side pings. The
   * delay is random: two sides whose pings have crossed would otherwise keep crossing.
   */
  onPing(): void {
    const { heartbeatInterval, heartbeatTimeout } = this.#times
    this.#due = this.#onStep(this.#clock.now() + heartbeatInterval + heartbeatTimeout * (0.25 + 0.25 * Math.random()))
  }

  onPong(opaque: Uint8Array): void {
    const pinged = this.#pinged
    if (pinged === undefined || !isSame(pinged.opaque, opaque)) return
    this.#roundTrip = this.#clock.now() - pinged.at
    this.#pinged = undefined
  }

  stop(): void {
    if (this.#group !== undefined) this.#timers.remove(this.#group, this)
    this.#group = undefined
    // The group's Set may have left copies of its table behind, which must not keep the channel.
    this.#events = silent
  }

  onTime(): void {
    if (this.#group !== undefined) this.#look(this.#group.time, this.#clock.afterTurn === undefined)
  }

  /**
   * @param expected - when it was to look.
   * @param hasRead - whether what had arrived by then was read.
   */
  #look(expected: number, hasRead: boolean): void {
    const now = this.#clock.now()
    const { heartbeatInterval, heartbeatTimeout } = this.#times
    if (this.#isSilent(now, expected)) {
      if (hasRead) this.#events.onSilent(heartbeatInterval + heartbeatTimeout)
      else {
        this.#clock.afterTurn?.(() => {
          if (this.#group !== undefined) this.#look(now, true)
        })
      }
      return
    }
    if (now >= this.#due) {
      this.#due = this.#nextDue(now)
      this.#count += 1
      const opaque = numbered(this.#count)
      this.#pinged = this.#events.ping(opaque) ? { opaque, at: now } : undefined
    }
    this.#group = this.#schedule()
  }

  #schedule(): TimerGroup {
    const now = this.#clock.now()
    return this.#timers.add(Math.ceil(Math.max(now + 1, Math.min(this.#due, this.#silentAt(now)))), this)
  }

  /**
   * Whether it is settled that the peer is gone. What looks so at first may be this process, which was busy, or stood
   * still: what came meanwhile lies in the socket, and is read after the timers. A process that stood still gives its
   * peer another timeout, once, since the last ping may have left only now.
   */
  #isSilent(now: number, expected: number): boolean {
    const since = this.#events.quietSince()
    if (since === undefined || now < this.#doubtFrom(since)) return false
    if (this.#doubt?.since !== since) this.#doubt = { since, until: now + 1, hasSlept: false }
    const { heartbeatTimeout } = this.#times
    if (!this.#doubt.hasSlept && now - expected > heartbeatTimeout / 10) {
      this.#doubt = { since, until: now + heartbeatTimeout, hasSlept: true }
    }
    return now >= this.#doubt.until
  }

  /** When silence is looked at next, if it lasts. */
  #silentAt(now: number): number {
    const since = this.#events.quietSince()
    if (since === undefined) return this.#doubtFrom(now)
    return this.#doubt?.since === since ? this.#doubt.until : this.#doubtFrom(since)
  }

  /** A millisecond before the time is up, so that it is up when that has been looked at again. */
  #doubtFrom(since: number): number {
    return since + this.#times.heartbeatInterval + this.#times.heartbeatTimeout - 1
  }

  /** Not always the same, so that the channels of a process do not all ping at once, nor both ends of one. */
  #nextDue(now: number): number {
    return this.#onStep(now + this.#times.heartbeatInterval * (0.9 + 0.1 * Math.random()))
  }

  #onStep(time: number): number {
    const step = this.#times.heartbeatInterval / stepsOfInterval
    return Math.floor(time / step) * step
  }
}

function numbered(count: number): Uint8Array {
  return Uint8Array.of(count >>> 24, count >>> 16, count >>> 8, count)
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}

import { runInRootContext } from '@h2channel/conn/internal'

import type { Clock } from './clock.ts'
import { systemClock } from './clock.ts'

/** What is called when its time has come. */
export interface Timed {
  onTime(): void
}

/** All that is due at one time. */
export interface TimerGroup {
  /** A whole number on the clock. */
  readonly time: number
  readonly timer: unknown
  readonly members: Set<Timed>
}

/** How many groups without members keep their timers. A heartbeat is due at one of a few times. */
const maxEmpty = 8

/**
 * One timer for whatever is due at the same millisecond of a clock. Thousands of idle channels so cost their process a
 * few timers, and what they then send leaves in few packets.
 */
export class SharedTimers {
  static readonly #ofClocks: WeakMap<Clock, SharedTimers> = new WeakMap()

  readonly #clock: Clock
  readonly #groups = new Map<number, TimerGroup>()
  /** Groups that were left by their last member, on the platform's clock, in that order. */
  readonly #empty: TimerGroup[] = []

  private constructor(clock: Clock) {
    this.#clock = clock
  }

  static of(clock: Clock): SharedTimers {
    let timers = SharedTimers.#ofClocks.get(clock)
    if (timers === undefined) SharedTimers.#ofClocks.set(clock, (timers = new SharedTimers(clock)))
    return timers
  }

  /** Calls `timed` once at `time`, a whole number, or as soon as it can if that has passed. */
  add(time: number, timed: Timed): TimerGroup {
    const group = this.#groups.get(time) ?? this.#start(time)
    group.members.add(timed)
    return group
  }

  /** Takes back what {@link add} has put into `group`, unless it was called. */
  remove(group: TimerGroup, timed: Timed): void {
    if (!group.members.delete(timed) || group.members.size > 0) return
    if (this.#clock !== systemClock) this.#clear(group)
    else if (!this.#empty.includes(group)) {
      // A program that opens channels one after the other would make and clear a timer for each.
      this.#empty.push(group)
      const first = this.#empty.length > maxEmpty ? this.#empty.shift() : undefined
      if (first?.members.size === 0) this.#clear(first)
    }
  }

  #clear(group: TimerGroup): void {
    if (this.#groups.get(group.time) === group) this.#groups.delete(group.time)
    this.#clock.clearTimer(group.timer)
  }

  #start(time: number): TimerGroup {
    const delay = Math.max(1, Math.ceil(time - this.#clock.now()))
    // All members share it: it must not keep the async context of the first.
    const timer = runInRootContext(() => this.#clock.setTimer(() => this.#fire(group), delay, undefined))
    const group = { time, timer, members: new Set<Timed>() }
    this.#groups.set(time, group)
    return group
  }

  /**
   * A member may remove another, and add itself again, be it for the same time: a clock may call too early. One that
   * throws, as the abort of a transport may, ends its own timer alone.
   */
  #fire(group: TimerGroup): void {
    if (this.#groups.get(group.time) === group) this.#groups.delete(group.time)
    try {
      for (const timed of group.members) {
        group.members.delete(timed)
        timed.onTime()
      }
    } finally {
      if (group.members.size > 0) this.#clock.setTimer(() => this.#fire(group), 1, undefined)
    }
  }
}

import { Linked } from '@h2channel/conn/internal'

import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import type { Clock } from '../runtime/clock.ts'
import { checkLimit, omitUndefined } from '../options.ts'
import { ChannelError } from '../errors.ts'
import { Ranking } from './ranking.ts'

/** Limits that several channels share. A limit that is not given has its default, or does not exist. */
export interface QuotaLimits {
  /** Maximum number of channels. One more is rejected: with 429 for the limit of a connection, with 503 otherwise. */
  readonly maxChannels?: number | undefined
  /**
   * Maximum bytes buffered across all these channels: what was sent and has not left this process, and what has
   * arrived, whole messages or parts, and was not received. Beyond it, the channel with the largest backlog is reset:
   * with `PEER_TOO_SLOW`, or with `RATE_LIMITED` when most of its backlog has arrived. Channels whose backlog has not
   * shrunk for a second come first. What each channel reads ahead, up to 96 KiB, does not count. Unit: bytes.
   */
  readonly maxBufferedBytes?: number | undefined
  /**
   * Maximum messages delivered on all these channels within one second, as seconds are counted since the process began.
   * One more ends the channel that received most in that second, with `RATE_LIMITED`. Its messages no longer count
   * then, and its connection gets no further channel before the next second. Counting costs some time for each message.
   * Control frames do not count.
   */
  readonly maxMessagesPerSecond?: number | undefined
}

/** Fills in defaults. Throws `INVALID_ARGUMENT` for an invalid limit. */
export function resolveQuota(name: string, given: QuotaLimits | undefined, defaults: QuotaLimits = {}): QuotaLimits {
  for (const [limit, value] of Object.entries(omitUndefined(given))) checkLimit(`${name}.${limit}`, value)
  return { ...defaults, ...omitUndefined(given) }
}

export class ChannelUsage extends Linked<ChannelUsage> {
  readonly channel: Channel<unknown, unknown>
  /** The quotas that count it now. */
  quotas: readonly Quota[]
  /** The quota of its connection, which is one of `quotas`. Undefined while it has no connection. */
  session: Quota | undefined
  readonly #clock: Clock
  /** The memory that it holds for messages. Unit: bytes. */
  held = 0
  /** The part of `held` that has arrived and was not received. Unit: bytes. */
  arrived = 0
  /** Messages that came within `#second`. */
  messages = 0
  #second = 0
  /** When some of its memory was released last, or the first was taken. */
  #progressAt = 0
  #hasEnded = false

  constructor(channel: Channel<unknown, unknown>, quotas: readonly Quota[], session: Quota, clock: Clock) {
    super()
    this.channel = channel
    this.quotas = quotas
    this.session = session
    this.#clock = clock
  }

  /** Whether ending the channel would still help. */
  get isOpen(): boolean {
    return !this.#hasEnded && coreOf(this.channel).outcome === undefined
  }

  onHeld(change: number): void {
    if (this.#hasEnded) return
    if (change < 0 || this.held === 0) this.#progressAt = this.#clock.now()
    this.held += change
    for (const quota of this.quotas) if (quota.limitsMemory) quota.onHeld(change, this.#clock)
  }

  onArrived(change: number): void {
    this.arrived += change
    this.onHeld(change)
  }

  /** Counts it in other quotas from now on, with what it holds. */
  moveTo(quotas: readonly Quota[], session: Quota | undefined): void {
    const added = quotas.filter((quota) => !this.quotas.includes(quota))
    const left = this.quotas.filter((quota) => !quotas.includes(quota))
    this.quotas = quotas
    this.session = session
    for (const quota of left) quota.channels -= 1
    for (const quota of added) quota.channels += 1
    if (this.#hasEnded || this.held === 0) return
    for (const quota of left) quota.onHeld(-this.held, this.#clock)
    for (const quota of added) quota.onHeld(this.held, this.#clock)
  }

  /** Whether its backlog has not shrunk for a second. */
  isStalled(now: number): boolean {
    return now - this.#progressAt > 1_000
  }

  /** Stops counting the channel, which has ended or is about to. */
  release(): void {
    if (this.#hasEnded) return
    this.onHeld(-this.held)
    this.#hasEnded = true
  }

  onMessage(): void {
    const second = secondOf(this.#clock)
    this.messages = this.messagesIn(second) + 1
    this.#second = second
    for (const quota of this.quotas) quota.onMessage(second, this)
  }

  messagesIn(second: number): number {
    return this.#second === second ? this.messages : 0
  }
}

/** Limits that the channels of a route, of a connection or of a router share, and what of them is used. */
export class Quota {
  readonly limits: QuotaLimits
  /** Whether it limits buffered bytes. Without a limit, they are not counted. */
  readonly limitsMemory: boolean
  readonly #name: string
  /** All channels of the router. Those of this quota are among them. */
  readonly #usages: Iterable<ChannelUsage>
  channels = 0
  #held = 0
  /** The channels that held most at `#largestAt`, in ascending order. */
  #largest: ChannelUsage[] = []
  #largestAt = 0
  #messages = 0
  #second = 0
  /** The channels that received messages within `#second`, in the order of the first one. */
  #receivers: ChannelUsage[] = []
  /** A ranking of these channels by number of messages. Made when the first of them is ended within `#second`. */
  #ranking: Ranking<ChannelUsage> | undefined
  /** The second in which a channel was ended for its messages. */
  exceededIn: number | undefined

  /** @param name - for errors: `all routes`, `this connection` or the path of a route. */
  constructor(name: string, limits: QuotaLimits, usages: Iterable<ChannelUsage>) {
    this.#name = name
    this.limits = limits
    this.limitsMemory = limits.maxBufferedBytes !== undefined
    this.#usages = usages
  }

  /** Why there is no room for another channel. Undefined if there is. */
  get rejection(): string | undefined {
    const { maxChannels = Infinity } = this.limits
    return this.channels < maxChannels ? undefined : `there are ${maxChannels} channels of ${this.#name} already`
  }

  onHeld(change: number, clock: Clock): void {
    this.#held += change
    const { maxBufferedBytes = Infinity } = this.limits
    while (this.#held > maxBufferedBytes) {
      const largest = this.#nextLargest(clock.now())
      if (largest === undefined) return
      coreOf(largest.channel).reset(this.#bufferedError(largest, maxBufferedBytes))
      largest.release()
    }
  }

  #bufferedError({ held, arrived }: ChannelUsage, limit: number): ChannelError {
    return 2 * arrived > held
      ? new ChannelError('RATE_LIMITED', `over ${limit} bytes that came on ${this.#name} wait to be received, ${most}`)
      : new ChannelError('PEER_TOO_SLOW', `over ${limit} bytes wait to be sent on ${this.#name}, ${most}`)
  }

  /** A flood over many channels ends many of them. One walk over all channels finds several, and walks are rare. */
  #nextLargest(now: number): ChannelUsage | undefined {
    if (now - this.#largestAt > maxAgeOfLargest) this.#largest = []
    for (let isNew = false; ; isNew = true) {
      for (let usage = this.#largest.pop(); usage !== undefined; usage = this.#largest.pop()) {
        if (usage.isOpen && usage.held > 0) return usage
      }
      if (isNew) return undefined
      this.#largest = this.#findLargest(now)
      this.#largestAt = now
    }
  }

  #findLargest(now: number): ChannelUsage[] {
    const rankOf = (usage: ChannelUsage): number =>
      (usage.isStalled(now) ? Number.MAX_SAFE_INTEGER / 2 : 0) + usage.held
    let found: ChannelUsage[] = []
    const cut = (): ChannelUsage[] => found.toSorted((left, right) => rankOf(left) - rankOf(right)).slice(-maxLargest)
    for (const usage of this.#usages) {
      if (usage.held === 0 || !usage.isOpen || !usage.quotas.includes(this)) continue
      found.push(usage)
      if (found.length === 2 * maxLargest) found = cut()
    }
    return cut()
  }

  onMessage(second: number, from: ChannelUsage): void {
    const { maxMessagesPerSecond } = this.limits
    if (maxMessagesPerSecond === undefined) return
    if (this.#second !== second) {
      this.#second = second
      this.#messages = 0
      this.#receivers = []
      this.#ranking = undefined
    }
    this.#messages += 1
    if (from.messages === 1) this.#receivers.push(from)
    this.#ranking?.add(from, from.messages)
    if (this.#messages <= maxMessagesPerSecond) return
    const busiest = this.#takeBusiest(second, from)
    const count = busiest.messagesIn(second)
    busiest.messages = 0
    for (const quota of busiest.quotas) quota.#forget(second, count)
    if (busiest.session !== undefined) busiest.session.exceededIn = second
    const message = `more than ${maxMessagesPerSecond} messages a second came on ${this.#name}, ${most}`
    coreOf(busiest.channel).closeWithError(new ChannelError('RATE_LIMITED', message))
  }

  /**
   * Removes and returns the channel that received most: `from`, if it is one of several. A flood over many channels
   * ends many of them, and one walk a second serves them all.
   */
  #takeBusiest(second: number, from: ChannelUsage): ChannelUsage {
    if (this.#ranking === undefined) {
      this.#ranking = new Ranking((usage) => (usage.isOpen ? usage.messagesIn(second) : 0))
      for (const usage of this.#receivers) this.#ranking.add(usage, usage.messagesIn(second))
      this.#receivers = []
    }
    return this.#ranking.takeFirst(from) ?? from
  }

  /** Stops counting the messages of a channel that was ended: the other channels did not cause them. */
  #forget(second: number, count: number): void {
    if (this.#second === second) this.#messages = Math.max(0, this.#messages - count)
  }
}

const most = 'most of them on this channel'

/** Maximum number of channels that one walk finds. */
const maxLargest = 64

/** How long the result of a walk is used. Unit: milliseconds. */
const maxAgeOfLargest = 100

/** The current second, as rates count them. */
export function secondOf(clock: Clock): number {
  return Math.floor(clock.now() / 1_000)
}

import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import type { Clock } from '../runtime/clock.ts'
import { checkLimit, givenOf } from '../options.ts'
import { ChannelError } from '../errors.ts'
import { Ranking } from './ranking.ts'

/** Limits of several channels together. Where one is not given, there is none but the default. */
export interface QuotaLimits {
  /** How many there may be at once. One more is refused: with 429 where a connection has too many, with 503 otherwise. */
  readonly maxChannels?: number | undefined
  /**
   * How much memory all of them may hold for messages under way: for what was sent and has not left this process, and for
   * what has arrived and nobody has received, be it a whole message or a part. Beyond it, the channel that holds most is cut off:
   * with `PEER_TOO_SLOW`, or with `RATE_LIMITED` where it is mostly what has arrived. Channels that have got nothing out of the
   * way for a second come first. What each channel reads ahead, up to 96 KiB, does not count. Unit: bytes.
   */
  readonly maxBufferedBytes?: number | undefined
  /**
   * How many messages may be handed out on all of them within a second, as seconds are counted since the process began. One
   * more ends the channel on which most came within that second, with `RATE_LIMITED`; they count no more, and its connection
   * gets no further channel before the next second. It costs some time for each message. Control frames do not count.
   */
  readonly maxMessagesPerSecond?: number | undefined
}

/** Throws `INVALID_ARGUMENT` for a limit that is none. */
export function shareLimits(name: string, given: QuotaLimits | undefined, defaults: QuotaLimits = {}): QuotaLimits {
  for (const [limit, value] of Object.entries(givenOf(given))) checkLimit(`${name}.${limit}`, value)
  return { ...defaults, ...givenOf(given) }
}

/** What one channel has of its shares. */
export class Member {
  readonly channel: Channel<unknown, unknown>
  readonly shares: readonly Share[]
  /** That of its connection. */
  readonly session: Share
  readonly #clock: Clock
  /** How much memory it holds for messages under way, and how much of that for what has arrived. Unit: bytes. */
  held = 0
  arrived = 0
  /** How many messages came on it within `second`. */
  messages = 0
  #second = 0
  /** When something left last, or the first came. */
  #progressAt = 0
  #isOver = false

  constructor(channel: Channel<unknown, unknown>, shares: readonly Share[], session: Share, clock: Clock) {
    this.channel = channel
    this.shares = shares
    this.session = session
    this.#clock = clock
  }

  /** Whether it may be ended for what it has. */
  get isThere(): boolean {
    return !this.#isOver && coreOf(this.channel).outcome === undefined
  }

  onHeld(change: number): void {
    if (this.#isOver) return
    if (change < 0 || this.held === 0) this.#progressAt = this.#clock.now()
    this.held += change
    for (const share of this.shares) share.onHeld(change, this.#clock)
  }

  onArrived(change: number): void {
    this.arrived += change
    this.onHeld(change)
  }

  isStalled(now: number): boolean {
    return now - this.#progressAt > 1_000
  }

  /** It is over, or as good as: it has nothing any more. */
  leave(): void {
    if (this.#isOver) return
    this.onHeld(-this.held)
    this.#isOver = true
  }

  onMessage(): void {
    const second = secondOf(this.#clock)
    this.messages = this.messagesIn(second) + 1
    this.#second = second
    for (const share of this.shares) share.onMessage(second, this)
  }

  messagesIn(second: number): number {
    return this.#second === second ? this.messages : 0
  }
}

/** Several channels that have limits together: those of a route, of a connection, or of a router. */
export class Share {
  readonly limits: QuotaLimits
  readonly #name: string
  /** Of all that there are; those of this share are among them. */
  readonly #members: Iterable<Member>
  #channels = 0
  #held = 0
  /** Those that held most a moment ago, the largest last. */
  #largest: Member[] = []
  #largestAt = 0
  #messages = 0
  #second = 0
  /** On whom messages came within `second`, in the order of their first. */
  #senders: Member[] = []
  /** The same by how many came on each, from the first channel on that is ended within `second`. */
  #ranking: Ranking<Member> | undefined
  /** The second in which one of its channels was ended for its messages. */
  exceededIn: number | undefined

  /** @param name - of whom it is, for errors: `all channels`. */
  constructor(name: string, limits: QuotaLimits, members: Iterable<Member>) {
    this.#name = name
    this.limits = limits
    this.#members = members
  }

  /** Why there is no place for one more channel, if so. */
  get fullness(): string | undefined {
    const { maxChannels = Infinity } = this.limits
    return this.#channels < maxChannels ? undefined : `there are ${maxChannels} channels of ${this.#name} already`
  }

  take(): void {
    this.#channels += 1
  }

  release(): void {
    this.#channels -= 1
  }

  onHeld(change: number, clock: Clock): void {
    this.#held += change
    const { maxBufferedBytes = Infinity } = this.limits
    while (this.#held > maxBufferedBytes) {
      const largest = this.#takeLargest(clock.now())
      if (largest === undefined) return
      coreOf(largest.channel).reset(this.#tooMuch(largest, maxBufferedBytes))
      largest.leave()
    }
  }

  #tooMuch({ held, arrived }: Member, limit: number): ChannelError {
    return 2 * arrived > held
      ? new ChannelError(
          'RATE_LIMITED',
          `over ${limit} bytes that came on ${this.#name} wait to be received, and most of them here`,
        )
      : new ChannelError('PEER_TOO_SLOW', `over ${limit} bytes wait to be sent on ${this.#name}, and most of them here`)
  }

  /** A flood over many channels ends many of them: one walk over all finds several, and there are few walks a second. */
  #takeLargest(now: number): Member | undefined {
    if (now - this.#largestAt > longestUse) this.#largest = []
    for (let isNew = false; ; isNew = true) {
      for (let member = this.#largest.pop(); member !== undefined; member = this.#largest.pop()) {
        if (member.isThere && member.held > 0) return member
      }
      if (isNew) return undefined
      this.#largest = this.#findLargest(now)
      this.#largestAt = now
    }
  }

  #findLargest(now: number): Member[] {
    const rankOf = (member: Member): number => (member.isStalled(now) ? Number.MAX_SAFE_INTEGER / 2 : 0) + member.held
    let found: Member[] = []
    const cut = (): Member[] => found.toSorted((left, right) => rankOf(left) - rankOf(right)).slice(-mostFound)
    for (const member of this.#members) {
      if (member.held === 0 || !member.isThere || !member.shares.includes(this)) continue
      found.push(member)
      if (found.length === 2 * mostFound) found = cut()
    }
    return cut()
  }

  onMessage(second: number, from: Member): void {
    const { maxMessagesPerSecond } = this.limits
    if (maxMessagesPerSecond === undefined) return
    if (this.#second !== second) {
      this.#second = second
      this.#messages = 0
      this.#senders = []
      this.#ranking = undefined
    }
    this.#messages += 1
    if (from.messages === 1) this.#senders.push(from)
    this.#ranking?.add(from, from.messages)
    if (this.#messages <= maxMessagesPerSecond) return
    const busiest = this.#takeBusiest(second, from)
    const count = busiest.messagesIn(second)
    busiest.messages = 0
    for (const share of busiest.shares) share.#forget(second, count)
    busiest.session.exceededIn = second
    const message = `more than ${maxMessagesPerSecond} messages a second came on ${this.#name}, and most of them here`
    coreOf(busiest.channel).closeWithError(new ChannelError('RATE_LIMITED', message))
  }

  /** The one on which most came, and of several such ones `from`. A flood over many channels ends many: all of them cost one walk a second. */
  #takeBusiest(second: number, from: Member): Member {
    if (this.#ranking === undefined) {
      this.#ranking = new Ranking((member) => (member.isThere ? member.messagesIn(second) : 0))
      for (const member of this.#senders) this.#ranking.add(member, member.messagesIn(second))
      this.#senders = []
    }
    return this.#ranking.takeFirst(from) ?? from
  }

  /** What a channel that was ended has sent counts no more: the others did not send it. */
  #forget(second: number, count: number): void {
    if (this.#second === second) this.#messages = Math.max(0, this.#messages - count)
  }
}

/** How many of the largest channels one walk finds. */
const mostFound = 64

/** For how long what a walk found is used. Unit: milliseconds. */
const longestUse = 100

/** In which second it is, as they are counted for rates. */
export function secondOf(clock: Clock): number {
  return Math.floor(clock.now() / 1_000)
}

import type { Channel } from './channel.ts'
import { breakOff, cutOff, outcomeOf } from './channel.ts'
import type { Clock } from './clock.ts'
import { checkLimit, givenOf } from './defaults.ts'
import { ChannelError } from './errors.ts'
import { Ranking } from './ranking.ts'

/** Limits of several channels together. Where one is not given, there is none but the default. */
export interface ShareLimits {
  /** How many there may be at once. One more is refused: with 429 where a connection has too many, with 503 otherwise. */
  readonly maxChannels?: number | undefined
  /**
   * How much that was sent on all of them may not have left this process. What is more cuts off the channel that has most of
   * it, with `PEER_TOO_SLOW`: of those from which nothing has left for a second, if there are any. Unit: bytes.
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
export function shareLimits(name: string, given: ShareLimits | undefined, defaults: ShareLimits = {}): ShareLimits {
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
  /** How much of it waits to be sent. Unit: bytes. */
  buffered = 0
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
    return !this.#isOver && outcomeOf(this.channel) === undefined
  }

  onBuffered(change: number): void {
    if (this.#isOver) return
    if (change < 0 || this.buffered === 0) this.#progressAt = this.#clock.now()
    this.buffered += change
    for (const share of this.shares) share.onBuffered(change, this.#clock)
  }

  isStalled(now: number): boolean {
    return now - this.#progressAt > 1_000
  }

  /** It is over, or as good as: it has nothing any more. */
  leave(): void {
    if (this.#isOver) return
    this.onBuffered(-this.buffered)
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
  readonly limits: ShareLimits
  readonly #name: string
  /** Of all that there are; those of this share are among them. */
  readonly #members: Iterable<Member>
  #channels = 0
  #buffered = 0
  #messages = 0
  #second = 0
  /** On whom messages came within `second`, in the order of their first. */
  #senders: Member[] = []
  /** The same by how many came on each, from the first channel on that is ended within `second`. */
  #ranking: Ranking<Member> | undefined
  /** The second in which one of its channels was ended for its messages. */
  exceededIn: number | undefined

  /** @param name - of whom it is, for errors: `all channels`. */
  constructor(name: string, limits: ShareLimits, members: Iterable<Member>) {
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

  onBuffered(change: number, clock: Clock): void {
    this.#buffered += change
    const { maxBufferedBytes = Infinity } = this.limits
    while (this.#buffered > maxBufferedBytes) {
      const now = clock.now()
      const largest =
        this.#largest((member) => (member.isStalled(now) ? member.buffered : 0)) ??
        this.#largest(({ buffered }) => buffered)
      if (largest === undefined) return
      const message = `more than ${maxBufferedBytes} bytes wait to be sent on ${this.#name}, and most of them here`
      cutOff(largest.channel, new ChannelError('PEER_TOO_SLOW', message))
      largest.leave()
    }
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
    breakOff(busiest.channel, new ChannelError('RATE_LIMITED', message))
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

  /** Of those that have anything, and are there. */
  #largest(sizeOf: (member: Member) => number): Member | undefined {
    let largest: Member | undefined
    let most = 0
    for (const member of this.#members) {
      const size = sizeOf(member)
      if (size <= most || !member.isThere || !member.shares.includes(this)) continue
      largest = member
      most = size
    }
    return largest
  }
}

/** In which second it is, as they are counted for rates. */
export function secondOf(clock: Clock): number {
  return Math.floor(clock.now() / 1_000)
}

import type { Clock } from './clock.ts'

/** What a heartbeat asks of its channel, and tells it. */
export interface HeartbeatEvents {
  /** Since when this side has waited for bytes of the peer, on the channel's clock. `undefined` while it does not read. */
  quietSince(): number | undefined
  /** Sends a ping, unless it can't, or there are bytes still to be sent that show as much. Returns whether it did. */
  ping(opaque: Uint8Array): boolean
  /** Nothing came for so long, in milliseconds. Called once, as the last. */
  onSilent(silence: number): void
}

export interface HeartbeatTimes {
  readonly heartbeatInterval: number
  readonly heartbeatTimeout: number
}

// Given by the class: a function of its own for each would stay with every idle channel.
let beat: (heartbeat: Heartbeat) => void

/**
 * Keeps a channel alive through whatever lies between its ends, and finds out when the peer is gone:
 *
 * - It pings when `heartbeatInterval` has passed since the last ping, this side's or the peer's. A peer that pings is
 *   answered, and so has no need to be pinged: mostly one side pings, and the other answers.
 * - The peer is silent when nothing at all came from it for `heartbeatInterval` and `heartbeatTimeout` together. That counts only
 *   while this side reads: of a peer whose bytes are not taken nothing can be known. A peer that does not read answers no pings,
 *   but it goes on with its own.
 */
export class Heartbeat {
  readonly #clock: Clock
  readonly #times: HeartbeatTimes
  readonly #events: HeartbeatEvents
  #timer: unknown
  /** When the next ping is due. */
  #due: number
  #firesAt = 0
  /** When this process, as its timers say, last went on after it had stood still. */
  #wokeAt = -Infinity
  #count = 0
  /** When the last ping left, until it is answered. */
  #pingedAt: number | undefined
  #roundTrip: number | undefined

  constructor(clock: Clock, times: HeartbeatTimes, events: HeartbeatEvents) {
    this.#clock = clock
    this.#times = times
    this.#events = events
    this.#due = clock.now() + this.#pause()
    this.#schedule()
  }

  /** How long the last ping and its answer took. Unit: milliseconds. */
  get roundTrip(): number | undefined {
    return this.#roundTrip
  }

  /** The peer has sent a ping, and will again: a little more patience, so that both do not go on at the same time. */
  onPing(): void {
    const { heartbeatInterval, heartbeatTimeout } = this.#times
    this.#due = this.#clock.now() + heartbeatInterval + heartbeatTimeout / 2
  }

  onPong(opaque: Uint8Array): void {
    if (this.#pingedAt === undefined || !isNumber(opaque, this.#count)) return
    this.#roundTrip = this.#clock.now() - this.#pingedAt
    this.#pingedAt = undefined
  }

  stop(): void {
    this.#clock.clearTimer(this.#timer)
  }

  #beat(): void {
    const now = this.#clock.now()
    const { heartbeatInterval, heartbeatTimeout } = this.#times
    // Whoever slept has heard nothing meanwhile, but what came may lie in the socket.
    if (now - this.#firesAt > heartbeatTimeout / 10) this.#wokeAt = now
    if (now >= this.#silentAt(now)) {
      this.#events.onSilent(heartbeatInterval + heartbeatTimeout)
      return
    }
    if (now >= this.#due) {
      this.#due = now + this.#pause()
      this.#count = (this.#count + 1) % 2 ** 32
      this.#pingedAt = this.#events.ping(numbered(this.#count)) ? now : undefined
    }
    this.#schedule()
  }

  #schedule(): void {
    const now = this.#clock.now()
    const delay = Math.max(1, Math.ceil(Math.min(this.#due, this.#silentAt(now)) - now))
    this.#firesAt = now + delay
    this.#timer = this.#clock.setTimer(beat, delay, this)
  }

  /** When the peer is silent, if nothing comes by then. */
  #silentAt(now: number): number {
    const { heartbeatInterval, heartbeatTimeout } = this.#times
    const since = this.#events.quietSince() ?? now
    return Math.max(since + heartbeatInterval, this.#wokeAt) + heartbeatTimeout
  }

  /** Not always the same, so that the channels of a process do not all ping at once, nor both ends of one. */
  #pause(): number {
    return this.#times.heartbeatInterval * (0.8 + 0.2 * Math.random())
  }

  static {
    beat = (heartbeat) => heartbeat.#beat()
  }
}

function numbered(count: number): Uint8Array {
  return Uint8Array.of(count >>> 24, count >>> 16, count >>> 8, count)
}

function isNumber(opaque: Uint8Array, count: number): boolean {
  const expected = numbered(count)
  return opaque.length === expected.length && expected.every((byte, index) => byte === opaque[index])
}

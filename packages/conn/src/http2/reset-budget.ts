import type { Http2Stream } from 'node:http2'

import { resetStream } from './http2-stream.ts'
import { clearTimeout, now, setTimeout } from '../runtime/timers.ts'

/**
 * How many resets a client sends on one connection: this many at once, and this many a second after that. A server
 * built on nghttp2, as Node's is, accepts 1,000 and then 33 a second, and ends the connection at the next one
 * (CVE-2023-44487). The margin is for resets that arrive together because the network delayed them.
 */
const maxBurst = 500
const maxPerSecond = 30

/** How many resets may wait before their connection gets no further requests. */
export const maxWaitingResets = 500

/** Sends the resets of one client connection, no faster than a server accepts them. */
export class ResetBudget {
  /** The codes of the streams whose reset waits, in order. */
  readonly waiting: Map<Http2Stream, number> = new Map()
  #allowed = maxBurst
  #countedAt = now()
  #timer: NodeJS.Timeout | undefined

  /** Resets a stream now or later. Returns whether it did so now. */
  add(stream: Http2Stream, code: number): boolean {
    this.#count()
    if (this.waiting.size === 0 && this.#allowed >= 1) {
      this.#allowed -= 1
      resetStream(stream, code)
      return true
    }
    this.waiting.set(stream, code)
    this.#timer ??= this.#schedule()
    return false
  }

  /** Forgets a stream that has closed. */
  forget(stream: Http2Stream): void {
    if (!this.waiting.delete(stream) || this.waiting.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Sends all resets that wait, on a connection that has no other streams to lose. */
  flush(): void {
    this.#allowed = this.waiting.size
    this.#send()
  }

  #count(): void {
    const at = now()
    this.#allowed = Math.min(maxBurst, this.#allowed + ((at - this.#countedAt) / 1_000) * maxPerSecond)
    this.#countedAt = at
  }

  #send(): void {
    for (const [stream, code] of this.waiting) {
      if (this.#allowed < 1) return
      this.#allowed -= 1
      this.forget(stream)
      resetStream(stream, code)
    }
  }

  /** The timer keeps no process alive: the end of the process resets all streams. */
  #schedule(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#count()
      this.#send()
      this.#timer = this.waiting.size > 0 ? this.#schedule() : undefined
    }, 1_000 / maxPerSecond).unref()
  }
}

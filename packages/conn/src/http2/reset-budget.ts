import type { Http2Stream } from 'node:http2'

import { resetStream } from './http2-stream.ts'
import { clearTimeout, now, setTimeout } from '../runtime/timers.ts'

/**
 * How many resets a client sends on one connection: this many at once, and this many a second after them. A server that is made with
 * nghttp2, as Node's is, takes 1,000 and then 33 a second, and ends the connection for one more (CVE-2023-44487). What is left
 * between is for resets that come in a heap because the network held them up.
 */
const burst = 500
const perSecond = 30

/** How many may wait before their connection is given no further request. */
export const mostWaiting = 500

/** The streams of one connection that are to be reset. */
export class Resets {
  /** Of the streams that wait, in order. */
  readonly #codes = new Map<Http2Stream, number>()
  #allowed = burst
  #countedAt = now()
  #timer: NodeJS.Timeout | undefined

  get waiting(): number {
    return this.#codes.size
  }

  /** Resets a stream, or has it wait for that. Returns whether it was reset. */
  add(stream: Http2Stream, code: number): boolean {
    this.#count()
    if (this.#codes.size === 0 && this.#allowed >= 1) {
      this.#allowed -= 1
      resetStream(stream, code)
      return true
    }
    this.#codes.set(stream, code)
    this.#timer ??= this.#schedule()
    return false
  }

  /** It has ended by itself, or with its connection. */
  forget(stream: Http2Stream): void {
    if (!this.#codes.delete(stream) || this.#codes.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Resets all that wait, on a connection that has nothing else to lose. */
  flush(): void {
    this.#allowed = this.#codes.size
    this.#send()
  }

  #count(): void {
    const at = now()
    this.#allowed = Math.min(burst, this.#allowed + ((at - this.#countedAt) / 1_000) * perSecond)
    this.#countedAt = at
  }

  #send(): void {
    for (const [stream, code] of this.#codes) {
      if (this.#allowed < 1) return
      this.#allowed -= 1
      this.forget(stream)
      resetStream(stream, code)
    }
  }

  /** Keeps no process alive: its end resets all streams. */
  #schedule(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#count()
      this.#send()
      this.#timer = this.#codes.size > 0 ? this.#schedule() : undefined
    }, 1_000 / perSecond).unref()
  }
}

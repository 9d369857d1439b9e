/** A carrier without a network: the test says which bytes arrive when, and where it breaks. */
import type { Conn, Transport, TransportEvents } from '@h2channel/conn/web'
import { ConnError, StreamConn } from '@h2channel/conn/web'

import { later } from '../../src/runtime/clock.ts'

/** One end. What it writes lies in `out` until the test delivers it. */
class End implements Transport {
  readonly out: Uint8Array[] = []
  outBytes = 0
  hasEnded = false
  isOpen = true
  peer: End = this
  #events: TransportEvents | undefined
  #inbox: Uint8Array[] = []
  #flowing = false
  #pending: ((isReleased: boolean) => void)[] = []

  start(events: TransportEvents): void {
    this.#events = events
  }

  resume(): void {
    this.#flowing = true
    for (let chunk = this.#inbox.shift(); chunk !== undefined; chunk = this.#inbox.shift()) this.#events?.chunk(chunk)
  }

  pause(): void {
    this.#flowing = false
  }

  write(bytes: Uint8Array, done?: (isReleased: boolean) => void): boolean {
    // As the kernel does: a change of the bytes afterwards changes nothing. The `slice` of a Buffer copies nothing.
    this.out.push(new Uint8Array(bytes))
    this.outBytes += bytes.length
    if (done !== undefined) this.#pending.push(done)
    return true
  }

  end(): void {
    this.hasEnded = true
    if (this.outBytes === 0) this.deliverEnd()
  }

  destroy(error: ConnError | null): void {
    this.cut(error ?? undefined)
    this.peer.cut(undefined)
  }

  /** The writes so far are handed on. */
  handOn(): void {
    for (const done of this.#pending.splice(0)) done(true)
  }

  /** Up to `count` bytes arrive at the other end. */
  deliver(count: number): void {
    let left = count
    while (left > 0 && this.isOpen) {
      const first = this.out.shift()
      if (first === undefined) break
      const part = first.subarray(0, left)
      if (part.length < first.length) this.out.unshift(first.subarray(part.length))
      this.outBytes -= part.length
      left -= part.length
      this.peer.#arrive(part)
    }
    if (this.outBytes === 0 && this.hasEnded) this.deliverEnd()
  }

  /** What this end has written is lost, and it does not learn of it. */
  swallow(): void {
    this.out.length = 0
    this.outBytes = 0
  }

  deliverEnd(): void {
    this.#events?.finish()
    if (this.peer.isOpen) this.peer.#events?.end()
    this.#closeWhenDone()
    this.peer.#closeWhenDone()
  }

  cut(error: ConnError | undefined): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.out.length = 0
    this.outBytes = 0
    const lost = error ?? new ConnError('CONNECTION_LOST', 'the test has cut the carrier')
    later(() => this.#events?.close(lost))
  }

  #arrive(part: Uint8Array): void {
    if (!this.isOpen) return
    if (this.#flowing) this.#events?.chunk(part)
    else this.#inbox.push(part)
  }

  #closeWhenDone(): void {
    if (!this.isOpen || !this.hasEnded || !this.peer.hasEnded || this.outBytes + this.peer.outBytes > 0) return
    this.isOpen = false
    later(() => this.#events?.close())
  }
}

/** A carrier between two sides: 0, the client, and 1, the server. */
export class SimulatedCarrier {
  readonly ends: readonly [End, End] = [new End(), new End()]
  readonly conns: readonly [Conn, Conn]

  constructor() {
    this.ends[0].peer = this.ends[1]
    this.ends[1].peer = this.ends[0]
    this.conns = [new StreamConn(this.ends[0]), new StreamConn(this.ends[1])]
  }

  get isOpen(): boolean {
    return this.ends[0].isOpen || this.ends[1].isOpen
  }
}

import { inOwnMemory } from '@h2channel/conn/internal'

import { protocolError } from './records.ts'

/** Chunks below this size are gathered while no read waits: each would be an object. Unit: bytes. */
const smallBelow = 1_024

/** The memory that gathers small chunks. Unit: bytes. */
const gatherSize = 4_096

/** What a link has received. Pure. Offsets count bytes of data, and one for the end. */
export class Inbox {
  readonly #window: number
  /** How far whole records have arrived. */
  received = 0
  /** How far the layer above has taken them. */
  consumed = 0
  /** How far the peer knows of that. */
  told = 0
  hasEnd = false
  #chunks: Uint8Array[] = none
  /** Gathers small chunks, as the last of `#chunks`. */
  #gathering: Uint8Array | undefined
  #gathered = 0
  held = 0

  /** @param window - how many bytes may wait here. */
  constructor(window: number) {
    this.#window = window
  }

  get isEmpty(): boolean {
    return this.#chunks === none
  }

  /** Whether the peer could soon have to wait for an acknowledgement. */
  get owesAck(): boolean {
    return this.consumed - this.told >= this.#window / 2
  }

  /** Returns how far the layer above has taken them, which the peer then knows. */
  tell(): number {
    this.told = this.consumed
    return this.told
  }

  /**
   * A record of data has arrived.
   *
   * @throws ConnError `PROTOCOL_ERROR` for more than the window, or anything after the end.
   */
  receive(length: number): void {
    if (this.hasEnd) throw protocolError('the peer sent more after the end of its half')
    this.received += length
    if (this.received - this.consumed > this.#window) {
      throw protocolError(`the peer sent more than the window of ${this.#window} bytes`)
    }
  }

  /** The end has arrived, which takes one place. Throws as {@link receive} does. */
  receiveEnd(): void {
    this.receive(1)
    this.hasEnd = true
  }

  /** Keeps a part of a record until it is asked for. */
  hold(chunk: Uint8Array): void {
    if (this.#chunks === none) this.#chunks = []
    this.held += chunk.length
    if (chunk.length >= smallBelow) {
      this.#gathering = undefined
      this.#chunks.push(inOwnMemory(chunk))
      return
    }
    const room = this.#gathering === undefined ? 0 : this.#gathering.length - this.#gathered
    if (this.#gathering === undefined || chunk.length > room) {
      this.#gathering = new Uint8Array(gatherSize)
      this.#gathered = 0
      this.#chunks.push(this.#gathering)
    }
    this.#gathering.set(chunk, this.#gathered)
    this.#gathered += chunk.length
    this.#chunks[this.#chunks.length - 1] = this.#gathering.subarray(0, this.#gathered)
  }

  /** Takes the next chunk: it counts as consumed. */
  take(): Uint8Array | undefined {
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return undefined
    if (this.#chunks.length === 0) {
      this.#chunks = none
      this.#gathering = undefined
    }
    this.held -= chunk.length
    this.consumed += chunk.length
    return chunk
  }

  /** Drops what is held: it counts as consumed. */
  discard(): void {
    this.#chunks = none
    this.#gathering = undefined
    this.consumed += this.held
    this.held = 0
  }
}

/** The chunks of every inbox that has none. Never written to. */
const none: Uint8Array[] = []

import type { Conn } from '../core/conn.ts'
import { StreamConn } from '../core/stream-conn.ts'
import type { CloseTimeouts } from '../limits.ts'
import { connDefaults } from '../limits.ts'
import { ConnError } from '../errors.ts'
import { inOwnMemory } from '../core/own-memory.ts'
import { queueMicrotask } from '../runtime/timers.ts'
import type { Transport, TransportEvents } from '../core/transport.ts'

export interface PipeOptions extends CloseTimeouts {
  /** How much each end takes before it has no room. Unit: bytes. */
  readonly highWaterMark?: number | undefined
}

/**
 * Two conns joined in memory: what one writes, the other reads. They behave as two ends of a network do, so that what is
 * tested over them holds over a socket.
 *
 * @example
 * ```ts
 * const [client, server] = pipe()
 * await client.write(bytes)
 * const same = await server.read()
 * ```
 */
export function pipe(options: PipeOptions = {}): [Conn, Conn] {
  const highWaterMark = Math.max(1, options.highWaterMark ?? connDefaults.pipeBuffer)
  const left = new PipeEnd(highWaterMark)
  const right = new PipeEnd(highWaterMark)
  left.join(right)
  right.join(left)
  return [new StreamConn(left, options), new StreamConn(right, options)]
}

/**
 * One end. What the other end wrote stands in its inbox, and is handed out in a turn of its own, as a network would: a
 * program that only ever awaits the two ends of a pipe would otherwise keep timers and I/O from running.
 */
class PipeEnd implements Transport {
  readonly #highWaterMark: number
  #peer: PipeEnd = this
  #events: TransportEvents = silent
  #inbox: (Uint8Array | null)[] = []
  #inboxBytes = 0
  #flowing = false
  #scheduled = false
  #wroteEnd = false
  #readEnd = false
  #over = false

  constructor(highWaterMark: number) {
    this.#highWaterMark = highWaterMark
  }

  join(peer: PipeEnd): void {
    this.#peer = peer
  }

  start(events: TransportEvents): void {
    this.#events = events
  }

  resume(): void {
    this.#flowing = true
    this.#schedule()
  }

  pause(): void {
    this.#flowing = false
  }

  /** Bytes are handed on when they stand in the inbox, as those are that a network has taken. */
  write(bytes: Uint8Array, done?: (isReleased: boolean) => void): boolean {
    const hasRoom = this.#peer.#receive(inOwnMemory(bytes))
    done?.(false)
    return hasRoom
  }

  end(): void {
    this.#wroteEnd = true
    this.#peer.#receive(null)
    queueMicrotask(() => {
      this.#events.finish()
      this.#closeWhenDone()
    })
  }

  destroy(error: ConnError | null): void {
    const reset = new ConnError('RESET', 'the other end of the pipe broke off', { cause: error })
    this.#close(error ?? reset)
    if (error === null) queueMicrotask(() => this.#peer.#closeAfterInbox(reset))
    else this.#peer.#close(reset)
  }

  /** The other end has ended its half and wants no more: what it wrote is handed over, wanted or not. */
  #closeAfterInbox(reset: ConnError): void {
    for (const item of this.#inbox) {
      if (item === null) this.#events.end()
      else this.#events.chunk(item)
    }
    this.#close(reset)
  }

  #receive(item: Uint8Array | null): boolean {
    this.#inbox.push(item)
    this.#inboxBytes += item?.length ?? 0
    this.#schedule()
    return this.#inboxBytes < this.#highWaterMark
  }

  #schedule(): void {
    if (this.#scheduled || !this.#flowing) return
    this.#scheduled = true
    later(() => {
      this.#scheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    while (this.#flowing && !this.#over) {
      const item = this.#inbox.shift()
      if (item === undefined) return
      if (item === null) {
        this.#readEnd = true
        this.#events.end()
        this.#closeWhenDone()
        return
      }
      const wasFull = this.#inboxBytes >= this.#highWaterMark
      this.#inboxBytes -= item.length
      this.#events.chunk(item)
      if (wasFull && this.#inboxBytes < this.#highWaterMark) this.#peer.#events.drain()
    }
  }

  #closeWhenDone(): void {
    if (this.#wroteEnd && this.#readEnd) this.#close(new ConnError('CONNECTION_LOST', 'the pipe is over'))
  }

  #close(error: ConnError): void {
    if (this.#over) return
    this.#over = true
    this.#inbox = []
    queueMicrotask(() => this.#events.close(error))
  }
}

const silent: TransportEvents = { chunk() {}, end() {}, drain() {}, finish() {}, close() {} }

/** Taken when the module is loaded, so that a test's fake timers don't stop the pipe. */
const { setImmediate, setTimeout } = globalThis as {
  readonly setImmediate?: (task: () => void) => unknown
  readonly setTimeout: (task: () => void, delay: number) => unknown
}
const later = setImmediate ?? ((task: () => void): unknown => setTimeout(task, 0))

import type { Conn } from '../core/conn.ts'
import { inOwnMemory } from '../core/own-memory.ts'
import { StreamConn } from '../core/stream-conn.ts'
import type { Transport, TransportEvents } from '../core/transport.ts'
import { ConnError } from '../errors.ts'
import type { CloseTimeouts } from '../limits.ts'
import { connDefaults } from '../limits.ts'
import { queueMicrotask } from '../runtime/timers.ts'

/** The options of {@link pipe}. */
export interface PipeOptions extends CloseTimeouts {
  /** How many bytes each end accepts before it has no room. Default: 64 KiB. */
  readonly highWaterMark?: number | undefined
}

/**
 * Joins two conns in memory: one reads what the other writes. They behave like two ends of a network, so that a test
 * over a pipe also holds for a socket.
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
  left.peer = right
  right.peer = left
  return [new StreamConn(left, options), new StreamConn(right, options)]
}

/**
 * One end. The other end writes into its inbox, which is delivered in a later turn of the event loop, as by a network.
 * Otherwise a program that only awaits the two ends would keep timers and I/O from running.
 */
class PipeEnd implements Transport {
  readonly #highWaterMark: number
  peer: PipeEnd = this
  #events: TransportEvents = silent
  #inbox: (Uint8Array | null)[] = []
  #inboxBytes = 0
  #flowing = false
  #scheduled = false
  #wroteEnd = false
  #readEnd = false
  #closed = false

  constructor(highWaterMark: number) {
    this.#highWaterMark = highWaterMark
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

  /** Bytes in the inbox count as handed on, like bytes that a network has accepted. */
  write(bytes: Uint8Array, done?: (isReleased: boolean) => void): boolean {
    const hasRoom = this.peer.#receive(inOwnMemory(bytes))
    done?.(false)
    return hasRoom
  }

  end(): void {
    this.#wroteEnd = true
    this.peer.#receive(null)
    queueMicrotask(() => {
      this.#events.finish()
      this.#closeWhenDone()
    })
  }

  destroy(error: ConnError | null): void {
    const reset = new ConnError('RESET', 'the other end of the pipe broke off', { cause: error })
    this.#close(error ?? reset)
    if (error === null) queueMicrotask(() => this.peer.#closeAfterInbox(reset))
    else this.peer.#close(reset)
  }

  /** The other end has ended its half and reads no more. What it wrote is delivered first, even without a read. */
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
    nextTurn(() => {
      this.#scheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    while (this.#flowing && !this.#closed) {
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
      if (wasFull && this.#inboxBytes < this.#highWaterMark) this.peer.#events.drain()
    }
  }

  #closeWhenDone(): void {
    if (this.#wroteEnd && this.#readEnd) this.#close(new ConnError('CONNECTION_LOST', 'the pipe has ended'))
  }

  #close(error: ConnError): void {
    if (this.#closed) return
    this.#closed = true
    this.#inbox = []
    queueMicrotask(() => this.#events.close(error))
  }
}

const silent: TransportEvents = { chunk() {}, end() {}, drain() {}, finish() {}, close() {} }

/** Taken when the module is loaded, so that fake timers of a test do not stop the pipe. */
const { setImmediate, setTimeout } = globalThis as {
  readonly setImmediate?: (task: () => void) => unknown
  readonly setTimeout: (task: () => void, delay: number) => unknown
}
const nextTurn = setImmediate ?? ((task: () => void): unknown => setTimeout(task, 0))

import type { Conn } from '../core/conn.ts'
import { ConnError } from '../errors.ts'
import { StreamConn } from '../core/stream-conn.ts'
import type { CloseTimeouts } from '../limits.ts'
import { queueMicrotask } from '../runtime/timers.ts'
import type { Transport, TransportEvents } from '../core/transport.ts'

/** A readable and a writable stream of bytes: a WebTransport stream, a Deno connection, a pair of transforms. */
export interface WebStreams {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

/** Makes a conn of a pair of web streams. The conn locks both and owns them from then on. */
export function fromWebStreams(streams: WebStreams, timeouts?: CloseTimeouts): Conn {
  return new StreamConn(new WebTransport(streams), timeouts)
}

/**
 * Makes a pair of web streams of a conn. They own the conn from then on: closing the writable half is `closeWrite()`,
 * and cancelling or aborting either is `abort()`.
 */
export function toWebStreams(conn: Conn): WebStreams {
  return {
    readable: new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const chunk = await conn.read()
          if (chunk === null) controller.close()
          else controller.enqueue(alone(chunk))
        },
        cancel: (reason) => conn.abort(reason),
      },
      { highWaterMark: 0 },
    ),
    writable: new WritableStream<Uint8Array>({
      start(controller) {
        void conn.closed.then((closed) => {
          if (!closed.clean) controller.error(closed.error)
        })
      },
      write: (chunk) => conn.write(chunk),
      close: () => conn.closeWrite(),
      abort: (reason) => conn.abort(reason),
    }),
  }
}

/** Streams transfer their chunks, to workers say: what is only a part of its memory is copied, since others use the rest. */
function alone(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}

class WebTransport implements Transport {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>
  #flowing = false
  #pulling = false
  #readDone = false
  #writeDone = false
  #over = false
  #events: TransportEvents | undefined

  constructor({ readable, writable }: WebStreams) {
    this.#reader = readable.getReader()
    this.#writer = writable.getWriter()
  }

  start(events: TransportEvents): void {
    this.#events = events
    // Both settle when their half is over; a failure of either is a failure of the whole.
    this.#reader.closed.catch((error: unknown) => this.#lose(error))
    this.#writer.closed.catch((error: unknown) => this.#lose(error))
  }

  resume(): void {
    this.#flowing = true
    if (!this.#pulling && !this.#readDone) void this.#pull()
  }

  pause(): void {
    this.#flowing = false
  }

  write(bytes: Uint8Array, done?: (isReleased: boolean) => void): boolean {
    const chunk = alone(bytes)
    const isReleased = chunk !== bytes
    const written = this.#writer.write(chunk)
    written.catch((error: unknown) => this.#lose(error))
    if ((this.#writer.desiredSize ?? 0) > 0) {
      done?.(isReleased)
      return true
    }
    // With a high-water mark of 0 it is never ready: then there is one write at a time.
    Promise.race([this.#writer.ready, written]).then(
      () => {
        done?.(isReleased)
        this.#events?.drain()
      },
      (error: unknown) => this.#lose(error),
    )
    return false
  }

  end(): void {
    this.#writer.close().then(
      () => {
        this.#writeDone = true
        this.#events?.finish()
        this.#closeWhenDone()
      },
      (error: unknown) => this.#lose(error),
    )
  }

  destroy(error: ConnError | null): void {
    const reason = error ?? new ConnError('RESET', 'the conn was closed')
    this.#giveUp(reason)
    this.#close(reason)
  }

  async #pull(): Promise<void> {
    this.#pulling = true
    try {
      while (this.#flowing) {
        const { done, value } = await this.#reader.read()
        if (this.#over) return
        if (!done) {
          this.#events?.chunk(value)
          continue
        }
        this.#readDone = true
        this.#events?.end()
        this.#closeWhenDone()
        return
      }
    } catch (error) {
      this.#lose(error)
    } finally {
      this.#pulling = false
    }
  }

  #closeWhenDone(): void {
    if (this.#readDone && this.#writeDone) this.#close(lost(undefined))
  }

  #lose(error: unknown): void {
    this.#giveUp(error)
    this.#close(lost(error))
  }

  /** Tells both streams. What they answer matters no more. */
  #giveUp(reason: unknown): void {
    if (this.#over) return
    this.#reader.cancel(reason).catch(() => {})
    this.#writer.abort(reason).catch(() => {})
  }

  #close(error: ConnError): void {
    if (this.#over) return
    this.#over = true
    queueMicrotask(() => this.#events?.close(error))
  }
}

function lost(cause: unknown): ConnError {
  return new ConnError('CONNECTION_LOST', 'the stream closed before both halves had ended', { cause })
}

import type { Conn } from '../core/conn.ts'
import { StreamConn } from '../core/stream-conn.ts'
import type { Transport, TransportEvents } from '../core/transport.ts'
import { ConnError } from '../errors.ts'
import type { CloseTimeouts } from '../limits.ts'
import { queueMicrotask } from '../runtime/timers.ts'

/** A readable and a writable stream of bytes: a WebTransport stream, a Deno connection, a pair of transforms. */
export interface WebStreams {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

/** Makes a conn of a pair of web streams. The conn locks both streams and owns them. */
export function fromWebStreams(streams: WebStreams, timeouts?: CloseTimeouts): Conn {
  return new StreamConn(new WebTransport(streams), timeouts)
}

/**
 * Makes a pair of web streams of a conn. The streams own the conn: closing the writable half is `closeWrite()`, and
 * cancelling or aborting either half is `abort()`.
 */
export function toWebStreams(conn: Conn): WebStreams {
  return {
    readable: new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const chunk = await conn.read()
          if (chunk === null) controller.close()
          else controller.enqueue(transferable(chunk))
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

/**
 * Returns `bytes`, or a copy if they are only a part of their ArrayBuffer. Streams may transfer chunks, for example to
 * workers, and others use the rest of the ArrayBuffer.
 */
function transferable(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}

class WebTransport implements Transport {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>
  #flowing = false
  #pulling = false
  #readDone = false
  #writeDone = false
  #closed = false
  #events: TransportEvents | undefined

  constructor({ readable, writable }: WebStreams) {
    this.#reader = readable.getReader()
    this.#writer = writable.getWriter()
  }

  start(events: TransportEvents): void {
    this.#events = events
    // Each settles when its half has ended. The failure of a half is a failure of the whole.
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
    const chunk = transferable(bytes)
    const isReleased = chunk !== bytes
    const written = this.#writer.write(chunk)
    written.catch((error: unknown) => this.#lose(error))
    if ((this.#writer.desiredSize ?? 0) > 0) {
      done?.(isReleased)
      return true
    }
    // A stream with a high-water mark of 0 is never ready. It accepts one write at a time.
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
    this.#cancel(reason)
    this.#close(reason)
  }

  async #pull(): Promise<void> {
    this.#pulling = true
    try {
      while (this.#flowing) {
        const { done, value } = await this.#reader.read()
        if (this.#closed) return
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
    if (this.#readDone && this.#writeDone) this.#close(connectionLost(undefined))
  }

  #lose(error: unknown): void {
    this.#cancel(error)
    this.#close(connectionLost(error))
  }

  /** Cancels both streams. Their results no longer matter. */
  #cancel(reason: unknown): void {
    if (this.#closed) return
    this.#reader.cancel(reason).catch(() => {})
    this.#writer.abort(reason).catch(() => {})
  }

  #close(error: ConnError): void {
    if (this.#closed) return
    this.#closed = true
    queueMicrotask(() => this.#events?.close(error))
  }
}

function connectionLost(cause: unknown): ConnError {
  return new ConnError('CONNECTION_LOST', 'the stream closed before both halves had ended', { cause })
}

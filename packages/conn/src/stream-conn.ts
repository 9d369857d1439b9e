import type { Conn, ConnClosed, WaitOptions } from './conn.ts'
import { checkedDelay, connDefaults } from './defaults.ts'
import { ConnError, givenUp } from './errors.ts'
import type { Transport } from './transport.ts'
import { WaitQueue } from './wait-queue.ts'

/**
 * The half that reads:
 *
 *     open ──the peer ends──▶ ended
 *       │                       │
 *       ├──close()──▶ discarding ◀
 *       └──any error──▶ failed
 */
type Reading =
  | { readonly at: 'open' }
  | { readonly at: 'ended' }
  | { readonly at: 'discarding'; readonly ended: boolean }
  | { readonly at: 'failed'; readonly error: ConnError }

/**
 * The half that writes:
 *
 *     open ──closeWrite()──▶ ending ──no write waits──▶ finishing ──all handed on──▶ ended
 *       └────────any error─────┴────────────────────────────┴──▶ failed
 */
type Writing =
  | { readonly at: 'open' }
  | { readonly at: 'ending' }
  | { readonly at: 'finishing' }
  | { readonly at: 'ended' }
  | { readonly at: 'failed'; readonly error: ConnError }

/** How long a conn's end may take. Times in milliseconds. */
export interface CloseTimeouts {
  /** See {@link ConnDefaults.closeTimeout}. */
  readonly closeTimeout?: number | undefined
  /** See {@link ConnDefaults.lingerTimeout}. */
  readonly lingerTimeout?: number | undefined
}

/** The timeouts, with the defaults for what is not given. Throws `INVALID_ARGUMENT` for one that can't be. */
export function checkedTimeouts(given: CloseTimeouts): { closeTimeout: number; lingerTimeout: number } {
  return {
    closeTimeout: checkedDelay('closeTimeout', given.closeTimeout ?? connDefaults.closeTimeout),
    lingerTimeout: checkedDelay('lingerTimeout', given.lingerTimeout ?? connDefaults.lingerTimeout),
  }
}

const accepted = Promise.resolve()

/** A {@link Conn} over any {@link Transport}: the one place that decides who waits, who is served and how it ends. */
export class StreamConn implements Conn {
  readonly closed: Promise<ConnClosed>

  readonly #transport: Transport
  readonly #closeTimeout: number
  readonly #lingerTimeout: number
  readonly #readers = new WaitQueue<null, Uint8Array | null>('the read')
  readonly #writers = new WaitQueue<Uint8Array, void>('the write')
  /** Chunks that came unasked: one, and those that the transport could not hold back. */
  #held: Uint8Array[] = []
  #flowing = false
  #room = true
  #reading: Reading = { at: 'open' }
  #writing: Writing = { at: 'open' }
  #closing: Promise<void> | undefined
  #finished: Promise<void> | undefined
  #settleFinished: ((error?: ConnError) => void) | undefined
  #settleClosed: (closed: ConnClosed) => void = () => {}

  constructor(transport: Transport, timeouts: CloseTimeouts = {}) {
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
    const { closeTimeout, lingerTimeout } = checkedTimeouts(timeouts)
    this.#closeTimeout = closeTimeout
    this.#lingerTimeout = lingerTimeout
    this.#transport = transport
    transport.start({
      chunk: (bytes) => this.#onChunk(bytes),
      end: () => this.#onEnd(),
      drain: () => this.#onDrain(),
      finish: () => this.#onFinish(),
      close: (error) => this.#onClose(error),
    })
  }

  read({ signal }: WaitOptions = {}): Promise<Uint8Array | null> {
    if (signal?.aborted === true) return Promise.reject(givenUp('the read', signal.reason))
    if (this.#reading.at === 'failed') return Promise.reject(this.#reading.error)
    if (this.#reading.at === 'discarding') return Promise.reject(closedHere('read'))
    const held = this.#held.shift()
    if (held !== undefined) return Promise.resolve(held)
    if (this.#reading.at === 'ended') return Promise.resolve(null)
    const chunk = this.#readers.add(null, signal)
    this.#flow()
    return chunk
  }

  write(bytes: Uint8Array, { signal }: WaitOptions = {}): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(givenUp('the write', signal.reason))
    if (this.#writing.at === 'failed') return Promise.reject(this.#writing.error)
    if (this.#writing.at !== 'open') return Promise.reject(closedHere('write'))
    if (this.#room && this.#writers.size === 0) {
      this.#take(bytes)
      return accepted
    }
    return this.#writers.add(bytes, signal)
  }

  closeWrite(): Promise<void> {
    if (this.#finished !== undefined) return this.#finished
    if (this.#writing.at === 'failed') return Promise.reject(this.#writing.error)
    this.#writing = { at: 'ending' }
    this.#finished = new Promise((resolve, reject) => {
      this.#settleFinished = (error) => (error === undefined ? resolve() : reject(error))
    })
    this.#endWhenWritten()
    return this.#finished
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  abort(reason?: unknown): void {
    this.#break(new ConnError('ABORTED', 'the conn was aborted by this side', { cause: reason }))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Yields chunks until the peer ends its half. Leaving early only stops reading: neither half is ended by it. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return {
      next: async () => {
        const value = await this.read()
        return value === null ? { done: true, value: undefined } : { done: false, value }
      },
    }
  }

  async #close(): Promise<void> {
    if (this.#reading.at === 'open' || this.#reading.at === 'ended') {
      this.#reading = { at: 'discarding', ended: this.#reading.at === 'ended' }
      this.#readers.fail(closedHere('read'))
      this.#held = []
      this.#flow()
    }
    if (this.#writing.at !== 'failed') {
      const timer = setTimeout(() => {
        this.#break(new ConnError('CLOSE_TIMEOUT', `the peer did not take what was sent in ${this.#closeTimeout} ms`))
      }, this.#closeTimeout)
      try {
        await this.closeWrite()
      } finally {
        clearTimeout(timer)
      }
      const linger = setTimeout(() => {
        this.#reading = { at: 'discarding', ended: true }
        this.#transport.destroy(null)
      }, this.#lingerTimeout)
      void this.closed.then(() => clearTimeout(linger))
    }
    await this.closed
  }

  #take(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#room = this.#transport.write(bytes)
  }

  #flow(): void {
    if (this.#flowing) return
    this.#flowing = true
    this.#transport.resume()
  }

  #endWhenWritten(): void {
    if (this.#writing.at !== 'ending' || this.#writers.size > 0) return
    this.#writing = { at: 'finishing' }
    this.#transport.end()
  }

  #onChunk(bytes: Uint8Array): void {
    if (this.#reading.at !== 'open' || bytes.length === 0) return
    if (this.#readers.size > 0) {
      this.#readers.serve(() => bytes)
      return
    }
    this.#held.push(bytes)
    if (!this.#flowing) return
    this.#flowing = false
    this.#transport.pause()
  }

  #onEnd(): void {
    if (this.#reading.at === 'discarding') this.#reading = { at: 'discarding', ended: true }
    if (this.#reading.at !== 'open') return
    this.#reading = { at: 'ended' }
    while (this.#readers.size > 0) this.#readers.serve(() => null)
  }

  #onDrain(): void {
    this.#room = true
    while (this.#room && this.#writers.size > 0) this.#writers.serve((bytes) => this.#take(bytes))
    this.#endWhenWritten()
  }

  #onFinish(): void {
    if (this.#writing.at !== 'finishing') return
    this.#writing = { at: 'ended' }
    this.#settleFinished?.()
  }

  #onClose(error: ConnError): void {
    if (this.#isOver()) {
      this.#settleClosed({ clean: true })
      return
    }
    if (this.#reading.at !== 'ended') this.#failReading(error)
    this.#failWriting(error)
    const failed = this.#writing.at === 'failed' ? this.#writing : this.#reading
    this.#settleClosed({ clean: false, error: failed.at === 'failed' ? failed.error : error })
  }

  /** Ends both halves by an error of this side. */
  #break(error: ConnError): void {
    if (this.#isOver()) return
    this.#failReading(error)
    this.#failWriting(error)
    this.#transport.destroy(error)
  }

  /** Whether both halves came to their end by themselves. */
  #isOver(): boolean {
    const read = this.#reading
    return this.#writing.at === 'ended' && (read.at === 'ended' || (read.at === 'discarding' && read.ended))
  }

  #failReading(error: ConnError): void {
    if (this.#reading.at === 'failed') return
    this.#reading = { at: 'failed', error }
    this.#held = []
    this.#readers.fail(error)
  }

  #failWriting(error: ConnError): void {
    if (this.#writing.at === 'failed' || this.#writing.at === 'ended') return
    this.#writing = { at: 'failed', error }
    this.#writers.fail(error)
    this.#settleFinished?.(error)
  }
}

function closedHere(what: string): ConnError {
  return new ConnError('CLOSED', `${what} after this side closed the conn`)
}

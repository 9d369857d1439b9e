import type { Conn, ConnClosed, WaitOptions, WriteOptions } from './conn.ts'
import type { CloseTimeouts } from '../limits.ts'
import { resolveTimeouts } from '../limits.ts'
import { abortError, ConnError, signalError } from '../errors.ts'
import type { Wrap } from './iterate.ts'
import { iterate } from './iterate.ts'
import { HeldChunks } from './held-chunks.ts'
import type { ConnOwner, ConnReader, ConnWriter, OwnerCalls } from './owner.ts'
import { byPromises, isInherited } from './owner.ts'
import type { Reading, Write, Writing } from './states.ts'
import { inspectAs } from '../runtime/inspect-as.ts'
import type { Deadline } from '../runtime/deadlines.ts'
import { inTime, setDeadline } from '../runtime/deadlines.ts'
import { queueMicrotask } from '../runtime/timers.ts'
import type { Transport, TransportEvents } from './transport.ts'
import { Outcome } from '../waits/outcome.ts'
import { WaitQueue } from '../waits/wait-queue.ts'

/** The state of every open half, shared by all conns. */
const open = { at: 'open' } as const

const asChunk = (chunk: Uint8Array | null): Uint8Array | null => chunk

const accepted = Promise.resolve()

const cleanly: ConnClosed = Object.freeze({ clean: true })

const readAborted = (reason: unknown): ConnError => abortError('the read', reason)
const writeAborted = (reason: unknown): ConnError => abortError('the write', reason)

/** The queues of every conn in which nothing has waited. Nothing is added to them. */
const noReaders = new WaitQueue<Wrap, unknown>(readAborted)
const noWriters = new WaitQueue<Write, void>(writeAborted)

/** {@link OwnerCalls} that need no promise for a conn of this class. */
export const ownerCalls: OwnerCalls = { ...byPromises }

/**
 * A {@link Conn} over any {@link Transport}. It decides which calls wait, which is served first, and how the conn ends.
 */
export class StreamConn implements Conn {
  /** Its methods are shared: five functions for each conn would take more memory than the conn's state. */
  static readonly #Events = class implements TransportEvents {
    readonly #conn: StreamConn
    constructor(conn: StreamConn) {
      this.#conn = conn
    }
    chunk(bytes: Uint8Array): void {
      const conn = this.#conn
      const reader = conn.#reader
      if (reader === undefined || conn.#readers.size > 0 || bytes.length === 0) conn.#onChunk(bytes)
      else {
        // Most chunks are those of a channel. It waits only while the half is open.
        conn.#reader = undefined
        reader.onChunk(bytes)
      }
    }
    end(): void {
      this.#conn.#onEnd()
    }
    drain(): void {
      this.#conn.#onDrain()
    }
    finish(): void {
      this.#conn.#onFinish()
    }
    close(error?: ConnError, isLost?: boolean): void {
      this.#conn.#onClose(error, isLost === true)
    }
  }

  static {
    const shown = inspectAs<StreamConn>((conn) => StreamConn.halvesOf(conn))
    Object.defineProperties(this.prototype, shown)
    // A method that a subclass or a program has replaced is what reads and writes.
    const { read, write } = this.prototype
    ownerCalls.tellClosed = (owner, conn) => {
      const isOurs = #owner in conn && isInherited('closed', conn, this.prototype)
      // A conn that has closed tells its owner no more, and it has one owner.
      if (isOurs && conn.#owner === undefined && conn.#closed.value === undefined) conn.#owner = owner
      else byPromises.tellClosed(owner, conn)
    }
    ownerCalls.readTo = (reader, conn) => {
      const isOurs = conn.read === read && conn instanceof StreamConn
      if (isOurs && conn.#reading === open && conn.#held === undefined && conn.#reader === undefined) {
        conn.#reader = reader
        if (!conn.#flowing) conn.#flow()
      } else byPromises.readTo(reader, conn)
    }
    ownerCalls.writeFrom = (writer, conn, bytes) => {
      const isOurs = conn.write === write && conn instanceof StreamConn
      if (isOurs && conn.#writing === open && conn.#room && conn.#writer === undefined && conn.#writers.size === 0) {
        conn.#writer = writer
        conn.#isInWrite = true
        conn.#room = conn.#transport.write(bytes, (conn.#onHandedOn ??= conn.#createOnHandedOn()))
        conn.#isInWrite = false
      } else byPromises.writeFrom(writer, conn, bytes)
    }
    ownerCalls.hidesBytes = (conn) =>
      conn.write === write && conn instanceof StreamConn && conn.#transport.hidesBytes === true
  }

  readonly #transport: Transport
  readonly #closeTimeout: number
  readonly #lingerTimeout: number
  #readers = noReaders
  /** Waits for the next chunk, behind `#readers`. */
  #reader: ConnReader | undefined
  #writers = noWriters
  /** The writes that wait until they are handed on. Created for the first of them. */
  #unfinished: WaitQueue<null, void> | undefined
  /** Waits until its write is handed on. */
  #writer: ConnWriter | undefined
  #isInWrite = false
  #onHandedOn: ((isReleased: boolean) => void) | undefined
  /** Undefined while it holds nothing. */
  #held: HeldChunks | undefined
  #flowing = false
  #room: boolean
  #reading: Reading = open
  #writing: Writing = open
  #closing: Promise<void> | undefined
  #finished: Promise<void> | undefined
  #settleFinished: ((error?: ConnError) => void) | undefined
  readonly #closed = new Outcome<ConnClosed>()
  #owner: ConnOwner | undefined
  #loss: ConnError | undefined
  /** When this side stops waiting for the end of the peer's half. */
  #deadline: Deadline | undefined

  constructor(transport: Transport, timeouts: CloseTimeouts = {}) {
    const { closeTimeout, lingerTimeout } = resolveTimeouts(timeouts)
    this.#closeTimeout = closeTimeout
    this.#lingerTimeout = lingerTimeout
    this.#transport = transport
    this.#room = transport.hasRoom ?? true
    transport.start(new StreamConn.#Events(this))
  }

  /**
   * How far both halves of a conn have come, for logs. Static, since a subclass may use any name for a member of its
   * instances.
   *
   * @internal
   */
  protected static halvesOf(conn: StreamConn): { readonly reading: string; readonly writing: string } {
    return { reading: conn.#reading.at, writing: conn.#writing.at }
  }

  get closed(): Promise<ConnClosed> {
    return this.#closed.promise
  }

  read({ signal }: WaitOptions = {}): Promise<Uint8Array | null> {
    return this.#pull(asChunk, signal)
  }

  write(bytes: Uint8Array, { signal, released, handedOn }: WriteOptions = {}): Promise<void> {
    const refused = signalError(signal, 'the write')
    if (refused !== undefined) return Promise.reject(refused)
    if (this.#writing.at === 'failed') return Promise.reject(this.#writing.error)
    if (this.#writing.at !== 'open') return Promise.reject(closedHere('write'))
    const write = { bytes, released, handedOn }
    if (this.#room && this.#writers.size === 0) return this.#accept(write)
    if (this.#writers === noWriters) this.#writers = new WaitQueue(writeAborted)
    return this.#writers.add(write, signal)
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
    this.#closeWithError(new ConnError('ABORTED', 'the conn was aborted by this side', { cause: reason }))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Yields chunks until the peer ends its half. Leaving early ends neither half: another iteration continues with the
   * next chunk.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array, undefined> {
    return iterate(
      (wrap) => this.#pull(wrap, undefined),
      (wrap, result) => this.#readers.withdraw(wrap, result),
    )
  }

  /** It is kept, since a function for each write would live as long as the write. */
  #createOnHandedOn(): (isReleased: boolean) => void {
    const onHandedOn = (isReleased: boolean): void => {
      if (this.#isInWrite) return queueMicrotask(() => onHandedOn(isReleased))
      const waiting = this.#writer
      this.#writer = undefined
      waiting?.onWritten(isReleased)
    }
    return onHandedOn
  }

  /** Waits for the next chunk and wraps it as the caller returns it, which saves a promise for each chunk. */
  #pull<Result>(wrap: (chunk: Uint8Array | null) => Result, signal: WaitOptions['signal']): Promise<Result> {
    const refused = signalError(signal, 'the read')
    if (refused !== undefined) return Promise.reject(refused)
    if (this.#reading.at === 'failed') return Promise.reject(this.#reading.error)
    if (this.#reading.at === 'discarding') return Promise.reject(closedHere('read'))
    const held = this.#held?.take()
    if (held !== undefined) {
      if (this.#held?.isEmpty === true) this.#held = undefined
      return Promise.resolve(wrap(held))
    }
    if (this.#reading.at === 'ended') return Promise.resolve(wrap(null))
    if (this.#readers === noReaders) this.#readers = new WaitQueue(readAborted)
    const chunk = this.#readers.add(wrap, signal) as Promise<Result>
    this.#flow()
    return chunk
  }

  async #close(): Promise<void> {
    if (this.#reading.at === 'open' || this.#reading.at === 'ended') {
      this.#reading = { at: 'discarding', ended: this.#reading.at === 'ended' }
      if (this.#readers.size > 0) this.#readers.fail(closedHere('read'))
      this.#settleReader()
      this.#held = undefined
      this.#flow()
    }
    if (this.#writing.at !== 'failed') {
      if (this.#writing.at !== 'ended')
        await inTime(this.closeWrite(), this.#closeTimeout, () => this.#onCloseTimeout())
      // The peer gets some time to end its own half.
      if (this.#closed.value === undefined) this.#deadline = setDeadline(() => this.#leave(), this.#lingerTimeout, true)
    }
    await this.closed
    if (this.#loss !== undefined) throw this.#loss
  }

  #onCloseTimeout(): void {
    const message = `the peer did not take what was sent in ${this.#closeTimeout} ms`
    this.#closeWithError(new ConnError('CLOSE_TIMEOUT', message))
  }

  #leave(): void {
    this.#reading = { at: 'discarding', ended: true }
    this.#transport.destroy(null)
  }

  #accept({ bytes, released, handedOn }: Write): Promise<void> {
    if (bytes.length === 0) {
      released?.()
      return accepted
    }
    if (handedOn !== true) {
      this.#room = this.#transport.write(bytes, released && ((isReleased) => isReleased && released()))
      return accepted
    }
    const unfinished = (this.#unfinished ??= new WaitQueue(writeAborted))
    const finished = unfinished.add(null, undefined)
    this.#room = this.#transport.write(bytes, (isReleased) => {
      const first = unfinished.take()
      if (isReleased) released?.()
      first?.resolve()
    })
    return finished
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

  #onChunk(chunk: Uint8Array): void {
    if (this.#reading.at !== 'open' || chunk.length === 0) return
    const reader = this.#readers.take()
    if (reader !== undefined) {
      reader.resolve(reader.item(chunk))
      return
    }
    this.#held ??= new HeldChunks()
    this.#held.add(chunk)
    if (!this.#flowing || !this.#held.isFull(this.#transport.readAhead ?? 0)) return
    this.#flowing = false
    this.#transport.pause()
  }

  #onEnd(): void {
    if (this.#reading.at === 'discarding') this.#reading = { at: 'discarding', ended: true }
    if (this.#reading.at !== 'open') return
    this.#reading = { at: 'ended' }
    for (let reader = this.#readers.take(); reader !== undefined; reader = this.#readers.take()) {
      reader.resolve(reader.item(null))
    }
    this.#settleReader()
  }

  /** Lets the reader that waits learn of the end, or of the error, in a turn of its own: it may end the conn. */
  #settleReader(): void {
    const reader = this.#reader
    this.#reader = undefined
    if (reader === undefined) return
    this.#pull(asChunk, undefined).then(
      (chunk) => reader.onChunk(chunk),
      (error: unknown) => reader.onReadError(error),
    )
  }

  #onDrain(): void {
    this.#room = true
    while (this.#room) {
      const writer = this.#writers.take()
      if (writer === undefined) break
      writer.resolve(this.#accept(writer.item))
    }
    this.#endWhenWritten()
  }

  #onFinish(): void {
    if (this.#writing.at !== 'finishing') return
    this.#writing = { at: 'ended' }
    this.#settleFinished?.()
  }

  #onClose(given: ConnError | undefined, isLost: boolean): void {
    this.#deadline?.cancel()
    if (this.#hasEnded() && !isLost) {
      this.#settleClosed(cleanly)
      return
    }
    if (isLost) this.#loss = given
    const error = given ?? new ConnError('CONNECTION_LOST', 'the transport closed before both halves had ended')
    if (this.#reading.at !== 'ended') this.#failReading(error)
    this.#failWriting(error)
    const failed = this.#writing.at === 'failed' ? this.#writing : this.#reading
    this.#settleClosed({ clean: false, error: failed.at === 'failed' ? failed.error : error })
  }

  #settleClosed(closed: ConnClosed): void {
    const owner = this.#owner
    this.#owner = undefined
    if (owner !== undefined) queueMicrotask(() => owner.onConnClosed(closed))
    this.#closed.settle(closed)
  }

  /** Ends both halves with an error of this side. */
  #closeWithError(error: ConnError): void {
    if (this.#hasEnded()) return this.#transport.abandon?.(error)
    this.#failReading(error)
    this.#failWriting(error)
    this.#transport.destroy(error)
  }

  /** Whether both halves have ended without an error. */
  #hasEnded(): boolean {
    const read = this.#reading
    return this.#writing.at === 'ended' && (read.at === 'ended' || (read.at === 'discarding' && read.ended))
  }

  #failReading(error: ConnError): void {
    if (this.#reading.at === 'failed') return
    this.#reading = { at: 'failed', error }
    this.#held = undefined
    this.#readers.fail(error)
    this.#settleReader()
  }

  #failWriting(error: ConnError): void {
    if (this.#writing.at === 'failed' || this.#writing.at === 'ended') return
    this.#writing = { at: 'failed', error }
    this.#writers.fail(error)
    this.#unfinished?.fail(error)
    const writer = this.#writer
    this.#writer = undefined
    if (writer !== undefined) queueMicrotask(() => writer.onWriteError(error))
    this.#settleFinished?.(error)
  }
}

function closedHere(what: string): ConnError {
  return new ConnError('CLOSED', `${what} after this side closed the conn`)
}

import type { Duplex } from 'node:stream'

import type { Transport, TransportEvents } from '../core/transport.ts'
import { ConnError } from '../errors.ts'
import { connLimits } from '../limits.ts'
import { queueMicrotask } from '../runtime/timers.ts'

/** The property in which a stream has its transport. */
export const transport: unique symbol = Symbol('transport')

interface Watched extends Duplex {
  [transport]?: DuplexTransport | undefined
}

/** A Node stream as a transport. One place decides how it ended: the listener of its `close`. */
export class DuplexTransport<Stream extends Duplex = Duplex> implements Transport {
  /** Shared by all streams. Functions for each stream would take more memory than the rest of an idle conn. */
  static readonly #listeners = {
    data(this: Watched, chunk: Uint8Array): void {
      this[transport]?.onData(chunk)
    },
    end(this: Watched): void {
      if (this[transport]?.endedCleanly() === true) this[transport].onEnd()
    },
    drain(this: Watched): void {
      this[transport]?.events?.drain()
    },
    finish(this: Watched): void {
      this[transport]?.onFinish()
    },
    error(this: Watched, error: unknown): void {
      if (this[transport] !== undefined) this[transport].#lastError ??= error
    },
    close(this: Watched): void {
      const own = this[transport]
      own?.onClose()
      own?.release()
    },
  }

  readonly readAhead: number = connLimits.readAhead
  protected readonly stream: Stream
  protected events: TransportEvents | undefined
  /** Whether the conn knows of the end of each half. */
  protected hasReportedEnd = false
  protected hasReportedFinish = false
  #isEnding = false
  #lastError: unknown

  constructor(stream: Stream) {
    const watched: Watched = stream
    if (transport in watched) throw new ConnError('INVALID_ARGUMENT', 'the stream belongs to another conn')
    watched[transport] = this
    this.stream = stream
  }

  get hasRoom(): boolean {
    return !this.stream.writableNeedDrain
  }

  start(events: TransportEvents): void {
    const { stream } = this
    const { data, end, drain, finish, error, close } = DuplexTransport.#listeners
    this.events = events
    stream.pause()
    stream.on('data', data)
    stream.on('end', end)
    stream.on('drain', drain)
    stream.on('finish', finish)
    // Never removed: an error without a listener would end the process.
    stream.on('error', error)
    stream.on('close', close)
    this.#lastError = stream.errored ?? undefined
    if (this.isClosed()) queueMicrotask(() => this.onClose())
    else if (stream.readableEnded) queueMicrotask(() => this.onEnd())
  }

  resume(): void {
    this.stream.resume()
  }

  pause(): void {
    this.stream.pause()
  }

  /** Never releases the bytes: a stream that the user wrote may keep them for longer than it reports. */
  write(bytes: Uint8Array, done?: (isReleased: boolean) => void): boolean {
    if (done === undefined) return this.stream.write(bytes)
    return this.stream.write(bytes, (error) => {
      if (error === undefined || error === null) done(false)
    })
  }

  end(): void {
    this.#isEnding = true
    // A stream emits `finish` once, which may have been long ago.
    if (this.stream.writableFinished) queueMicrotask(() => this.onFinish())
    else this.stream.end()
  }

  destroy(_error: ConnError | null): void {
    this.stream.destroy()
  }

  protected onData(chunk: Uint8Array): void {
    this.events?.chunk(chunk)
  }

  protected onEnd(): void {
    this.hasReportedEnd = true
    this.events?.end()
  }

  protected onFinish(): void {
    this.hasReportedFinish = true
    this.events?.finish()
  }

  protected onClose(): void {
    // Node also finishes a stream that was reset before its end was asked for.
    const isClean = this.hasReportedEnd && this.hasReportedFinish && this.#isEnding
    this.events?.close(isClean ? undefined : this.translate(this.#lastError))
  }

  /** Takes the conn from a closed stream, so that V8 need not move it for as long as Node keeps the stream. */
  protected release(): void {
    const watched: Watched = this.stream
    watched[transport] = undefined
  }

  /** Whether the stream emitted `close` before the transport listened. */
  protected isClosed(): boolean {
    return this.stream.closed
  }

  /** Whether the stream emitted `end` because the peer ended its half, and not because the stream was destroyed. */
  protected endedCleanly(): boolean {
    return !this.stream.destroyed
  }

  /** Returns the error of a stream that closed with a half still open. */
  protected translate(error: unknown): ConnError {
    return new ConnError('CONNECTION_LOST', 'the stream closed before both halves had ended', { cause: error })
  }
}

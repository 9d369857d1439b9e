import type { Duplex } from 'node:stream'

import { connDefaults } from './defaults.ts'
import { ConnError } from './errors.ts'
import type { Transport, TransportEvents } from './transport.ts'

/** A Node stream as a transport. Its outcome is decided in one place: when it says `close`. */
export class DuplexTransport<Stream extends Duplex = Duplex> implements Transport {
  readonly readAhead: number = connDefaults.readAhead
  protected readonly stream: Stream
  #events: TransportEvents | undefined
  #lastError: unknown

  constructor(stream: Stream) {
    this.stream = stream
  }

  start(events: TransportEvents): void {
    const { stream } = this
    stream.pause()
    stream.on('data', events.chunk)
    stream.on('end', () => {
      if (this.endedCleanly()) events.end()
    })
    stream.on('drain', events.drain)
    stream.on('finish', events.finish)
    this.#events = events
    // Stays for good: an error that comes after the last listener left would end the process.
    stream.on('error', (error) => {
      this.#lastError ??= error
    })
    stream.on('close', () => events.close(this.translate(this.#lastError)))
    if (this.isClosed()) queueMicrotask(() => events.close(this.translate(stream.errored)))
    else if (stream.readableEnded) queueMicrotask(() => events.end())
  }

  resume(): void {
    this.stream.resume()
  }

  pause(): void {
    this.stream.pause()
  }

  write(bytes: Uint8Array): boolean {
    return this.stream.write(bytes)
  }

  end(): void {
    // It says `finish` once, which may have been long ago.
    if (this.stream.writableFinished) queueMicrotask(() => this.#events?.finish())
    else this.stream.end()
  }

  destroy(_error: ConnError | null): void {
    this.stream.destroy()
  }

  /** Whether the stream said `close` before anybody listened. */
  protected isClosed(): boolean {
    return this.stream.closed
  }

  /** Whether the `end` that the stream just reported is the peer's own, and not a by-product of its destruction. */
  protected endedCleanly(): boolean {
    return !this.stream.destroyed
  }

  /** Names the failure of a stream that closed with a half still open. */
  protected translate(error: unknown): ConnError {
    return new ConnError('CONNECTION_LOST', 'the stream closed before both halves had ended', { cause: error })
  }
}

import type { Http2Session, Http2Stream } from 'node:http2'
import type { Socket } from 'node:net'

import { DuplexTransport } from './duplex-transport.ts'
import type { ConnError } from './errors.ts'
import { resetCode, RstCode, streamFailure } from './http2-errors.ts'
import { keepInFlight, type Written } from './in-flight.ts'
import { dispatchedBytes, rawSocket } from './node-handle.ts'
import type { TransportEvents } from './transport.ts'

interface Unsent extends Written {
  readonly released: (() => void) | undefined
}

/** Never written to. */
const nothing: Unsent[] = []

/**
 * An HTTP/2 stream as a transport. It watches the stream from when it is made, which on a client is before the response:
 * a short answer may be over when its headers are told.
 */
export class Http2Transport extends DuplexTransport<Http2Stream> {
  readonly #session: Http2Session | undefined
  readonly #socket: Socket | undefined
  readonly #afterWrite: () => void
  /** What Node has not completed yet, in order. */
  #unsent = nothing
  /**
   * Node completes a write when its socket has taken the frames, or TLS a copy of them. When the stream is destroyed, it
   * completes all that is left, on Node 20 without an error, and the bytes may still be on their way.
   */
  readonly #onWritten = (error?: Error | null): void => {
    const written = this.#unsent.shift()
    // The array's memory would stay with each idle conn.
    if (this.#unsent.length === 0) this.#unsent = nothing
    if (error === undefined || error === null) written?.released?.()
  }
  #peerEnded: boolean
  #endTold = false
  #endSent = false
  #finishTold = false

  /** @param afterWrite - called after every write. */
  constructor(stream: Http2Stream, afterWrite: () => void = () => {}) {
    super(stream)
    this.#afterWrite = afterWrite
    this.#session = stream.session
    if (this.#session?.destroyed === false) this.#socket = rawSocket(this.#session)
    this.#peerEnded = stream.endAfterHeaders || stream.state?.remoteClose === 1
    this.#watch()
  }

  override start(events: TransportEvents): void {
    // Chunks pass straight through: there are many of them.
    super.start({
      ...events,
      end: () => {
        this.#endTold = true
        events.end()
      },
      finish: () => {
        this.#finishTold = true
        events.finish()
      },
      close: (error) => {
        this.#rescue(events)
        events.close(error)
      },
    })
  }

  override write(bytes: Uint8Array, released?: () => void): boolean {
    const written = { bytes, released, dispatched: this.#socket && dispatchedBytes(this.#socket) }
    if (this.#unsent === nothing) this.#unsent = [written]
    else this.#unsent.push(written)
    const room = this.stream.write(bytes, this.#onWritten)
    this.#afterWrite()
    return room
  }

  override destroy(error: ConnError | null): void {
    const code = error === null ? RstCode.NO_ERROR : resetCode(error)
    // A response that was made in this very turn has not left yet. From Node 22 on, a reset would take it along.
    if ('respond' in this.stream) setImmediate(resetStream, this.stream, code)
    else resetStream(this.stream, code)
  }

  protected override isClosed(): boolean {
    // `closed` says of an HTTP/2 stream that its end is known. The `close` event is still to come.
    return false
  }

  protected override endedCleanly(): boolean {
    return this.#peerEnded
  }

  protected override translate(error: unknown): ConnError {
    return streamFailure(this.#session, this.stream.rstCode ?? RstCode.NO_ERROR, error)
  }

  /** Learns of both END_STREAM flags. Node tells neither, and has forgotten them when it says `close`. */
  #watch(): void {
    const { stream } = this
    // Node pushes the end into a stream that was reset, too, and `end` is emitted for both. Only an end that is pushed
    // while the stream is still open is END_STREAM.
    const push = stream.push
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null && !stream.closed) this.#peerEnded = true
      if (chunk === null && stream.closed && !stream.destroyed) this.#closeNow()
      return push.call(stream, chunk, encoding)
    }
    const destroy = stream.destroy
    stream.destroy = (error?: Error) => {
      this.#noteEndSent()
      const unsent = this.#unsent
      this.#unsent = nothing
      const destroyed = destroy.call(stream, error)
      // Afterwards: Node sends what it still can before it resets a stream, and may be gathering frames right now.
      if (this.#socket !== undefined && unsent.length > 0) setImmediate(keepInFlight, this.#socket, unsent)
      return destroyed
    }
  }

  #noteEndSent(): void {
    if (this.stream.state?.localClose === 1) this.#endSent = true
  }

  /** The peer reset the stream with NO_ERROR. Node would wait until all of it was read, and let every writer wait. */
  #closeNow(): void {
    this.#noteEndSent()
    if (!this.#endSent) queueMicrotask(() => this.stream.destroy())
  }

  /**
   * `close` can come before `end` (nodejs/node#24983), and instead of `finish`: a body that arrived whole is handed on all
   * the same, and one that left whole has left.
   */
  #rescue(events: TransportEvents): void {
    if (this.#endSent && !this.#finishTold) events.finish()
    if (!this.#peerEnded || this.#endTold) return
    for (let chunk: unknown; (chunk = this.stream.read()) !== null;) {
      if (chunk instanceof Uint8Array) events.chunk(chunk)
    }
    events.end()
  }
}

/** Sends RST_STREAM, and gives the stream up. */
export function resetStream(stream: Http2Stream, code: number): void {
  // Node's `close` sends END_STREAM first where it can, which would pass for a clean end.
  stream.end = () => stream
  stream.close(code)
  // A socket that takes no more bytes would keep the RST_STREAM, and with it the stream's `close`, for ever.
  stream.destroy()
}

import type { ClientHttp2Session, Http2Stream } from 'node:http2'

import { ConnError } from '../errors.ts'
import { connLimits } from '../limits.ts'
import { setTimeout } from '../runtime/timers.ts'
import { startReading } from './handle.ts'

/** The wait before the first look, and the longest wait between two looks. Unit: milliseconds. */
const firstPause = 20
const maxPause = 1_000

/** How much may arrive while this side's writes stall: the window, and a quarter for frame headers. Unit: bytes. */
const maxArriving = 1.25 * connLimits.connectionWindow

/**
 * Makes a client's session read while it writes. Node's HTTP/2 does not read its socket while a write to it is pending
 * (`is_write_in_progress` in its `node_http2.cc`). Two such ends that both send more than the socket buffers between
 * them hold would wait for each other for ever, since neither reads before the other does. It is enough that one end
 * reads.
 *
 * While a stream of the session has unsent bytes and nothing arrives, the socket is made to read again. Node keeps what
 * arrives until its write has finished, and then handles it frame by frame. That is bounded by the connection's window,
 * since none of it is given back meanwhile. A peer that sends more ends the session. The timer
 * keeps no process alive.
 */
export class ReadPump {
  readonly #session: ClientHttp2Session
  readonly #onBreach: (error: ConnError) => void
  readonly #unsent = new Set<Http2Stream>()
  #timer: NodeJS.Timeout | undefined
  #pause = firstPause
  #bytesRead = 0
  /** The position of the socket when it was made to read. Until more is written, it stalls. */
  #stalled: { readonly bytesRead: number; readonly bytesWritten: number } | undefined

  /** @param onBreach - receives the error of a peer that sends more than it may. */
  constructor(session: ClientHttp2Session, onBreach: (error: ConnError) => void) {
    this.#session = session
    this.#onBreach = onBreach
  }

  /** To be called with each stream to which bytes were written. */
  onWrite(stream: Http2Stream): void {
    this.#unsent.add(stream)
    this.#timer ??= this.#lookAfter(firstPause)
  }

  /** To be called with a stream that has closed: until the next look it would be kept, with all of its memory. */
  forget(stream: Http2Stream): void {
    this.#unsent.delete(stream)
  }

  #lookAfter(pause: number): NodeJS.Timeout {
    this.#pause = pause
    if (!this.#session.destroyed) this.#bytesRead = this.#session.socket.bytesRead
    return setTimeout(() => this.#look(), pause).unref()
  }

  #look(): void {
    this.#timer = undefined
    for (const stream of this.#unsent) if (stream.destroyed || stream.writableLength === 0) this.#unsent.delete(stream)
    if (this.#unsent.size === 0 || this.#session.destroyed) return
    const { socket } = this.#session
    const { bytesRead, bytesWritten } = socket
    if (bytesWritten !== this.#stalled?.bytesWritten) this.#stalled = undefined
    else if (bytesRead - this.#stalled.bytesRead > maxArriving) {
      this.#onBreach(new ConnError('CONNECTION_LOST', 'the peer sent more than the window while it took nothing'))
      return
    }
    const isStill = bytesRead === this.#bytesRead
    if (isStill) {
      this.#stalled ??= { bytesRead, bytesWritten }
      // A session refuses `resume()` on its socket. On a socket that reads already, this does nothing.
      startReading(socket)
    }
    this.#timer = this.#lookAfter(isStill ? Math.min(2 * this.#pause, maxPause) : firstPause)
  }
}

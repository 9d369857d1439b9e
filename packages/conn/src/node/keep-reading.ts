import type { ClientHttp2Session, Http2Stream } from 'node:http2'

import { connLimits } from '../limits.ts'
import { ConnError } from '../errors.ts'
import { startReading } from './handle.ts'
import { setTimeout } from '../runtime/timers.ts'

/** When to look for the first time, and how long at most between two looks. Unit: milliseconds. */
const firstLook = 20
const longestPause = 1_000

/** What may come while this side's writes stand still: the window, and a quarter for the frames' headers. Unit: bytes. */
const mostOnItsWay = 1.25 * connLimits.connectionWindow

/**
 * Makes a client's session read although it writes. Node's HTTP/2 stops reading its socket while a write to it is pending
 * (`is_write_in_progress` in its `node_http2.cc`). Two such ends that both send more than the socket buffers between them take
 * would wait for each other for ever: neither reads before the other does. One end that reads on is enough.
 *
 * While a stream of the session has bytes that have not left, and nothing at all comes in, the socket is told to read
 * again. Node keeps what comes until its write is through, and handles it frame by frame. That is bounded by the
 * connection's window, since none of it is given back meanwhile: a peer that sends more ends the session.
 */
class Reading {
  readonly #session: ClientHttp2Session
  readonly #onBreach: (error: ConnError) => void
  readonly #unsent = new Set<Http2Stream>()
  #timer: NodeJS.Timeout | undefined
  #pause = firstLook
  #bytesRead = 0
  /** Where the socket was when it was told to read: until more is written, it stands still. */
  #stalled: { readonly bytesRead: number; readonly bytesWritten: number } | undefined

  constructor(session: ClientHttp2Session, onBreach: (error: ConnError) => void) {
    this.#session = session
    this.#onBreach = onBreach
  }

  /** Bytes were written to a stream. */
  whileUnsent(stream: Http2Stream): void {
    this.#unsent.add(stream)
    this.#timer ??= this.#lookAfter(firstLook)
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
    else if (bytesRead - this.#stalled.bytesRead > mostOnItsWay) {
      this.#onBreach(new ConnError('CONNECTION_LOST', 'the peer sent more than the window while it took nothing'))
      return
    }
    const isStill = bytesRead === this.#bytesRead
    if (isStill) {
      this.#stalled ??= { bytesRead, bytesWritten }
      // A session refuses `resume()` on its socket. On one that reads already, this does nothing.
      startReading(socket)
    }
    this.#timer = this.#lookAfter(isStill ? Math.min(2 * this.#pause, longestPause) : firstLook)
  }
}

/**
 * Lets a client's session read on. `onBreach` is told when the peer sends more than it may.
 *
 * @returns a function that takes each stream when bytes were written to it. Its timer keeps no process alive.
 */
export function readOn(
  session: ClientHttp2Session,
  onBreach: (error: ConnError) => void,
): (stream: Http2Stream) => void {
  const reading = new Reading(session, onBreach)
  return (stream) => reading.whileUnsent(stream)
}

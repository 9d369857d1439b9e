import type { Http2Session, Http2Stream } from 'node:http2'

import { startReading } from './node-handle.ts'

/** When to look for the first time, and how long at most between two looks. Unit: milliseconds. */
const firstLook = 20
const longestPause = 1_000

/**
 * Makes a session read although it writes. Node's HTTP/2 stops reading its socket while a write to it is pending (`is_write_in_progress` in
 * its `node_http2.cc`). Two such ends that both send more than the socket buffers between them take would wait for each
 * other for ever: neither reads before the other does.
 *
 * While a stream of the session waits for room and nothing at all comes in, the socket is told to read again. Node takes
 * in what comes, which is no more than the connection's window, and handles it frame by frame until its write is through.
 */
class Reading {
  readonly #session: Http2Session
  readonly #waiting = new Set<Http2Stream>()
  #timer: NodeJS.Timeout | undefined
  #pause = firstLook
  #bytesRead = 0

  constructor(session: Http2Session) {
    this.#session = session
  }

  /** The stream has no room for more bytes. */
  whileWaits(stream: Http2Stream): void {
    this.#waiting.add(stream)
    this.#timer ??= this.#lookAgain(firstLook)
  }

  #lookAgain(pause: number): NodeJS.Timeout {
    this.#pause = pause
    if (!this.#session.destroyed) this.#bytesRead = this.#session.socket.bytesRead
    return setTimeout(() => this.#look(), pause).unref()
  }

  #look(): void {
    this.#timer = undefined
    for (const stream of this.#waiting) if (!stream.writableNeedDrain) this.#waiting.delete(stream)
    if (this.#waiting.size === 0 || this.#session.destroyed) return
    const { socket } = this.#session
    const isStill = socket.bytesRead === this.#bytesRead
    // A session refuses `resume()` on its socket. On one that reads already, this does nothing.
    if (isStill) startReading(socket)
    this.#timer = this.#lookAgain(isStill ? Math.min(2 * this.#pause, longestPause) : firstLook)
  }
}

const readings = new WeakMap<Http2Session, Reading>()

/** To be called when `stream` has no room for more: lets its session read as long as that lasts. */
export function readOnWhileWaiting(stream: Http2Stream): void {
  const { session } = stream
  if (session === undefined || session.destroyed) return
  let reading = readings.get(session)
  if (reading === undefined) readings.set(session, (reading = new Reading(session)))
  reading.whileWaits(stream)
}

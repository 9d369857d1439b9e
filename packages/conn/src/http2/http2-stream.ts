import type { Http2Session, Http2Stream } from 'node:http2'
import type { Socket } from 'node:net'

import { DuplexTransport, transport } from '../transports/node-stream.ts'
import type { ConnError } from '../errors.ts'
import { resetCode, RstCode, streamFailure } from './node-errors.ts'
import { keepInFlight, type Written } from '../node/retain-in-flight.ts'
import { dispatchedBytes, rawSocket } from '../node/handle.ts'
import { inOwnMemory } from '../core/own-memory.ts'
import { Pages } from '../node/pages.ts'
import { queueMicrotask, setImmediate } from '../runtime/timers.ts'
import type { TransportEvents } from '../core/transport.ts'

interface Unsent extends Written {
  readonly done: ((isReleased: boolean) => void) | undefined
}

interface Watched extends Http2Stream {
  readonly [transport]: Http2Transport
}

/** What carries a client's stream. */
interface Carrier {
  /** Called after every write. */
  readOn(stream: Http2Stream): void
  /** Resets the stream, now or once the peer takes another reset. Returns whether it was now. */
  reset(stream: Http2Stream, code: number): boolean
}

/** Never written to. */
const nothing: Unsent[] = []

/**
 * An HTTP/2 stream as a transport. It watches the stream from when it is made, which on a client is before the response:
 * a short answer may be over when its headers are told.
 */
export class Http2Transport extends DuplexTransport<Http2Stream> {
  /** Learns of both END_STREAM flags. Node tells neither, and has forgotten them when it says `close`. */
  static #push(this: Watched, chunk: unknown, encoding?: BufferEncoding): boolean {
    const own = this[transport]
    // Without more room in its window, the peer soon stops.
    if (chunk !== null && own.#isGivenUp) return false
    if (isBytes(chunk)) {
      own.#unread += chunk.length
      if (own.#isPaused) {
        own.#keep(chunk)
        own.#tellUnread()
        return false
      }
    }
    if (chunk === null) own.#pushKept()
    // Node pushes the end into a stream that was reset, too, and `end` is emitted for both. Only an end that is pushed
    // while the stream is still open is END_STREAM.
    if (chunk === null && !this.closed) own.#peerEnded = true
    if (chunk === null && this.closed && !this.destroyed) own.#closeNow()
    return own.#originalPush.call(this, chunk, encoding)
  }

  static #destroy(this: Watched, error?: Error): Http2Stream {
    const own = this[transport]
    own.#noteEndSent()
    const unsent = own.#unsent
    own.#unsent = nothing
    // Node calls nobody back for these, or as for those that were lost.
    if (own.#endSent) for (const { done } of unsent) done?.(false)
    const destroyed = own.#originalDestroy.call(this, error)
    // Afterwards: Node sends what it still can before it resets a stream, and may be gathering frames right now.
    if (own.#socket !== undefined && unsent.length > 0) setImmediate(keepInFlight, own.#socket, unsent)
    return destroyed
  }

  readonly #originalPush: Http2Stream['push']
  readonly #originalDestroy: Http2Stream['destroy']
  readonly #session: Http2Session | undefined
  readonly #socket: Socket | undefined
  readonly #carrier: Carrier | undefined
  /** What Node has not completed yet, in order. */
  #unsent = nothing
  /** Gone, as the array is, while nothing is unsent: their memory would stay with each idle conn. */
  #onWritten: ((error?: Error | null) => void) | undefined
  /** Not before a conn is there: what refuses a request is read without one. */
  #isPaused = false
  /** What came while it was paused, as far as that is small. Node would keep each packet, and an object for each frame. */
  #kept: Pages | undefined
  /** What came and was not handed on, and how much of it the watcher knows of. Unit: bytes. */
  #unread = 0
  #unreadTold = 0
  #onUnread: ((change: number) => void) | undefined
  #peerEnded: boolean
  #endTold = false
  #endSent = false
  #finishTold = false
  /** It is over as far as this side goes, and its reset waits. */
  #isGivenUp = false

  /** @param carrier - of a client's stream. */
  constructor(stream: Http2Stream, carrier?: Carrier) {
    super(stream)
    this.#carrier = carrier
    this.#session = stream.session
    if (this.#session?.destroyed === false) this.#socket = rawSocket(this.#session)
    // What came before anybody accepted the stream lies in it.
    this.#unread = stream.readableLength
    this.#peerEnded = stream.endAfterHeaders || stream.state?.remoteClose === 1
    this.#originalPush = stream.push
    this.#originalDestroy = stream.destroy
    stream.push = Http2Transport.#push
    stream.destroy = Http2Transport.#destroy
  }

  override write(bytes: Uint8Array, done?: (isReleased: boolean) => void): boolean {
    const written = { bytes, done, dispatched: this.#socket && dispatchedBytes(this.#socket) }
    if (this.#unsent === nothing) this.#unsent = [written]
    else this.#unsent.push(written)
    this.#onWritten ??= (error) => this.#complete(error)
    const room = this.stream.write(bytes, this.#onWritten)
    this.#carrier?.readOn(this.stream)
    return room
  }

  override start(events: TransportEvents): void {
    this.#isPaused = true
    super.start(events)
  }

  override resume(): void {
    this.#isPaused = false
    this.#pushKept()
    super.resume()
  }

  override pause(): void {
    this.#isPaused = true
    super.pause()
    // Nothing further may come: the window may be full of what came before.
    this.#tellUnread()
  }

  /** From now on, `watcher` is called when more lies unread than is read ahead, or less again. Unit: bytes. */
  watchUnread(watcher: (change: number) => void): void {
    this.#onUnread = watcher
    if (this.#isPaused) this.#tellUnread()
  }

  #tellUnread(): void {
    const change = this.#unread - this.#unreadTold
    if (change === 0 || this.#onUnread === undefined) return
    this.#unreadTold = this.#unread
    this.#onUnread(change)
  }

  protected override onData(chunk: Uint8Array): void {
    this.#unread -= chunk.length
    // Mostly a chunk is handed on as it comes, and nobody needs to know.
    if (this.#unreadTold > 0) this.#tellUnread()
    super.onData(chunk)
  }

  #keep(chunk: Uint8Array): void {
    if (!Pages.takes(chunk)) {
      this.#pushKept()
      this.#originalPush.call(this.stream, inOwnMemory(chunk))
      return
    }
    this.#kept ??= new Pages()
    const full = this.#kept.add(chunk)
    if (full !== undefined) this.#originalPush.call(this.stream, full)
  }

  #pushKept(): void {
    const kept = this.#kept?.take()
    this.#kept = undefined
    if (kept !== undefined) this.#originalPush.call(this.stream, kept)
  }

  /**
   * Node completes a write when its socket has taken the frames, or TLS a copy of them. When the stream is destroyed, it
   * completes all that is left, on Node 20 without an error, and the bytes may still be on their way.
   */
  #complete(error: Error | null | undefined): void {
    const written = this.#unsent.shift()
    if (this.#unsent.length === 0) {
      this.#unsent = nothing
      this.#onWritten = undefined
    }
    if (!this.#isGivenUp && (error === undefined || error === null)) written?.done?.(true)
  }

  override destroy(error: ConnError | null): void {
    this.reset(error === null ? RstCode.NO_ERROR : resetCode(error))
  }

  reset(code: number): void {
    if (this.#isGivenUp) return
    // A response that was made in this very turn has not left yet. From Node 22 on, a reset would take it along.
    if (this.#carrier === undefined) resetLater(this.stream, code)
    else if (!this.stream.destroyed && !this.#carrier.reset(this.stream, code)) this.#giveUp()
  }

  /** Ends it before its stream, which nobody reads or writes any more and which keeps as little as Node lets it. */
  #giveUp(): void {
    this.#isGivenUp = true
    this.#kept = undefined
    this.stream.cork()
    this.stream.pause()
    while (this.stream.read() !== null);
    this.#unread = 0
    this.#tellUnread()
    queueMicrotask(() => {
      super.onClose()
      this.events = undefined
    })
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

  /** For Node the end is sent when it lies in the session, which still sends it unless it ends: a peer may have stopped taking bytes. */
  #noteEndSent(): void {
    const willLeave = this.#unsent.length === 0 || this.#session?.destroyed === false
    if (willLeave && this.stream.state?.localClose === 1) this.#endSent = true
  }

  /** The peer reset the stream with NO_ERROR. Node would wait until all of it was read, and let every writer wait. */
  #closeNow(): void {
    this.#noteEndSent()
    if (!this.#endSent) queueMicrotask(() => this.stream.destroy())
  }

  protected override onEnd(): void {
    this.#endTold = true
    super.onEnd()
  }

  protected override onFinish(): void {
    this.#finishTold = true
    super.onFinish()
  }

  /**
   * `close` can come before `end` (nodejs/node#24983), and instead of `finish`: a body that arrived whole is handed on all
   * the same, and one that left whole has left.
   */
  protected override onClose(): void {
    if (this.#isGivenUp) return
    if (this.#endSent && !this.#finishTold) this.onFinish()
    if (this.#peerEnded && !this.#endTold) {
      for (let chunk: unknown; (chunk = this.stream.read()) !== null;) {
        if (isBytes(chunk)) this.events?.chunk(chunk)
      }
      const kept = this.#kept?.take()
      if (kept !== undefined) this.events?.chunk(kept)
      this.onEnd()
    }
    this.#unread = 0
    this.#tellUnread()
    super.onClose()
  }
}

/** How many streams are reset in one turn. Each takes Node a tenth of a millisecond, and a limit may end thousands at once. */
const resetsPerTurn = 100

/** Streams of a server that are to be reset, in order. */
const toReset: { readonly stream: Http2Stream; readonly code: number }[] = []

function resetLater(stream: Http2Stream, code: number): void {
  toReset.push({ stream, code })
  if (toReset.length === 1) setImmediate(resetNext)
}

function resetNext(): void {
  const now = toReset.splice(0, resetsPerTurn)
  if (toReset.length > 0) setImmediate(resetNext)
  for (const { stream, code } of now) resetStream(stream, code)
}

/** Sends RST_STREAM, and gives the stream up. */
export function resetStream(stream: Http2Stream, code: number): void {
  // Node's `close` sends END_STREAM first where it can, which would pass for a clean end.
  stream.end = () => stream
  stream.close(code)
  // A socket that takes no more bytes would keep the RST_STREAM, and with it the stream's `close`, for ever.
  stream.destroy()
}

/** Node's chunks are of its own realm, which is not that of a test runner's sandbox. */
function isBytes(chunk: unknown): chunk is Uint8Array {
  return ArrayBuffer.isView(chunk)
}

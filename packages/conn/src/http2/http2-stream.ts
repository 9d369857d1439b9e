import type { Http2Session, Http2Stream } from 'node:http2'
import type { Socket } from 'node:net'

import { DuplexTransport, transport } from '../transports/node-stream.ts'
import type { ConnError } from '../errors.ts'
import { resetCode, RstCode, streamError } from './node-errors.ts'
import type { Written } from '../node/retain-in-flight.ts'
import { retainInFlight } from '../node/retain-in-flight.ts'
import { dispatchedBytes, rawSocket } from '../node/handle.ts'
import { inOwnMemory } from '../core/own-memory.ts'
import { isBytes, Pages } from '../node/pages.ts'
import { queueMicrotask, setImmediate } from '../runtime/timers.ts'
import type { TransportEvents } from '../core/transport.ts'

/** What watches how many bytes lie unread. It is an object, since a function for each stream would take more memory. */
export interface UnreadWatcher {
  /** The number changed by `change`. Unit: bytes. */
  onArrived(change: number): void
}

/** A write that Node has not completed. */
interface PendingWrite extends Written {
  readonly done: ((isReleased: boolean) => void) | undefined
}

interface Watched extends Http2Stream {
  readonly [transport]: Http2Transport
}

/** The session of a client's stream. */
interface ClientSession {
  /** Learns of every write. */
  readonly pump: { onWrite(stream: Http2Stream): void }
  /** Resets the stream, now or once the peer accepts another reset. Returns whether it did so now. */
  reset(stream: Http2Stream, code: number): boolean
}

/** Shared by all transports without pending writes. Never changed. */
const none: PendingWrite[] = []

/**
 * An HTTP/2 stream as a transport. It must be created before the response of a client's stream arrives, since a short
 * response may have ended by the time Node emits its headers.
 *
 * A chunk that arrives takes one of three ways. While the conn reads and Node's stream holds nothing, it passes that
 * stream by. While Node's stream still holds something, it lines up there. While the conn is paused, small chunks are
 * gathered in pages (`#kept`), which are pushed before anything else, so that the order stays. Node's stream believes
 * that it is reading all the time: `push` alone says when the peer has to wait, and `#readOn` when it may send again.
 */
export class Http2Transport extends DuplexTransport<Http2Stream> {
  /** Replaces `push` to see the peer's END_STREAM: Node emits no event for it, and forgets it before `close`. */
  static #push(this: Watched, chunk: unknown, encoding?: BufferEncoding): boolean {
    const own = this[transport]
    // The window stays full, so that the peer soon stops.
    if (chunk !== null && own.#awaitsReset) return false
    if (isBytes(chunk)) {
      // Past Node's own stream, which would emit this very chunk at once, after some 40 calls and a tick.
      if (!own.#isPaused && own.events !== undefined && this.readableLength === 0) {
        own.events.chunk(chunk)
        return true
      }
      own.#unread += chunk.length
      if (own.#isPaused) {
        own.#keep(chunk)
        own.#reportUnread()
        return false
      }
    }
    if (chunk === null) own.#pushKept()
    // Node also pushes the end into a stream that was reset, and emits `end` for both. Only an end that is pushed while
    // the stream is open is END_STREAM.
    if (chunk === null && !this.closed) own.#peerEnded = true
    if (chunk === null && this.closed && !this.destroyed) own.#closeNow()
    return own.#originalPush.call(this, chunk, encoding)
  }

  static #destroy(this: Watched, error?: Error): Http2Stream {
    const own = this[transport]
    own.#noteEndSent()
    const pending = own.#pending
    own.#pending = none
    // Node never completes these writes, or completes them as if they were lost.
    if (own.#endSent) for (const { done } of pending) done?.(false)
    const destroyed = own.#originalDestroy.call(this, error)
    // Later, since Node may be gathering frames right now: it sends what it can before it resets a stream.
    if (own.#socket !== undefined && pending.length > 0) setImmediate(retainInFlight, own.#socket, pending)
    return destroyed
  }

  /** A field, since a getter would be a call for each write. */
  readonly hidesBytes = true
  readonly #originalPush: Http2Stream['push']
  readonly #originalDestroy: Http2Stream['destroy']
  readonly #session: Http2Session | undefined
  readonly #socket: Socket | undefined
  readonly #clientSession: ClientSession | undefined
  /** In the order of the writes. */
  #pending = none
  /** Undefined while no write is pending, so that an idle conn does not hold its memory. */
  #onWritten: ((error?: Error | null) => void) | undefined
  /** False until a conn starts this transport: an error response is read without a conn. */
  #isPaused = false
  /** Small chunks that arrived while it was paused. Node would keep each packet, and an object for each frame. */
  #kept: Pages | undefined
  /** Bytes that arrived and were not delivered, and how many of them the watcher knows. */
  #unread = 0
  #reportedUnread = 0
  #unreadWatcher: UnreadWatcher | undefined
  /** Whether END_STREAM came. */
  #peerEnded: boolean
  /** Whether END_STREAM left. */
  #endSent = false
  /** Whether the conn has ended and the reset of its stream waits. */
  #awaitsReset = false

  /** @param clientSession - for a client's stream alone. */
  constructor(stream: Http2Stream, clientSession?: ClientSession) {
    super(stream)
    this.#clientSession = clientSession
    this.#session = stream.session
    if (this.#session?.destroyed === false) this.#socket = rawSocket(this.#session)
    // Bytes that arrived before the stream was accepted.
    this.#unread = stream.readableLength
    this.#peerEnded = stream.endAfterHeaders || stream.state?.remoteClose === 1
    this.#originalPush = stream.push
    this.#originalDestroy = stream.destroy
    stream.push = Http2Transport.#push
    stream.destroy = Http2Transport.#destroy
  }

  override write(bytes: Uint8Array, done?: (isReleased: boolean) => void): boolean {
    const written = { bytes, done, dispatched: this.#socket && dispatchedBytes(this.#socket) }
    if (this.#pending === none) this.#pending = [written]
    else this.#pending.push(written)
    // Node completes a write when its socket has taken the frames, or TLS a copy of them. When a stream is destroyed,
    // Node completes all pending writes, on Node 20 without an error, although their bytes may still be on their way.
    this.#onWritten ??= (error) => {
      const first = this.#pending.shift()
      if (this.#pending.length === 0) {
        this.#pending = none
        this.#onWritten = undefined
      }
      if (!this.#awaitsReset && (error === undefined || error === null)) first?.done?.(true)
    }
    const hasRoom = this.stream.write(bytes, this.#onWritten)
    this.#clientSession?.pump.onWrite(this.stream)
    return hasRoom
  }

  override end(): void {
    super.end()
    this.#endWithLastWrite()
  }

  /**
   * Sends END_STREAM with the bytes of the last write, as long as they have not left. Node would wait until they have,
   * and send it in a packet of its own, which costs each side another turn. It looks for an end itself, but only once:
   * a tick after the write. What it calls `_final` for later is done then.
   */
  #endWithLastWrite(): void {
    const [last, next] = this.#pending
    const isLast = last !== undefined && next === undefined && this.stream.writableLength === last.bytes.length
    // A stream without an identifier is written to when it has one.
    if (!isLast || this.stream.pending || this.stream.destroyed) return
    const { _final: final } = this.stream
    final.call(this.stream, ignore)
  }

  override start(events: TransportEvents): void {
    this.#isPaused = true
    super.start(events)
  }

  override resume(): void {
    this.#isPaused = false
    this.#pushKept()
    super.resume()
    this.#readOn()
  }

  /**
   * Once Node's stream holds nothing, chunks pass it by (see `#push`). It would wait for them before it reads again,
   * and give the peer no window.
   */
  #readOn(): void {
    const { stream } = this
    if (this.#isPaused || stream.readableLength > 0 || stream.destroyed) return
    const { _read: read } = stream
    read.call(stream, 0)
  }

  override pause(): void {
    this.#isPaused = true
    super.pause()
    // Now, since nothing more may arrive: the window may be full of what arrived before.
    this.#reportUnread()
  }

  /** Notifies `watcher` of each change in the number of bytes that lie unread beyond what is read ahead. */
  watchUnread(watcher: UnreadWatcher): void {
    this.#unreadWatcher = watcher
    if (this.#isPaused) this.#reportUnread()
  }

  #reportUnread(): void {
    const change = this.#unread - this.#reportedUnread
    if (change === 0 || this.#unreadWatcher === undefined) return
    this.#reportedUnread = this.#unread
    this.#unreadWatcher.onArrived(change)
  }

  protected override onData(chunk: Uint8Array): void {
    this.#unread -= chunk.length
    // Usually a chunk is delivered as it arrives, and the watcher need not know.
    if (this.#reportedUnread > 0) this.#reportUnread()
    super.onData(chunk)
    this.#readOn()
  }

  #keep(chunk: Uint8Array): void {
    if (!Pages.accepts(chunk)) {
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

  override destroy(error: ConnError | null): void {
    this.reset(error === null ? RstCode.NO_ERROR : resetCode(error))
  }

  reset(code: number): void {
    if (this.#awaitsReset) return
    // A response that was created in this turn has not left yet. From Node 22 on, a reset would discard it.
    if (this.#clientSession === undefined) resetLater(this.stream, code)
    else if (!this.stream.destroyed && !this.#clientSession.reset(this.stream, code)) this.#closeBeforeReset()
  }

  /** Closes this transport while its stream waits to be reset. The stream keeps as little memory as Node allows. */
  #closeBeforeReset(): void {
    this.#awaitsReset = true
    this.#kept = undefined
    this.stream.cork()
    this.stream.pause()
    while (this.stream.read() !== null);
    this.#unread = 0
    this.#reportUnread()
    queueMicrotask(() => {
      super.onClose()
      this.events = undefined
    })
  }

  protected override isClosed(): boolean {
    // An HTTP/2 stream has `closed` set before it emits `close`.
    return false
  }

  protected override endedCleanly(): boolean {
    return this.#peerEnded
  }

  protected override translate(error: unknown): ConnError {
    return streamError(this.#session, this.stream.rstCode ?? RstCode.NO_ERROR, error)
  }

  /**
   * Node calls the end sent when the session has it. It leaves unless the session ends first, because its peer stopped
   * reading.
   */
  #noteEndSent(): void {
    const willLeave = this.#pending.length === 0 || this.#session?.destroyed === false
    if (willLeave && this.stream.state?.localClose === 1) this.#endSent = true
  }

  /** Closes a stream that the peer reset with NO_ERROR. Node would first wait for its reader, and block its writers. */
  #closeNow(): void {
    this.#noteEndSent()
    if (!this.#endSent) queueMicrotask(() => this.stream.destroy())
  }

  /** Makes up for missing events: `close` can come before `end` (nodejs/node#24983), and instead of `finish`. */
  protected override onClose(): void {
    if (this.#awaitsReset) return
    if (this.#endSent && !this.hasReportedFinish) this.onFinish()
    if (this.#peerEnded && !this.hasReportedEnd) {
      for (let chunk: unknown; (chunk = this.stream.read()) !== null;) {
        if (isBytes(chunk)) this.events?.chunk(chunk)
      }
      const kept = this.#kept?.take()
      if (kept !== undefined) this.events?.chunk(kept)
      this.onEnd()
    }
    this.#unread = 0
    this.#reportUnread()
    super.onClose()
  }

  protected override release(): void {
    super.release()
    this.stream.push = this.#originalPush
    this.stream.destroy = this.#originalDestroy
  }
}

function ignore(): void {}

/** How many streams a server resets in one turn. Each takes Node 0.1 ms, and a limit may end thousands at once. */
const maxResetsPerTurn = 100

/** Streams of servers that wait to be reset, in order. */
const toReset: { readonly stream: Http2Stream; readonly code: number }[] = []

function resetLater(stream: Http2Stream, code: number): void {
  toReset.push({ stream, code })
  if (toReset.length === 1) setImmediate(resetNext)
}

function resetNext(): void {
  const next = toReset.splice(0, maxResetsPerTurn)
  if (toReset.length > 0) setImmediate(resetNext)
  for (const { stream, code } of next) resetStream(stream, code)
}

/** Sends RST_STREAM and destroys the stream. */
export function resetStream(stream: Http2Stream, code: number): void {
  // Node's `close` would send END_STREAM first if it can, which looks like a clean end.
  stream.end = () => stream
  stream.close(code)
  // A socket that accepts no more bytes would hold back the RST_STREAM, and with it the stream's `close` event.
  stream.destroy()
}

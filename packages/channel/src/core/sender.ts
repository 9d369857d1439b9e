import type { Codec } from '@h2channel/codecs'
import type { ConnWriter } from '@h2channel/conn/internal'
import { ownerCalls, WaitQueue } from '@h2channel/conn/internal'

import type { Control } from '../framing/control-frames.ts'
import { encodeControl } from '../framing/control-frames.ts'
import { abortError, ChannelError, signalError } from '../errors.ts'
import type { Framing } from '../framing/framing.ts'
import { encodeFailure } from '../framing/framing.ts'
import { fullFrom, memoryOf, release, WriteBuffer } from './write-buffer.ts'
import type { SenderChannel, SenderWatcher } from './events.ts'
import { closedHere } from './own-end.ts'
import type { Turning } from '../runtime/turn-end.ts'
import { turnEnd } from '../runtime/turn-end.ts'

/**
 * State of the half that sends:
 *
 *     open ──▶ refusing ──▶ ending ──all given to the conn──▶ closing ──▶ ended
 *       └───────────┴─── any error: failed ───────────────────────┘
 *
 * `refusing` accepts no more messages, and sends the accepted ones. `error` is the reason of the peer or the conn.
 */
type State =
  | { readonly at: 'open' }
  | { readonly at: 'refusing'; readonly error: ChannelError }
  | { readonly at: 'ending' | 'closing' | 'ended'; readonly error: ChannelError | undefined }
  | { readonly at: 'failed'; readonly error: ChannelError }

/** The state of every open half. */
const open = { at: 'open' } as const

/** The result of every `send` that had room. */
const accepted = Promise.resolve()

const sendAborted = (reason: unknown): ChannelError => abortError('the send', reason)

/** The queue of every channel whose sends have never waited. Nothing is added to it. */
const noneWaiting = new WaitQueue<unknown, void>(sendAborted)

/**
 * The sending half: encodes into one buffer, passes what a turn has produced to the conn in one write, and holds
 * callers back while more than `maxBufferedBytes` wait. While a write is under way, messages gather, since a buffer for
 * each turn would hold many times as much.
 */
export class Sender<in S> implements ConnWriter, Turning {
  readonly #codec: Pick<Codec<S>, 'encode'>
  readonly #framing: Framing
  readonly #channel: SenderChannel
  readonly #out = new WriteBuffer()
  /** Messages of type S, of which this class would be invariant. `#admitMore` alone dequeues them. */
  #waiting = noneWaiting
  /** Well filled buffers that wait for the conn. One more may be on its way. Most channels never need it. */
  #queue: Uint8Array[] | undefined
  #queuedBytes = 0
  /** The memory of those and of the one on its way, as `#queuedBytes` is their size. Unit: bytes. */
  #queuedMemory = 0
  /** The write that is under way, its size, and its memory. Unit: bytes. */
  #written: Uint8Array | undefined
  #writtenBytes = 0
  #writtenMemory = 0
  #flushIsDue = false
  /** Whether a message is half written. Its getters, or an extension of the codec, may call anything of the channel. */
  #isEncoding = false
  /** Whether something was called for meanwhile. */
  #hasDeferredWork = false
  /** Control frames that were asked for meanwhile. They follow the message at once. */
  #deferredControl: Control[] | undefined
  #state: State = open
  /** Messages that were accepted. */
  messages = 0
  /** Bytes that the conn was given: those of frames, and of control frames. */
  bytes = 0
  #lost: ChannelError | undefined
  /** Since when there is no room for sends that came, and the conn takes nothing. */
  #stalledSince: number | undefined
  /** How much memory the watcher knows of. Unit: bytes. */
  #reported = 0
  /** There from the first wait on, while it is stalled. */
  #slowTimer: unknown
  watcher: SenderWatcher | undefined
  #hasConnEnded = false
  #ended: Promise<void> | undefined
  #settleEnded: ((error?: ChannelError) => void) | undefined

  constructor(codec: Pick<Codec<S>, 'encode'>, framing: Framing, channel: SenderChannel) {
    this.#codec = codec
    this.#framing = framing
    this.#channel = channel
  }

  /** How much was accepted that the conn has not taken yet. Unit: bytes. */
  get bufferedBytes(): number {
    return this.#queuedBytes + this.#out.position
  }

  /** Why no `send` is taken any more, where that was not this side's will. */
  get refusal(): ChannelError | undefined {
    return this.#state.at === 'open' ? undefined : this.#state.error
  }

  /** Whether the conn was given all, and its half is ending or has ended. No control frame can be sent any more. */
  get isOver(): boolean {
    return this.#state.at === 'closing' || this.#state.at === 'ended'
  }

  /** Whether its end was asked for, and has not left yet. */
  get isEnding(): boolean {
    return this.#state.at === 'ending' || this.#state.at === 'closing'
  }

  /** Whether it still sends what was accepted, but takes no more messages, by the will of the peer. */
  get isRefused(): boolean {
    return this.#state.at === 'refusing'
  }

  /** Why something that was sent may not have been handed over, if so. */
  get lost(): ChannelError | undefined {
    return this.#lost
  }

  send(message: S, signal: AbortSignal | null | undefined): Promise<void> {
    if (this.#state.at !== 'open') {
      return Promise.reject(this.#state.error ?? closedHere('send after this side ended or closed', this.#channel.conn))
    }
    const refused = signal === undefined ? undefined : signalError(signal, 'the send')
    if (refused !== undefined) return Promise.reject(refused)
    const buffered = this.#queuedBytes + this.#out.position
    if (this.#waiting.size === 0 && !this.#isEncoding && buffered < this.#channel.limits.maxBufferedBytes) {
      const error = this.#accept(message)
      if (this.#hasDeferredWork) {
        this.#hasDeferredWork = false
        this.#admitMore()
        this.#endWhenSent()
      }
      return error === undefined ? accepted : Promise.reject(error)
    }
    if (this.#isEncoding) this.#hasDeferredWork = true
    if (this.#waiting.size < this.#channel.limits.maxWaitingSends) {
      this.#stalledSince ??= this.#channel.clock.now()
      this.#slowTimer ??= this.#channel.clock.setTimer(checkSlow, this.#channel.limits.slowAfter, this)
      if (this.#waiting === noneWaiting) this.#waiting = new WaitQueue(sendAborted)
      return this.#waiting.add(message, signal)
    }
    const limit = `${this.#channel.limits.maxWaitingSends} sends are waiting already`
    return Promise.reject(new ChannelError('SEND_BUFFER_FULL', `${limit}: await send before the next one`))
  }

  /**
   * Sends one after the other, and waits only where there is no room: a promise for each would take as long as a
   * record.
   */
  async sendAll(messages: Iterable<S>, signal: AbortSignal | null | undefined): Promise<void> {
    const refused = signalError(signal, 'the send')
    if (refused !== undefined) throw refused
    for (const message of messages) {
      const sent = this.send(message, signal)
      if (sent !== accepted) await sent
    }
  }

  /** Sends a control frame, ahead of the sends that still wait. Returns whether it still can. */
  control(control: Control): boolean {
    if (this.#state.at !== 'open' && this.#state.at !== 'refusing' && this.#state.at !== 'ending') return false
    if (this.#isEncoding) {
      ;(this.#deferredControl ??= []).push(control)
      return true
    }
    this.#out.limit(Infinity)
    encodeControl(control, this.#framing, this.#out)
    this.#flushLater()
    return true
  }

  /** Everything sent before goes out, then the conn's half ends. */
  end(): Promise<void> {
    if (this.#ended !== undefined) return this.#ended
    if (this.#state.at === 'failed') return Promise.reject(this.#state.error)
    if (this.#state.at === 'ended') return accepted
    this.#ended = new Promise((resolve, reject) => {
      this.#settleEnded = (failure) => (failure === undefined ? resolve() : reject(failure))
    })
    if (this.#state.at === 'closing') return this.#ended
    const error = this.#state.at === 'refusing' ? this.#state.error : undefined
    this.#state = { at: 'ending', error }
    this.#flush()
    this.#endWhenSent()
    return this.#ended
  }

  /**
   * Accepts no more messages and rejects the sends that wait. What was accepted still leaves. The first reason stays.
   */
  refuse(why: () => ChannelError): void {
    if (this.#state.at === 'open') {
      this.#state = { at: 'refusing', error: why() }
      this.#waiting.fail(this.#state.error)
    } else if (this.#state.at === 'ending' && this.#waiting.size > 0) {
      this.#waiting.fail(why())
      this.#endWhenSent()
    }
  }

  /** Ends the half by an error: what waits is refused, what was accepted and not handed on is dropped. */
  fail(error: ChannelError): void {
    if (this.#state.at === 'failed' || this.#state.at === 'ended') return
    this.#state = { at: 'failed', error }
    if (this.messages > 0) this.#lost = error
    if (!this.#isEncoding) this.#out.take()
    this.#queue = undefined
    release(this.#written, false)
    this.#written = undefined
    this.#queuedBytes = 0
    this.#queuedMemory = 0
    this.#waiting.fail(error)
    this.#channel.clock.clearTimer(this.#slowTimer)
    if (this.watcher !== undefined) this.#reportMemory(this.watcher)
    this.#settleEnded?.(error)
  }

  onTurnEnd(): void {
    this.#flushIsDue = false
    this.#flush()
  }

  /** Hands what is there to the conn, or keeps it while a write is on its way. */
  #flush(): void {
    const out = this.#out
    if (this.#isEncoding) return this.#flushLater()
    if (out.position === 0) return
    if (this.#written === undefined) this.#write(out.take(ownerCalls.hidesBytes(this.#channel.conn)))
    else if (out.position >= this.#channel.limits.flushBytes || out.isWellFilled) {
      const bytes = out.take()
      ;(this.#queue ??= []).push(bytes)
      this.#queuedBytes += bytes.length
      this.#queuedMemory += memoryOf(bytes)
    } else out.settle(2 * this.bufferedBytes - this.#queuedMemory)
    if (this.watcher !== undefined) this.#reportMemory(this.watcher)
  }

  /** Tells how much memory waits now, but for what this turn still writes. */
  #reportMemory(watcher: SenderWatcher): void {
    const change = this.#queuedMemory + (this.#flushIsDue ? 0 : this.#out.bytes.length) - this.#reported
    this.#reported += change
    if (change !== 0) watcher.onHeld(change)
  }

  /** Tells of a peer that has taken nothing for long, and looks again after as long. */
  checkSlow(): void {
    this.#slowTimer = undefined
    if (this.#stalledSince === undefined || this.#state.at === 'failed') return
    const { slowAfter } = this.#channel.limits
    const waited = this.#channel.clock.now() - this.#stalledSince
    // Timers may be early by less than a millisecond.
    const isSlow = waited > slowAfter - 1
    if (isSlow) this.#channel.onSlow(waited)
    if (this.#stalledSince === undefined || (this.#state as State).at === 'failed') return
    const delay = isSlow ? slowAfter : Math.ceil(slowAfter - waited)
    this.#slowTimer ??= this.#channel.clock.setTimer(checkSlow, delay, this)
  }

  /** Appends a message to what was encoded. Returns an error, with everything as before, if that fails. */
  #accept(message: S): ChannelError | undefined {
    const out = this.#out
    const start = out.position
    this.#isEncoding = true
    try {
      this.#framing.begin(out)
      out.limit(this.#channel.limits.maxMessageBytes)
      this.#codec.encode(message, out)
      this.#framing.end(out, start, this.#channel.limits.maxMessageBytes)
    } catch (error) {
      out.position = start
      if (start === 0) out.take()
      return encodeFailure(error, out, this.#channel.limits.maxMessageBytes)
    } finally {
      this.#isEncoding = false
      if (this.#state.at === 'failed') {
        out.take()
        if (this.watcher !== undefined) this.#reportMemory(this.watcher)
      }
      if (this.#deferredControl !== undefined) this.#sendDeferred(this.#deferredControl)
    }
    if (this.#state.at === 'failed') return this.#state.error
    this.messages += 1
    if (out.position >= this.#channel.limits.flushBytes || out.position >= fullFrom) this.#flush()
    else if (!this.#flushIsDue) {
      this.#flushIsDue = true
      turnEnd.add(this)
    }
    return undefined
  }

  #sendDeferred(deferred: readonly Control[]): void {
    this.#deferredControl = undefined
    for (const control of deferred) this.control(control)
  }

  #flushLater(): void {
    if (this.#flushIsDue) return
    this.#flushIsDue = true
    turnEnd.add(this)
  }

  /** Writes what waits. What this turn has produced waits for the turn's end. */
  #writeNext(): void {
    const bytes = this.#queue?.shift()
    if (bytes !== undefined) {
      this.#queuedBytes -= bytes.length
      this.#queuedMemory -= memoryOf(bytes)
      this.#write(bytes)
    } else if (this.#out.position > 0 && !this.#flushIsDue) this.#write(this.#out.take())
  }

  #write(bytes: Uint8Array): void {
    this.#written = bytes
    // Both are zero once the conn's place has transferred the bytes.
    this.#writtenBytes = bytes.length
    this.#writtenMemory = memoryOf(bytes)
    this.#queuedBytes += bytes.length
    this.#queuedMemory += this.#writtenMemory
    this.bytes += bytes.length
    ownerCalls.writeFrom(this, this.#channel.conn, bytes)
  }

  onWritten(isReleased: boolean): void {
    release(this.#written, isReleased)
    this.#written = undefined
    if (this.#state.at === 'failed') return
    this.#queuedBytes -= this.#writtenBytes
    this.#queuedMemory -= this.#writtenMemory
    if (this.#queuedBytes + this.#out.position > 0) this.#writeNext()
    if (this.watcher !== undefined) this.#reportMemory(this.watcher)
    if (this.#waiting.size > 0) this.#admitMore()
    if (this.#stalledSince !== undefined) {
      this.#stalledSince = this.#waiting.size > 0 ? this.#channel.clock.now() : undefined
    }
    if (this.#state !== open) this.#endWhenSent()
  }

  onWriteError(error: unknown): void {
    this.#channel.onConnError(error)
  }

  /** Lets in who waits, as far as there is room. */
  #admitMore(): void {
    while (this.bufferedBytes < this.#channel.limits.maxBufferedBytes) {
      const next = this.#waiting.take()
      if (next === undefined) return
      const error = this.#accept(next.item as S)
      if (error === undefined) next.resolve()
      else next.reject(error)
    }
  }

  #endWhenSent(): void {
    if (this.#isEncoding) {
      this.#hasDeferredWork = true
      return
    }
    if (this.#hasConnEnded) this.#onConnEnded()
    // The end follows the last write at once, and so leaves in its packet.
    const left = this.bufferedBytes - (this.#written === undefined ? 0 : this.#writtenBytes)
    if (this.#state.at !== 'ending' || this.#waiting.size > 0 || left > 0) return
    this.#channel.clock.clearTimer(this.#slowTimer)
    this.endConn(this.#state.error)
  }

  /** Ends the half of the conn, which has all that was sent. */
  endConn(refusal: ChannelError | undefined): void {
    this.#state = { at: 'closing', error: refusal }
    this.#channel.conn.closeWrite().then(
      () => this.#onConnEnded(),
      (failure: unknown) => this.#channel.onConnError(failure),
    )
  }

  /** The half of the conn has ended. That of the channel ends with its last write, which may be reported later. */
  #onConnEnded(): void {
    this.#hasConnEnded = true
    if (this.#state.at !== 'closing' || this.#written !== undefined) return
    this.#state = { at: 'ended', error: this.#state.error }
    this.#settleEnded?.()
  }
}

const checkSlow = (sender: { checkSlow(): void }): void => sender.checkSlow()

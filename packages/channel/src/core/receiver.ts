import type { MessageReader } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'
import { WaitQueue } from '@h2channel/conn/internal'

import type { ChannelError } from '../errors.ts'
import { abortError, signalError } from '../errors.ts'
import type { FrameDecoder } from '../framing/framing.ts'
import { maxControlBytes } from '../framing/framing.ts'
import { prefixSize } from '../framing/length-prefixed.ts'
import type { Clock } from '../runtime/clock.ts'
import { platform } from '../runtime/clock.ts'
import { closedHere } from './own-end.ts'
import { createReader } from './reader.ts'
import type { ArrivedWatcher, MessageWatcher, ReceiverEvents, ReceiverParts, ReceiverState, Wrap } from './receiving.ts'
import { asMessage, asResult, done, noFrames, none, open, skipped } from './receiving.ts'

/** A frame is read up to this size although no caller waits: it may be a control frame. Unit: bytes. */
const maxUnasked = prefixSize + maxControlBytes

/** Maximum memory for the start of a message that no caller waits for. Unit: bytes. */
const maxStart = 32 * 1024

/** Maximum number of messages that are skipped before other work of the program has its turn. */
const maxSkips = 100

/** What is read and discarded a second after this side has stopped receiving: as much as a window. Unit: bytes. */
const maxDiscarded = 1024 * 1024

/**
 * The receiving half: reads messages from the conn, each when a caller asks for it. It holds one chunk, and reads the next when all
 * messages of that one were delivered, so that a caller that stops holds the sender back.
 */
export class Receiver<R> {
  readonly #conn: Conn
  readonly #reader: MessageReader<R>
  #decoder: FrameDecoder
  readonly #clock: Clock
  readonly #events: ReceiverEvents
  /** Each wait with its wrap, which only `#deliver` takes out: with wraps of R the type of this class would be invariant. */
  readonly #waiting = new WaitQueue<Wrap<never>, unknown>(receiveAborted)
  #state: ReceiverState = open

  // Counts.
  /** Messages that were delivered. */
  messages = 0
  /** Bytes that the conn has delivered, control frames included. */
  bytes = 0
  watcher: MessageWatcher | undefined
  arrivedWatcher: ArrivedWatcher | undefined
  /** The memory that `arrivedWatcher` has been notified of. Unit: bytes. */
  #held = 0

  // Reading.
  #isReading = false
  /** Whether the rest of a message waits to be read until a caller asks for it. */
  #isHeldBack = false
  #quietSince = 0

  // Skipping.
  /** Messages that were skipped since the last pause. */
  #skips = 0
  #isPausing = false

  // Looking ahead.
  /** Whether the decoder's frame is a message, found in the search for control frames. */
  #isFound = false
  /** What the codec threw for that message, if it was decoded before a caller asked for it. */
  #deferredError: { readonly error: unknown } | undefined

  // Made once: closures of each read would stay with an idle channel until the next ping, and then be old garbage.
  readonly #onRead = (chunk: Uint8Array | null): void => {
    this.#isReading = false
    this.bytes += chunk?.length ?? 0
    this.#onChunk(chunk)
  }
  readonly #onReadError = (error: unknown): void => {
    if (this.#state.at === 'open' || this.#state.at === 'stopped') this.#events.onReceiveError(error)
  }

  constructor(parts: ReceiverParts<R>, events: ReceiverEvents) {
    this.#conn = parts.conn
    this.#reader = createReader(parts.codec)
    this.#decoder = parts.decoder
    this.#clock = parts.clock
    this.#events = events
  }

  get isOpen(): boolean {
    return this.#state.at === 'open'
  }

  /** Whether the peer has ended its half, and all of it was received. */
  get hasEnded(): boolean {
    return this.#state.at === 'ended'
  }

  /** Whether it stopped reading without asking the peer to stop: flow control holds the peer back. */
  get isPaused(): boolean {
    return this.#state.at === 'stopped' && this.#state.isPaused
  }

  /** When it began to wait for the next chunk, on the channel's clock. `undefined` while it does not wait. */
  get quietSince(): number | undefined {
    const isWaiting = this.#isReading && (this.#state.at === 'open' || this.#state.at === 'stopped')
    return isWaiting ? this.#quietSince : undefined
  }

  /** Begins to read. The first chunk is read before a caller asks, since it may hold a control frame. */
  start(): void {
    this.#read()
  }

  receive(signal: AbortSignal | null | undefined): Promise<R | undefined> {
    return this.#pull(asMessage<R>, signal)
  }

  next(): Promise<IteratorResult<R, undefined>> {
    return this.#pull(asResult<R>, undefined)
  }

  /** The next message, wrapped as the caller passes it on. */
  #pull<Result>(wrap: (message: R | undefined) => Result, signal: AbortSignal | null | undefined): Promise<Result> {
    const refused = signalError(signal, 'the receive')
    if (refused !== undefined) return Promise.reject(refused)
    const message = this.#waiting.size === 0 ? this.#decode() : none
    if (message !== none && message !== skipped) {
      this.#lookAhead()
      return Promise.resolve(wrap(message))
    }
    const received = this.#wait(wrap, signal)
    if (message === skipped) this.#serveWaiting()
    return received
  }

  #wait<Result>(wrap: (message: R | undefined) => Result, signal: AbortSignal | null | undefined): Promise<Result> {
    // The hook that was asked about a message may have done anything meanwhile.
    const refused = signalError(signal, 'the receive')
    if (refused !== undefined) return Promise.reject(refused)
    switch (this.#state.at) {
      case 'open': {
        const waiting = this.#waiting.add(wrap, signal) as Promise<Result>
        if (this.#isHeldBack) this.#read()
        return waiting
      }
      case 'ended':
        return Promise.resolve(wrap(undefined))
      case 'stopped':
        return Promise.reject(this.#stoppedHere())
      case 'dropping':
        return Promise.reject(this.#state.error ?? this.#stoppedHere())
      case 'failed':
        return Promise.reject(this.#state.error)
    }
  }

  /** All messages that have arrived, or the next one. */
  nextBatch(): Promise<IteratorResult<R[], undefined>> {
    const batch: R[] = []
    this.#collect(batch)
    if (batch.length > 0) return Promise.resolve({ done: false, value: batch })
    return this.next().then((result) => {
      if (result.done === true) return done
      batch.push(result.value)
      this.#collect(batch)
      return { done: false, value: batch }
    })
  }

  /**
   * Adds the messages that have arrived, unless other callers wait for them. An error of the codec is left to the next call, unless
   * the batch is empty.
   */
  #collect(batch: R[]): void {
    while (this.#waiting.size === 0 && this.#skips < maxSkips) {
      const message = this.#decode(batch.length > 0)
      if (message === none) return
      if (message !== skipped) batch.push(message)
    }
  }

  /** Delivers nothing more. Messages that still arrive are discarded; with `isPaused` nothing more is read. */
  stop(isPaused: boolean): void {
    if (this.#state.at !== 'open') return
    this.#state = isPaused ? { at: 'stopped', isPaused } : { at: 'stopped', isPaused, upTo: this.bytes + maxDiscarded }
    this.#reader.release()
    for (let waiting = this.#waiting.take(); waiting !== undefined; waiting = this.#waiting.take()) {
      // An iteration that was left is done. A `receive` fails with the reason.
      if (waiting.item === asResult) waiting.resolve(done)
      else waiting.reject(this.#stoppedHere())
    }
    if (!isPaused) this.#discard()
  }

  /** Delivers nothing more, and reads what still arrives without a look, so that the peer is not blocked. */
  drop(error?: ChannelError): void {
    if (this.#state.at === 'failed' || this.#state.at === 'dropping') return
    const hasEnded = this.hasEnded
    this.#state = { at: 'dropping', error }
    this.#release()
    this.#waiting.fail(error ?? this.#stoppedHere())
    if (!hasEnded) this.#read()
  }

  fail(error: ChannelError): void {
    if (this.#state.at === 'failed' || this.#state.at === 'dropping' || this.#state.at === 'ended') return
    this.#state = { at: 'failed', error }
    this.#release()
    this.#waiting.fail(error)
  }

  /**
   * Decodes the next message: returns it, or `skipped` for a message that is skipped. Returns `none` where no message has arrived,
   * or on an error, which has ended the channel unless `deferErrors` leaves it to the next call.
   */
  #decode(deferErrors = false): R | typeof none | typeof skipped {
    if (this.#state.at !== 'open') return none
    if (!this.#isFound && !this.#next()) return none
    this.#isFound = false
    const deferred = this.#deferredError
    this.#deferredError = undefined
    if (this.watcher !== undefined && deferred === undefined) {
      this.watcher.onMessage()
      if (this.#state.at !== open.at) return none
    }
    try {
      if (deferred !== undefined) throw deferred.error
      const message = this.#reader.read(this.#decoder.bytes, this.#decoder.offset, this.#decoder.length)
      this.#skips = 0
      if (message === undefined)
        throw new TypeError('the codec decoded the message to undefined, which stands for the end')
      this.messages += 1
      return message
    } catch (error) {
      if (deferErrors) {
        this.#isFound = true
        this.#deferredError = { error }
        return none
      }
      const failure = this.#events.onDecodeError(error)
      if (failure === undefined) {
        this.#skips += 1
        return skipped
      }
      this.#events.onReceiveError(failure)
      return none
    }
  }

  /** Finds the next message, and handles the control frames before it. Starts a read where there is no message. */
  #next(): boolean {
    const decoder = this.#decoder
    try {
      while (decoder.next()) {
        if (!decoder.control) return true
        this.#events.onControl(decoder.bytes.subarray(decoder.offset, decoder.offset + decoder.length))
        if (this.#state.at === 'failed' || this.#state.at === 'dropping') return false
      }
    } catch (error) {
      this.#events.onReceiveError(error)
      return false
    }
    this.#reader.release()
    // No control frame is that long: the rest of the message may wait until a caller asks for it.
    this.#isHeldBack = this.#state.at === 'open' && this.#waiting.size === 0 && decoder.buffered > maxUnasked
    // The start of a message that no caller waits for is bounded for each channel, as are the chunk and the window behind it.
    this.#reportHeld(this.#isHeldBack && decoder.held <= maxStart ? 0 : decoder.held)
    if (!this.#isHeldBack) this.#read()
    return false
  }

  #reportHeld(held: number): void {
    const change = held - this.#held
    if (change === 0 || this.arrivedWatcher === undefined) return
    this.#held = held
    this.arrivedWatcher.onArrived(change)
  }

  /** Frees the memory of what has arrived, since none of it is read any more. */
  #release(): void {
    this.#reader.release()
    this.#decoder = noFrames
    this.#isFound = false
    this.#deferredError = undefined
    this.#reportHeld(0)
  }

  #read(): void {
    if (this.#isReading) return
    if (this.#state.at === 'stopped') {
      if (this.#state.isPaused) return
      // A peer that keeps sending after a `stop` costs little that way, and its control frames and its end are seen.
      if (this.bytes >= this.#state.upTo) {
        this.#clock.setTimer(resumeReading, 1_000, this)
        return
      }
    }
    this.#isHeldBack = false
    this.#isReading = true
    this.#quietSince = this.#clock.now()
    this.#conn.read().then(this.#onRead, this.#onReadError)
  }

  /** Reads again after a second, if it is still stopped. */
  resumeReading(): void {
    if (this.#state.at !== 'stopped' || this.#state.isPaused) return
    this.#state = { ...this.#state, upTo: this.bytes + maxDiscarded }
    this.#read()
  }

  #onChunk(chunk: Uint8Array | null): void {
    this.#isHeldBack = false
    switch (this.#state.at) {
      case 'open':
        if (chunk === null) this.#onEnd()
        else this.#serve(chunk)
        return
      case 'stopped':
        if (chunk === null) this.#onEnd()
        else if (!this.#state.isPaused) this.#discard(chunk)
        return
      case 'dropping':
        if (chunk !== null) this.#read()
        return
      default:
    }
  }

  #onEnd(): void {
    try {
      this.#decoder.end()
    } catch (error) {
      this.#events.onReceiveError(error)
      return
    }
    if (this.#state.at === 'open') this.#state = { at: 'ended' }
    this.#events.onEnd()
    while (this.#waiting.size > 0) this.#deliver(undefined)
  }

  /** Finds the next message for the control frames before it: a program that only sends would not see them otherwise. */
  #lookAhead(): void {
    if (this.#state.at === 'open' && !this.#isFound) this.#isFound = this.#next()
  }

  #serve(chunk: Uint8Array): void {
    this.#decoder.push(chunk)
    this.#serveWaiting()
    if (this.#isFound) this.#decoder.settle?.()
  }

  /** Gives a message, or the end, to the caller that has waited longest. */
  #deliver(message: R | undefined): void {
    const first = this.#waiting.take()
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `#wait` put it there
    first?.resolve((first.item as Wrap<R>)(message))
  }

  #serveWaiting(): void {
    while (this.#waiting.size > 0) {
      if (this.#skips >= maxSkips) {
        this.#pause()
        return
      }
      const message = this.#decode()
      if (message === none) return
      if (message !== skipped) this.#deliver(message)
    }
    this.#lookAhead()
  }

  /** Serves the waiting callers in a later turn. */
  #pause(): void {
    if (this.#isPausing) return
    this.#isPausing = true
    const resume = (): void => {
      this.#isPausing = false
      this.#skips = 0
      this.#serveWaiting()
    }
    platform.setTimeout(resume, 0, undefined)
  }

  /** Discards messages, and handles the control frames among them. */
  #discard(chunk?: Uint8Array): void {
    if (chunk !== undefined) this.#decoder.push(chunk)
    while (this.#next());
  }

  #stoppedHere(): ChannelError {
    return closedHere('receive after this side stopped receiving, or closed', this.#conn)
  }
}

function resumeReading(receiver: { resumeReading(): void }): void {
  receiver.resumeReading()
}

function receiveAborted(reason: unknown): ChannelError {
  return abortError('the receive', reason)
}

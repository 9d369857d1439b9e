import type { Codec, MessageReader } from '@h2channel/codecs'
import type { ConnReader } from '@h2channel/conn/internal'
import { ownerCalls, WaitQueue } from '@h2channel/conn/internal'

import type { ChannelError } from '../errors.ts'
import { abortError, signalError } from '../errors.ts'
import type { FrameDecoder, Framing } from '../framing/framing.ts'
import { maxControlBytes } from '../framing/framing.ts'
import { prefixSize } from '../framing/length-prefixed.ts'
import { platform } from '../runtime/clock.ts'
import type { ArrivedWatcher, ReceiverChannel, ReceiverWatcher } from './events.ts'
import { closedHere } from './own-end.ts'
import type { Wrap } from './reader.ts'
import { asResult, createReader, done, noFrames } from './reader.ts'

/**
 * State of the half that receives:
 *
 *     open ──the peer ended──▶ ended
 *       ├────stop()──▶ stopped ──drop()─┐
 *       ├────drop()─────────────────────┴─▶ dropping
 *       └────any error──▶ failed
 *
 * `stopped` still handles control frames, and reads no more than a window a second, or nothing. `dropping` reads to the
 * end and looks at nothing.
 */
type State =
  | { readonly at: 'open' }
  | { readonly at: 'ended' }
  /** Reads no more where `isPaused`, or until `upTo` bytes came within this second. */
  | { readonly at: 'stopped'; readonly isPaused: boolean; readonly upTo: number }
  | { readonly at: 'dropping'; readonly error: ChannelError | undefined }
  | { readonly at: 'failed'; readonly error: ChannelError }

const open = { at: 'open' } as const
/** No message has arrived, or one was skipped. */
const none = Symbol('none')
const skipped = Symbol('skipped')

/** Bytes of a frame that are read before a message is asked for: they may be a control frame. */
const maxUnasked = prefixSize + maxControlBytes
/** Maximum memory for the start of a message that was not asked for. Unit: bytes. */
const maxStart = 32 * 1024
/** Messages that are skipped in a row before the rest of the program gets its turn. */
const maxSkips = 100
/** Bytes that are read and skipped within a second, after this side has stopped receiving: about a window. */
const maxSkippedBytes = 1024 * 1024

/**
 * The receiving half: reads messages from the conn, each when a caller asks for it. It holds one chunk, and reads the
 * next when all messages of that one were delivered, so that a caller that stops holds the sender back.
 */
export class Receiver<R> implements ConnReader {
  readonly #reader: MessageReader<R>
  #decoder: FrameDecoder
  readonly #channel: ReceiverChannel

  // Waits. With wraps of R this class would be invariant.
  readonly #waiting = new WaitQueue<Wrap<never>, unknown>(receiveAborted)
  #state: State = open

  // Statistics and watchers.
  messages = 0
  /** Bytes that came from the conn, framing and control frames included. */
  bytes = 0
  watcher: ReceiverWatcher | undefined
  arrivedWatcher: ArrivedWatcher | undefined
  /** Memory that the watcher knows of. Unit: bytes. */
  #reported = 0

  // Reading.
  #isReading = false
  /** Whether the rest of a message is read only when it is asked for. */
  #waitsForDemand = false
  #quietSince = 0

  // Decoding.
  /** Messages that were skipped in a row since the last yield. */
  #skips = 0
  #isYielding = false
  /** Whether the decoder's frame is a message that was found while looking for control frames. */
  #lookedAhead = false
  /** What the codec threw for that message before it was asked for. */
  #deferredError: { readonly error: unknown } | undefined

  constructor(codec: Codec<R>, framing: Framing, channel: ReceiverChannel) {
    this.#reader = createReader(codec)
    this.#decoder = framing.decoder(channel.limits.maxMessageBytes)
    this.#channel = channel
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

  /** Receives the next message in the form that the caller returns: that saves a promise a message. */
  receive<Result>(wrap: (message: R | undefined) => Result, signal: AbortSignal | null | undefined): Promise<Result> {
    const refused = signal === undefined ? undefined : signalError(signal, 'the receive')
    if (refused !== undefined) return Promise.reject(refused)
    // While it reads, no whole message is there.
    if (this.#isReading && this.#state === open) return this.#waiting.add(wrap, signal) as Promise<Result>
    const message = this.#isReading || this.#waiting.size > 0 ? none : this.#decode()
    if (message !== none && message !== skipped) {
      if (this.#state === open && !this.#lookedAhead) this.#lookedAhead = this.#next()
      return Promise.resolve(wrap(message))
    }
    const received = this.#wait(wrap, signal)
    if (message === skipped) this.#serveWaiting()
    return received
  }

  #wait<Result>(wrap: (message: R | undefined) => Result, signal: AbortSignal | null | undefined): Promise<Result> {
    // A hook may have done anything meanwhile.
    const refused = signal === undefined ? undefined : signalError(signal, 'the receive')
    if (refused !== undefined) return Promise.reject(refused)
    switch (this.#state.at) {
      case 'open': {
        const waiting = this.#waiting.add(wrap, signal) as Promise<Result>
        if (this.#waitsForDemand) this.read()
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

  /** Receives all messages that have arrived, at least one. */
  nextBatch(): Promise<IteratorResult<R[], undefined>> {
    const batch: R[] = []
    this.#collect(batch)
    if (batch.length > 0) return Promise.resolve({ done: false, value: batch })
    return this.receive(asResult<R>, undefined).then((result) => {
      if (result.done === true) return done
      batch.push(result.value)
      this.#collect(batch)
      return { done: false, value: batch }
    })
  }

  /** Adds what has arrived, unless other calls wait. An invalid message after others is left to the next call. */
  #collect(batch: R[]): void {
    while (this.#waiting.size === 0 && this.#skips < maxSkips) {
      const message = this.#decode(batch.length > 0)
      if (message === none) return
      if (message !== skipped) batch.push(message)
    }
  }

  /** Delivers nothing more. Messages that still arrive are skipped, or left unread where `isPaused`. */
  stop(isPaused: boolean): void {
    if (this.#state.at !== 'open') return
    this.#state = { at: 'stopped', isPaused, upTo: this.bytes + maxSkippedBytes }
    this.#reader.release()
    for (let waiting = this.#waiting.take(); waiting !== undefined; waiting = this.#waiting.take()) {
      // An iteration that was left is done. A `receive` fails with the reason.
      if (waiting.item === asResult) waiting.resolve(done)
      else waiting.reject(this.#stoppedHere())
    }
    if (!isPaused) this.#skipMessages()
  }

  /** Delivers nothing more, and reads and discards what still arrives, so that the peer is not held back. */
  drop(error?: ChannelError): void {
    if (this.#state.at === 'failed' || this.#state.at === 'dropping') return
    const { hasEnded } = this
    this.#state = { at: 'dropping', error }
    this.#release()
    if (this.#waiting.size > 0) this.#waiting.fail(error ?? this.#stoppedHere())
    if (!hasEnded) this.read()
  }

  fail(error: ChannelError): void {
    if (this.#state.at === 'failed' || this.#state.at === 'dropping' || this.#state.at === 'ended') return
    this.#state = { at: 'failed', error }
    this.#release()
    this.#waiting.fail(error)
  }

  /**
   * Decodes the next message: returns it, or `skipped` for a message that is skipped. Returns `none` where no message
   * has arrived, or on an error, which has ended the channel unless `deferErrors` leaves it to the next call.
   */
  #decode(deferErrors = false): R | typeof none | typeof skipped {
    if (this.#state.at !== 'open') return none
    if (!this.#lookedAhead && !this.#next()) return none
    this.#lookedAhead = false
    const thrown = this.#deferredError
    this.#deferredError = undefined
    if (this.watcher !== undefined && thrown === undefined) {
      this.watcher.onMessage()
      if (this.#state.at !== open.at) return none
    }
    try {
      if (thrown !== undefined) throw thrown.error
      const message = this.#reader.read(this.#decoder.bytes, this.#decoder.offset, this.#decoder.length)
      this.#skips = 0
      if (message === undefined)
        throw new TypeError('the codec decoded the message to undefined, which stands for the end')
      this.messages += 1
      return message
    } catch (error) {
      if (deferErrors) {
        this.#lookedAhead = true
        this.#deferredError = { error }
        return none
      }
      const failure = this.#channel.onDecodeError(error)
      if (failure === undefined) {
        this.#skips += 1
        return skipped
      }
      this.#channel.onReceiveError(failure)
      return none
    }
  }

  /** Handles control frames up to the next message. Returns whether it is there; otherwise a read starts. */
  #next(): boolean {
    const decoder = this.#decoder
    try {
      while (decoder.next()) {
        if (!decoder.control) return true
        this.#channel.onControl(decoder.bytes.subarray(decoder.offset, decoder.offset + decoder.length))
        if (this.#state.at === 'failed' || this.#state.at === 'dropping') return false
      }
    } catch (error) {
      this.#channel.onReceiveError(error)
      return false
    }
    this.#reader.release()
    // No control frame is that long: the rest of the message may wait until a caller asks for it.
    this.#waitsForDemand = this.#state.at === 'open' && this.#waiting.size === 0 && decoder.buffered > maxUnasked
    // The start of a message that was not asked for has a bound for each channel, like the chunk and the window behind
    // it.
    if (this.arrivedWatcher !== undefined && (this.#reported > 0 || decoder.held > 0)) {
      this.#reportMemory(this.#waitsForDemand && decoder.held <= maxStart ? 0 : decoder.held)
    }
    if (!this.#waitsForDemand) this.read()
    return false
  }

  #reportMemory(held: number): void {
    const change = held - this.#reported
    if (change === 0 || this.arrivedWatcher === undefined) return
    this.#reported = held
    this.arrivedWatcher.onArrived(change)
  }

  /** Frees the memory of what has arrived, since none of it is read any more. */
  #release(): void {
    this.#reader.release()
    this.#decoder = noFrames
    this.#lookedAhead = false
    this.#deferredError = undefined
    this.#reportMemory(0)
  }

  /** Reads the next chunk. The first is read before a message is asked for, since it may contain a control frame. */
  read(): void {
    if (this.#isReading) return
    if (this.#state.at === 'stopped') {
      if (this.#state.isPaused) return
      // A peer that still sends costs little then, and its control frames and its end are noticed nevertheless.
      if (this.bytes >= this.#state.upTo) {
        this.#channel.clock.setTimer(readMore, 1_000, this)
        return
      }
    }
    this.#waitsForDemand = false
    this.#isReading = true
    this.#quietSince = this.#channel.clock.now()
    ownerCalls.readTo(this, this.#channel.conn)
  }

  resume(): void {
    this.#isYielding = false
    this.#skips = 0
    this.#serveWaiting()
  }

  readMore(): void {
    if (this.#state.at !== 'stopped' || this.#state.isPaused) return
    this.#state = { ...this.#state, upTo: this.bytes + maxSkippedBytes }
    this.read()
  }

  onReadError(error: unknown): void {
    if (this.#state.at === 'open' || this.#state.at === 'stopped') this.#channel.onReceiveError(error)
  }

  onChunk(chunk: Uint8Array | null): void {
    this.#isReading = false
    this.bytes += chunk?.length ?? 0
    this.#waitsForDemand = false
    switch (this.#state.at) {
      case 'open':
        if (chunk === null) this.#onEnd()
        else {
          this.#decoder.push(chunk)
          this.#serveWaiting()
          if (this.#lookedAhead) this.#decoder.settle?.()
        }
        return
      case 'stopped':
        if (chunk === null) this.#onEnd()
        else if (!this.#state.isPaused) this.#skipMessages(chunk)
        return
      case 'dropping':
        if (chunk !== null) this.read()
        return
      default:
    }
  }

  #onEnd(): void {
    try {
      this.#decoder.end()
    } catch (error) {
      this.#channel.onReceiveError(error)
      return
    }
    if (this.#state.at === 'open') this.#state = { at: 'ended' }
    this.#channel.onEnd()
    for (let waiting = this.#waiting.take(); waiting !== undefined; waiting = this.#waiting.take()) {
      waiting.resolve((waiting.item as Wrap<R>)(undefined))
    }
  }

  #serveWaiting(): void {
    while (this.#waiting.size > 0) {
      if (this.#skips >= maxSkips) {
        if (!this.#isYielding) platform.setTimeout(resume, 0, this)
        this.#isYielding = true
        return
      }
      const message = this.#decode()
      if (message === none) return
      if (message === skipped) continue
      const first = this.#waiting.take()
      first?.resolve((first.item as Wrap<R>)(message))
    }
    // Handles the control frames before the next message, since a program that only sends must notice them too.
    if (this.#state === open && !this.#lookedAhead) this.#lookedAhead = this.#next()
  }

  /** Skips messages, and handles the control frames among them. */
  #skipMessages(chunk?: Uint8Array): void {
    if (chunk !== undefined) this.#decoder.push(chunk)
    while (this.#next());
  }

  #stoppedHere(): ChannelError {
    return closedHere('receive after this side stopped receiving, or closed', this.#channel.conn)
  }
}

const resume = (receiver: { resume(): void }): void => receiver.resume()
const readMore = (receiver: { readMore(): void }): void => receiver.readMore()
const receiveAborted = (reason: unknown): ChannelError => abortError('the receive', reason)

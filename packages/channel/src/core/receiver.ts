import type { Codec, MessageReader } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'
import { WaitQueue } from '@h2channel/conn/internal'

import type { Clock } from '../runtime/clock.ts'
import type { ChannelError } from '../errors.ts'
import { abortError, signalError } from '../errors.ts'
import type { FrameDecoder } from '../framing/framing.ts'
import { closedHere } from './own-end.ts'
import { platform } from '../runtime/platform.ts'
import { maxControlBytes } from '../framing/framing.ts'
import { prefixSize } from '../framing/length-prefixed.ts'
import { readerOf } from './reader.ts'

/**
 * The half that receives:
 *
 *     open ──the peer ended──▶ ended
 *       ├────stop()──▶ stopped ──drop()─┐
 *       ├────drop()─────────────────────┴─▶ dropping
 *       └────any error──▶ failed
 *
 * `stopped` still heeds control frames, but reads no more than a window a second, or no further at all; `dropping` reads to the
 * end without looking.
 */
type State =
  | { readonly at: 'open' }
  | { readonly at: 'ended' }
  | { readonly at: 'stopped'; readonly isHeld: true }
  /** `upTo` how many bytes it reads within this second. */
  | { readonly at: 'stopped'; readonly isHeld: false; readonly upTo: number }
  | { readonly at: 'dropping'; readonly error: ChannelError | undefined }
  | { readonly at: 'failed'; readonly error: ChannelError }

export interface ReceiverParts<R> {
  readonly conn: Conn
  readonly codec: Codec<R>
  readonly decoder: FrameDecoder
  readonly clock: Clock
}

/** What the channel is told, or asked, by its receiver. */
export interface ReceiverEvents {
  /** The body of a control frame. May end the channel. */
  onControl(body: Uint8Array): void
  /** Once: the peer has ended its half and said so. */
  onEnd(): void
  /** Once: what arrived can't be read, or no more can arrive. */
  onReceiveError(error: unknown): void
  /** What to make of an error of the codec: the error to fail with, or `undefined` to pass over the message. */
  judge(error: unknown): ChannelError | undefined
}

/** Follows what arrives. */
export interface ReceiverWatcher {
  /** Somebody is about to get a message. May end the channel, and then nobody does. */
  onMessage(): void
}

/** Follows how much is held of messages that are not whole yet. */
export interface ArrivedWatcher {
  /** The channel holds so much more memory for them, or less. Unit: bytes. May end the channel. */
  onArrived(change: number): void
}

/** What a wait makes of its message, or of the end. */
type Shape<R> = (message: R | undefined) => unknown

function asMessage<R>(message: R | undefined): R | undefined {
  return message
}

function asResult<R>(message: R | undefined): IteratorResult<R, undefined> {
  return message === undefined ? over : { done: false, value: message }
}

/** Of all that are open. */
const open = { at: 'open' } as const

const over: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** Stands for "no message is there yet". */
const none = Symbol('none')

/** Stands for a message that was passed over. */
const skipped = Symbol('skipped')

/** Stands for the decoder when nothing more is read. */
const noFrames: FrameDecoder = {
  control: false,
  buffered: 0,
  held: 0,
  bytes: new Uint8Array(0),
  offset: 0,
  length: 0,
  push() {},
  next: () => false,
  end() {},
}

/** So much of a frame is read though nobody asks for a message: it may be a control frame. Unit: bytes. */
const largestUnasked = prefixSize + maxControlBytes

/** How much memory the start of a message takes at most that nobody has asked for. Unit: bytes. */
const largestStart = 32 * 1024

/** How many messages are passed over in a row before the rest of the program has its turn. */
const maxSkips = 100

/** How much is read and passed over within a second, after this side has stopped receiving: as much as a window. Unit: bytes. */
const mostPassedOver = 1024 * 1024

/**
 * Messages out of the conn, one when one is asked for. It holds one chunk; the next is read when all messages of that one
 * are out, so that a receiver that stops holds the sender back.
 */
export class Receiver<R> {
  readonly #conn: Conn
  readonly #reader: MessageReader<R>
  #decoder: FrameDecoder
  readonly #clock: Clock
  readonly #events: ReceiverEvents
  /** Each with its shape, which nothing but `#hand` takes out: a list of shapes of R would take other messages by its type. */
  readonly #waiting = new WaitQueue<Shape<never>, unknown>(receiveAborted)
  #state: State = open
  #messages = 0
  #bytes = 0
  #watcher: ReceiverWatcher | undefined
  #arrivedWatcher: ArrivedWatcher | undefined
  /** How much memory that watcher knows of. Unit: bytes. */
  #held = 0
  #isReading = false
  /** Whether the rest of a message is not read before somebody asks for it. */
  #isHeldBack = false
  #quietSince = 0
  /** How many messages were passed over in a row, since the last pause. */
  #skips = 0
  #isPausing = false
  /** Whether the decoder's frame is a message that was found while looking for control frames. */
  #isFound = false
  /** What the codec threw at that message, where this was found out before somebody asked for it. */
  #thrown: { readonly error: unknown } | undefined

  // Made once: those of a read would stay with an idle channel until the next ping, and then be garbage that is old.
  readonly #onRead = (chunk: Uint8Array | null): void => {
    this.#isReading = false
    this.#bytes += chunk?.length ?? 0
    this.#onChunk(chunk)
  }
  readonly #onReadError = (error: unknown): void => {
    if (this.#state.at === 'open' || this.#state.at === 'stopped') this.#events.onReceiveError(error)
  }

  constructor(parts: ReceiverParts<R>, events: ReceiverEvents) {
    this.#conn = parts.conn
    this.#reader = readerOf(parts.codec)
    this.#decoder = parts.decoder
    this.#clock = parts.clock
    this.#events = events
  }

  set watcher(watcher: ReceiverWatcher) {
    this.#watcher = watcher
  }

  set arrivedWatcher(watcher: ArrivedWatcher) {
    this.#arrivedWatcher = watcher
  }

  get isOpen(): boolean {
    return this.#state.at === 'open'
  }

  /** Whether the peer has ended its half, and all of it was received. */
  get hasEnded(): boolean {
    return this.#state.at === 'ended'
  }

  /** Whether it stopped without the peer's knowledge, which is held back. */
  get isHeld(): boolean {
    return this.#state.at === 'stopped' && this.#state.isHeld
  }

  /** How many messages were handed out. */
  get messages(): number {
    return this.#messages
  }

  /** How many bytes came from the conn: those of frames, and of control frames. */
  get bytes(): number {
    return this.#bytes
  }

  /** Since when it waits for the next chunk, by the channel's clock. `undefined` while it doesn't. */
  get quietSince(): number | undefined {
    const isWaiting = this.#isReading && (this.#state.at === 'open' || this.#state.at === 'stopped')
    return isWaiting ? this.#quietSince : undefined
  }

  /** Begins to read: the first chunk is fetched unasked, since it may hold a control frame. */
  start(): void {
    this.#read()
  }

  receive(signal: AbortSignal | null | undefined): Promise<R | undefined> {
    return this.#pull(asMessage<R>, signal)
  }

  /** The same for an iteration. */
  next(): Promise<IteratorResult<R, undefined>> {
    return this.#pull(asResult<R>, undefined)
  }

  /** The next message, in the shape in which the caller gives it on: that saves a promise a message. */
  #pull<Result>(shape: (message: R | undefined) => Result, signal: AbortSignal | null | undefined): Promise<Result> {
    const refused = signalError(signal, 'the receive')
    if (refused !== undefined) return Promise.reject(refused)
    const message = this.#waiting.size === 0 ? this.#take() : none
    if (message !== none && message !== skipped) {
      this.#lookAhead()
      return Promise.resolve(shape(message))
    }
    const received = this.#wait(shape, signal)
    if (message === skipped) this.#serveWaiting()
    return received
  }

  #wait<Result>(shape: (message: R | undefined) => Result, signal: AbortSignal | null | undefined): Promise<Result> {
    // Whoever was asked about a message may have done anything meanwhile.
    const refused = signalError(signal, 'the receive')
    if (refused !== undefined) return Promise.reject(refused)
    switch (this.#state.at) {
      case 'open': {
        const waiting = this.#waiting.add(shape, signal) as Promise<Result>
        if (this.#isHeldBack) {
          this.#isHeldBack = false
          this.#read()
        }
        return waiting
      }
      case 'ended':
        return Promise.resolve(shape(undefined))
      case 'stopped':
        return Promise.reject(this.#stoppedHere())
      case 'dropping':
        return Promise.reject(this.#state.error ?? this.#stoppedHere())
      case 'failed':
        return Promise.reject(this.#state.error)
    }
  }

  /** The same with all messages that are there, of which there is at least one. */
  nextBatch(): Promise<IteratorResult<R[], undefined>> {
    const batch: R[] = []
    this.#collect(batch)
    if (batch.length > 0) return Promise.resolve({ done: false, value: batch })
    return this.next().then((result) => {
      if (result.done === true) return over
      batch.push(result.value)
      this.#collect(batch)
      return { done: false, value: batch }
    })
  }

  /** Takes what is there, as long as nobody else waits for it. What can't be read is for who asks next, unless the batch is empty. */
  #collect(batch: R[]): void {
    while (this.#waiting.size === 0 && this.#skips < maxSkips) {
      const message = this.#take(batch.length > 0)
      if (message === none) return
      if (message !== skipped) batch.push(message)
    }
  }

  /** Hands out nothing more. Messages that still arrive are passed over; or the peer is held back, where `isHeld`. */
  stop(isHeld: boolean): void {
    if (this.#state.at !== 'open') return
    this.#state = isHeld ? { at: 'stopped', isHeld } : { at: 'stopped', isHeld, upTo: this.#bytes + mostPassedOver }
    this.#reader.release()
    for (let waiting = this.#waiting.take(); waiting !== undefined; waiting = this.#waiting.take()) {
      // An iteration that was left is done. Who asked for a message is told why there is none.
      if (waiting.item === asResult) waiting.resolve(over)
      else waiting.reject(this.#stoppedHere())
    }
    if (!isHeld) this.#passOver()
  }

  /** Hands out nothing more, and reads what still arrives without looking at it, so that the peer gets on. */
  drop(error?: ChannelError): void {
    if (this.#state.at === 'failed' || this.#state.at === 'dropping') return
    const isOver = this.#state.at === 'ended'
    this.#state = { at: 'dropping', error }
    this.#letGo()
    this.#waiting.fail(error ?? this.#stoppedHere())
    if (!isOver) this.#read()
  }

  fail(error: ChannelError): void {
    if (this.#state.at === 'failed' || this.#state.at === 'dropping' || this.#state.at === 'ended') return
    this.#state = { at: 'failed', error }
    this.#letGo()
    this.#waiting.fail(error)
  }

  /**
   * The next message, if it is there, or `skipped` for one that is passed over. Otherwise, or when that fails, `none`; the
   * state then says what to do: nothing yet where what can't be read `isForLater`.
   */
  #take(isForLater = false): R | typeof none | typeof skipped {
    if (this.#state.at !== 'open') return none
    if (!this.#isFound && !this.#next()) return none
    this.#isFound = false
    const thrown = this.#thrown
    this.#thrown = undefined
    if (this.#watcher !== undefined && thrown === undefined) {
      this.#watcher.onMessage()
      if (this.#state.at !== open.at) return none
    }
    try {
      if (thrown !== undefined) throw thrown.error
      const message = this.#reader.read(this.#decoder.bytes, this.#decoder.offset, this.#decoder.length)
      this.#skips = 0
      if (message === undefined) throw new TypeError('the codec made undefined of it, which stands for the end')
      this.#messages += 1
      return message
    } catch (error) {
      if (isForLater) {
        this.#isFound = true
        this.#thrown = { error }
        return none
      }
      const failure = this.#events.judge(error)
      if (failure === undefined) {
        this.#skips += 1
        return skipped
      }
      this.#events.onReceiveError(failure)
      return none
    }
  }

  /** Finds the next frame that is a message, with every control frame before it dealt with. If there is none, a read starts. */
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
    // No control frame is as long as that: what follows of the message may wait until somebody asks for it.
    this.#isHeldBack = this.#state.at === 'open' && this.#waiting.size === 0 && decoder.buffered > largestUnasked
    // The start of a message that nobody asks for has its bound for each channel, as the chunk has and the window behind it.
    this.#tellHeld(this.#isHeldBack && decoder.held <= largestStart ? 0 : decoder.held)
    if (!this.#isHeldBack) this.#read()
    return false
  }

  #tellHeld(held: number): void {
    const change = held - this.#held
    if (change === 0 || this.#arrivedWatcher === undefined) return
    this.#held = held
    this.#arrivedWatcher.onArrived(change)
  }

  /** Nothing more is read of what has arrived: it holds no memory any longer. */
  #letGo(): void {
    this.#reader.release()
    this.#decoder = noFrames
    this.#isFound = false
    this.#thrown = undefined
    this.#tellHeld(0)
  }

  #read(): void {
    if (this.#isReading) return
    if (this.#state.at === 'stopped') {
      if (this.#state.isHeld) return
      // Who sends on after it was told to stop costs little then, and its control frames and its end are seen all the same.
      if (this.#bytes >= this.#state.upTo) {
        this.#clock.setTimer(readOn, 1_000, this)
        return
      }
    }
    this.#isReading = true
    this.#quietSince = this.#clock.now()
    this.#conn.read().then(this.#onRead, this.#onReadError)
  }

  /** Reads on after a second, if it is still stopped. */
  readOn(): void {
    if (this.#state.at !== 'stopped' || this.#state.isHeld) return
    this.#state = { ...this.#state, upTo: this.#bytes + mostPassedOver }
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
        else if (!this.#state.isHeld) this.#passOver(chunk)
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
    while (this.#waiting.size > 0) this.#hand(undefined)
  }

  /** Finds the next message, for the control frames before it: who only sends would not notice them otherwise. */
  #lookAhead(): void {
    if (this.#state.at === 'open' && !this.#isFound) this.#isFound = this.#next()
  }

  /** Hands messages to who waits. */
  #serve(chunk: Uint8Array): void {
    this.#decoder.push(chunk)
    this.#serveWaiting()
    if (this.#isFound) this.#decoder.settle?.()
  }

  /** Gives a message, or the end, to who has waited longest. */
  #hand(message: R | undefined): void {
    const first = this.#waiting.take()
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `#wait` put it there
    first?.resolve((first.item as Shape<R>)(message))
  }

  #serveWaiting(): void {
    while (this.#waiting.size > 0) {
      if (this.#skips >= maxSkips) {
        this.#pause()
        return
      }
      const message = this.#take()
      if (message === none) return
      if (message !== skipped) this.#hand(message)
    }
    this.#lookAhead()
  }

  /** Serves who waits a little later. */
  #pause(): void {
    if (this.#isPausing) return
    this.#isPausing = true
    const goOn = (): void => {
      this.#isPausing = false
      this.#skips = 0
      this.#serveWaiting()
    }
    platform.setTimeout(goOn, 0, undefined)
  }

  /** Passes over messages, on the look-out for control frames. */
  #passOver(chunk?: Uint8Array): void {
    if (chunk !== undefined) this.#decoder.push(chunk)
    while (this.#next());
  }

  #stoppedHere(): ChannelError {
    return closedHere('receive after this side stopped receiving, or closed', this.#conn)
  }
}

function readOn(receiver: { readOn(): void }): void {
  receiver.readOn()
}

function receiveAborted(reason: unknown): ChannelError {
  return abortError('the receive', reason)
}

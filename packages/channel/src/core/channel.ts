import type { Codec, CodecError } from '@h2channel/codecs'
import type { Conn, ConnClosed } from '@h2channel/conn'

import { type Clock, systemClock } from '../runtime/clock.ts'
import { closeError, decodeControl } from '../framing/control-frames.ts'
import type { LimitOptions } from '../options.ts'
import { checkHook, limitsFrom } from '../options.ts'
import type { ChannelErrorCode } from '../errors.ts'
import { ChannelError, textOf } from '../errors.ts'
import type { Framing } from '../framing/framing.ts'
import { Heartbeat, type HeartbeatEvents } from './heartbeat.ts'
import { lengthPrefixed } from '../framing/length-prefixed.ts'
import { isOwnEnd } from './own-end.ts'
import { Receiver, type ReceiverEvents, type ReceiverWatcher, type ArrivedWatcher } from './receiver.ts'
import { connFailure, isConnError, resetReason } from './close-codes.ts'
import { Sender, type SenderEvents, type SenderWatcher } from './sender.ts'
import { shownAs } from '../runtime/shown.ts'

export interface ChannelOptions<S, R> {
  /** How messages to the peer are written. */
  readonly send: Codec<S>
  /** How messages from the peer are read. */
  readonly receive: Codec<R>
  /** How messages are told apart, in both directions or in each. `lengthPrefixed()` unless said otherwise. */
  readonly framing?: Framing | { readonly send: Framing; readonly receive: Framing } | undefined
  /** Whether both peers have announced that they understand control frames: no, unless said otherwise. */
  readonly control?: boolean | undefined
  readonly limits?: LimitOptions | undefined
  /** What to do with a message that the schema of `receive` refuses: end the channel, unless said otherwise. */
  readonly onInvalid?: OnInvalid | undefined
  /** What to do when the peer takes nothing for long: wait on, unless said otherwise. */
  readonly onSlow?: OnSlow | undefined
  /** What errors that end the channel from outside call it by, such as its route's path: nothing by default. */
  readonly name?: string | undefined
  /** For tests: where the times come from. The platform's clock unless said otherwise. */
  readonly clock?: Clock | undefined
}

/**
 * Decides about a message that the receiving codec's schema refuses, and is told of each: `error` is `INVALID_MESSAGE`
 * with the field and the reason, its `cause` the CodecError with all `issues`.
 *
 * - `close` ends the channel with `error`, as it does without this function. The peer is told the code alone.
 * - `skip` drops the message, tells the peer nothing and goes on with the next.
 *
 * Messages are looked at as they are asked for, so a peer that sends nothing valid is held back like any other: what is
 * skipped costs time and no memory, and after 100 in a row the rest of the program has its turn. Whoever doesn't want to
 * go on for ever counts, and answers `close` at some point.
 *
 * It has to answer at once. When it throws, the channel ends with `INTERNAL`, side `local`, and what was thrown as the
 * cause. It isn't asked about bytes that are not of the codec, or a schema that is asynchronous: those end the channel.
 */
export type OnInvalid = (error: ChannelError) => 'close' | 'skip'

/**
 * Decides about a peer that does not take what was sent, so that a `send` had to wait: asked when it has taken nothing
 * for `slowAfter` since, and after each `slowAfter` more. `waited` is for how long, in milliseconds.
 *
 * - `wait` goes on, as it does without this function.
 * - `close` cuts the channel off with `PEER_TOO_SLOW`: what has not left is dropped.
 *
 * When it throws, the channel ends with `INTERNAL`, side `local`, and what was thrown as the cause.
 */
export type OnSlow = (waited: number) => 'wait' | 'close'

export interface WaitOptions {
  /**
   * Ends the wait: with `TIMEOUT` for an `AbortSignal.timeout(ms)`, with `CANCELLED` for any other. `null` is no signal; anything
   * else that is none is refused with `INVALID_ARGUMENT`, before anything is done.
   */
  readonly signal?: AbortSignal | null | undefined
}

/**
 * How a channel ended: cleanly, which means that everything sent was handed over and the peer ended its half or this side
 * closed without waiting for that any longer; or by an error.
 */
export type ChannelClosed = { readonly clean: true } | { readonly clean: false; readonly error: ChannelError }

/** Messages, and bytes with all that frames them. */
export interface Traffic {
  readonly messages: number
  readonly bytes: number
}

/** See `channel.stats`. */
export interface ChannelStats {
  /** What `send` accepted, and how much the conn was given, which it may not have taken yet. */
  readonly sent: Traffic
  /** What was handed out, and how much has arrived. */
  readonly received: Traffic
  /** How much was sent that the conn has not taken yet. Unit: bytes. */
  readonly bufferedBytes: number
  /** How long the last ping and its answer took: none before the first, or between peers without control frames. Unit: milliseconds. */
  readonly roundTrip: number | undefined
  /** How long the channel has been there. Unit: milliseconds. */
  readonly age: number
}

/** For the router: ends a channel by an error that the peer is told, by its code alone. */
export function breakOff(channel: Channel<unknown, unknown>, error: ChannelError): void {
  breakOffWithin(channel, error)
}

/**
 * For the router: the handler has failed. Unless this side has closed the channel before, that breaks it off, once all
 * has left that an `end()` had taken.
 */
export async function giveUp(channel: Channel<unknown, unknown>, error: ChannelError): Promise<void> {
  await giveUpWithin(channel, error)
}

/** For the router: ends a channel at once by an error that a peer is told by a reset alone. What has not left is dropped. */
export function cutOff(channel: Channel<unknown, unknown>, error: ChannelError): void {
  cutOffWithin(channel, error)
}

/** Who follows a channel: how much memory it holds, and which messages are received. */
export interface Watchers {
  readonly memory?: (SenderWatcher & ArrivedWatcher) | undefined
  readonly messages?: ReceiverWatcher | undefined
}

/** For the router: from now on, `watchers` are told. */
export function watch(channel: Channel<unknown, unknown>, watchers: Watchers): void {
  watchWithin(channel, watchers)
}

/** For the router: says at both ends that the channel should end soon. */
export function startDraining(channel: Channel<unknown, unknown>): void {
  startDrainingWithin(channel)
}

/** For the router: how `channel` ended, if it has. */
export function outcomeOf(channel: Channel<unknown, unknown>): ChannelClosed | undefined {
  return outcomeOfWithin(channel)
}

/** For the router: whether `error` is how `channel`, or its sending half, came to its end, or says that this side ended it. */
export function isOutcome(channel: Channel<unknown, unknown>, error: unknown): boolean {
  return isOutcomeWithin(channel, error)
}

// Given by the class, so that they need not be methods that everybody sees.
let breakOffWithin: (channel: Channel<unknown, unknown>, error: ChannelError) => void
let giveUpWithin: (channel: Channel<unknown, unknown>, error: ChannelError) => Promise<void>
let cutIn: (channel: Channel<never, unknown>) => void
let cutOffWithin: (channel: Channel<unknown, unknown>, error: ChannelError) => void
let watchWithin: (channel: Channel<unknown, unknown>, watchers: Watchers) => void
let startDrainingWithin: (channel: Channel<unknown, unknown>) => void
let outcomeOfWithin: (channel: Channel<unknown, unknown>) => ChannelClosed | undefined
let isOutcomeWithin: (channel: Channel<unknown, unknown>, error: unknown) => boolean
let eventsOf: (channel: Channel<never, unknown>) => ReceiverEvents & SenderEvents & HeartbeatEvents

let iterationOf: <R, T>(channel: Channel<never, R>, next: Next<R, T>) => AsyncIterableIterator<T, undefined>

/** How an iteration asks for more. */
type Next<R, T> = (receiver: Receiver<R>) => Promise<IteratorResult<T, undefined>>

function nextOf<R>(receiver: Receiver<R>): Promise<IteratorResult<R, undefined>> {
  return receiver.next()
}

function nextBatchOf<R>(receiver: Receiver<R>): Promise<IteratorResult<R[], undefined>> {
  return receiver.nextBatch()
}

/**
 * Typed messages both ways over one conn, which it owns. Both halves are independent: either side may end its own and go
 * on with the other.
 *
 * @typeParam S - what this side sends.
 * @typeParam R - what this side receives.
 *
 * @example
 * ```ts
 * const channel = new Channel(conn, { send: json<Question>(), receive: json<Answer>() })
 * await channel.send({ ask: 'time' })
 * for await (const answer of channel) console.log(answer)
 * ```
 */
export class Channel<in S, out R> implements AsyncIterable<R>, AsyncDisposable {
  /** The conn below. To be looked at, not to be used. */
  readonly conn: Conn

  /** How the channel ended. Settles once, when its resources are released, and never rejects. */
  readonly closed: Promise<ChannelClosed>

  static {
    /** Methods, since functions of its own for each channel would take more memory than its state. */
    class Events implements ReceiverEvents, SenderEvents, HeartbeatEvents {
      readonly #channel: Channel<never, unknown>
      constructor(channel: Channel<never, unknown>) {
        this.#channel = channel
      }
      onControl(body: Uint8Array): void {
        this.#channel.#onControl(body)
      }
      onEnd(): void {
        this.#channel.#onPeerEnd()
      }
      onReceiveError(error: unknown): void {
        this.#channel.#onReceiveError(error)
      }
      judge(error: unknown): ChannelError | undefined {
        return this.#channel.#judge(error)
      }
      /** What has arrived is still there to be received; reading finds out for itself how the conn ended. */
      onConnError(error: unknown): void {
        this.#channel.#sender.fail(this.#channel.#errorOf(error))
      }
      quietSince(): number | undefined {
        return this.#channel.#receiver.quietSince
      }
      onSlow(waited: number): void {
        this.#channel.#onSlowPeer(waited)
      }
      ping(opaque: Uint8Array): boolean {
        const sender = this.#channel.#sender
        return sender.bufferedBytes === 0 && sender.control({ type: 'ping', opaque })
      }
      onSilent(silence: number): void {
        this.#channel.#fail(new ChannelError('PEER_SILENT', `nothing came from the peer for ${silence} ms`))
      }
    }
    Object.defineProperties(
      this.prototype,
      shownAs<Channel<never, unknown>>((channel) => ({
        conn: channel.conn,
        stats: channel.stats,
        ...(channel.#outcome === undefined ? {} : { closed: channel.#outcome }),
      })),
    )
    class Iteration<M, T> implements AsyncIterableIterator<T, undefined> {
      readonly #channel: Channel<never, M>
      readonly #next: Next<M, T>
      #isDone = false
      constructor(channel: Channel<never, M>, next: Next<M, T>) {
        this.#channel = channel
        this.#next = next
      }
      next(): Promise<IteratorResult<T, undefined>> {
        if (this.#isDone) return Promise.resolve({ done: true, value: undefined })
        return this.#next(this.#channel.#receiver)
      }
      async return(value?: PromiseLike<undefined>): Promise<IteratorResult<T, undefined>> {
        this.#isDone = true
        this.#channel.#stopReceiving()
        return { done: true, value: await value }
      }
      throw(error: unknown): Promise<IteratorResult<T, undefined>> {
        this.#isDone = true
        this.#channel.#stopReceiving()
        return Promise.reject(error)
      }
      [Symbol.asyncIterator](): this {
        return this
      }
    }
    eventsOf = (channel) => new Events(channel)
    iterationOf = (channel, following) => new Iteration(channel, following)
    breakOffWithin = (channel, error) => channel.#breakOff(error)
    giveUpWithin = async (channel, error) => channel.#giveUp(error)
    cutIn = (channel) => {
      const message = `the peer did not take what was sent in ${channel.#closeTimeout} ms`
      channel.#fail(new ChannelError('CLOSE_TIMEOUT', message))
    }
    cutOffWithin = (channel, error) => channel.#fail(error)
    watchWithin = (channel, { memory, messages }) => {
      if (memory !== undefined) {
        channel.#sender.watcher = memory
        channel.#receiver.arrivedWatcher = memory
      }
      if (messages !== undefined) channel.#receiver.watcher = messages
    }
    startDrainingWithin = (channel) => {
      if (channel.#control && channel.#failure === undefined) channel.#sender.control({ type: 'draining' })
      channel.#onDraining()
    }
    outcomeOfWithin = (channel) => channel.#outcome
    isOutcomeWithin = (channel, error) => {
      const { refusal } = channel.#sender
      const isRefusal = error === refusal && refusal?.side === 'remote'
      return error === channel.#failure || isRefusal || isOwnEnd(error, channel.conn)
    }
  }

  readonly #sender: Sender<S>
  readonly #receiver: Receiver<R>
  readonly #control: boolean
  readonly #name: string | undefined
  readonly #closeTimeout: number
  readonly #maxControlFrames: number
  /** Until when the control frames that came would take, if they came no faster than they may. On the channel's clock. */
  #controlUntil: number
  readonly #clock: Clock
  readonly #openedAt: number
  readonly #heartbeat: Heartbeat | undefined
  #draining: AbortController | undefined
  #isDraining = false
  readonly #onInvalid: OnInvalid | undefined
  readonly #onSlow: OnSlow | undefined
  #failure: ChannelError | undefined
  #outcome: ChannelClosed | undefined
  #closing: Promise<void> | undefined
  /** The end on nobody's behalf, once it has begun. */
  #finishing: Promise<void> | undefined

  /**
   * @throws ChannelError `INVALID_ARGUMENT` when a framing can't carry its codec, a limit is none, or `onInvalid` or
   *   `onSlow` is no function.
   */
  constructor(conn: Conn, options: ChannelOptions<S, R>) {
    const { framing = lengthPrefixed() } = options
    const framings = 'begin' in framing ? { send: framing, receive: framing } : framing
    const limits = limitsFrom(options.limits)
    checkCarries(framings.send, options.send)
    checkCarries(framings.receive, options.receive)
    checkHook('onInvalid', options.onInvalid)
    checkHook('onSlow', options.onSlow)
    this.conn = conn
    this.#name = options.name
    this.#closeTimeout = limits.closeTimeout
    this.#onInvalid = options.onInvalid
    this.#onSlow = options.onSlow
    this.#control = options.control === true && framings.send.control && framings.receive.control
    this.#clock = options.clock ?? systemClock
    this.#openedAt = this.#clock.now()
    this.#maxControlFrames = limits.maxControlFramesPerSecond
    this.#controlUntil = this.#openedAt
    const events = eventsOf(this)
    const clock = this.#clock
    this.#sender = new Sender({ conn, codec: options.send, framing: framings.send, limits, clock }, events)
    const decoder = framings.receive.decoder(limits.maxMessageBytes)
    this.#receiver = new Receiver({ conn, codec: options.receive, decoder, clock }, events)
    if (this.#control) this.#heartbeat = new Heartbeat(clock, limits, events)
    this.closed = conn.closed.then((closed) => this.#onClosed(closed))
    this.#receiver.start()
  }

  /** What went through the channel so far, and how it is. A new object each time. */
  get stats(): ChannelStats {
    const [sender, receiver] = [this.#sender, this.#receiver]
    return {
      sent: { messages: sender.messages, bytes: sender.bytes },
      received: { messages: receiver.messages, bytes: receiver.bytes },
      bufferedBytes: sender.bufferedBytes,
      roundTrip: this.#heartbeat?.roundTrip,
      age: this.#clock.now() - this.#openedAt,
    }
  }

  /** How much was sent that the conn has not taken yet. Unit: bytes. */
  get bufferedBytes(): number {
    return this.#sender.bufferedBytes
  }

  /**
   * Aborts when the channel is to end soon, at both ends: when the server's router drains, or the channel has reached its
   * `maxAge`, or its client's credentials are about to end, or its client is closed. The
   * channel goes on until either side ends it; who wants it to end cuts it at a deadline with `GOING_AWAY`. A client whose server
   * stops finishes what it is at, and opens a new channel, which another server takes.
   */
  get draining(): AbortSignal {
    if (this.#draining === undefined) {
      this.#draining = new AbortController()
      if (this.#isDraining) this.#draining.abort(goingAway())
    }
    return this.#draining.signal
  }

  /**
   * Waits for room, then encodes the message and takes it. The message is read before this returns or, where it has to
   * wait, when its turn comes; afterwards it is the caller's again.
   *
   * A loop that awaits each send can't outrun the peer: while `maxBufferedBytes` wait, it waits too. What was accepted is
   * on its way, not delivered: `close()` waits for that.
   *
   * @throws ChannelError. The message was not sent, and the channel goes on, after `ENCODE_FAILED`, `MESSAGE_TOO_LARGE`,
   *   `SEND_BUFFER_FULL`, `TIMEOUT`, `CANCELLED`; after `CLOSED` and `PEER_STOPPED` receiving goes on. Otherwise the error
   *   that ended the channel.
   */
  send(message: S, options?: WaitOptions): Promise<void> {
    return this.#sender.send(message, options?.signal)
  }

  /**
   * Sends all of them, in order, as a loop that awaits {@link send} for each would do it, but faster where they are
   * small: it waits only where there is no room. Each is taken from `messages` when its turn comes.
   *
   * @returns once the last one was taken.
   * @throws ChannelError what `send` of one of them throws: those before it were sent, and no more are asked for. What
   *   `messages` itself throws. `INVALID_ARGUMENT` when it can't be iterated over at once (await `send` in a `for await`
   *   then), or is a text.
   */
  async sendAll(messages: Iterable<S>, options?: WaitOptions): Promise<void> {
    checkIterable(messages)
    await this.#sender.sendAll(messages, options?.signal)
  }

  /**
   * Waits for the next message. Concurrent calls are served in the order in which they were made.
   *
   * @returns the message, or `undefined` once the peer has ended its half and all of it was received.
   * @throws ChannelError `TIMEOUT` or `CANCELLED` when the signal gave up the wait: no message is lost by that. `CLOSED`
   *   after this side closed or left its iteration. `INVALID_MESSAGE`, `INVALID_FRAME`, `MESSAGE_TOO_LARGE` or
   *   `TRUNCATED_FRAME` when what came can't be read, which ends the channel. Otherwise the error that ended it.
   */
  receive(options?: WaitOptions): Promise<R | undefined> {
    return this.#receiver.receive(options?.signal)
  }

  /**
   * Yields messages until the peer ends its half. Leaving early ends receiving, and says so to the peer; sending goes on
   * until it is ended. The iterator may be iterated over itself, and is done after `return()`, as is one that waits.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<R, undefined> {
    return iterationOf(this, nextOf)
  }

  /**
   * The same, with all messages that have arrived by then at a time: at least one, and about as many as a chunk of the
   * conn has. Faster where messages are small, since it waits once for all of them. A batch is the caller's own. It
   * ends before a message that can't be read, of which whoever asks next is told, or asked by `onInvalid`.
   *
   * @example
   * for await (const batch of channel.batches()) for (const trade of batch) total += trade.price
   */
  batches(): AsyncIterable<R[]> {
    return { [Symbol.asyncIterator]: () => iterationOf(this, nextBatchOf) }
  }

  /**
   * Ends this side's half: the peer receives what was sent, then its iteration ends. Receiving goes on.
   *
   * @returns once everything that was sent has been handed to the transport. Calling it again waits for the same.
   * @throws ChannelError the error that ended the channel first.
   */
  end(): Promise<void> {
    const ended = this.#sender.end()
    // With the peer held back, because it could not be told to stop, there is nothing left to do here.
    if (this.#receiver.isHeld) ended.then(() => this.#finish()).catch(() => {})
    return ended
  }

  /**
   * Ends the channel: everything sent is delivered first, what still arrives is discarded.
   *
   * @returns once the channel is over, whether now or long before.
   * @throws ChannelError `CLOSE_TIMEOUT` when the peer did not take what was sent within `closeTimeout`, or the error that
   *   broke the channel off before everything sent was handed over, now or before.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /**
   * Breaks the channel off at once. Every wait fails with `ABORTED` and `reason` as its cause; what was sent and has not
   * left yet is dropped. The peer's waits fail with `PEER_ABORTED`.
   */
  abort(reason?: unknown): void {
    this.#fail(new ChannelError('ABORTED', 'the channel was aborted by this side', { cause: reason }))
  }

  /** `close()`, quiet about a channel that had failed before: its waits, and `closed`, have said so. */
  async [Symbol.asyncDispose](): Promise<void> {
    const hadFailed = this.#failure !== undefined || this.#sender.lost !== undefined
    try {
      await this.close()
    } catch (error) {
      if (!hadFailed) throw error
    }
  }

  /** Ends the channel by an error that the peer is told: after what was sent, where it takes control frames. */
  #breakOff(error: ChannelError): void {
    if (this.#failure !== undefined) return
    const close = { type: 'close', code: error.code, reason: tellable.has(error.code) ? error.message : '' } as const
    if (!this.#control || !this.#sender.control(close)) {
      this.#fail(error)
      return
    }
    this.#failure = error
    this.#receiver.drop(error)
    this.#sender.refuse(() => error)
    this.#finish()
  }

  async #giveUp(failure: ChannelError): Promise<void> {
    if (this.#closing !== undefined) return
    if (this.#sender.isEnding) await this.#endInTime().catch(() => {})
    this.#breakOff(failure)
  }

  async #close(): Promise<void> {
    let error: unknown
    if (this.#failure === undefined) {
      if (this.#control && this.#receiver.isOpen) this.#sender.control({ type: 'stop' })
      this.#receiver.drop()
      await this.#endInTime().catch((reason: unknown) => {
        error = reason
      })
    }
    await this.#finishing
    await this.conn.close().catch((reason: unknown) => {
      error ??= this.#failure ?? this.#errorOf(reason)
    })
    await this.closed
    const { lost } = this.#sender
    // What an abort drops was dropped by this side's will.
    if (lost !== undefined && lost.code !== 'ABORTED') error ??= lost
    // A peer that wants no more has had what it wanted.
    if (error !== undefined && !(error instanceof ChannelError && error.code === 'PEER_STOPPED')) throw error
  }

  /** Ends the sending half. A peer that does not take what was sent in time is cut off. */
  async #endInTime(): Promise<void> {
    const timer = this.#clock.setTimer(cutIn, this.#closeTimeout, this)
    try {
      await this.#sender.end()
    } finally {
      this.#clock.clearTimer(timer)
    }
  }

  /** Ends receiving. A peer that takes control frames is told, and what it still sends is dropped; others are held back. */
  #stopReceiving(): void {
    if (!this.#receiver.isOpen) return
    const isTold = this.#control && this.#sender.control({ type: 'stop' })
    this.#receiver.stop(!isTold)
    if (!isTold && this.#sender.isOver) this.#finish()
  }

  /** Ends both halves at once; the peer sees a reset. */
  #fail(error: ChannelError): void {
    this.#failure ??= error
    this.#receiver.fail(error)
    this.#sender.fail(error)
    this.conn.abort(resetReason(this.#failure))
  }

  /** Sends what there is to send, then closes the conn, on nobody's behalf. */
  #finish(): void {
    if (!this.#receiver.hasEnded) this.#receiver.drop()
    this.#finishing ??= this.#endInTime()
      .catch(() => {})
      .then(() => this.conn.close())
      .catch(() => {})
  }

  #onControl(body: Uint8Array): void {
    if (!this.#control) throw new ChannelError('INVALID_FRAME', 'a control frame from a peer that announced none')
    this.#countControl()
    const control = decodeControl(body)
    if (control === null) return
    switch (control.type) {
      case 'stop':
        this.#sender.refuse(() => new ChannelError('PEER_STOPPED', 'the peer receives no more messages'))
        return
      case 'ping':
        this.#heartbeat?.onPing()
        if (this.#sender.bufferedBytes >= mostBeforePong) return
        this.#sender.control({ type: 'pong', opaque: control.opaque })
        return
      case 'pong':
        this.#heartbeat?.onPong(control.opaque)
        return
      case 'draining':
        this.#onDraining()
        return
      default:
        this.#endAs(closeError(control.code, control.reason, this.#name))
    }
  }

  /** No limit of messages counts control frames: a flood of them would take the whole process. */
  #countControl(): void {
    const now = this.#clock.now()
    const each = 1_000 / this.#maxControlFrames
    this.#controlUntil = Math.max(this.#controlUntil, now - mostUnread * each) + each
    if (this.#controlUntil <= now + 1_000) return
    throw new ChannelError('RATE_LIMITED', `more than ${this.#maxControlFrames} control frames a second came`)
  }

  #onDraining(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    // Whoever listens may receive, which must not happen while a frame is being dealt with.
    void Promise.resolve().then(() => this.#draining?.abort(goingAway()))
  }

  /** The peer ends the channel by an error. */
  #endAs(failure: ChannelError): void {
    this.#failure ??= failure
    this.#receiver.fail(failure)
    this.#sender.fail(failure)
    this.conn.close().catch(() => {})
  }

  /** With the peer's half over and its ear closed, there is nothing left to do here either. */
  #onPeerEnd(): void {
    if (this.#sender.isRefused) this.#finish()
  }

  /** What a message that the codec can't read, or refuses, does to the channel: nothing where it is skipped. */
  #judge(error: unknown): ChannelError | undefined {
    const failure = decodeFailure(error)
    if (this.#onInvalid === undefined || !isCodecError(error) || error.code !== 'INVALID_MESSAGE') return failure
    try {
      return this.#onInvalid(failure) === 'skip' ? undefined : failure
    } catch (cause) {
      return new ChannelError('INTERNAL', 'onInvalid threw', { side: 'local', cause })
    }
  }

  #onSlowPeer(waited: number): void {
    if (this.#onSlow === undefined) return
    try {
      if (this.#onSlow(waited) !== 'close') return
    } catch (cause) {
      this.#fail(new ChannelError('INTERNAL', 'onSlow threw', { side: 'local', cause }))
      return
    }
    this.#fail(new ChannelError('PEER_TOO_SLOW', `the peer has read nothing for ${Math.round(waited)} ms`))
  }

  #onClosed(closed: ConnClosed): ChannelClosed {
    this.#heartbeat?.stop()
    let isWhole = this.#failure === undefined
    if (this.#failure === undefined && !closed.clean) {
      this.#failure = connFailure(closed.error, this.#name)
      // A peer that wants no more, once it has said all and that was received, has only not waited for this side's end.
      const wantsNoMore = this.#failure.code === 'PEER_STOPPED'
      isWhole = wantsNoMore && this.#receiver.hasEnded && this.#sender.bufferedBytes === 0
      this.#sender.fail(this.#failure)
    }
    this.#outcome = this.#failure === undefined || isWhole ? { clean: true } : { clean: false, error: this.#failure }
    return this.#outcome
  }

  /** An error from below: of the framing, or of the conn. */
  #errorOf(error: unknown): ChannelError {
    if (error instanceof ChannelError) return error
    return isConnError(error) ? connFailure(error, this.#name) : decodeFailure(error)
  }

  /** What arrived can't be read, or no more can arrive. */
  #onReceiveError(error: unknown): void {
    if (!isConnError(error)) {
      // Where the channel has failed by then, there is nobody to tell, but whoever receives.
      if (this.#failure === undefined) this.#breakOff(this.#errorOf(error))
      else this.#receiver.fail(this.#failure)
      return
    }
    const failure = this.#failure ?? this.#errorOf(error)
    this.#failure = failure
    this.#receiver.fail(failure)
    this.#sender.fail(failure)
  }
}

/** While so much waits to be sent, pings are not answered: what waits will show the peer as much. Unit: bytes. */
const mostBeforePong = 64 * 1024

/** As many control frames as the windows hold: so many may lie there when this side reads again after a long while. */
const mostUnread = 128 * 1024

/** Errors whose text the peer may read: it names numbers, and nothing of the program or of a message. */
const tellable: ReadonlySet<ChannelErrorCode> = new Set(['INVALID_FRAME', 'MESSAGE_TOO_LARGE', 'TRUNCATED_FRAME'])

/** An error of the codec that read a message: mostly the peer's fault, but not that a schema is asynchronous. */
function decodeFailure(cause: unknown): ChannelError {
  const detail = textOf(cause)
  if (isCodecError(cause) && cause.side === 'local') {
    return new ChannelError('INTERNAL', detail, { side: 'local', cause })
  }
  return new ChannelError('INVALID_MESSAGE', detail, { cause })
}

function goingAway(): ChannelError {
  return new ChannelError('GOING_AWAY', 'the channel is to end soon', { fatal: false })
}

function isCodecError(error: unknown): error is CodecError {
  return (error as { readonly name?: unknown } | null | undefined)?.name === 'CodecError'
}

function checkIterable(messages: unknown): void {
  // A text is an iterable too, of letters, which nobody means.
  const iterable: unknown = typeof messages === 'string' ? undefined : messages
  if (typeof (iterable as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function') return
  throw new ChannelError('INVALID_ARGUMENT', 'sendAll takes an iterable of messages, such as an array')
}

function checkCarries(framing: Framing, codec: Codec<unknown>): void {
  if (framing.carries(codec)) return
  throw new ChannelError('INVALID_ARGUMENT', `${framing.name} framing can't carry messages of codec ${codec.name}`)
}

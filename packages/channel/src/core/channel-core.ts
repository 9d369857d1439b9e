import { CodecError } from '@h2channel/codecs/internal'
import type { Conn, ConnClosed } from '@h2channel/conn'
import type { ConnOwner } from '@h2channel/conn/internal'
import { Outcome, ownerCalls } from '@h2channel/conn/internal'
import { ConnError } from '@h2channel/conn/web'

import { ChannelError } from '../errors.ts'
import { decodeControl } from '../framing/control-frames.ts'
import type { ChannelLimits, OnInvalid, OnSlow } from '../options.ts'
import type { Clock } from '../runtime/clock.ts'
import { setDeadline } from '../runtime/clock.ts'
import type { ChannelClosed, ChannelParts, ChannelStats } from './channel-types.ts'
import { channelError, closeError, closeFrame, connFailure, decodeFailure, resetReason } from './close-codes.ts'
import type { HeartbeatEvents, ReceiverChannel, SenderChannel, Watchers } from './events.ts'
import { Heartbeat } from './heartbeat.ts'
import { linkedConns } from '../runtime/linked-conns.ts'
import { isOwnEnd } from './own-end.ts'
import { Receiver } from './receiver.ts'
import { Sender } from './sender.ts'

/** How the halves of a failed channel end. */
type HalvesEnd =
  /** What was accepted still leaves, and what arrives is discarded. */
  | 'drain'
  /** Both fail at once. */
  | 'fail'
  /** Sending fails at once. What has arrived can still be received. */
  | 'fail sending'

/** While more than this waits to be sent, pings are not answered: those bytes show the peer as much. Unit: bytes. */
const maxBufferedForPong = 64 * 1024

/** Control frames that may have piled up while this side did not read: they do not count against the peer. */
const maxUnreadControlFrames = 128 * 1024

/**
 * The life of a channel: joins both halves and the heartbeat, handles control frames, and decides how the channel ends.
 * The halves and the heartbeat call it directly, since closures for each channel would take more memory than its state.
 */
export class ChannelCore<in S, out R> implements ConnOwner, SenderChannel, ReceiverChannel, HeartbeatEvents {
  readonly conn: Conn
  readonly limits: ChannelLimits
  readonly clock: Clock
  readonly sender: Sender<S>
  readonly receiver: Receiver<R>

  readonly #control: boolean
  /** Called once the channel has ended, before its `closed` has settled for others. */
  onEnded: ((core: ChannelCore<never, unknown>) => void) | undefined

  readonly #onInvalid: OnInvalid | undefined
  readonly #onSlow: OnSlow | undefined
  readonly #name: string | undefined
  readonly #openedAt: number

  // Control frames.
  readonly #heartbeat: Heartbeat | undefined
  /** When the control frames that came would end if each took its share of a second. On the channel's clock. */
  #controlUntil: number
  #isDraining = false
  #draining: AbortController | undefined

  // How it ends.
  #failure: ChannelError | undefined
  readonly #closed = new Outcome<ChannelClosed>()
  /** The user's `close()`. */
  #closing: Promise<void> | undefined
  /** The close that no caller asked for, once it has begun. */
  #finishing: Promise<void> | undefined

  constructor({ conn, send, receive, framing, control, limits, onInvalid, onSlow, name, clock }: ChannelParts<S, R>) {
    this.conn = conn
    this.#control = control
    this.limits = limits
    this.#onInvalid = onInvalid
    this.#onSlow = onSlow
    this.#name = name
    this.clock = clock
    this.#openedAt = clock.now()
    this.#controlUntil = this.#openedAt
    this.sender = new Sender(send, framing.send, this)
    this.receiver = new Receiver(receive, framing.receive, this)
    // A link has a heartbeat of its own, which judges the carrier and not the channel.
    if (control && !linkedConns.has(conn)) this.#heartbeat = new Heartbeat(clock, limits, this)
    ownerCalls.tellClosed(this, conn)
    this.receiver.read()
  }

  get stats(): ChannelStats {
    const { sender, receiver } = this
    const link = linkedConns.get(this.conn)
    return {
      sent: { messages: sender.messages, bytes: sender.bytes },
      received: { messages: receiver.messages, bytes: receiver.bytes },
      bufferedBytes: sender.bufferedBytes,
      roundTrip: (link ?? this.#heartbeat)?.roundTrip,
      carriers: link?.carriers ?? 1,
      age: this.clock.now() - this.#openedAt,
    }
  }

  get draining(): AbortSignal {
    if (this.#draining === undefined) {
      this.#draining = new AbortController()
      if (this.#isDraining) this.#draining.abort(goingAway())
    }
    return this.#draining.signal
  }

  /** How the channel ended, if it has. */
  get outcome(): ChannelClosed | undefined {
    return this.#closed.value
  }

  get closed(): Promise<ChannelClosed> {
    return this.#closed.promise
  }

  /** Whether `error` is how the channel or its sending half ended, or says that this side had ended it. */
  isOutcome(error: unknown): boolean {
    const { refusal } = this.sender
    const isRefusal = error === refusal && refusal?.side === 'remote'
    return error === this.#failure || isRefusal || isOwnEnd(error, this.conn)
  }

  watch({ memory, messages }: Watchers): void {
    if (memory !== undefined) {
      this.sender.watcher = memory
      this.receiver.arrivedWatcher = memory
    }
    if (messages !== undefined) this.receiver.watcher = messages
  }

  /** Announces at both ends that the channel should end soon. */
  startDraining(): void {
    if (this.#control && this.#failure === undefined) this.sender.control({ type: 'draining' })
    this.#onDraining()
  }

  // Ends that a caller asks for.

  end(): Promise<void> {
    const ended = this.sender.end()
    // The peer is held back, since it could not be asked to stop: nothing is left to do here.
    if (this.receiver.isPaused) ended.then(() => this.#finish()).catch(() => {})
    return ended
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Closes the channel, and ignores how it had failed before: its waits, and `closed`, have reported that. */
  async dispose(): Promise<void> {
    const hadFailed = this.#failure !== undefined || this.sender.lost !== undefined
    try {
      await this.close()
    } catch (error) {
      if (!hadFailed) throw error
    }
  }

  /** Ends receiving. A peer that understands control frames is asked to stop; any other is held back. */
  stopReceiving(): void {
    if (!this.receiver.isOpen) return
    const isTold = this.#control && this.sender.control({ type: 'stop' })
    this.receiver.stop(!isTold)
    if (!isTold && this.sender.isOver) this.#finish()
  }

  /** Ends the channel with an error that the peer reads after everything sent before, or as a reset where it can't. */
  closeWithError(error: ChannelError): void {
    if (this.#failure !== undefined) return
    if (!this.#control || !this.sender.control(closeFrame(error))) {
      this.reset(error)
      return
    }
    this.#settle(error, 'drain')
    this.#finish()
  }

  /** The channel's handler failed: closes with that error, once everything before an `end()` has left. */
  async onHandlerError(failure: ChannelError): Promise<void> {
    if (this.#closing !== undefined) return
    if (this.sender.isEnding) await this.#endInTime().catch(() => {})
    this.closeWithError(failure)
  }

  /** Ends both halves at once. What has not left is dropped, and the peer sees a reset. */
  reset(error: ChannelError): void {
    this.conn.abort(resetReason(this.#settle(error, 'fail')))
  }

  // Events of the sender.

  /** Fails sending alone: reading finds out how the conn ended, behind what has arrived. */
  onConnError(error: unknown): void {
    this.sender.fail(channelError(error, this.#name))
  }

  onSlow(waited: number): void {
    if (this.#onSlow === undefined) return
    try {
      if (this.#onSlow.call(undefined, waited) !== 'close') return
    } catch (cause) {
      this.reset(new ChannelError('INTERNAL', 'onSlow threw', { side: 'local', cause }))
      return
    }
    this.reset(new ChannelError('PEER_TOO_SLOW', `the peer has read nothing for ${Math.round(waited)} ms`))
  }

  // Events of the receiver.

  onControl(body: Uint8Array): void {
    if (!this.#control) throw new ChannelError('INVALID_FRAME', 'a control frame from a peer that announced none')
    this.#countControl()
    const control = decodeControl(body)
    if (control === null) return
    switch (control.type) {
      case 'stop':
        this.sender.refuse(() => new ChannelError('PEER_STOPPED', 'the peer receives no more messages'))
        return
      case 'ping':
        this.#heartbeat?.onPing()
        if (this.sender.bufferedBytes >= maxBufferedForPong) return
        this.sender.control({ type: 'pong', opaque: control.opaque })
        return
      case 'pong':
        this.#heartbeat?.onPong(control.opaque)
        return
      case 'draining':
        this.#onDraining()
        return
      case 'close':
        this.#settle(closeError(control.code, control.reason, this.#name), 'fail')
        this.conn.close().catch(() => {})
    }
  }

  /** The peer has ended its half. If it reads no more either, the channel can finish. */
  onEnd(): void {
    if (this.sender.isRefused) this.#finish()
  }

  /** What arrived is invalid, or no more can arrive. */
  onReceiveError(error: unknown): void {
    if (error instanceof ConnError) this.#settle(this.#failure ?? channelError(error, this.#name), 'fail')
    else if (this.#failure === undefined) this.closeWithError(channelError(error, this.#name))
    // The peer has had its close frame: only the caller of `receive` is left to learn of it.
    else this.receiver.fail(this.#failure)
  }

  /** Decides about a message that the codec can't read or its schema refuses. `undefined` skips it. */
  onDecodeError(error: unknown): ChannelError | undefined {
    const failure = decodeFailure(error)
    if (this.#onInvalid === undefined || !(error instanceof CodecError) || error.code !== 'INVALID_MESSAGE')
      return failure
    try {
      return this.#onInvalid.call(undefined, failure) === 'skip' ? undefined : failure
    } catch (cause) {
      return new ChannelError('INTERNAL', 'onInvalid threw', { side: 'local', cause })
    }
  }

  // Events of the heartbeat.

  quietSince(): number | undefined {
    return this.receiver.quietSince
  }

  ping(opaque: Uint8Array): boolean {
    return this.sender.bufferedBytes === 0 && this.sender.control({ type: 'ping', opaque })
  }

  onSilent(silence: number): void {
    this.reset(new ChannelError('PEER_SILENT', `nothing came from the peer for ${silence} ms`))
  }

  /**
   * Ends the channel because of an error: the only place that says why it ended, and the first error stays. The halves
   * fail with `error`, which may be later than the first: that of a close that did not end in time. Returns the first.
   */
  #settle(error: ChannelError, halves: HalvesEnd): ChannelError {
    this.#failure ??= error
    if (halves === 'drain') {
      this.receiver.drop(error)
      this.sender.refuse(() => error)
    } else {
      if (halves === 'fail') this.receiver.fail(error)
      this.sender.fail(error)
    }
    return this.#failure
  }

  async #close(): Promise<void> {
    let error: unknown
    if (this.#failure === undefined) {
      if (this.#control && this.receiver.isOpen) this.sender.control({ type: 'stop' })
      this.receiver.drop()
      // As `#endInTime`, without a wait of its own.
      const deadline = setDeadline(this.clock, onCloseTimeout, this.#closeTimeout, this)
      try {
        await this.sender.end()
      } catch (reason) {
        error = reason
      }
      deadline.cancel()
    }
    if (this.#finishing !== undefined) await this.#finishing
    try {
      await this.conn.close()
    } catch (reason) {
      error ??= this.#failure ?? channelError(reason, this.#name)
    }
    if (this.outcome === undefined) await this.closed
    const { lost } = this.sender
    // This side wanted what an abort drops to be dropped.
    if (lost !== undefined && lost.code !== 'ABORTED') error ??= lost
    // A peer that wants no more has had what it wanted.
    if (error !== undefined && !(error instanceof ChannelError && error.code === 'PEER_STOPPED')) throw error
  }

  /** Sends what is there to be sent and closes the conn, unless a caller does that already. */
  #finish(): void {
    if (!this.receiver.hasEnded) this.receiver.drop()
    this.#finishing ??= this.#endInTime()
      .catch(() => {})
      .then(() => this.conn.close())
      .catch(() => {})
  }

  /** A peer that has lost its connection gets the time to return. */
  get #closeTimeout(): number {
    return this.limits.closeTimeout + (linkedConns.get(this.conn)?.timeout ?? 0)
  }

  /** Ends the sending half. A peer that does not take what was sent in time is reset. */
  async #endInTime(): Promise<void> {
    const deadline = setDeadline(this.clock, onCloseTimeout, this.#closeTimeout, this)
    try {
      await this.sender.end()
    } finally {
      deadline.cancel()
    }
  }

  onCloseTimeout(): void {
    const message = `the peer did not take what was sent in ${this.#closeTimeout} ms`
    this.reset(new ChannelError('CLOSE_TIMEOUT', message))
  }

  onConnClosed(closed: ConnClosed): void {
    this.#heartbeat?.stop()
    const isClean = this.#failure === undefined && (closed.clean || this.#onConnLost(closed.error))
    const error = this.#failure
    this.#closed.settle(isClean || error === undefined ? { clean: true } : { clean: false, error })
    this.onEnded?.(this)
  }

  /** The conn failed, and the channel with it. Returns whether its end is clean nevertheless. */
  #onConnLost(cause: ConnError): boolean {
    const error = connFailure(cause, this.#name)
    // A peer that wants no more, and whose messages were all received, has only not waited for the end of this side.
    const isClean = error.code === 'PEER_STOPPED' && this.receiver.hasEnded && this.sender.bufferedBytes === 0
    this.#settle(error, 'fail sending')
    return isClean
  }

  #onDraining(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    // A listener may call `receive`, which is not possible while a frame is being handled.
    void Promise.resolve().then(() => this.#draining?.abort(goingAway()))
  }

  /** No limit of messages counts control frames: a flood of them would occupy the whole process. */
  #countControl(): void {
    const now = this.clock.now()
    const { maxControlFramesPerSecond } = this.limits
    const each = 1_000 / maxControlFramesPerSecond
    this.#controlUntil = Math.max(this.#controlUntil, now - maxUnreadControlFrames * each) + each
    if (this.#controlUntil <= now + 1_000) return
    throw new ChannelError('RATE_LIMITED', `more than ${maxControlFramesPerSecond} control frames a second came`)
  }
}

const onCloseTimeout = (core: { onCloseTimeout(): void }): void => core.onCloseTimeout()

function goingAway(): ChannelError {
  return new ChannelError('GOING_AWAY', 'the channel is to end soon', { fatal: false })
}

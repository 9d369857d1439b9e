import type { Codec } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'
import { inspectAs } from '@h2channel/conn/internal'

import { ChannelError } from '../errors.ts'
import type { Framing } from '../framing/framing.ts'
import { lengthPrefixed } from '../framing/length-prefixed.ts'
import { channelLimits, checkHook } from '../options.ts'
import { systemClock } from '../runtime/clock.ts'
import { ChannelCore } from './channel-core.ts'
import type { ChannelClosed, ChannelOptions, ChannelStats, WaitOptions } from './channel-types.ts'
import { asMessage, asResult, done } from './reader.ts'
import type { Receiver } from './receiver.ts'

/** Filled in by the class, since nothing outside of it can read `#core`. */
const friend = {} as { coreOf(channel: Channel<never, unknown>): ChannelCore<never, unknown> }

/** What the rest of this package may do to a channel, and its users may not. */
export function coreOf(channel: Channel<never, unknown>): ChannelCore<never, unknown> {
  return friend.coreOf(channel)
}

/**
 * Typed messages both ways over one conn, which the channel owns. Both halves are independent: either side may end its
 * own and still receive from the other.
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
  static {
    friend.coreOf = (channel) => channel.#core
    Object.defineProperties(
      this.prototype,
      inspectAs<Channel<never, unknown>>((channel) => ({
        conn: channel.conn,
        stats: channel.stats,
        ...(channel.#core.outcome === undefined ? {} : { closed: channel.#core.outcome }),
      })),
    )
  }

  readonly #core: ChannelCore<S, R>

  /**
   * @throws ChannelError `INVALID_ARGUMENT` when a framing does not support its codec, a limit is out of range, or
   *   `onInvalid` or `onSlow` is not a function.
   */
  constructor(conn: Conn, options: ChannelOptions<S, R>) {
    const { send, receive, framing = lengthPrefixed(), onInvalid, onSlow, name } = options
    const clock = options.clock ?? systemClock
    const framings = 'begin' in framing ? { send: framing, receive: framing } : framing
    const limits = channelLimits(options.limits)
    checkFraming(framings.send, send)
    checkFraming(framings.receive, receive)
    checkHook('onInvalid', onInvalid)
    checkHook('onSlow', onSlow)
    const control = options.control === true && framings.send.control && framings.receive.control
    this.#core = new ChannelCore({
      conn,
      send,
      receive,
      framing: framings,
      control,
      limits,
      onInvalid,
      onSlow,
      name,
      clock,
    })
  }

  /** The conn below, to be looked at. The channel alone reads, writes and closes it. */
  get conn(): Conn {
    return this.#core.conn
  }

  /** How the channel ended. Settles once, when its resources are released, and never rejects. */
  get closed(): Promise<ChannelClosed> {
    return this.#core.closed
  }

  /** A snapshot of the traffic so far and of the channel's state: a new object each time. */
  get stats(): ChannelStats {
    return this.#core.stats
  }

  /** Bytes that were accepted by `send` and that the conn has not taken yet. */
  get bufferedBytes(): number {
    return this.#core.sender.bufferedBytes
  }

  /**
   * Aborts at both ends when the channel should end soon: when the server's router drains, the channel reaches its
   * `maxAge`, its client's credentials are about to end, or its client is closed. The channel stays open until either
   * side ends it; after a deadline, the side that announced it ends the channel with `GOING_AWAY`. A client whose
   * server stops should finish its work, and open a new channel, which another server accepts.
   */
  get draining(): AbortSignal {
    return this.#core.draining
  }

  /**
   * Waits for room, then encodes the message and accepts it. The message is read before this returns or, if it has to
   * wait, when its turn comes. Afterwards it is the caller's again.
   *
   * A loop that awaits each send can't outrun the peer: while `maxBufferedBytes` wait, it waits too. An accepted
   * message is on its way, but not delivered yet: `close()` waits for that.
   *
   * @throws ChannelError. After `ENCODE_FAILED`, `MESSAGE_TOO_LARGE`, `SEND_BUFFER_FULL`, `TIMEOUT` and `CANCELLED` the
   *   message was not sent, and the channel stays open. After `CLOSED` and `PEER_STOPPED` it can still receive. Any
   *   other error is the one that ended the channel.
   */
  send(message: S, options?: WaitOptions): Promise<void> {
    return this.#core.sender.send(message, options?.signal)
  }

  /**
   * Sends several messages in order, like a loop that awaits {@link send} for each, but faster where they are
   * small: it waits only where there is no room. Each is taken from `messages` when its turn comes.
   *
   * @returns once the last one was accepted.
   * @throws ChannelError what `send` throws for one of them: those before it were sent, and no more are asked for.
   *   `INVALID_ARGUMENT` when `messages` is not a synchronous iterable (await `send` in a `for await` then), or is a
   *   string. An error that `messages` throws is passed on.
   */
  async sendAll(messages: Iterable<S>, options?: WaitOptions): Promise<void> {
    checkIterable(messages, 'sendAll')
    await this.#core.sender.sendAll(messages, options?.signal)
  }

  /**
   * Waits for the next message. Concurrent calls are served in the order in which they were made.
   *
   * @returns the message, or `undefined` once the peer has ended its half and all of it was received.
   * @throws ChannelError `TIMEOUT` or `CANCELLED` when the signal ended the wait: no message is lost by that. `CLOSED`
   *   after this side closed or left its iteration. `INVALID_MESSAGE`, `INVALID_FRAME`, `MESSAGE_TOO_LARGE` or
   *   `TRUNCATED_FRAME` when what came is invalid, which ends the channel. Otherwise the error that ended it.
   */
  receive(options?: WaitOptions): Promise<R | undefined> {
    return this.#core.receiver.receive(asMessage<R>, options?.signal)
  }

  /**
   * Yields messages until the peer ends its half. Leaving the loop early ends receiving, and asks the peer to stop;
   * this side can still send. After `return()` the iterator is done, and so is a `next()` that waits. The iterator is
   * itself iterable.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<R, undefined> {
    return new Messages(this.#core)
  }

  /**
   * Yields arrays of all messages that have arrived: at least one, and about as many as a chunk of the conn has. That
   * is faster than one by one where messages are small, since it waits once for all of them. The caller owns each
   * array. It ends before a message that is invalid: the next call reports that one, or asks `onInvalid`.
   *
   * @example
   * for await (const batch of channel.batches()) for (const trade of batch) total += trade.price
   */
  batches(): AsyncIterable<R[]> {
    return { [Symbol.asyncIterator]: () => new Batches(this.#core) }
  }

  /**
   * Ends the half of this side: the peer receives what was sent, then its iteration ends. This side can still receive.
   *
   * @returns once everything that was sent has been handed to the transport. Further calls wait for the same.
   * @throws ChannelError the error that ended the channel first.
   */
  end(): Promise<void> {
    return this.#core.end()
  }

  /**
   * Ends the channel: everything sent is delivered first, and what still arrives is discarded.
   *
   * @returns once the channel has ended, now or long before.
   * @throws ChannelError `CLOSE_TIMEOUT` when the peer did not take what was sent within `closeTimeout`, or the error
   *   that ended the channel before everything sent was handed over, now or before.
   */
  close(): Promise<void> {
    return this.#core.close()
  }

  /**
   * Resets the channel at once. Every wait fails with `ABORTED` and `reason` as its cause; what was sent and has not
   * left yet is dropped. The peer's waits fail with `PEER_ABORTED`.
   */
  abort(reason?: unknown): void {
    this.#core.reset(new ChannelError('ABORTED', 'the channel was aborted by this side', { cause: reason }))
  }

  /**
   * Calls `close()`, but ignores an error that had ended the channel before: its waits, and `closed`, have reported
   * that.
   */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#core.dispose()
  }
}

abstract class Iteration<R, T> implements AsyncIterableIterator<T, undefined> {
  readonly #core: ChannelCore<never, R>
  protected readonly receiver: Receiver<R>
  protected isDone = false

  constructor(core: ChannelCore<never, R>) {
    this.#core = core
    this.receiver = core.receiver
  }

  abstract next(): Promise<IteratorResult<T, undefined>>

  async return(value?: PromiseLike<undefined>): Promise<IteratorResult<T, undefined>> {
    this.isDone = true
    this.#core.stopReceiving()
    return { done: true, value: await value }
  }

  throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    this.isDone = true
    this.#core.stopReceiving()
    return Promise.reject(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

class Messages<R> extends Iteration<R, R> {
  next(): Promise<IteratorResult<R, undefined>> {
    return this.isDone ? Promise.resolve(done) : this.receiver.receive(asResult<R>, undefined)
  }
}

class Batches<R> extends Iteration<R, R[]> {
  next(): Promise<IteratorResult<R[], undefined>> {
    return this.isDone ? Promise.resolve(done) : this.receiver.nextBatch()
  }
}

/** Throws `INVALID_ARGUMENT` unless `messages` is an iterable. `what` takes them. */
export function checkIterable(messages: unknown, what: string): void {
  // A string is an iterable too, of letters, which is never meant.
  const iterable: unknown = typeof messages === 'string' ? undefined : messages
  if (typeof (iterable as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function') return
  throw new ChannelError('INVALID_ARGUMENT', `${what} takes an iterable of messages, such as an array`)
}

function checkFraming(framing: Framing, codec: Codec<unknown>): void {
  if (!framing.carries(codec)) {
    throw new ChannelError('INVALID_ARGUMENT', `${framing.name} framing can't carry messages of codec ${codec.name}`)
  }
  if (framing.control && framing.markControl === undefined) {
    throw new ChannelError('INVALID_ARGUMENT', `${framing.name} framing has control frames, but no markControl`)
  }
}

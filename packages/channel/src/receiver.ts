import type { Codec } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'

import { ChannelError, givenUp } from './errors.ts'
import type { FrameDecoder } from './framing.ts'
import { WaitList } from './wait-list.ts'

/**
 * The half that receives:
 *
 *     open ──the peer ended──▶ ended
 *       ├────stop()──▶ stopped
 *       └────any error──▶ failed
 */
type State =
  | { readonly at: 'open' }
  | { readonly at: 'ended' }
  | { readonly at: 'stopped' }
  | { readonly at: 'failed'; readonly error: ChannelError }

export interface ReceiverParts<R> {
  readonly conn: Conn
  readonly codec: Codec<R>
  readonly decoder: FrameDecoder
  /** Called with the body of each control frame. May end the channel. */
  readonly onControl: (body: Uint8Array) => void
  /** Called once, when the peer has ended its half and said so. */
  readonly onEnd: () => void
  /** Called once, when what arrived can't be read, or no more can arrive. */
  readonly onError: (error: unknown) => void
}

const over: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** Stands for "no message is there yet". */
const none = Symbol('none')

/**
 * Messages out of the conn, one when one is asked for. It holds one chunk; the next is read when all messages of that one
 * are out, so that a receiver that stops holds the sender back.
 */
export class Receiver<R> {
  readonly #conn: Conn
  readonly #codec: Codec<R>
  readonly #decoder: FrameDecoder
  readonly #parts: ReceiverParts<R>
  readonly #waiting = new WaitList<null, R | undefined>('the receive')
  #state: State = { at: 'open' }
  #isReading = false
  /** A message that was found while looking for control frames. */
  #found: Uint8Array | null = null

  constructor(parts: ReceiverParts<R>) {
    this.#conn = parts.conn
    this.#codec = parts.codec
    this.#decoder = parts.decoder
    this.#parts = parts
  }

  get isOpen(): boolean {
    return this.#state.at === 'open'
  }

  /** Begins to read: the first chunk is fetched unasked, since it may hold a control frame. */
  start(): void {
    this.#read()
  }

  receive(signal: AbortSignal | undefined): Promise<R | undefined> {
    if (signal?.aborted === true) return Promise.reject(givenUp('the receive', signal.reason))
    if (this.#waiting.size === 0) {
      const message = this.#take()
      if (message !== none) {
        this.#lookAhead()
        return Promise.resolve(message)
      }
    }
    switch (this.#state.at) {
      case 'open':
        return this.#waiting.add(null, signal)
      case 'ended':
        return Promise.resolve(undefined)
      case 'stopped':
        return Promise.reject(new ChannelError('CLOSED', 'receive after this side stopped receiving'))
      case 'failed':
        return Promise.reject(this.#state.error)
    }
  }

  /** The same for an iteration: a message that is there costs one promise. */
  next(): Promise<IteratorResult<R, undefined>> {
    if (this.#waiting.size === 0) {
      const value = this.#take()
      if (value !== none) {
        this.#lookAhead()
        return Promise.resolve(value === undefined ? over : { done: false, value })
      }
    }
    return this.receive(undefined).then((value) => (value === undefined ? over : { done: false, value }))
  }

  /** Hands out nothing more. With `discard`, what still arrives is read and dropped; without, the peer is held back. */
  stop(discard: boolean): void {
    if (this.#state.at !== 'open' && this.#state.at !== 'ended') return
    const isOver = this.#state.at === 'ended'
    this.#state = { at: 'stopped' }
    this.#found = null
    this.#waiting.fail(new ChannelError('CLOSED', 'this side stopped receiving'))
    if (discard && !isOver) this.#discard()
  }

  fail(error: ChannelError): void {
    if (this.#state.at === 'failed' || this.#state.at === 'ended') return
    this.#state = { at: 'failed', error }
    this.#found = null
    this.#waiting.fail(error)
  }

  /** The next message, if it is there. Otherwise, or when that fails, `none`; the state then says what to do. */
  #take(): R | typeof none {
    if (this.#state.at !== 'open') return none
    const frame = this.#found ?? this.#next()
    this.#found = null
    if (frame === null) return none
    try {
      return this.#codec.decode(frame)
    } catch (error) {
      this.#parts.onError(error)
      return none
    }
  }

  /** The next frame that is a message, with every control frame before it dealt with. `null` starts a read. */
  #next(): Uint8Array | null {
    try {
      for (;;) {
        const frame = this.#decoder.next()
        if (frame === null) break
        if (!this.#decoder.control) return frame
        this.#parts.onControl(frame)
        if (this.#state.at === 'failed') return null
      }
    } catch (error) {
      this.#parts.onError(error)
      return null
    }
    this.#read()
    return null
  }

  #read(): void {
    if (this.#isReading) return
    this.#isReading = true
    this.#conn.read().then(
      (chunk) => {
        this.#isReading = false
        this.#onChunk(chunk)
      },
      (error: unknown) => {
        if (this.#state.at === 'open') this.#parts.onError(error)
      },
    )
  }

  #onChunk(chunk: Uint8Array | null): void {
    if (this.#state.at === 'failed') return
    if (chunk === null) {
      this.#onEnd()
      return
    }
    this.#decoder.push(chunk)
    if (this.#state.at === 'stopped') this.#discard()
    else this.#serve()
  }

  #onEnd(): void {
    try {
      this.#decoder.end()
    } catch (error) {
      this.#parts.onError(error)
      return
    }
    if (this.#state.at === 'open') this.#state = { at: 'ended' }
    this.#parts.onEnd()
    for (let first = this.#waiting.take(); first !== undefined; first = this.#waiting.take()) first.resolve(undefined)
  }

  /** Finds the next message, for the control frames before it: who only sends would not notice them otherwise. */
  #lookAhead(): void {
    if (this.#state.at === 'open') this.#found ??= this.#next()
  }

  /** Hands messages to who waits. */
  #serve(): void {
    while (this.#waiting.size > 0) {
      const message = this.#take()
      if (message === none) return
      this.#waiting.take()?.resolve(message)
    }
    this.#lookAhead()
  }

  /** Passes over messages. What the peer sends after it was told to stop is not even decoded. */
  #discard(): void {
    while (this.#next() !== null);
  }
}

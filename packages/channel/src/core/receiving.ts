import type { Codec } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'

import type { ChannelError } from '../errors.ts'
import type { FrameDecoder } from '../framing/framing.ts'
import type { Clock } from '../runtime/clock.ts'

/**
 * State of the half that receives:
 *
 *     open ──the peer ended──▶ ended
 *       ├────stop()──▶ stopped ──drop()─┐
 *       ├────drop()─────────────────────┴─▶ dropping
 *       └────any error──▶ failed
 *
 * `stopped` still handles control frames. It reads no more than a window a second, or nothing. `dropping` reads to the end and
 * looks at nothing.
 */
export type ReceiverState =
  | { readonly at: 'open' }
  | { readonly at: 'ended' }
  | { readonly at: 'stopped'; readonly isPaused: true }
  /** `upTo` is the number of bytes at which reading pauses within this second. */
  | { readonly at: 'stopped'; readonly isPaused: false; readonly upTo: number }
  | { readonly at: 'dropping'; readonly error: ChannelError | undefined }
  | { readonly at: 'failed'; readonly error: ChannelError }

/** What a receiver is made of. */
export interface ReceiverParts<R> {
  readonly conn: Conn
  readonly codec: Codec<R>
  readonly decoder: FrameDecoder
  readonly clock: Clock
}

/** What a receiver reports to its channel, and asks it. */
export interface ReceiverEvents {
  /** Handles the body of a control frame. May end the channel. */
  onControl(body: Uint8Array): void
  /** Called once: the peer has ended its half in order. */
  onEnd(): void
  /** Called once: what arrived cannot be read, or no more can arrive. */
  onReceiveError(error: unknown): void
  /** Decides about an error of the codec: returns the error to fail with, or `undefined` to skip the message. */
  onDecodeError(error: unknown): ChannelError | undefined
}

/** Follows the messages that a receiver delivers. */
export interface MessageWatcher {
  /** A message is about to be delivered. May end the channel: the message is dropped then. */
  onMessage(): void
}

/** Follows the memory of messages that have not arrived whole. */
export interface ArrivedWatcher {
  /** That memory changed by `change` bytes. May end the channel. */
  onArrived(change: number): void
}

/** Makes the result of a wait out of its message, or of the end: that saves a promise a message. */
export type Wrap<R> = (message: R | undefined) => unknown

export function asMessage<R>(message: R | undefined): R | undefined {
  return message
}

export function asResult<R>(message: R | undefined): IteratorResult<R, undefined> {
  return message === undefined ? done : { done: false, value: message }
}

export const done: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** The state that all open receivers share. */
export const open = { at: 'open' } as const

/** The decoder of a receiver that reads nothing more. */
export const noFrames: FrameDecoder = {
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

/** Stands for "no message has arrived". */
export const none: unique symbol = Symbol('none')

/** Stands for a message that was skipped. */
export const skipped: unique symbol = Symbol('skipped')

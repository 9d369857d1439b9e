/** The types of a channel. */
import type { Codec } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'

import type { ChannelError } from '../errors.ts'
import type { Framing } from '../framing/framing.ts'
import type { ChannelLimits, LimitOptions, OnInvalid, OnSlow } from '../options.ts'
import type { Clock } from '../runtime/clock.ts'

/** How a channel encodes and decodes, and what bounds it. */
export interface ChannelOptions<S, R> {
  /** Encodes messages to the peer. */
  readonly send: Codec<S>
  /** Decodes messages from the peer. */
  readonly receive: Codec<R>
  /** Separates messages, in both directions or in each. Default: `lengthPrefixed()`. */
  readonly framing?: Framing | { readonly send: Framing; readonly receive: Framing } | undefined
  /** Whether both peers have announced that they understand control frames. Default: false. */
  readonly control?: boolean | undefined
  /** The limits that differ from `channelDefaults`. */
  readonly limits?: LimitOptions | undefined
  /** Decides about a message that the schema of `receive` rejects. Default: the channel ends. */
  readonly onInvalid?: OnInvalid | undefined
  /** Decides about a peer that reads nothing for long. Default: `send` keeps waiting. */
  readonly onSlow?: OnSlow | undefined
  /** Names the channel in errors that end it from outside, such as the path of its route. Default: no name. */
  readonly name?: string | undefined
  /** The source of times, for tests. Default: the clock of the platform. */
  readonly clock?: Clock | undefined
}

/** What a channel is made of: its options, checked, and with every default filled in. */
export interface ChannelParts<S, R> {
  readonly conn: Conn
  readonly send: Codec<S>
  readonly receive: Codec<R>
  readonly framing: { readonly send: Framing; readonly receive: Framing }
  /** Whether both peers understand control frames. */
  readonly control: boolean
  readonly limits: ChannelLimits
  readonly onInvalid: OnInvalid | undefined
  readonly onSlow: OnSlow | undefined
  readonly name: string | undefined
  readonly clock: Clock
}

/** Options of a call that waits. */
export interface WaitOptions {
  /**
   * Ends the wait: with `TIMEOUT` for an `AbortSignal.timeout(ms)`, with `CANCELLED` for any other. `null` stands for
   * no signal. Anything else that is not an AbortSignal is refused with `INVALID_ARGUMENT`, before anything is done.
   */
  readonly signal?: AbortSignal | null | undefined
}

/**
 * How a channel ended. A clean end means that everything sent was handed to the transport, and that the peer ended its
 * half or this side closed without waiting for that.
 */
export type ChannelClosed = { readonly clean: true } | { readonly clean: false; readonly error: ChannelError }

/** Messages, and the bytes that carried them, framing included. */
export interface Traffic {
  readonly messages: number
  readonly bytes: number
}

/** A snapshot of a channel: see `channel.stats`. */
export interface ChannelStats {
  /** Messages that `send` accepted, and bytes that were given to the conn, which may still hold some of them. */
  readonly sent: Traffic
  /** Messages that were delivered to the application, and bytes that have arrived. */
  readonly received: Traffic
  /** Bytes that were accepted and that the conn has not taken yet. */
  readonly bufferedBytes: number
  /**
   * The time between the last ping and its answer. `undefined` before the first answer, and between peers without
   * control frames. Unit: milliseconds.
   */
  readonly roundTrip: number | undefined
  /** How many conns have carried the channel: more than 1 once it was resumed. */
  readonly carriers: number
  /** The time since the channel was opened. Unit: milliseconds. */
  readonly age: number
}

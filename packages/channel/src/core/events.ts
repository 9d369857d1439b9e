/** What the halves and the heartbeat of a channel report to it, or ask it, and what they report to its watchers. */
import type { Conn } from '@h2channel/conn'

import type { ChannelError } from '../errors.ts'
import type { ChannelLimits } from '../options.ts'
import type { Clock } from '../runtime/clock.ts'

/** What a half asks its channel for, rather than hold it too. */
interface HalfChannel {
  readonly conn: Conn
  readonly limits: ChannelLimits
  readonly clock: Clock
}

export interface SenderChannel extends HalfChannel {
  /** The conn refuses bytes. */
  onConnError(error: unknown): void
  /** A send has waited for room, and the conn has taken nothing for `waited` ms. May end the channel. */
  onSlow(waited: number): void
}

export interface ReceiverChannel extends HalfChannel {
  /** A control frame came. May end the channel. */
  onControl(body: Uint8Array): void
  /** Called once: the peer has ended its half. */
  onEnd(): void
  /** Called once: what arrived is invalid, or no more can arrive. */
  onReceiveError(error: unknown): void
  /** Decides about an error of the codec: returns the error to fail with, or `undefined` to skip the message. */
  onDecodeError(error: unknown): ChannelError | undefined
}

export interface HeartbeatEvents {
  /** Since when this side waits for bytes of the peer, on the channel's clock. `undefined` while it does not read. */
  quietSince(): number | undefined
  /** Sends a ping, unless it can't, or bytes wait to be sent that show as much. Returns whether it did. */
  ping(opaque: Uint8Array): boolean
  /** Nothing came for `silence` ms. Called once, as the last event. */
  onSilent(silence: number): void
}

export interface SenderWatcher {
  /** The memory that waits to leave this process changed by `change` bytes. May end the channel. */
  onHeld(change: number): void
}

export interface ReceiverWatcher {
  /** A message is about to be delivered. May end the channel: then it is not. */
  onMessage(): void
}

export interface ArrivedWatcher {
  /** The memory for messages that are incomplete changed by `change` bytes. May end the channel. */
  onArrived(change: number): void
}

/** Observers of a channel, for limits that several channels share. */
export interface Watchers {
  readonly memory?: (SenderWatcher & ArrivedWatcher) | undefined
  readonly messages?: ReceiverWatcher | undefined
}

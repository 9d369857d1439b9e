import type { Conn } from '@h2channel/conn'
import type { ConnError } from '@h2channel/conn/web'

import type { HeartbeatTimes } from '../core/heartbeat.ts'
import type { Clock } from '../runtime/clock.ts'

/** What a link is made of. Sizes in bytes, times in milliseconds. */
export interface LinkParts {
  /** How many bytes wait at most for the layer above of this side. The peer knows it. */
  readonly window: number
  /** How many bytes the peer takes beyond what it has acknowledged. */
  readonly peerWindow: number
  /** How long the link lives without a carrier. The same at both ends. */
  readonly timeout: number
  /** The heartbeat of its carriers. */
  readonly heartbeat: HeartbeatTimes
  readonly clock: Clock
  readonly host: LinkHost
}

/** What gives a link its carriers. */
export interface LinkHost {
  /** The link has lost its carrier, or its peer has ended it too early, for `reason`. The host may attach another. */
  onDetached(link: CarriedLink, reason: unknown): void
  /** The memory that the link holds has changed. May end the link. Not called after `onOver`. */
  onHeld?(link: CarriedLink, change: number): void
  /** The link has ended at both sides, or is lost. The last event. */
  onOver(link: CarriedLink): void
}

/** What the host of a link does with it. */
export interface CarriedLink {
  /** How far whole records have arrived: what the peer learns when a carrier begins. */
  readonly received: number
  /** How many carriers it has had. */
  readonly carriers: number
  /**
   * Continues over `conn`, which belongs to the link from now on. An older carrier is dropped.
   *
   * @param received - how far the peer has received.
   */
  attach(conn: Conn, received: number): void
  /** Gives up: no carrier is to come. */
  lose(error: ConnError): void
}

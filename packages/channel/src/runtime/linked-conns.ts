import type { Conn } from '@h2channel/conn'

/** What a channel asks of the link below it, which pings the peer in the channel's place. */
export interface LinkBelow {
  /** How long a ping took, on the carrier of now. Unit: milliseconds. */
  readonly roundTrip: number | undefined
  /** How many carriers it has had. */
  readonly carriers: number
  /** How long it may be without one. Unit: milliseconds. */
  readonly timeout: number
}

/** The links by their conns. */
export const linkedConns: WeakMap<Conn, LinkBelow> = new WeakMap()

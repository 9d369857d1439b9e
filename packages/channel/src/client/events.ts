/** The events that a client reports to `ClientOptions.onEvent`. */
import type { ChannelError } from '../errors.ts'

/** Which `open` an event is about. */
interface Subject {
  /** The address: scheme, host, port and path, as `createClient` was given them. */
  readonly origin: string
  /** The route's path with the names of its parameters, so that metrics have one series a route. */
  readonly path: string
}

/**
 * One event of a client:
 *
 * - `open`, `fail`: how an `open` ended. Each `open` with valid arguments has one of them. `attempts` is the number of
 *   attempts; `origin` is the address of the last.
 * - `retry`: attempt number `attempt` failed, and another follows in `delay` milliseconds.
 * - `unavailable`: with several addresses, this one can open no channel, and is left out for `delay` milliseconds. The
 *   event comes again, usually with a longer delay, while that stays so.
 * - `available`: an address that was left out answers again.
 * - `drain`: an open channel should end soon, as `channel.draining` says.
 * - `reconnecting`: a channel with `resume` has lost its connection because of `error`, and the client opens another.
 * - `resumed`: that channel continues. `carriers` is how many connections have carried it.
 */
export type ClientEvent =
  | ({ readonly type: 'open'; readonly attempts: number } & Subject)
  | ({
      readonly type: 'retry'
      readonly attempt: number
      readonly delay: number
      readonly error: ChannelError
    } & Subject)
  | ({ readonly type: 'fail'; readonly attempts: number; readonly error: unknown } & Subject)
  | { readonly type: 'unavailable'; readonly origin: string; readonly delay: number; readonly error: ChannelError }
  | { readonly type: 'available'; readonly origin: string }
  | ({ readonly type: 'drain' } & Subject)
  | ({ readonly type: 'reconnecting'; readonly error: unknown } & Subject)
  | ({ readonly type: 'resumed'; readonly carriers: number } & Subject)

/** Receives the events of a client as they happen. */
export type OnClientEvent = (event: ClientEvent) => void

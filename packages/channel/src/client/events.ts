/** What a client tells of itself: see `ClientOptions.onEvent`. */
import type { ChannelError } from '../errors.ts'
import { callHook } from '../observe/hooks.ts'

/** Which channel an event is about. */
interface Where {
  /** The address: scheme, host, port and path, as `createClient` was given them. */
  readonly origin: string
  /** The route's path, with the names of its parameters: there are no more of them than routes, as metrics want it. */
  readonly path: string
}

/**
 * - `opened`, `failed`: how an `open` ended, which each does once, unless its arguments were refused. `attempts` is how often
 *   it was tried; `origin` is where it was tried last.
 * - `retrying`: an attempt failed, by its number the `attempt`th, and another follows in `delay` milliseconds.
 * - `unavailable`, of clients with several addresses: no channel can be had at this one, so that for `delay` milliseconds the
 *   others are taken. It comes again, with a longer delay as a rule, while that stays so.
 * - `available`: the same address answers again.
 * - `draining`: an open channel is to end soon, as `channel.draining` says.
 */
export type ClientEvent =
  | ({ readonly type: 'opened'; readonly attempts: number } & Where)
  | ({
      readonly type: 'retrying'
      readonly attempt: number
      readonly delay: number
      readonly error: ChannelError
    } & Where)
  | ({ readonly type: 'failed'; readonly attempts: number; readonly error: unknown } & Where)
  | { readonly type: 'unavailable'; readonly origin: string; readonly delay: number; readonly error: ChannelError }
  | { readonly type: 'available'; readonly origin: string }
  | ({ readonly type: 'draining' } & Where)

export type OnClientEvent = (event: ClientEvent) => void

/** Calls `hook`, if there is one. A hook that throws or rejects must neither fail an `open` nor end the process. */
export function notifier(hook: OnClientEvent | undefined): OnClientEvent {
  return (event) => {
    if (hook !== undefined) callHook('onEvent failed', () => hook(event))
  }
}

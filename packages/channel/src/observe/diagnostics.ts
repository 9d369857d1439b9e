/**
 * The events that routers and clients publish on `node:diagnostics_channel`. They cost next to nothing without
 * subscribers. Subscribe before channels are opened: a channel that was opened before any subscription has no events.
 */
import { inspectAs } from '@h2channel/conn/internal'
import { channel as diagnosticsChannel } from 'node:diagnostics_channel'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'

import type { ChannelClosed } from '../core/channel-types.ts'
import type { Channel } from '../core/channel.ts'
import type { OnSlow } from '../options.ts'

/** The end that published an event. */
export type End = 'client' | 'server'

/**
 * The event `h2channel:opening` is a request for a channel, before it is sent, or when it has arrived. Later events of
 * the request carry this object.
 */
export interface OpenRequestEvent {
  readonly side: End
  /** The route's path, as it was defined: `/quotes/:market`. */
  readonly route: string
  /**
   * On the client: the address, such as `https://pricing.internal:8443`. On the server: the origin that the client
   * asked for.
   */
  readonly origin: string
  /** The request's headers. On the client, a subscriber may add to them. */
  readonly headers: OutgoingHttpHeaders | IncomingHttpHeaders
  /** A subscriber of the server may set it to run the handler in a context of its own. It must call `handle` once. */
  runHandler?: (handle: () => Promise<void>) => Promise<void>
}

/** The event `h2channel:open` says that a channel is open. */
export interface OpenEvent {
  readonly opening: OpenRequestEvent
  readonly channel: Channel<unknown, unknown>
}

/** The event `h2channel:refuse` says that a request gets no channel. */
export interface RefuseEvent {
  readonly opening: OpenRequestEvent
  /** The status of the response. On the client it is undefined without a response. */
  readonly status: number | undefined
  /** On the server: the text that the client receives. */
  readonly message: string | undefined
  /** On the client: the error of this attempt of `open`. */
  readonly error: unknown
}

/** The event `h2channel:close` says that a channel has ended, and on the server that its handler has returned. */
export interface CloseEvent extends OpenEvent {
  readonly closed: ChannelClosed
}

/** The event `h2channel:drain` says that a router begins to drain. */
export interface DrainEvent {
  /** The number of channels that the router has. */
  readonly channels: number
  /** How long they may take to end. Unit: milliseconds. */
  readonly timeout: number
}

/** The event `h2channel:slow` says that a `send` has waited for `slowAfter`, or for another `slowAfter`. */
export interface SlowEvent extends OpenEvent {
  /** Unit: milliseconds. */
  readonly waited: number
  /** What `onSlow` decided. */
  readonly answer: 'wait' | 'close'
}

/** The event `h2channel:error` is an error that a router reports to its `onError`. */
export interface ErrorEvent {
  readonly route: string
  readonly error: unknown
}

/** The event `h2channel:detach`: a channel with `resume` lost its connection, and waits for its client. */
export interface DetachEvent extends OpenEvent {
  readonly reason: unknown
}

/** The type of each event by its name. */
export interface DiagnosticEvents {
  opening: OpenRequestEvent
  open: OpenEvent
  refuse: RefuseEvent
  close: CloseEvent
  drain: DrainEvent
  slow: SlowEvent
  error: ErrorEvent
  detach: DetachEvent
  resume: OpenEvent
}

/** Publishes the events of one name. */
interface Publisher<Event> {
  readonly hasSubscribers: boolean
  publish(event: Event): void
}

/** The channels of `node:diagnostics_channel`: `h2channel:` and the name of the event. */
export const diagnostics: { readonly [Name in keyof DiagnosticEvents]: Publisher<DiagnosticEvents[Name]> } = {
  opening: diagnosticsChannel('h2channel:opening'),
  open: diagnosticsChannel('h2channel:open'),
  refuse: diagnosticsChannel('h2channel:refuse'),
  close: diagnosticsChannel('h2channel:close'),
  drain: diagnosticsChannel('h2channel:drain'),
  slow: diagnosticsChannel('h2channel:slow'),
  error: diagnosticsChannel('h2channel:error'),
  detach: diagnosticsChannel('h2channel:detach'),
  resume: diagnosticsChannel('h2channel:resume'),
}

/** Logs and JSON show an opening without its headers. */
const shown = inspectAs<OpenRequestEvent>(({ side, route, origin }) => ({ side, route, origin }))

/** Whether anything subscribes to an event of a channel. */
export function hasSubscribers(): boolean {
  const { opening, open, refuse, close, slow, detach, resume } = diagnostics
  return (
    opening.hasSubscribers ||
    open.hasSubscribers ||
    refuse.hasSubscribers ||
    close.hasSubscribers ||
    slow.hasSubscribers ||
    detach.hasSubscribers ||
    resume.hasSubscribers
  )
}

/**
 * Publishes `h2channel:opening` where anything subscribes to an event of channels.
 *
 * @returns the event that was published, for what follows from the request; undefined without subscribers.
 */
export function publishOpening(
  side: End,
  route: string,
  origin: string,
  headers: OpenRequestEvent['headers'],
): OpenRequestEvent | undefined {
  if (!hasSubscribers()) return undefined
  const event: OpenRequestEvent = Object.defineProperties({ side, route, origin, headers }, shown)
  diagnostics.opening.publish(event)
  return event
}

/** Wraps `onSlow` of a channel whose opening was published, so that `h2channel:slow` follows with the answer. */
export function publishingSlow(
  onSlow: OnSlow | undefined,
  opening: OpenRequestEvent | undefined,
  channelOf: () => Channel<unknown, unknown>,
): OnSlow | undefined {
  if (opening === undefined) return onSlow
  return (waited) => {
    const answer = onSlow?.(waited) === 'close' ? 'close' : 'wait'
    diagnostics.slow.publish({ opening, channel: channelOf(), waited, answer })
    return answer
  }
}

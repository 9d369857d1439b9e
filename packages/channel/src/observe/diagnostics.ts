/**
 * What router and client publish by `node:diagnostics_channel`, for whoever subscribes. Where nobody does, it costs a
 * look. Subscribe before channels are opened: of those that were open before, less is told.
 */
import { inspectAs } from '@h2channel/conn/internal'
import { channel as eventsNamed } from 'node:diagnostics_channel'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'

import type { ChannelClosed } from '../core/channel-core.ts'
import type { Channel } from '../core/channel.ts'
import type { OnSlow } from '../options.ts'

/** At which end it happened. */
export type End = 'client' | 'server'

/** `h2channel:opening`: a request for a channel, about to be sent, or having arrived. The same object comes with what follows. */
export interface OpenRequestEvent {
  readonly side: End
  /** The route's path, as it was defined: `/quotes/:market`. */
  readonly route: string
  /** The client: the address, such as `https://pricing.internal:8443`. The server: what the client calls it. */
  readonly origin: string
  /** The request's. A client's may be added to. */
  readonly headers: OutgoingHttpHeaders | IncomingHttpHeaders
  /** A subscriber of the server may set it to run the handler in a context of its own. It must call `handle` once. */
  runHandler?: (handle: () => Promise<void>) => Promise<void>
}

/** `h2channel:open`: the channel is open. */
export interface OpenEvent {
  readonly opening: OpenRequestEvent
  readonly channel: Channel<unknown, unknown>
}

/** `h2channel:refuse`: there will be no channel. */
export interface RefuseEvent {
  readonly opening: OpenRequestEvent
  /** Where there was an answer. */
  readonly status: number | undefined
  /** On the server: what the client is told. */
  readonly message: string | undefined
  /** On the client: what this attempt of `open` failed with. */
  readonly error: unknown
}

/** `h2channel:close`: the channel is over. On the server: and its handler has returned. */
export interface CloseEvent extends OpenEvent {
  readonly closed: ChannelClosed
}

/** `h2channel:drain`: a router begins to drain. */
export interface DrainEvent {
  /** How many channels there are. */
  readonly channels: number
  /** How long they may take. Unit: milliseconds. */
  readonly timeout: number
}

/** `h2channel:slow`: a `send` has waited for `slowAfter`, or as long again. */
export interface SlowEvent extends OpenEvent {
  /** Unit: milliseconds. */
  readonly waited: number
  /** What is done about it. */
  readonly answer: 'wait' | 'close'
}

/** `h2channel:error`: what `onError` of a router is told. */
export interface ErrorEvent {
  readonly route: string
  readonly error: unknown
}

/** The events by name, each published with an object of its type. */
export interface DiagnosticEvents {
  opening: OpenRequestEvent
  open: OpenEvent
  refuse: RefuseEvent
  close: CloseEvent
  drain: DrainEvent
  slow: SlowEvent
  error: ErrorEvent
}

/** What publishes events of one name. */
interface Events<Event> {
  readonly hasSubscribers: boolean
  publish(event: Event): void
}

/** Where each is published: `h2channel:` and its name. */
export const diagnostics: { readonly [Name in keyof DiagnosticEvents]: Events<DiagnosticEvents[Name]> } = {
  opening: eventsNamed('h2channel:opening'),
  open: eventsNamed('h2channel:open'),
  refuse: eventsNamed('h2channel:refuse'),
  close: eventsNamed('h2channel:close'),
  drain: eventsNamed('h2channel:drain'),
  slow: eventsNamed('h2channel:slow'),
  error: eventsNamed('h2channel:error'),
}

/** Logs and JSON show an opening without its headers. */
const shown = inspectAs<OpenRequestEvent>(({ side, route, origin }) => ({ side, route, origin }))

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
  const { opening, open, refuse, close, slow } = diagnostics
  if (![opening, open, refuse, close, slow].some(({ hasSubscribers }) => hasSubscribers)) return undefined
  const event: OpenRequestEvent = Object.defineProperties({ side, route, origin, headers }, shown)
  opening.publish(event)
  return event
}

/** Wraps `onSlow` of a channel with subscribers, so that `h2channel:slow` has its answer. */
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

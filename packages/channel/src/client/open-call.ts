/** What every attempt to open a channel, or to resume one, needs. */
import type { SessionPool } from '@h2channel/conn'
import { abortable } from '@h2channel/conn/internal'
import type { OutgoingHttpHeaders } from 'node:http2'

import type { Channel } from '../core/channel.ts'
import { ChannelError } from '../errors.ts'
import type { ChannelLimits } from '../options.ts'
import type { Format } from '../route/media-types.ts'
import { acceptHeader, createFormats } from '../route/media-types.ts'
import { controlHeader, version } from '../route/negotiate.ts'
import type { Route } from '../route/route.ts'
import { refClock, systemClock } from '../runtime/clock.ts'
import type { Address, AddressPool } from './address-pool.ts'
import type { ClientOptions, OpenOptions } from './client-options.ts'
import type { Initial } from './initial.ts'

/** What all channels of one client have in common. */
export interface ClientSettings extends ClientOptions {
  readonly connectTimeout: number
  readonly limits: ChannelLimits
  readonly sessions: SessionPool
  readonly addresses: AddressPool
  /** Called with each channel as soon as there is one. */
  onOpen(channel: Channel<unknown, unknown>, address: Address, route: string): void
}

/** What a client needs of a route for each request, made once. */
export interface ClientRoute<C, S> {
  /** The path of the route, as it was defined. */
  readonly name: string
  readonly send: Format<C>
  /** The formats that the server may send in. */
  readonly receives: readonly Format<S>[]
  /** The library's own headers. */
  readonly headers: OutgoingHttpHeaders
}

/** Prepares a route. Throws `INVALID_ROUTE` for a route without codecs. */
export function prepareRoute<C, S>({ path: name, client, server, framing }: Route<string, C, S>): ClientRoute<C, S> {
  const [send] = createFormats(client, framing)
  const receives = createFormats(server, framing)
  if (send === undefined) throw new ChannelError('INVALID_ROUTE', `${name} has no codec for the client`)
  const control = send.framing.control ? { [controlHeader]: `${version}` } : {}
  const headers = { 'content-type': send.mediaType, accept: acceptHeader(receives), ...control }
  // A conn checks frozen headers once.
  return { name, send, receives, headers: Object.freeze(headers) }
}

/** What all attempts of one `open` have in common. */
export interface OpenCall<C, S> {
  readonly route: ClientRoute<C, S>
  /** The path with its parameters filled in. */
  readonly path: string
  readonly options: Omit<OpenOptions, 'initial' | 'signal'>
  /** Whether the channel is to outlive its connection. */
  readonly resume: boolean
  /** Leaves with each request, or right after the response where that says what carries it. */
  readonly initial: Initial | undefined
  /** Whether this side's half ends after that. */
  readonly end: boolean
  /** Ends the attempt with its reason. */
  readonly signal: AbortSignal
}

/** Asks for the headers of all requests. They and the connection share the time of an attempt. */
export async function requestHeaders(
  { headers: common, connectTimeout }: ClientSettings,
  signal: AbortSignal,
): Promise<{ readonly common: OutgoingHttpHeaders | undefined; readonly connectTimeout: number }> {
  if (typeof common !== 'function') return { common, connectTimeout }
  const began = systemClock.now()
  const made = await inTime(common(), connectTimeout, signal)
  return { common: made, connectTimeout: Math.max(1, Math.ceil(connectTimeout - (systemClock.now() - began))) }
}

/** Waits for the headers of a request. Leaves no timer and no listener, even if the headers never come. */
async function inTime<T>(headers: T | Promise<T>, timeout: number, signal: AbortSignal): Promise<T> {
  let timer: unknown
  const timeUp = new Promise<never>((_resolve, reject) => {
    const onTime = (): void => {
      const message = `the headers of the request were not there in ${timeout} ms`
      reject(new ChannelError('CONNECT_FAILED', message, { side: 'local', retryable: true }))
    }
    timer = refClock.setTimer(onTime, timeout, undefined)
  })
  return abortable(Promise.race([headers, timeUp]), signal).finally(() => refClock.clearTimer(timer))
}

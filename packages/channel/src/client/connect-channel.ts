/** One attempt to open a channel: sends the request, and checks that the response is a channel of the route. */
import type { Http2Conn, SessionPool } from '@h2channel/conn'
import { connect, mergeHeaders } from '@h2channel/conn'
import { abortable } from '@h2channel/conn/internal'
import type { OutgoingHttpHeaders } from 'node:http2'

import type { Address } from './address-pool.ts'
import type { ClientOptions, OpenOptions } from './client-options.ts'
import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import type { OpenRequestEvent } from '../observe/diagnostics.ts'
import { diagnostics, publishingSlow, publishOpening } from '../observe/diagnostics.ts'
import { refClock, systemClock } from '../runtime/clock.ts'
import { ChannelError, excerpt, printable } from '../errors.ts'
import type { Format } from '../route/media-types.ts'
import { acceptHeader, contentCoding, createFormats, formatForContentType } from '../route/media-types.ts'
import type { Initial } from './initial.ts'
import { connErrorOf, openError } from './open-errors.ts'
import { announcedVersion, controlHeader, openChannel, version } from '../route/negotiate.ts'
import type { Route } from '../route/route.ts'

/** What all channels of one client have in common. */
export interface ClientSettings extends ClientOptions {
  readonly connectTimeout: number
  readonly sessions: SessionPool
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
  /** Leaves with each request. */
  readonly initial: Initial | undefined
  /** Whether this side's half ends after that. */
  readonly end: boolean
  /** Ends the attempt with its reason. */
  readonly signal: AbortSignal
}

/** Makes one attempt to open a channel at `address`. Throws the error of `client.open`. */
export async function connectChannel<C, S>(
  address: Address,
  call: OpenCall<C, S>,
  settings: ClientSettings,
): Promise<Channel<C, S>> {
  const { signal } = call
  // The headers of a request that will not be sent are not asked for.
  signal.throwIfAborted()
  const path = address.prefix + call.path
  let { connectTimeout } = settings
  let common = settings.headers
  if (typeof common === 'function') {
    const began = systemClock.now()
    common = await inTime(common(), connectTimeout, signal)
    // The headers and the connection share the time of the attempt.
    connectTimeout = Math.max(1, Math.ceil(connectTimeout - (systemClock.now() - began)))
  }
  const headers = headersOf(call, common)
  const opening = publishOpening('client', call.route.name, address.name, headers)
  let conn: Http2Conn | undefined
  try {
    const { tls, sessions } = settings
    const { end, options } = call
    const { method } = options
    const initial = call.initial?.bytes
    conn = await connect(address.url, { path, method, headers, initial, end, signal, tls, sessions, connectTimeout })
    // The response may have come in the turn of the abort.
    signal.throwIfAborted()
    return startChannel(conn, address, path, call, settings, opening)
  } catch (thrown) {
    const error = conn === undefined ? openError(thrown, path, signal) : thrown
    conn?.abort(error)
    if (opening !== undefined) {
      const status = connErrorOf(error)?.response?.status
      diagnostics.refuse.publish({ opening, status, message: undefined, error })
    }
    throw error
  }
}

function headersOf<C, S>(
  { route, options }: OpenCall<C, S>,
  common: OutgoingHttpHeaders | undefined,
): OutgoingHttpHeaders {
  const isPlain = common === undefined && options.headers === undefined && !diagnostics.opening.hasSubscribers
  return isPlain ? route.headers : mergeHeaders(common, options.headers, route.headers)
}

/** Makes a channel of a conn, if its response is that of a channel. */
function startChannel<C, S>(
  conn: Http2Conn,
  address: Address,
  path: string,
  { route, options, initial, end }: OpenCall<C, S>,
  settings: ClientSettings,
  opening: OpenRequestEvent | undefined,
): Channel<C, S> {
  const { name, send, receives } = route
  const receive = responseFormat(conn, path, receives)
  const control = agreesOnControl(conn, path, send, receive)
  const { limits, clock } = settings
  const { onInvalid } = options
  const onSlow = opening === undefined ? options.onSlow : publishingSlow(options.onSlow, opening, () => opened)
  const channel = openChannel(conn, send, receive, { control, limits, onInvalid, onSlow, clock, name })
  const opened = channel as Channel<unknown, unknown>
  const { sender } = coreOf(channel)
  sender.messages = initial?.messages ?? 0
  sender.bytes = initial?.bytes.length ?? 0
  if (end) sender.endConn(undefined)
  settings.onOpen(opened, address, name)
  if (opening !== undefined) {
    diagnostics.open.publish({ opening, channel: opened })
    void opened.closed.then((closed) => diagnostics.close.publish({ opening, channel: opened, closed }))
  }
  return channel
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

/** The format of the server's messages. Throws `BAD_RESPONSE` where the response is not a channel of the route. */
function responseFormat<S>({ status, headers }: Http2Conn, path: string, receives: readonly Format<S>[]): Format<S> {
  // `connect` opens a conn with any 2xx, and of these a channel has one alone.
  if (status !== 200) throw new ChannelError('BAD_RESPONSE', `${path} was answered with status ${status}, not 200`)
  const { 'content-type': contentType, 'content-encoding': contentEncoding } = headers
  const coding = contentCoding(contentEncoding)
  if (coding !== undefined) {
    const what = `with content-encoding ${excerpt(printable(coding))}, which is not supported`
    throw new ChannelError('BAD_RESPONSE', `${path} was answered ${what}`)
  }
  // Plain peers of lines or records may send no content type. Length prefixes need one: any bytes look like them.
  const plain = receives[0]?.framing.control === true ? undefined : receives[0]
  const format = contentType === undefined ? plain : formatForContentType(receives, contentType)
  if (format !== undefined) return format
  const what = contentType === undefined ? 'without a content type' : `of type ${excerpt(printable(contentType))}`
  const wanted = `not one of ${acceptHeader(receives)}: is it a route of the server?`
  throw new ChannelError('BAD_RESPONSE', `${path} was answered with a response ${what}, ${wanted}`)
}

/** Whether both sides agreed on control frames. Throws `BAD_RESPONSE` where the server speaks a version of its own. */
function agreesOnControl(
  { headers }: Http2Conn,
  path: string,
  send: Format<unknown>,
  receive: Format<unknown>,
): boolean {
  if (!send.framing.control || !receive.framing.control) return false
  const announced = announcedVersion(headers[controlHeader])
  if (announced === undefined || announced <= version) return announced !== undefined
  const what = `with ${controlHeader}: ${announced}, where this side offered ${version}`
  throw new ChannelError('BAD_RESPONSE', `${path} was answered ${what}`)
}

/** One attempt to open a channel: sends the request, and checks that the response is a channel of the route. */
import type { Http2Conn, SessionPool } from '@h2channel/conn'
import { connect, mergeHeaders } from '@h2channel/conn'
import { abortable } from '@h2channel/conn/internal'

import type { Address } from './address-pool.ts'
import type { ClientOptions, OpenOptions } from './client-options.ts'
import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import { diagnostics, publishingSlow, publishOpening } from '../observe/diagnostics.ts'
import { refClock, systemClock } from '../runtime/clock.ts'
import { ChannelError, excerpt, printable } from '../errors.ts'
import type { Format } from '../route/media-types.ts'
import { contentCoding, formatForContentType, acceptHeader } from '../route/media-types.ts'
import type { Initial } from './initial.ts'
import { connErrorOf, openError } from './open-errors.ts'
import { announcedVersion, controlHeader, openChannel, version } from '../route/negotiate.ts'

/** What all channels of one client have in common. */
export interface ClientSettings extends ClientOptions {
  readonly connectTimeout: number
  readonly sessions: SessionPool
  /** Called with each channel as soon as there is one. */
  onOpen(channel: Channel<unknown, unknown>, address: Address, route: string): void
}

/** What all attempts of one `open` have in common. */
export interface OpenCall<C, S> extends Omit<OpenOptions, 'initial' | 'signal'> {
  /** The path of the route, as it was defined. */
  readonly route: string
  /** The path with its parameters filled in. */
  readonly path: string
  readonly send: Format<C>
  /** The formats that the server may send in. */
  readonly receives: readonly Format<S>[]
  /** The media types of `receives`. */
  readonly accept: string
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
  request: OpenCall<C, S>,
  settings: ClientSettings,
): Promise<Channel<C, S>> {
  const { route, send, receives, accept, initial, end, signal, method, onInvalid } = request
  const { connectTimeout, tls, sessions, limits, clock } = settings
  // The headers of a request that will not be sent are not asked for.
  signal.throwIfAborted()
  const url = new URL(address.url.pathname.replace(/\/$/, '') + request.path, address.url)
  const began = systemClock.now()
  const given = settings.headers
  const common = typeof given === 'function' ? await inTime(given(), connectTimeout, signal) : given
  const headers = mergeHeaders(common, request.headers, {
    'content-type': send.mediaType,
    accept,
    ...(send.framing.control ? { [controlHeader]: `${version}` } : {}),
  })
  // The headers and the connection share the time of the attempt.
  const timeLeft = Math.max(1, Math.ceil(connectTimeout - (systemClock.now() - began)))
  const opening = publishOpening('client', route, address.name, headers)
  let conn: Http2Conn | undefined
  try {
    const sent = { initial: initial?.bytes, end }
    conn = await connect(url, { ...sent, signal, method, tls, connectTimeout: timeLeft, sessions, headers })
    // The response may have come in the turn of the abort.
    signal.throwIfAborted()
    const receive = responseFormat(conn, url, receives)
    const channel = openChannel(conn, send, receive, {
      control: agreesOnControl(conn, url, send, receive),
      limits,
      onInvalid,
      onSlow: publishingSlow(request.onSlow, opening, () => opened),
      clock,
      name: route,
    })
    const opened = channel as Channel<unknown, unknown>
    if (initial !== undefined) {
      const { sender } = coreOf(channel)
      sender.messages = initial.messages
      sender.bytes = initial.bytes.length
    }
    settings.onOpen(opened, address, route)
    if (opening !== undefined) {
      diagnostics.open.publish({ opening, channel: opened })
      void opened.closed.then((closed) => diagnostics.close.publish({ opening, channel: opened, closed }))
    }
    return channel
  } catch (thrown) {
    const error = conn === undefined ? openError(thrown, url, signal) : thrown
    conn?.abort(error)
    if (opening !== undefined) {
      const status = connErrorOf(error)?.response?.status
      diagnostics.refuse.publish({ opening, status, message: undefined, error })
    }
    throw error
  }
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
function responseFormat<S>({ status, headers }: Http2Conn, url: URL, receives: readonly Format<S>[]): Format<S> {
  // `connect` opens a conn with any 2xx, and of these a channel has one alone.
  if (status !== 200)
    throw new ChannelError('BAD_RESPONSE', `${url.pathname} was answered with status ${status}, not 200`)
  const { 'content-type': contentType, 'content-encoding': contentEncoding } = headers
  const coding = contentCoding(contentEncoding)
  if (coding !== undefined) {
    const what = `with content-encoding ${excerpt(printable(coding))}, which is not supported`
    throw new ChannelError('BAD_RESPONSE', `${url.pathname} was answered ${what}`)
  }
  // Plain peers of lines or records may send no content type. Length prefixes need one: any bytes look like them.
  const plain = receives[0]?.framing.control === true ? undefined : receives[0]
  const format = contentType === undefined ? plain : formatForContentType(receives, contentType)
  if (format !== undefined) return format
  const what = contentType === undefined ? 'without a content type' : `of type ${excerpt(printable(contentType))}`
  const wanted = `not one of ${acceptHeader(receives)}: is it a route of the server?`
  throw new ChannelError('BAD_RESPONSE', `${url.pathname} was answered with a response ${what}, ${wanted}`)
}

/** Whether both sides agreed on control frames. Throws `BAD_RESPONSE` where the server speaks a version of its own. */
function agreesOnControl({ headers }: Http2Conn, url: URL, send: Format<unknown>, receive: Format<unknown>): boolean {
  if (!send.framing.control || !receive.framing.control) return false
  const announced = announcedVersion(headers[controlHeader])
  if (announced === undefined || announced <= version) return announced !== undefined
  const what = `with ${controlHeader}: ${announced}, where this side offered ${version}`
  throw new ChannelError('BAD_RESPONSE', `${url.pathname} was answered ${what}`)
}

/** One attempt to open a channel: sends the request, and checks that the response is a channel of the route. */
import type { Http2Conn } from '@h2channel/conn'
import { connect, mergeHeaders } from '@h2channel/conn'
import type { OutgoingHttpHeaders } from 'node:http2'

import type { Address } from './address-pool.ts'
import { askForLink, linkedConn } from './client-link.ts'
import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import type { OpenRequestEvent } from '../observe/diagnostics.ts'
import { diagnostics, publishingSlow, publishOpening } from '../observe/diagnostics.ts'
import { ChannelError, excerpt, printable } from '../errors.ts'
import type { Format } from '../route/media-types.ts'
import { acceptHeader, contentCoding, formatForContentType } from '../route/media-types.ts'
import type { ClientSettings, OpenCall } from './open-call.ts'
import { requestHeaders } from './open-call.ts'
import { connErrorOf, openError } from './open-errors.ts'
import { announcedVersion, controlHeader, openChannel, version } from '../route/negotiate.ts'

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
  let { headers: common, connectTimeout } = settings
  if (typeof common === 'function') ({ common, connectTimeout } = await requestHeaders(settings, signal))
  const headers = headersOf(call, common)
  const opening = publishOpening('client', call.route.name, address.name, headers)
  let conn: Http2Conn | undefined
  try {
    const { tls, sessions } = settings
    const { end, options } = call
    const { method } = options
    const initial = call.resume ? undefined : call.initial?.bytes
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
  { route, options, resume }: OpenCall<C, S>,
  common: OutgoingHttpHeaders | undefined,
): OutgoingHttpHeaders {
  const isPlain = common === undefined && options.headers === undefined && !diagnostics.opening.hasSubscribers
  if (isPlain && !resume) return route.headers
  return mergeHeaders(common, options.headers, route.headers, resume ? askForLink : undefined)
}

/** Makes a channel of a conn, if its response is that of a channel. */
function startChannel<C, S>(
  conn: Http2Conn,
  address: Address,
  path: string,
  call: OpenCall<C, S>,
  settings: ClientSettings,
  opening: OpenRequestEvent | undefined,
): Channel<C, S> {
  const { route, options, initial, end } = call
  const { name, send, receives } = route
  const receive = responseFormat(conn, path, receives)
  const control = agreesOnControl(conn, path, send, receive)
  const { limits, clock } = settings
  const { onInvalid } = options
  const onSlow = opening === undefined ? options.onSlow : publishingSlow(options.onSlow, opening, () => opened)
  const below = call.resume && control ? linkedConn(conn, address, call, settings) : conn
  // What carries them was not known before the response.
  if (call.resume && initial !== undefined) below.write(initial.bytes).catch(() => {})
  const channel = openChannel(below, send, receive, { control, limits, onInvalid, onSlow, clock, name })
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

import type { IncomingMessage, ServerResponse } from 'node:http'
import type {
  Http2ServerRequest,
  Http2ServerResponse,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  ServerHttp2Stream,
} from 'node:http2'

import { ConnError } from '../errors.ts'
import type { ResponseHead } from './headers.ts'
import { bodiless, checkSize, prepareResponse } from './headers.ts'
import { Http2Conn } from './http2-conn.ts'
import { sendError } from './node-errors.ts'
import { Http2Transport } from './http2-stream.ts'
import { keepServerAlive } from './keep-alive.ts'
import type { CloseTimeouts } from '../limits.ts'
import { connDefaults, resolveTimeouts } from '../limits.ts'
import { widenWindows } from './windows.ts'

/** The options of {@link accept}. */
export interface AcceptOptions extends CloseTimeouts {
  /** The status of the response. Default: 200. */
  readonly status?: number | undefined
  /** The headers of the response, in addition to the headers that the response object has already. */
  readonly headers?: OutgoingHttpHeaders | undefined
}

/**
 * Answers a request with a conn. The headers of the response leave at once, and from then on both bodies belong to the
 * conn, which may outlive the handler that called `accept`. The first conn of a session widens the session's windows
 * and starts to ping its client: the conns of a client that stops responding end with `PEER_SILENT`.
 *
 * @throws ConnError `HTTP2_NOT_SUPPORTED` for an HTTP/1 request, whose response is left unsent; `ALREADY_RESPONDED`
 *   when the headers have been sent; `CONNECTION_LOST` when the client is gone; `INVALID_ARGUMENT` for a status or
 *   header that HTTP/2 forbids, and for a response that has no body.
 *
 * @example
 * ```ts
 * createSecureServer({ key, cert }, async (request, response) => {
 *   const conn = await accept(request, response)
 *   for await (const chunk of conn) await conn.write(chunk)
 *   await conn.close()
 * })
 * ```
 */
export function accept(
  request: Http2ServerRequest | IncomingMessage,
  response: Http2ServerResponse | ServerResponse,
  options?: AcceptOptions,
): Promise<Http2Conn>
/** Answers a request with a conn, in a listener of the `stream` event of a server or session. */
export function accept(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  options?: AcceptOptions,
): Promise<Http2Conn>
export async function accept(
  source: Http2ServerRequest | IncomingMessage | ServerHttp2Stream,
  detail: Http2ServerResponse | ServerResponse | IncomingHttpHeaders,
  options: AcceptOptions = {},
): Promise<Http2Conn> {
  const { status = 200 } = options
  const timeouts = resolveTimeouts(options)
  if ('respond' in source)
    return acceptStream(source, detail as IncomingHttpHeaders, () => prepareResponse(status, options.headers), timeouts)
  if (!isHttp2(source)) {
    throw new ConnError('HTTP2_NOT_SUPPORTED', `a conn needs HTTP/2, and the client speaks HTTP/${source.httpVersion}`)
  }
  const prepared = (detail as Http2ServerResponse).getHeaders()
  return acceptStream(source.stream, source.headers, () => prepareResponse(status, prepared, options.headers), timeouts)
}

/**
 * Answers a request at once, as {@link accept} does, for servers that open many conns: `head` makes the response, and
 * may return the same one each time.
 *
 * @throws ConnError as `accept` rejects.
 */
export function acceptStream(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  head: () => ResponseHead,
  timeouts: CloseTimeouts = connDefaults,
): Http2Conn {
  try {
    return answer(stream, headers, head, timeouts)
  } catch (error) {
    // It stays: without a listener, a client that resets a stream which was not accepted would end the process.
    stream.on('error', ignore)
    throw error
  }
}

function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  head: () => ResponseHead,
  timeouts: CloseTimeouts,
): Http2Conn {
  if (stream.destroyed || stream.closed) {
    throw new ConnError('CONNECTION_LOST', 'the client left before its request was accepted')
  }
  const { ':method': method = '', ':path': path = '' } = headers
  // Node ends this response without being asked.
  if (method === 'HEAD') throw bodiless()
  const { session } = stream
  if (session !== undefined) {
    widenWindows(session)
    keepServerAlive(session)
  }
  const status = respond(stream, head)
  const info = { side: 'server', method, path, status, headers } as const
  return new Http2Conn(stream, new Http2Transport(stream), info, timeouts)
}

/** Sends the headers of the response. */
function respond(stream: ServerHttp2Stream, head: () => ResponseHead): number {
  try {
    const { status, headers, size } = head()
    checkSize(size, stream.session?.remoteSettings.maxHeaderListSize ?? Infinity)
    stream.respond(headers)
    return status
  } catch (error) {
    throw sendError('the response was refused', error)
  }
}

function ignore(): void {}

function isHttp2(source: Http2ServerRequest | IncomingMessage): source is Http2ServerRequest {
  return source.httpVersionMajor >= 2
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import type {
  Http2ServerRequest,
  Http2ServerResponse,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  ServerHttp2Stream,
} from 'node:http2'

import { ConnError } from '../errors.ts'
import { checkHeaders, mergeHeaders } from './headers.ts'
import { Http2Conn } from './http2-conn.ts'
import { sendFailure } from './node-errors.ts'
import { Http2Transport } from './http2-stream.ts'
import { keepServerAlive } from './keep-alive.ts'
import type { CloseTimeouts } from '../core/stream-conn.ts'
import { checkedTimeouts } from '../core/stream-conn.ts'
import { widenWindows } from './windows.ts'

export interface AcceptOptions extends CloseTimeouts {
  /** The response's status: 200 unless said otherwise. */
  readonly status?: number | undefined
  /** The response's headers, beside those that the response object already has. */
  readonly headers?: OutgoingHttpHeaders | undefined
}

/**
 * Answers a request with a conn: the response's headers leave at once, and from then on both bodies are the conn's. The
 * stream may outlive the handler that called this. The first conn of a session widens its windows, and has it pinged as
 * often as `connDefaults` says: the conns of a client that falls silent end with `PEER_SILENT`.
 *
 * @throws ConnError `HTTP2_NOT_SUPPORTED` for an HTTP/1 request, whose response is left unsent; `ALREADY_RESPONDED`
 *   when the headers are out; `CONNECTION_LOST` when the client is gone; `INVALID_ARGUMENT` for a status or header that
 *   HTTP/2 forbids, and for a response that can't have a body.
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
/** The same for the `stream` event of a server or session. */
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
  if (isStream(source)) return acceptStream(source, detail as IncomingHttpHeaders, {}, options)
  if (!isHttp2(source)) {
    throw new ConnError('HTTP2_NOT_SUPPORTED', `the client speaks HTTP/${source.httpVersion}, and a conn needs HTTP/2`)
  }
  const prepared = (detail as Http2ServerResponse).getHeaders()
  return acceptStream(source.stream, source.headers, prepared, options)
}

function acceptStream(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  prepared: OutgoingHttpHeaders,
  options: AcceptOptions,
): Http2Conn {
  // Stays for good: a client that resets a stream which was not accepted would end the process otherwise.
  stream.on('error', ignore)
  const { status = 200 } = options
  const timeouts = checkedTimeouts(options)
  if (stream.destroyed || stream.closed)
    throw new ConnError('CONNECTION_LOST', 'the client left before it was accepted')
  // Node has ended the response to HEAD before anybody answers, and ends these by itself.
  if (headers[':method'] === 'HEAD' || bodiless.has(status)) {
    throw new ConnError(
      'INVALID_ARGUMENT',
      'a response to HEAD, or with status 204, 205 or 304, has no body for a conn',
    )
  }
  if (stream.session !== undefined) {
    widenWindows(stream.session)
    keepServerAlive(stream.session)
  }
  try {
    const answer = mergeHeaders(prepared, options.headers, { ':status': status })
    checkHeaders(answer, stream.session?.remoteSettings.maxHeaderListSize)
    stream.respond(answer)
  } catch (error) {
    throw sendFailure('the response was refused', error)
  }
  const { ':method': method = '', ':path': path = '' } = headers
  return new Http2Conn(stream, new Http2Transport(stream), { side: 'server', method, path, status, headers }, timeouts)
}

function ignore(): void {}

const bodiless: ReadonlySet<number> = new Set([204, 205, 304])

function isStream(source: object): source is ServerHttp2Stream {
  return 'respond' in source
}

function isHttp2(source: Http2ServerRequest | IncomingMessage): source is Http2ServerRequest {
  return source.httpVersionMajor >= 2
}

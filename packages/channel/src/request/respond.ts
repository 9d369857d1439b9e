import { connDefaults } from '@h2channel/conn'
import type { ServerResponse } from 'node:http'
import type { Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { constants } from 'node:http2'

import type { Rejection } from '../limits/rejection.ts'
import { systemClock } from '../runtime/clock.ts'
import { bodyHeaders } from './headers.ts'

/** Maximum rejected streams of a connection that linger at once: as many as it may have channels. */
const maxLingering = 10_000

/** The number of rejected streams of a connection that linger. */
const lingering = new WeakMap<Http2Session, number>()

/**
 * Answers a request that gets no channel, unless it was answered or the client has left. Node resets a stream whose
 * body is not read, and some clients then lose the answer. The rest of the body is therefore discarded, but only for
 * `lingerTimeout`.
 */
export function respond(stream: ServerHttp2Stream, { status, message, headers }: Rejection): void {
  // Stays for good: a client that resets a rejected stream would end the process otherwise.
  stream.on('error', () => {})
  const { session } = stream
  if (stream.destroyed || stream.closed || stream.headersSent || session === undefined) return
  const others = lingering.get(session) ?? 0
  if (others >= maxLingering) {
    stream.close(constants.NGHTTP2_REFUSED_STREAM)
    stream.destroy()
    return
  }
  stream.resume()
  // Not `close`, which waits until the whole answer has left: without a window that never happens.
  const timer = systemClock.setTimer(() => void stream.destroy(), connDefaults.lingerTimeout, undefined)
  lingering.set(session, others + 1)
  stream.once('close', () => {
    systemClock.clearTimer(timer)
    lingering.set(session, (lingering.get(session) ?? 1) - 1)
  })
  stream.respond({ 'content-type': 'text/plain; charset=utf-8', ...headers, ':status': status })
  // A response to HEAD, or with 204, ends with its headers.
  if (!stream.writableEnded) stream.end(`${message}\n`)
}

/** Answers an HTTP/1 request, which never gets a channel. */
export function respondHttp1(response: ServerResponse, { status, message, headers }: Rejection): void {
  // Middleware set these for another body.
  for (const name of bodyHeaders) response.removeHeader(name)
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers }).end(`${message}\n`)
}

export const failedToOpen: Rejection = { status: 500, message: 'the channel could not be opened' }

/**
 * Methods that open no channel: safe methods (RFC 9110, section 9.2.1), which browsers and proxies may send and
 * repeat, and one for tunnels. None of them has a meaningful body.
 */
const methodsWithoutChannel: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT'])

/** Why a request cannot open a channel by its method, if so. */
export function checkMethod(headers: IncomingHttpHeaders): Rejection | undefined {
  if (!methodsWithoutChannel.has(headers[':method'] ?? '')) return undefined
  return { status: 405, message: 'a channel is opened with POST', headers: { allow: 'POST' } }
}

import { connDefaults } from '@h2channel/conn'
import type { ServerResponse } from 'node:http'
import type { Http2Session, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { constants } from 'node:http2'

import { systemClock } from '../runtime/clock.ts'
import { ofBodies } from './headers.ts'

/** How many refused streams of a connection may wait for their second at once: as many as it may have channels. */
const mostRefused = 10_000

/** How many there are. */
const refused = new WeakMap<Http2Session, number>()

/**
 * Answers a request that gets no channel, unless it was answered or its client has left. The rest of its body is
 * discarded, since Node resets a stream whose body nobody wants, and some clients then lose the answer; but not for ever.
 */
export function refuse(
  stream: ServerHttp2Stream,
  status: number,
  message: string,
  headers: OutgoingHttpHeaders = {},
): void {
  // Stays for good: a client that resets a refused stream would end the process otherwise.
  stream.on('error', () => {})
  const { session } = stream
  if (stream.destroyed || stream.closed || stream.headersSent || session === undefined) return
  const others = refused.get(session) ?? 0
  if (others >= mostRefused) {
    stream.close(constants.NGHTTP2_REFUSED_STREAM)
    stream.destroy()
    return
  }
  stream.resume()
  // Not `close`, which waits until all of the answer has left: without a window it never does.
  const cut = systemClock.setTimer(() => void stream.destroy(), connDefaults.lingerTimeout, undefined)
  refused.set(session, others + 1)
  stream.once('close', () => {
    systemClock.clearTimer(cut)
    refused.set(session, (refused.get(session) ?? 1) - 1)
  })
  stream.respond({ 'content-type': 'text/plain; charset=utf-8', ...headers, ':status': status })
  // A response to HEAD, or with 204, has ended with its headers.
  if (!stream.writableEnded) stream.end(`${message}\n`)
}

/** The same over HTTP/1. */
export function refuseHttp1(
  response: ServerResponse,
  status: number,
  message: string,
  headers: OutgoingHttpHeaders = {},
): void {
  // What middleware has set is about another body.
  for (const name of ofBodies) response.removeHeader(name)
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers }).end(`${message}\n`)
}

import { connDefaults } from '@h2channel/conn'
import type { ServerResponse } from 'node:http'
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'

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
  if (stream.destroyed || stream.closed || stream.headersSent) return
  stream.resume()
  const cut = setTimeout(() => stream.close(), connDefaults.lingerTimeout).unref()
  stream.once('close', () => clearTimeout(cut))
  stream.respond({ 'content-type': 'text/plain; charset=utf-8', ...headers, ':status': status })
  // A response to HEAD has ended with its headers.
  if (!stream.writableEnded) stream.end(`${message}\n`)
}

/** The same over HTTP/1. */
export function refuseHttp1(
  response: ServerResponse,
  status: number,
  message: string,
  headers: OutgoingHttpHeaders = {},
): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers }).end(`${message}\n`)
}

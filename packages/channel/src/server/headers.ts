import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import { validateHeaderName, validateHeaderValue } from 'node:http'

import { excerpt } from '../framing/control-frames.ts'
import { ChannelError } from '../errors.ts'

/** What the headers of a request may take, unless `maxHeaderBytes` of the router says otherwise, and those of a `Refusal`. Unit: bytes. */
export const mostHeaderBytes: number = 16 * 1024

/** What headers take as HTTP/2 counts them (RFC 9113, section 6.5.2): name, value, and 32 for each field. Unit: bytes. */
export function headerBytes(headers: IncomingHttpHeaders | OutgoingHttpHeaders): number {
  let bytes = 0
  for (const [name, value = ''] of Object.entries(headers)) {
    // Each character of a value is one byte of it, in what Node gives and in what it takes.
    for (const one of Array.isArray(value) ? value : [value]) bytes += name.length + String(one).length + 32
  }
  return bytes
}

/**
 * The headers of an answer whose body is text of this package, as HTTP/2 has them: with names in lower case. Node leaves out
 * some of those that can't be sent without a word, and for others it ends the whole connection.
 *
 * @throws ChannelError `INVALID_ARGUMENT` for a header that can't be sent, or for too many of them.
 */
export function answerHeaders(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  // What is marked as sensitive stands under a symbol, which a copy keeps.
  const kept = { ...headers }
  for (const name of Object.keys(headers)) delete kept[name]
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase()
    // An answer that is handed on from elsewhere has those of its own body.
    if (value === undefined || ofBodies.has(name)) continue
    if (name in kept) throw invalid(given, 'stands there twice: an array has several values of one header')
    checkField(given, name, value)
    kept[name] = value
  }
  const bytes = headerBytes(kept)
  if (bytes <= mostHeaderBytes) return kept
  throw new ChannelError('INVALID_ARGUMENT', `headers of ${bytes} bytes are over the limit of ${mostHeaderBytes}`)
}

function checkField(given: string, name: string, value: unknown): void {
  if (name.startsWith(':') || ofConnections.has(name)) throw invalid(given, 'is none of an answer over HTTP/2')
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (values.length > 1 && single.has(name)) throw invalid(given, 'has several values, and may have one')
  try {
    validateHeaderName(given)
    for (const one of values) {
      if (typeof one !== 'string' && typeof one !== 'number') throw invalid(given, `has a value of type ${typeof one}`)
      validateHeaderValue(given, String(one))
      // RFC 9113, section 8.2.1: the peer would leave it out.
      if (/^\s|\s$/.test(String(one))) throw invalid(given, 'has a value that begins or ends with a space')
    }
  } catch (cause) {
    if (cause instanceof ChannelError) throw cause
    // Node's text has the value, which may be a secret.
    throw invalid(given, 'has characters that no header has', cause)
  }
}

function invalid(name: string, why: string, cause?: unknown): ChannelError {
  return new ChannelError('INVALID_ARGUMENT', `the header ${JSON.stringify(excerpt(name))} ${why}`, { cause })
}

/** RFC 9113, section 8.2.2. */
const ofConnections = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te'])

/** Headers that only whoever writes the body can know. */
export const ofBodies: ReadonlySet<string> = new Set(['content-length', 'content-encoding', 'content-range', 'trailer'])

/** Headers of an answer that Node takes one value of. */
const single = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'age',
  'content-language',
  'content-location',
  'content-md5',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'tk',
  'x-content-type-options',
])

import type { ResponseHead } from '@h2channel/conn'
import { prepareResponse } from '@h2channel/conn'
import type { Http2ServerResponse, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import type { ServerResponse } from 'node:http'
import { validateHeaderName, validateHeaderValue } from 'node:http'

import { ChannelError, excerpt, textOf } from '../errors.ts'
import type { Format } from '../route/media-types.ts'
import { controlHeader, version } from '../route/negotiate.ts'

/** Maximum size of the headers of an answer, and default of `maxHeaderBytes` for a request. Unit: bytes. */
export const maxHeaderBytes: number = 16 * 1024

/** The size of headers in HTTP/2 (RFC 9113, section 6.5.2): name, value, and 32 for each field. Unit: bytes. */
export function headerBytes(headers: IncomingHttpHeaders | OutgoingHttpHeaders): number {
  let bytes = 0
  for (const name of Object.keys(headers)) {
    const value: unknown = headers[name] ?? ''
    // Node reads and writes each character of a value as one byte.
    if (typeof value === 'string') bytes += name.length + value.length + 32
    else for (const one of Array.isArray(value) ? value : [value]) bytes += name.length + String(one).length + 32
  }
  return bytes
}

/**
 * Checks the headers of an answer, and returns them with names in lower case, without those of a body. Node silently
 * drops some invalid headers, and for others it ends the whole connection.
 *
 * @throws ChannelError `INVALID_ARGUMENT` for an invalid header, or when they are too large.
 */
export function checkedHeaders(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  // The copy keeps the symbol that lists sensitive headers.
  const kept = { ...headers }
  for (const name of Object.keys(headers)) delete kept[name]
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase()
    // An answer that is passed on from another server has headers of its own body.
    if (value === undefined || bodyHeaders.has(name)) continue
    if (name in kept) throw invalid(given, 'is given twice: use an array for several values of one header')
    checkField(given, name, value)
    kept[name] = value
  }
  const bytes = headerBytes(kept)
  if (bytes <= maxHeaderBytes) return kept
  throw new ChannelError('INVALID_ARGUMENT', `headers of ${bytes} bytes are over the limit of ${maxHeaderBytes}`)
}

function checkField(given: string, name: string, value: unknown): void {
  if (name.startsWith(':') || http1Headers.has(name)) throw invalid(given, 'is not allowed in an HTTP/2 response')
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (values.length > 1 && singleHeaders.has(name)) throw invalid(given, 'has several values, and only one is allowed')
  try {
    validateHeaderName(given)
    for (const one of values) {
      if (typeof one !== 'string' && typeof one !== 'number') throw invalid(given, `has a value of type ${typeof one}`)
      validateHeaderValue(given, String(one))
      // The client would ignore it (RFC 9113, section 8.2.1).
      if (/^\s|\s$/.test(String(one))) throw invalid(given, 'has a value that begins or ends with a space')
    }
  } catch (cause) {
    if (cause instanceof ChannelError) throw cause
    // The text of Node's error contains the value, which may be a secret.
    throw invalid(given, 'has characters that are not allowed in a header', cause)
  }
}

function invalid(name: string, why: string, cause?: unknown): ChannelError {
  return new ChannelError('INVALID_ARGUMENT', `the header ${JSON.stringify(excerpt(name))} ${why}`, { cause })
}

/** Headers of HTTP/1 connections (RFC 9113, section 8.2.2). */
const http1Headers = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te'])

/** Headers that depend on the body, so that only the code that writes the body can set them. */
export const bodyHeaders: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-range',
  'trailer',
])

/** Response headers of which Node accepts one value. */
const singleHeaders = new Set([
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

/** Headers that middleware has set on a response. */
export interface PresetHeaders {
  readonly headers: OutgoingHttpHeaders
  /** Why they can't be sent. `headers` is empty then. */
  readonly error?: ChannelError
}

/** Response headers that the router sets. */
const routerHeaders: ReadonlySet<string> = new Set([...bodyHeaders, 'content-type', controlHeader])

/**
 * The headers that middleware has set on `response`, except headers that the router sets. For an invalid one Node would
 * throw when the channel is about to open, or end the whole connection.
 */
export function presetHeaders(response: Http2ServerResponse | ServerResponse): PresetHeaders | undefined {
  const given = Object.entries(response.getHeaders()).filter(([name]) => !routerHeaders.has(name))
  if (given.length === 0) return undefined
  try {
    return { headers: checkedHeaders(Object.fromEntries(given)) }
  } catch (cause) {
    const message = `the response has headers that can't be sent: ${textOf(cause)}`
    return { headers: {}, error: new ChannelError('INVALID_ARGUMENT', message, { cause }) }
  }
}

/** An intermediary that honours it neither keeps the body of a channel nor compresses it (ANS-4 of SPEC.md). */
const uncached: OutgoingHttpHeaders = { 'cache-control': 'no-store, no-transform' }

/** The responses that open the channels of a route, by the format of the server: without and with control frames. */
export type Responses = ReadonlyMap<Format<unknown>, readonly [plain: ResponseHead, control: ResponseHead]>

/** Makes the responses of a route once, for all of its channels. */
export function openingResponses(sends: readonly Format<unknown>[]): Responses {
  return new Map(sends.map((send) => [send, [makeResponse(send, false), makeResponse(send, true)]]))
}

/** The response that opens a channel in which the server sends in format `send`, with the headers `further`. */
export function openingResponse(
  responses: Responses,
  send: Format<unknown>,
  control: boolean,
  further: OutgoingHttpHeaders | undefined,
): ResponseHead {
  const [plain, withControl] = (further === undefined ? responses.get(send) : undefined) ?? []
  return (control ? withControl : plain) ?? makeResponse(send, control, further)
}

function makeResponse(send: Format<unknown>, control: boolean, further?: OutgoingHttpHeaders): ResponseHead {
  const controlHeaders = control ? { [controlHeader]: `${version}` } : {}
  return prepareResponse(200, uncached, further, { 'content-type': send.mediaType, ...controlHeaders })
}

import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http2'
import { sensitiveHeaders } from 'node:http2'

import { connLimits } from '../limits.ts'
import { ConnError } from '../errors.ts'

/** Joins headers into one object. Names ignore case (RFC 9110, section 5.1), and the last value of a name counts. */
export function mergeHeaders(...all: readonly (OutgoingHttpHeaders | undefined)[]): OutgoingHttpHeaders {
  const merged = new Map<string, OutgoingHttpHeaders[string]>()
  const sensitive: unknown[] = []
  for (const headers of all) {
    if (headers === undefined) continue
    for (const [name, value] of Object.entries(headers)) merged.set(name.toLowerCase(), value)
    const names: unknown = Reflect.get(headers, sensitiveHeaders)
    if (Array.isArray(names)) sensitive.push(...names)
  }
  const headers: OutgoingHttpHeaders = Object.fromEntries(merged)
  return sensitive.length === 0 ? headers : { ...headers, [sensitiveHeaders]: sensitive }
}

/** The status and headers of a response that opens a conn. */
export interface ResponseHead {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  /** As HTTP/2 counts it. Unit: bytes. */
  readonly size: number
}

/**
 * Checks the status and the headers of a response, which can then open any number of conns. Later headers replace
 * earlier ones of the same name.
 *
 * @throws ConnError `INVALID_ARGUMENT` for a header that HTTP/2 forbids, and for a response that has no body.
 */
export function prepareResponse(status: number, ...all: readonly (OutgoingHttpHeaders | undefined)[]): ResponseHead {
  // Node ends these responses without being asked.
  if (status === 204 || status === 205 || status === 304) throw bodiless()
  const headers = mergeHeaders(...all, { ':status': status })
  return { status, headers, size: checkHeaders(headers) }
}

/** The error of a response that has no body. */
export function bodiless(): ConnError {
  return new ConnError('INVALID_ARGUMENT', 'a response to HEAD, or with status 204, 205 or 304, has no body')
}

/** Headers that can be sent, and their size as HTTP/2 counts it. Unit: bytes. */
export interface SizedHeaders {
  readonly headers: OutgoingHttpHeaders
  readonly size: number
}

/** The sizes of frozen headers that need neither to be joined nor to be checked again. */
const known = new WeakMap<OutgoingHttpHeaders, number>()

/**
 * The headers of a request. Frozen headers with names in lower case are looked at once, however often they are sent.
 *
 * @throws for an invalid header.
 */
export function requestHeaders(
  given: OutgoingHttpHeaders | undefined,
  method: string,
  path: string,
  host: string,
): SizedHeaders {
  const size = given === undefined ? addedByNode : knownSize(given)
  if (size !== undefined) {
    const headers = { ':method': method, ':path': path, ':authority': host, ...given }
    return { headers, size: size + method.length + path.length + host.length + pseudoBytes }
  }
  const headers = mergeHeaders(given, { ':method': method, ':path': path })
  // Node's default lacks the brackets of an IPv6 address, and contains a default port (RFC 9113, section 8.3.1).
  if (headers['host'] === undefined) headers[':authority'] ??= host
  return { headers, size: checkHeaders(headers) }
}

/** The size of frozen headers that are plain: names in lower case, one value each, no pseudo-header and no `host`. */
function knownSize(given: OutgoingHttpHeaders): number | undefined {
  const size = known.get(given)
  if (size !== undefined || !Object.isFrozen(given) || Reflect.has(given, sensitiveHeaders)) return size
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'string' || name.startsWith(':') || name === 'host' || name !== name.toLowerCase()) return
  }
  const checked = checkHeaders(given)
  known.set(given, checked)
  return checked
}

/** What the names of `:method`, `:path` and `:authority` count, and their overhead. Unit: bytes. */
const pseudoBytes = ':method:path:authority'.length + 3 * 32

/** Room for what Node adds: `:scheme` to a request, `date` to a response. Unit: bytes. */
const addedByNode = 128

/**
 * Throws for invalid headers. Node would end the whole session, with its other streams, for an invalid name or more
 * than 64 KiB, and would send values that the next hop may read as several headers.
 *
 * @param peerLimit - how much the peer accepts, from its SETTINGS. Unit: bytes.
 * @returns their size. Unit: bytes.
 */
export function checkHeaders(headers: OutgoingHttpHeaders, peerLimit: number = Infinity): number {
  // Counted as the limits are: RFC 9113, section 6.5.2.
  let size = addedByNode
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue
    const isPseudo = name.startsWith(':')
    if (!isPseudo) validateHeaderName(name)
    for (const one of Array.isArray(value) ? value : [value]) {
      const text = String(one)
      if (!isPseudo) validateHeaderValue(name, text)
      size += name.length + text.length + 32
    }
  }
  checkSize(size, peerLimit)
  return size
}

/** Throws for headers that are too large for Node or for the peer. */
export function checkSize(size: number, peerLimit: number): void {
  const limit = Math.min(connLimits.headerBytes, peerLimit)
  if (size <= limit) return
  throw new ConnError('INVALID_ARGUMENT', `the headers have ${size} bytes, and the limit is ${limit}`)
}

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

/** Room for what Node adds: `:scheme` to a request, `date` to a response. Unit: bytes. */
const addedByNode = 128

/**
 * Throws for invalid headers. Node would end the whole session, with its other streams, for an invalid name or more
 * than 64 KiB, and would send values that the next hop may read as several headers.
 *
 * @param peerLimit - how much the peer accepts, from its SETTINGS. Unit: bytes.
 */
export function checkHeaders(headers: OutgoingHttpHeaders, peerLimit: number = Infinity): void {
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
  const limit = Math.min(connLimits.headerBytes, peerLimit)
  if (size <= limit) return
  throw new ConnError('INVALID_ARGUMENT', `the headers have ${size} bytes, and the limit is ${limit}`)
}

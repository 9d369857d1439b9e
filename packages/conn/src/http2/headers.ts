import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http2'
import { sensitiveHeaders } from 'node:http2'

import { connDefaults } from '../limits.ts'
import { ConnError } from '../errors.ts'

/** Joins headers, whose names have no case (RFC 9110, section 5.1). Of those with the same name the last one counts. */
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

/** What Node adds by itself: `:scheme` to a request, `date` to a response. Unit: bytes. */
const added = 128

/**
 * Throws for headers that can't be. Node itself ends the whole session, with the streams of others, for a name that is
 * none, and for more than 64 KiB; and passes on values that the next hop may take for several headers.
 *
 * @param largest - what the peer takes, which it says in its SETTINGS. Unit: bytes.
 */
export function checkHeaders(headers: OutgoingHttpHeaders, largest: number = Infinity): void {
  // As the limits count them: RFC 9113, section 6.5.2.
  let size = added
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
  const limit = Math.min(connDefaults.headerBytes, largest)
  if (size <= limit) return
  throw new ConnError('INVALID_ARGUMENT', `the headers take ${size} bytes, and may have ${limit} at most`)
}

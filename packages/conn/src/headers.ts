import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http2'

/**
 * Throws for a header that can't be. Node itself ends the whole session, with the streams of others, for a name that is
 * none, and passes on values that the next hop may take for several headers.
 */
export function checkHeaders(headers: OutgoingHttpHeaders): void {
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || value === undefined) continue
    validateHeaderName(name)
    for (const one of Array.isArray(value) ? value : [value]) validateHeaderValue(name, String(one))
  }
}

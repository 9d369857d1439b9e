/** Decides which web pages may open channels. Requests of other programs have no origin. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'

import { ChannelError } from '../errors.ts'

/** Makes a set of origins. Throws `INVALID_ARGUMENT` for anything but a list of origins. */
export function resolveOrigins(origins: readonly string[] = []): ReadonlySet<string> {
  if (!Array.isArray(origins)) throw new ChannelError('INVALID_ARGUMENT', 'origins must be an array')
  for (const origin of origins) {
    const actual = parseOrigin(origin)
    if (actual === origin && actual !== 'null') continue
    const hint = actual === undefined || actual === 'null' ? '' : `: ${JSON.stringify(actual)} is`
    throw new ChannelError('INVALID_ARGUMENT', `origins: ${JSON.stringify(origin)} is not an origin${hint}`)
  }
  return new Set(origins)
}

/**
 * Whether a request comes from a page whose origin is neither the server's nor in `origins`. A browser tells by either
 * of two headers, and either may be missing: old browsers send no `sec-fetch-site`, nor does any in cleartext, and
 * `origin` is not part of every GET. Both must therefore allow the request.
 */
export function isForeign(headers: IncomingHttpHeaders, encrypted: boolean, origins: ReadonlySet<string>): boolean {
  const { origin, 'sec-fetch-site': site } = headers
  if (origin !== undefined && origins.has(origin)) return false
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  return origin !== undefined && !isOwn(origin, headers[':authority'] ?? headers.host ?? '', encrypted)
}

/**
 * Whether `origin` is the server's. In cleartext, a proxy may have terminated TLS, so that only host and port are
 * compared. A server that speaks TLS knows its scheme.
 */
function isOwn(origin: string, authority: string, encrypted: boolean): boolean {
  const [scheme] = /^https?(?=:)/.exec(origin) ?? []
  return scheme !== undefined && parseOrigin(`${encrypted ? 'https' : scheme}://${authority}`) === origin
}

/** The origin that a request asks for. */
export function originOf(headers: IncomingHttpHeaders): string {
  return `${headers[':scheme'] ?? 'http'}://${headers[':authority'] ?? headers.host ?? ''}`
}

function parseOrigin(url: string): string | undefined {
  try {
    return new URL(url).origin
  } catch {
    return undefined
  }
}

/** The headers that let a page of a listed origin read the answer, with credentials (Fetch Standard, CORS protocol). */
export function corsHeaders(
  headers: IncomingHttpHeaders,
  origins: ReadonlySet<string>,
): OutgoingHttpHeaders | undefined {
  const { origin } = headers
  if (origin === undefined || !origins.has(origin)) return undefined
  return { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' }
}

/** Maximum length of the header names of a preflight that an answer repeats. Unit: characters. */
const maxRepeatedNames = 200

/** The answer headers for a preflight of a listed origin, which allow what it asks for. Undefined for any other. */
export function preflightHeaders(
  headers: IncomingHttpHeaders,
  origins: ReadonlySet<string>,
): OutgoingHttpHeaders | undefined {
  if (headers.origin === undefined || !origins.has(headers.origin)) return undefined
  if (headers[':method'] !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return undefined
  const names = headers['access-control-request-headers']
  if (names === undefined || names.length > maxRepeatedNames) return {}
  return { 'access-control-allow-headers': names }
}

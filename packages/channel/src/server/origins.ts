/** Which web pages may open channels. Other programs say nothing of pages. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'

import { ChannelError } from '../errors.ts'

/** Throws `INVALID_ARGUMENT` for what is no list of origins. */
export function checkedOrigins(origins: readonly string[] = []): ReadonlySet<string> {
  if (!Array.isArray(origins)) throw new ChannelError('INVALID_ARGUMENT', 'origins must be an array')
  for (const origin of origins) {
    const actual = originOf(origin)
    if (actual === origin && actual !== 'null') continue
    const hint = actual === undefined || actual === 'null' ? '' : `: ${JSON.stringify(actual)} is`
    throw new ChannelError('INVALID_ARGUMENT', `origins: ${JSON.stringify(origin)} is no origin${hint}`)
  }
  return new Set(origins)
}

/**
 * Whether a request comes from a page of another origin than the server's, and of none that is listed. Each of the two
 * headers by which a browser tells must say so, since either may be missing: old browsers have no `sec-fetch-site`, and it is
 * not sent in cleartext; `origin` is not sent with every GET.
 */
export function isForeign(headers: IncomingHttpHeaders, encrypted: boolean, listed: ReadonlySet<string>): boolean {
  const { origin, 'sec-fetch-site': site } = headers
  if (origin !== undefined && listed.has(origin)) return false
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  return origin !== undefined && !isOwn(origin, headers[':authority'] ?? headers.host ?? '', encrypted)
}

/**
 * Where this process speaks TLS, it knows the scheme under which it is reached. Elsewhere a proxy may do that, so that only host and
 * port are compared.
 */
function isOwn(origin: string, authority: string, encrypted: boolean): boolean {
  const [scheme] = /^https?(?=:)/.exec(origin) ?? []
  return scheme !== undefined && originOf(`${encrypted ? 'https' : scheme}://${authority}`) === origin
}

function originOf(url: string): string | undefined {
  try {
    return new URL(url).origin
  } catch {
    return undefined
  }
}

/** What lets a page of a listed origin read an answer, with its credentials (the Fetch Standard, "CORS protocol"). */
export function shareWith(headers: IncomingHttpHeaders, listed: ReadonlySet<string>): OutgoingHttpHeaders | undefined {
  const { origin } = headers
  if (origin === undefined || !listed.has(origin)) return undefined
  return { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' }
}

/** Names of headers that a preflight may ask for. No answer repeats more of what a client sent. Unit: characters. */
const longestNames = 200

/** What to answer a preflight of a listed origin: that the headers which it names may be sent. */
export function preflightAnswer(headers: IncomingHttpHeaders): OutgoingHttpHeaders | undefined {
  if (headers[':method'] !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return undefined
  const names = headers['access-control-request-headers']
  if (names === undefined || names.length > longestNames) return {}
  return { 'access-control-allow-headers': names }
}

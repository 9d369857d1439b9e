import type { OutgoingHttpHeaders } from 'node:http2'
import type { ConnectionOptions } from 'node:tls'

import type { CloseTimeouts } from '../limits.ts'
import { checkDelay, connDefaults, resolveTimeouts } from '../limits.ts'
import { ConnError, signalError } from '../errors.ts'
import type { SizedHeaders } from './headers.ts'
import { requestHeaders } from './headers.ts'
import type { Http2Conn } from './http2-conn.ts'
import { sendError } from './node-errors.ts'
import { isBytes } from '../node/pages.ts'
import { Opening } from './opening.ts'
import type { SessionPool } from './session-pool.ts'
import { sharedSessions } from './session-pool.ts'

/** The options of {@link connect}. */
export interface ConnectOptions extends CloseTimeouts {
  /** Cancels connecting. It has no effect on an open conn. */
  readonly signal?: AbortSignal | null | undefined
  /** The method of the request, except `HEAD` and `CONNECT`, which have no bodies. Default: `POST`. */
  readonly method?: string | undefined
  /**
   * The path of the request with its query, sent as it is, in place of that of the URL. With one `URL` object for all
   * paths of a server, nothing is parsed again. Default: that of the URL.
   */
  readonly path?: string | undefined
  /** The headers of the request. Frozen headers are checked once, however often they are sent. */
  readonly headers?: OutgoingHttpHeaders | undefined
  /**
   * Bytes that leave together with the request, as far as the peer's window permits, and with each attempt of it. They
   * are accepted as by `write`, and belong to the conn for good. Default: none.
   */
  readonly initial?: Uint8Array | undefined
  /** Whether this side's half ends after `initial`, as by `closeWrite`: the peer's half stays open. Default: false. */
  readonly end?: boolean | undefined
  /** TLS options, for `https:` alone. Pass the same object each time, since different objects share no connections. */
  readonly tls?: ConnectionOptions | undefined
  /** The pool whose connections are used. Default: one pool for the whole process. */
  readonly sessions?: SessionPool | undefined
  /** How long `connect` may take, up to the headers of the response. Unit: milliseconds. Default: 10 s. */
  readonly connectTimeout?: number | undefined
}

/**
 * Opens a conn: sends a request whose body stays open, and waits for the headers of the response. `https:` uses HTTP/2
 * over TLS, `http:` uses cleartext HTTP/2 with prior knowledge.
 *
 * @throws ConnError `INVALID_ARGUMENT` for an invalid URL, method, header, timeout, signal or `initial`; `TIMEOUT` or
 *   `CANCELLED` from the signal; `SESSIONS_CLOSED` from a closed pool; `CONNECT_FAILED`, `TLS_FAILED`,
 *   `HTTP2_NOT_SUPPORTED`, `CONNECT_TIMEOUT`, `CONNECTION_LOST`, `PEER_SILENT` or `RESET` when no response came;
 *   `UNEXPECTED_STATUS` for a status other than 2xx, with status, headers and the start of the body in `response`.
 *
 * @example
 * ```ts
 * await using conn = await connect('https://localhost:8443/echo', { tls: { ca } })
 * await conn.write(bytes)
 * console.log(await conn.read())
 * ```
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<Http2Conn> {
  const target = parse(url)
  const { method = 'POST', sessions = sharedSessions, initial, end = false, tls } = options
  const connectTimeout = checkDelay('connectTimeout', options.connectTimeout ?? connDefaults.connectTimeout)
  const timeouts = resolveTimeouts(options)
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(method) || method === 'HEAD' || method === 'CONNECT') {
    throw new ConnError('INVALID_ARGUMENT', `a conn cannot use the method ${JSON.stringify(method)}`)
  }
  if (initial !== undefined && !isBytes(initial)) {
    throw new ConnError('INVALID_ARGUMENT', 'the initial bytes of a conn are a Uint8Array')
  }
  if (tls !== undefined && target.protocol === 'http:') {
    throw new ConnError('INVALID_ARGUMENT', `tls has no effect on ${target.origin}: use a URL that begins with https:`)
  }
  const signal = options.signal ?? undefined
  const unusable = signalError(signal, 'connecting')
  if (unusable !== undefined) throw unusable
  const path = options.path ?? target.pathname + target.search
  if (options.path !== undefined && !/^\/[!"$-~]*$/.test(path)) {
    throw new ConnError('INVALID_ARGUMENT', 'the path of a request begins with /, and is written as in a URL')
  }
  const headers = headersOf(options.headers, method, path, target.host)
  const request = { target, tls, sessions, method, path, headers, initial, end, signal, connectTimeout, timeouts }
  return new Promise((resolve, reject) => {
    void new Opening(request, resolve, reject)
  })
}

function headersOf(given: OutgoingHttpHeaders | undefined, method: string, path: string, host: string): SizedHeaders {
  try {
    return requestHeaders(given, method, path, host)
  } catch (error) {
    throw sendError('the request was refused', error)
  }
}

/** What was parsed of URL objects, which may be changed. */
const parsedUrls = new WeakMap<URL, URL>()

function parse(url: string | URL): URL {
  if (!(url instanceof URL)) return parseNew(url)
  const known = parsedUrls.get(url)
  if (known?.href === url.href) return known
  const parsed = parseNew(url)
  if (parsed.href === url.href) parsedUrls.set(url, parsed)
  return parsed
}

function parseNew(url: string | URL): URL {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch (error) {
    // There may be a password before an @, and a token in a query. Node's error repeats all of it.
    if (String(url).includes('@')) throw new ConnError('INVALID_ARGUMENT', 'not a URL: a text that contains @')
    const [shown = ''] = String(url).split(/[?#]/, 1)
    const isWhole = shown === String(url)
    throw new ConnError('INVALID_ARGUMENT', `not a URL: ${shown}`, isWhole ? { cause: error } : {})
  }
  if (parsed.username !== '' || parsed.password !== '') {
    const message = `the URL of ${parsed.host} has a user or password: send the header authorization instead`
    throw new ConnError('INVALID_ARGUMENT', message)
  }
  if (parsed.protocol === 'https:' || parsed.protocol === 'http:') return parsed
  throw new ConnError('INVALID_ARGUMENT', `a conn needs an http: or https: URL, not ${parsed.protocol}`)
}

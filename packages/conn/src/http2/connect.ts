import type { ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import type { ConnectionOptions } from 'node:tls'

import { addAbortListener, removeAbortListener } from '../waits/abort-listeners.ts'
import type { CloseTimeouts } from '../limits.ts'
import { checkDelay, connDefaults, connLimits, resolveTimeouts } from '../limits.ts'
import { ConnError, abortError, signalError } from '../errors.ts'
import { mergeHeaders } from './headers.ts'
import { Http2Conn } from './http2-conn.ts'
import { RstCode, streamError } from './node-errors.ts'
import { Http2Transport } from './http2-stream.ts'
import { isBytes } from '../node/pages.ts'
import type { Session } from './session.ts'
import type { SessionPool } from './session-pool.ts'
import { sharedSessions } from './session-pool.ts'
import { afterTurn, clearTimeout, now, setTimeout } from '../runtime/timers.ts'

/** The options of {@link connect}. */
export interface ConnectOptions extends CloseTimeouts {
  /** Cancels connecting. It has no effect on an open conn. */
  readonly signal?: AbortSignal | null | undefined
  /** The method of the request, except `HEAD` and `CONNECT`, which have no bodies. Default: `POST`. */
  readonly method?: string | undefined
  /** The headers of the request. */
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

/** On how many connections a request is sent, if each one sends GOAWAY before it has processed the request. */
const maxAttempts = 3

/** How long a peer may be silent before its connection gets no further requests. Unit: milliseconds. */
const maxSilence = 1_000

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
  const { method = 'POST', sessions = sharedSessions, initial, end = false } = options
  const connectTimeout = checkDelay('connectTimeout', options.connectTimeout ?? connDefaults.connectTimeout)
  const timeouts = resolveTimeouts(options)
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(method) || method === 'HEAD' || method === 'CONNECT') {
    throw new ConnError('INVALID_ARGUMENT', `a conn cannot use the method ${JSON.stringify(method)}`)
  }
  if (initial !== undefined && !isBytes(initial)) {
    throw new ConnError('INVALID_ARGUMENT', 'the initial bytes of a conn are a Uint8Array')
  }
  if (options.tls !== undefined && target.protocol === 'http:') {
    throw new ConnError('INVALID_ARGUMENT', `tls has no effect on ${target.origin}: use a URL that begins with https:`)
  }
  const signal = options.signal ?? undefined
  const unusable = signalError(signal, 'connecting')
  if (unusable !== undefined) throw unusable
  const path = target.pathname + target.search
  const headers = mergeHeaders(options.headers, { ':method': method, ':path': path })
  // Node's default lacks the brackets of an IPv6 address, and contains a default port (RFC 9113, section 8.3.1).
  if (headers['host'] === undefined) headers[':authority'] ??= target.host

  // Aborts with a ConnError, for the caller's signal or the timeout.
  const controller = new AbortController()
  const onAbort = (): void => controller.abort(abortError('connecting', signal?.reason))
  let requestSent = false
  // After a turn: in a process that was suspended, the response may lie unread in the socket.
  const timer = setTimeout(afterTurn, connectTimeout, () => {
    const message = `${target.host} did not respond in ${connectTimeout} ms`
    controller.abort(new ConnError('CONNECT_TIMEOUT', message, { requestSent }))
  })
  if (signal !== undefined) addAbortListener(signal, onAbort)
  try {
    for (let attempt = 1; ; attempt += 1) {
      controller.signal.throwIfAborted()
      // The peer promised that it did not process earlier attempts.
      requestSent = false
      let session: Session | undefined
      try {
        const opened = await sessions.open(target, options.tls, headers, controller.signal)
        requestSent = true
        const { stream } = opened
        session = opened.session
        const transport = new Http2Transport(stream, session)
        // In the turn of the request, so that Node sends both together.
        if (initial !== undefined && initial.length > 0) transport.write(initial)
        if (end) transport.end()
        return await respond(session, stream, transport, controller.signal, (status, response) => {
          const info = { side: 'client', method, path, status, headers: response } as const
          const conn = new Http2Conn(stream, transport, info, timeouts)
          // The stream has ended already, and the conn must know. How it ended is in `closed`.
          if (end) conn.closeWrite().catch(() => {})
          return conn
        })
      } catch (error) {
        // By its GOAWAY, the peer promises that it did nothing with the request (RFC 9113, section 8.7).
        const isRefused = error instanceof ConnError && error.rstCode === RstCode.REFUSED_STREAM
        if (attempt >= maxAttempts || session?.isUsable === true || !isRefused) throw error
      }
    }
  } finally {
    clearTimeout(timer)
    if (signal !== undefined) removeAbortListener(signal, onAbort)
  }
}

/** Waits for the headers of the response. Calls `accept` in their event, so that the conn misses no other event. */
function respond(
  session: Session,
  stream: ClientHttp2Stream,
  transport: Http2Transport,
  signal: AbortSignal,
  accept: (status: number, headers: IncomingHttpHeaders) => Http2Conn,
): Promise<Http2Conn> {
  const http2 = stream.session
  const [startedAt, bytesRead, bytesWritten] = [now(), session.bytesRead, session.bytesWritten]
  return new Promise((resolve, reject) => {
    let lastError: unknown
    const removeListeners = (): void => {
      signal.removeEventListener('abort', onAbort)
      stream.off('close', onClose)
      stream.off('error', onError)
      stream.off('response', onResponse)
    }
    const onAbort = (): void => {
      removeListeners()
      transport.reset(RstCode.CANCEL)
      if (session.bytesRead !== bytesRead || now() - startedAt < maxSilence) {
        reject(signal.reason)
        return
      }
      // Nothing came, not even an answer to a ping. A further attempt must not wait on the same connection.
      afterTurn(() => {
        if (session.bytesRead === bytesRead) session.drain()
        reject(signal.reason)
      })
    }
    const onError = (error: unknown): void => {
      lastError = error
    }
    const onClose = (): void => {
      removeListeners()
      const rstCode = stream.rstCode ?? RstCode.NO_ERROR
      const isLost = rstCode !== RstCode.REFUSED_STREAM && (http2 === undefined || http2.destroyed)
      if (!isLost) {
        reject(streamError(http2, rstCode, lastError))
        return
      }
      const { code, message, cause } = session.closeError()
      reject(new ConnError(code, message, { cause, requestSent: session.bytesWritten > bytesWritten }))
    }
    const onResponse = (headers: IncomingHttpHeaders & { ':status'?: number }): void => {
      removeListeners()
      const status = headers[':status'] ?? 0
      if (status >= 200 && status < 300) resolve(accept(status, headers))
      else readErrorResponse(stream, transport, status, headers, signal).then(reject, reject)
    }
    signal.addEventListener('abort', onAbort)
    stream.on('close', onClose)
    stream.on('error', onError)
    stream.on('response', onResponse)
    if (signal.aborted) onAbort()
  })
}

/** Reads the start of the body of an error response until the signal aborts, and ends the stream. */
function readErrorResponse(
  stream: ClientHttp2Stream,
  transport: Http2Transport,
  status: number,
  headers: IncomingHttpHeaders,
  signal: AbortSignal,
): Promise<ConnError> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    const done = (): void => {
      signal.removeEventListener('abort', reset)
      stream.off('data', onData)
      // The server has answered all the same, and wants no more of them.
      if (stream.writableLength > 0) transport.reset(RstCode.CANCEL)
      const body = Buffer.concat(chunks).subarray(0, connLimits.refusalBody)
      const message = `the server answered with status ${status}`
      resolve(new ConnError('UNEXPECTED_STATUS', message, { response: { status, headers, body } }))
    }
    const reset = (): void => {
      done()
      transport.reset(RstCode.CANCEL)
    }
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk)
      size += chunk.length
      if (size >= connLimits.refusalBody) reset()
    }
    stream.on('data', onData)
    stream.once('end', done)
    stream.once('close', done)
    signal.addEventListener('abort', reset)
    stream.end()
  })
}

function parse(url: string | URL): URL {
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

import type { ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import type { ConnectionOptions } from 'node:tls'

import { addAbortListener, removeAbortListener } from '../waits/abort-listeners.ts'
import { checkedDelay, connDefaults } from '../limits.ts'
import { ConnError, abortError, signalError } from '../errors.ts'
import { mergeHeaders } from './headers.ts'
import { Http2Conn } from './http2-conn.ts'
import { RstCode, streamFailure } from './node-errors.ts'
import { Http2Transport } from './http2-stream.ts'
import type { Session } from './session.ts'
import type { SessionPool } from './session-pool.ts'
import { sharedSessions } from './session-pool.ts'
import type { CloseTimeouts } from '../core/stream-conn.ts'
import { checkedTimeouts } from '../core/stream-conn.ts'
import { afterTurn, clearTimeout, now, setTimeout } from '../runtime/timers.ts'

export interface ConnectOptions extends CloseTimeouts {
  /** Gives up connecting. Afterwards it has no effect on the conn. */
  readonly signal?: AbortSignal | null | undefined
  /** The request's method: `POST` unless said otherwise. Not `HEAD` or `CONNECT`, which have no bodies of their own. */
  readonly method?: string | undefined
  /** The request's headers. */
  readonly headers?: OutgoingHttpHeaders | undefined
  /** For `https:` alone. Pass the same object each time: the connections of different objects are not shared. */
  readonly tls?: ConnectionOptions | undefined
  /** The pool of connections to use: one that all share unless said otherwise. */
  readonly sessions?: SessionPool | undefined
  /** How long it may all take, up to the response's headers. Unit: milliseconds. */
  readonly connectTimeout?: number | undefined
}

/** How many connections a request is sent on at most, when each says GOAWAY before it has looked at the request. */
const attempts = 3

/**
 * Opens a conn: sends a request whose body stays open, and waits for the response's headers. `https:` needs a server that
 * speaks HTTP/2 over TLS; `http:` speaks cleartext HTTP/2 with prior knowledge.
 *
 * @throws ConnError `INVALID_ARGUMENT` for a URL, header, timeout or signal that can't be; `TIMEOUT` or `CANCELLED` from the signal;
 *   `SESSIONS_CLOSED` from a pool that was closed; `CONNECT_FAILED`, `TLS_FAILED`, `HTTP2_NOT_SUPPORTED`,
 *   `CONNECT_TIMEOUT`, `CONNECTION_LOST`, `PEER_SILENT` or `RESET` when there is no response; `UNEXPECTED_STATUS` for any
 *   but 2xx, with status, headers and the start of the body in `response`.
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
  const { method = 'POST', sessions = sharedSessions } = options
  const connectTimeout = checkedDelay('connectTimeout', options.connectTimeout ?? connDefaults.connectTimeout)
  const timeouts = checkedTimeouts(options)
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(method) || method === 'HEAD' || method === 'CONNECT') {
    throw new ConnError('INVALID_ARGUMENT', `a conn can't be opened with the method ${JSON.stringify(method)}`)
  }
  if (options.tls !== undefined && target.protocol === 'http:') {
    throw new ConnError('INVALID_ARGUMENT', `tls has no meaning for ${target.origin}: its URL would begin with https:`)
  }
  const signal = options.signal ?? undefined
  const refused = signalError(signal, 'connecting')
  if (refused !== undefined) throw refused
  const path = target.pathname + target.search
  const headers = mergeHeaders(options.headers, { ':method': method, ':path': path })
  // Node's own lacks the brackets of an IPv6 address, and has the port that goes without saying (RFC 9113, section 8.3.1).
  if (headers['host'] === undefined) headers[':authority'] ??= target.host

  const giveUp = new AbortController()
  const onAbort = (): void => giveUp.abort(abortError('connecting', signal?.reason))
  let requestSent = false
  // In a process that stood still, the response may lie unread in the socket.
  const timer = setTimeout(afterTurn, connectTimeout, () => {
    const message = `${target.host} gave no response in ${connectTimeout} ms`
    giveUp.abort(new ConnError('CONNECT_TIMEOUT', message, { requestSent }))
  })
  if (signal !== undefined) addAbortListener(signal, onAbort)
  try {
    for (let attempt = 1; ; attempt += 1) {
      giveUp.signal.throwIfAborted()
      // What was sent before this attempt, the peer promised not to have handled.
      requestSent = false
      let session: Session | undefined
      try {
        const opened = await sessions.open(target, options.tls, headers, giveUp.signal)
        requestSent = true
        const { stream } = opened
        session = opened.session
        const transport = new Http2Transport(stream, session)
        return await respond(session, stream, transport, giveUp.signal, (response) => {
          const status = response[':status'] ?? 0
          return new Http2Conn(stream, transport, { side: 'client', method, path, status, headers: response }, timeouts)
        })
      } catch (error) {
        // A GOAWAY before the request or across it: the peer promises that it did nothing with it (RFC 9113, section 8.7).
        if (attempt >= attempts || session?.isUsable === true || !isRefusedStream(error)) throw error
      }
    }
  } finally {
    clearTimeout(timer)
    if (signal !== undefined) removeAbortListener(signal, onAbort)
  }
}

/** How long a peer may say nothing before its connection is given no further request. Unit: milliseconds. */
const timeToAnswer = 1_000

function isRefusedStream(error: unknown): boolean {
  return error instanceof ConnError && error.rstCode === RstCode.REFUSED_STREAM
}

/** Waits for the response's headers. The conn is made in the very turn in which they come, so that it misses nothing. */
function respond(
  session: Session,
  stream: ClientHttp2Stream,
  transport: Http2Transport,
  signal: AbortSignal,
  accept: (headers: IncomingHttpHeaders & { ':status'?: number }) => Http2Conn,
): Promise<Http2Conn> {
  const http2 = stream.session
  const [began, heard, written] = [now(), session.bytesRead, session.bytesWritten]
  return new Promise((resolve, reject) => {
    let lastError: unknown
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort)
      stream.off('close', onClose)
      stream.off('error', onError)
      stream.off('response', onResponse)
    }
    const onAbort = (): void => {
      settle()
      transport.reset(RstCode.CANCEL)
      if (session.bytesRead !== heard || now() - began < timeToAnswer) {
        reject(signal.reason)
        return
      }
      // Nothing at all, not even an answer to a ping: who tries again shall not wait on the same connection.
      afterTurn(() => {
        if (session.bytesRead === heard) session.drain()
        reject(signal.reason)
      })
    }
    const onError = (error: unknown): void => {
      lastError = error
    }
    const onClose = (): void => {
      settle()
      const rstCode = stream.rstCode ?? RstCode.NO_ERROR
      const isLost = rstCode !== RstCode.REFUSED_STREAM && (http2 === undefined || http2.destroyed)
      reject(isLost ? lost(session, session.bytesWritten > written) : streamFailure(http2, rstCode, lastError))
    }
    const onResponse = (headers: IncomingHttpHeaders & { ':status'?: number }): void => {
      settle()
      const status = headers[':status'] ?? 0
      if (status >= 200 && status < 300) resolve(accept(headers))
      else readRefusal(stream, transport, status, headers, signal).then(reject, reject)
    }
    signal.addEventListener('abort', onAbort)
    stream.on('close', onClose)
    stream.on('error', onError)
    stream.on('response', onResponse)
    if (signal.aborted) onAbort()
  })
}

/** Why a session ended before its response, and whether the request can have left before. */
function lost(session: Session, requestSent: boolean): ConnError {
  const { code, message, cause } = session.failure()
  return new ConnError(code, message, { cause, requestSent })
}

/** Reads the start of a refusal, as far as it comes in time, and lets the stream go. */
function readRefusal(
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
      signal.removeEventListener('abort', cut)
      stream.off('data', onData)
      const body = Buffer.concat(chunks).subarray(0, connDefaults.refusalBody)
      const message = `the server answered with status ${status}`
      resolve(new ConnError('UNEXPECTED_STATUS', message, { response: { status, headers, body } }))
    }
    const cut = (): void => {
      done()
      transport.reset(RstCode.CANCEL)
    }
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk)
      size += chunk.length
      if (size >= connDefaults.refusalBody) cut()
    }
    stream.on('data', onData)
    stream.once('end', done)
    stream.once('close', done)
    signal.addEventListener('abort', cut)
    stream.end()
  })
}

function parse(url: string | URL): URL {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch (error) {
    // What stands before an @ may be a password, and in a query a token. Node's error repeats all of it.
    if (String(url).includes('@')) throw new ConnError('INVALID_ARGUMENT', 'not a URL: one with an @ in it')
    const [shown = ''] = String(url).split(/[?#]/, 1)
    const isWhole = shown === String(url)
    throw new ConnError('INVALID_ARGUMENT', `not a URL: ${shown}`, isWhole ? { cause: error } : {})
  }
  if (parsed.username !== '' || parsed.password !== '') {
    const message = `a URL with user or password, for ${parsed.host}: send the header authorization instead`
    throw new ConnError('INVALID_ARGUMENT', message)
  }
  if (parsed.protocol === 'https:' || parsed.protocol === 'http:') return parsed
  throw new ConnError('INVALID_ARGUMENT', `a conn needs an http: or https: URL, not ${parsed.protocol}`)
}

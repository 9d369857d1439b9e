import type { ClientHttp2Stream, Http2Session, IncomingHttpHeaders } from 'node:http2'
import type { ConnectionOptions } from 'node:tls'

import type { CloseTimeouts } from '../limits.ts'
import { connLimits } from '../limits.ts'
import { abortError, ConnError } from '../errors.ts'
import { addAbortListener, removeAbortListener } from '../waits/abort-listeners.ts'
import type { SizedHeaders } from './headers.ts'
import { Http2Conn } from './http2-conn.ts'
import { RstCode, streamError } from './node-errors.ts'
import { Http2Transport } from './http2-stream.ts'
import type { ResponseEvents, Session } from './session.ts'
import type { SessionPool } from './session-pool.ts'
import { afterTurn, clearTimeout, now, setTimeout } from '../runtime/timers.ts'

/** What is asked for: the options of `connect`, checked and with their defaults. */
export interface OpeningRequest {
  readonly target: URL
  readonly tls: ConnectionOptions | undefined
  readonly sessions: SessionPool
  readonly method: string
  readonly path: string
  readonly headers: SizedHeaders
  readonly initial: Uint8Array | undefined
  readonly end: boolean
  /** Has not aborted. */
  readonly signal: AbortSignal | undefined
  readonly connectTimeout: number
  readonly timeouts: CloseTimeouts
}

/** On how many connections a request is sent, if each one sends GOAWAY before it has processed the request. */
const maxAttempts = 3

/** How long a peer may be silent before its connection gets no further requests. Unit: milliseconds. */
const maxSilence = 1_000

/** The stream of a request, and its session as it was before. */
interface Sent {
  readonly session: Session
  readonly http2: Http2Session | undefined
  readonly stream: ClientHttp2Stream
  readonly transport: Http2Transport
  readonly at: number
  readonly bytesRead: number
  readonly bytesWritten: number
}

/**
 * One call of `connect`: sends the request, on further connections while the peer refuses it unread, until there is a
 * response. It is one object with plain calls, since promises, closures and signals for each step took as long as the
 * request itself.
 *
 *     waiting for a stream ──▶ sent ──response──▶ settled
 *         ▲                     │                    ▲
 *         └────refused unread───┴──error, #abort()───┘
 */
export class Opening implements ResponseEvents {
  readonly #request: OpeningRequest
  readonly #resolve: (conn: Http2Conn) => void
  readonly #reject: (error: unknown) => void
  readonly #timer: NodeJS.Timeout
  readonly #onAbort: (() => void) | undefined
  #attempts = 0
  #sent: Sent | undefined
  #isSettled = false
  /** Why it was given up. */
  #reason: ConnError | undefined
  /** Ends a wait for a stream. Created for the first. */
  #waiting: AbortController | undefined
  /** Ends reading the body of an error response. */
  #stopReading: (() => void) | undefined

  /** @param resolve - is called within the event of the response, so that the conn misses no other event. */
  constructor(request: OpeningRequest, resolve: (conn: Http2Conn) => void, reject: (error: unknown) => void) {
    this.#request = request
    this.#resolve = resolve
    this.#reject = reject
    // After a turn: in a process that was suspended, the response may lie unread in the socket.
    this.#timer = setTimeout(timeOut, request.connectTimeout, this)
    const { signal } = request
    if (signal !== undefined) {
      this.#onAbort = () => this.#abort(abortError('connecting', signal.reason))
      addAbortListener(signal, this.#onAbort)
    }
    this.#attempt()
  }

  /** Gives up, for the signal of the caller or the timeout. */
  #abort(reason: ConnError): void {
    if (this.#isSettled || this.#reason !== undefined) return
    this.#reason = reason
    if (this.#stopReading !== undefined) this.#stopReading()
    else if (this.#sent === undefined) this.#waiting?.abort(reason)
    else this.#cancel(this.#sent, reason)
  }

  timeOut(): void {
    const { target, connectTimeout } = this.#request
    const message = `${target.host} did not respond in ${connectTimeout} ms`
    this.#abort(new ConnError('CONNECT_TIMEOUT', message, { requestSent: this.#sent !== undefined }))
  }

  #attempt(): void {
    const { sessions, target, tls, headers } = this.#request
    this.#attempts += 1
    // The peer promised that it did not process earlier attempts.
    this.#sent = undefined
    try {
      const opened = sessions.openNow(target, tls, headers)
      if (opened !== undefined) {
        this.#send(opened)
        return
      }
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#waiting ??= new AbortController()
    sessions.open(target, tls, headers, this.#waiting.signal).then(
      (opened) => this.#send(opened),
      (error: unknown) => this.#onRefused(error, undefined),
    )
  }

  #send({ session, stream }: { readonly session: Session; readonly stream: ClientHttp2Stream }): void {
    const { initial, end } = this.#request
    const { bytesRead, bytesWritten } = session
    const transport = new Http2Transport(stream, session)
    this.#sent = { session, http2: stream.session, stream, transport, at: now(), bytesRead, bytesWritten }
    // In the turn of the request, so that Node sends both together.
    if (initial !== undefined && initial.length > 0) transport.write(initial)
    if (end) transport.end()
    session.awaitResponse(stream, this)
    if (this.#reason !== undefined) this.#cancel(this.#sent, this.#reason)
  }

  #cancel({ session, stream, transport, at, bytesRead }: Sent, reason: ConnError): void {
    session.stopAwaiting(stream)
    transport.reset(RstCode.CANCEL)
    if (session.bytesRead !== bytesRead || now() - at < maxSilence) {
      this.#fail(reason)
      return
    }
    // Nothing came, not even an answer to a ping. A further attempt must not wait on the same connection.
    afterTurn(() => {
      if (session.bytesRead === bytesRead) session.drain()
      this.#fail(reason)
    })
  }

  onResponse(headers: IncomingHttpHeaders & { readonly ':status'?: number }): void {
    if (this.#sent === undefined) return
    const { stream, transport } = this.#sent
    const status = headers[':status'] ?? 0
    if (status >= 200 && status < 300) this.#accept(stream, transport, status, headers)
    else this.#stopReading = readRefusal(stream, transport, status, headers, (error) => this.#fail(error))
  }

  onClose(): void {
    if (this.#sent === undefined) return
    const { session, http2, stream, bytesWritten } = this.#sent
    const rstCode = stream.rstCode ?? RstCode.NO_ERROR
    const isLost = rstCode !== RstCode.REFUSED_STREAM && (http2 === undefined || http2.destroyed)
    if (!isLost) {
      this.#onRefused(streamError(http2, rstCode, stream.errored ?? undefined), session)
      return
    }
    const { code, message, cause } = session.closeError()
    this.#fail(new ConnError(code, message, { cause, requestSent: session.bytesWritten > bytesWritten }))
  }

  #accept(stream: ClientHttp2Stream, transport: Http2Transport, status: number, headers: IncomingHttpHeaders): void {
    const { method, path, end, timeouts } = this.#request
    this.#settle()
    const conn = new Http2Conn(stream, transport, { side: 'client', method, path, status, headers }, timeouts)
    // The stream has ended already, and the conn must know. How it ended is in `closed`.
    if (end) conn.closeWrite().catch(() => {})
    this.#resolve(conn)
  }

  /** By its GOAWAY, a peer promises that it did nothing with the request (RFC 9113, section 8.7). */
  #onRefused(error: unknown, session: Session | undefined): void {
    const isRefused = error instanceof ConnError && error.rstCode === RstCode.REFUSED_STREAM
    const mayTryAgain = isRefused && session?.isUsable !== true && this.#reason === undefined
    if (mayTryAgain && this.#attempts < maxAttempts) this.#attempt()
    else this.#fail(error)
  }

  #fail(error: unknown): void {
    if (this.#isSettled) return
    this.#settle()
    this.#reject(error)
  }

  #settle(): void {
    this.#isSettled = true
    clearTimeout(this.#timer)
    const { signal } = this.#request
    if (signal !== undefined && this.#onAbort !== undefined) removeAbortListener(signal, this.#onAbort)
  }
}

const timeOut = (opening: Opening): void => afterTurn(() => opening.timeOut())

/**
 * Reads the start of the body of an error response, and ends the stream. Calls `done` with the error, at the latest
 * when the function that it returns is called.
 */
function readRefusal(
  stream: ClientHttp2Stream,
  transport: Http2Transport,
  status: number,
  headers: IncomingHttpHeaders,
  done: (error: ConnError) => void,
): () => void {
  const chunks: Buffer[] = []
  let size = 0
  const finish = (): void => {
    stream.off('data', onData)
    // The server has answered all the same, and wants no more of what was to be sent.
    if (stream.writableLength > 0) transport.reset(RstCode.CANCEL)
    const body = Buffer.concat(chunks).subarray(0, connLimits.refusalBody)
    const message = `the server answered with status ${status}`
    done(new ConnError('UNEXPECTED_STATUS', message, { response: { status, headers, body } }))
  }
  const stop = (): void => {
    finish()
    transport.reset(RstCode.CANCEL)
  }
  const onData = (chunk: Buffer): void => {
    chunks.push(chunk)
    size += chunk.length
    if (size >= connLimits.refusalBody) stop()
  }
  stream.on('data', onData)
  stream.once('end', finish)
  stream.once('close', finish)
  stream.end()
  return stop
}

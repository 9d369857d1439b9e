import type { ClientHttp2Session, ClientHttp2Stream, Http2Stream, IncomingHttpHeaders } from 'node:http2'
import { connect } from 'node:http2'
import type { Socket } from 'node:net'
import { connect as connectTcp, isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { connect as connectTls, TLSSocket } from 'node:tls'

import type { ClientCertificate } from '../node/client-certificate.ts'
import { watchClientCertificate } from '../node/client-certificate.ts'
import { connLimits } from '../limits.ts'
import { ConnError } from '../errors.ts'
import type { SizedHeaders } from './headers.ts'
import { checkSize } from './headers.ts'
import type { KeepAliveTimes } from './keep-alive.ts'
import { KeepAlive, ResponsePings } from './keep-alive.ts'
import type { Progress } from './node-errors.ts'
import { RstCode, sessionError } from './node-errors.ts'
import { ReadPump } from '../node/keep-reading.ts'
import { maxWaitingResets, ResetBudget } from './reset-budget.ts'
import { clearTimeout, setTimeout } from '../runtime/timers.ts'
import { abortable } from '../waits/abortable.ts'
import { widenWindows } from './windows.ts'

/**
 * The life of a session. It is open once the peer has sent its SETTINGS, which limit the number of streams, and has
 * acknowledged ours. Until then there may be nothing behind the port but a load balancer that hangs up.
 *
 *     connecting ──SETTINGS, ACK──▶ open ──GOAWAY, idle, drain()──▶ draining
 *         └──────────────error──────┴──▶ closed ◀──last stream ended──┘
 */
type State = { readonly at: 'connecting' | 'open' | 'draining' } | { readonly at: 'closed'; readonly error: ConnError }

/** Times in milliseconds. See {@link ConnDefaults}. */
export interface SessionOptions extends KeepAliveTimes {
  readonly idleTimeout: number
  readonly closeTimeout: number
  /** Whether to ping the peer while a response is awaited. */
  readonly pingsForResponses: boolean
}

/** The events of a session that concern its pool. */
export interface PoolEvents {
  /** The session may have room for another stream, or has ended. */
  onRoom(): void
  /** The peer asks for fewer pings. */
  onTooManyPings(): void
}

/** What waits for the response to a request. */
export interface ResponseEvents {
  onResponse(headers: IncomingHttpHeaders): void
  /** The stream closed before. */
  onClose(): void
}

const owner: unique symbol = Symbol('owner')
const awaiting: unique symbol = Symbol('awaiting')

interface OwnedStream extends ClientHttp2Stream {
  [owner]?: Session
  [awaiting]?: ResponseEvents | undefined
}

/** One HTTP/2 connection of a client, with its streams. */
export class Session {
  /** Shared by all streams: closures for each would be made and dropped with every request. */
  static readonly #listeners = {
    response(this: OwnedStream, headers: IncomingHttpHeaders): void {
      this[owner]?.stopAwaiting(this)?.onResponse(headers)
    },
    close(this: OwnedStream): void {
      const session = this[owner]
      if (session !== undefined) session.#onStreamClose(this)
    },
    error(): void {},
  }

  readonly authority: string
  /** Resolves when the session has ended. */
  readonly closed: Promise<void>
  /** Makes the session read while it writes. */
  readonly pump: ReadPump
  readonly #socket: Socket
  readonly #http2: ClientHttp2Session
  readonly #options: SessionOptions
  readonly #pool: PoolEvents
  readonly #keepAlive: KeepAlive
  readonly #responsePings: ResponsePings | undefined
  readonly #connected: Promise<void>
  #state: State = { at: 'connecting' }
  readonly #resets = new ResetBudget()
  /** The streams that a conn uses or will use. */
  readonly #active = new Set<Http2Stream>()
  /** How many callers wait for the connection. */
  #waiting = 0
  /** How many streams count for the peer. */
  #streamCount = 0
  #idleTimer: NodeJS.Timeout | undefined
  #lastError: unknown
  /** How many bytes had left when the peer hung up. */
  #bytesWrittenAtEnd: number | undefined
  #progress: Progress['at'] = 'none'
  readonly #certificate: (() => ClientCertificate) | undefined

  constructor(origin: URL, tls: ConnectionOptions | undefined, options: SessionOptions, pool: PoolEvents) {
    this.authority = origin.host
    this.#options = options
    this.#pool = pool
    this.#socket = connectSocket(origin, tls)
    this.#certificate = this.#socket instanceof TLSSocket ? watchClientCertificate(this.#socket) : undefined
    // Node gives a session up when its socket fails, but closes it with the socket, which a TLS alert leaves open.
    this.#socket.on('error', (error) => {
      this.#lastError ??= error
      this.#socket.destroy()
    })
    this.#http2 = connect(origin, {
      settings: { enablePush: false, initialWindowSize: connLimits.streamWindow },
      maxSessionMemory: connLimits.sessionMemory,
      ...tls,
      createConnection: () => this.#socket,
    })
    const http2 = this.#http2
    const onDead = (error: ConnError): void => this.destroy(error)
    this.#keepAlive = new KeepAlive(http2, options, onDead)
    this.#responsePings = options.pingsForResponses ? new ResponsePings(() => this.#keepAlive.ping()) : undefined
    this.pump = new ReadPump(http2, onDead)
    this.#connected = new Promise((resolve, reject) => {
      http2.once('connect', () => {
        // Over TLS, the peer must have chosen h2.
        if (http2.encrypted === true && http2.alpnProtocol !== 'h2') {
          const message = `${this.authority} did not choose h2 in the TLS handshake`
          this.destroy(new ConnError('HTTP2_NOT_SUPPORTED', message))
          return
        }
        widenWindows(http2)
        this.#progress = 'connected'
      })
      http2.once('remoteSettings', () => {
        this.#progress = 'http2'
      })
      http2.once('localSettings', () => {
        this.#progress = 'open'
        this.#state = { at: 'open' }
        this.#startIdling()
        resolve()
      })
      http2.once('close', () => reject(this.closeError()))
    })
    this.#connected.catch(() => {})
    this.closed = new Promise((resolve) => http2.once('close', resolve))
    // It stays: an error after the last listener has left would end the process (connect-es#1768).
    http2.on('error', (error) => {
      this.#lastError ??= error
    })
    http2.on('goaway', (code) => {
      if (code === RstCode.ENHANCE_YOUR_CALM) pool.onTooManyPings()
      if (code === RstCode.NO_ERROR && this.#state.at === 'connecting') {
        // It shows as a request that the peer refused, so that `connect` tries another session.
        const message = `${this.authority} sent GOAWAY before it accepted a request`
        this.destroy(new ConnError('RESET', message, { rstCode: RstCode.REFUSED_STREAM }))
      }
      this.drain()
    })
    http2.once('close', () => this.#onClose())
    this.#socket.once('end', () => {
      this.#bytesWrittenAtEnd = this.#socket.bytesWritten
    })
  }

  /** Whether the session will never open another stream. */
  get isEnding(): boolean {
    const { at } = this.#state
    if (at === 'draining' || at === 'closed' || this.#bytesWrittenAtEnd !== undefined) return true
    return this.#http2.closed || this.#http2.destroyed
  }

  /** Whether the session is connected and opens streams. */
  get isOpen(): boolean {
    return this.#state.at === 'open'
  }

  /** Whether the session can open another stream, now or once it is connected. */
  get isUsable(): boolean {
    if (this.isEnding) return false
    if (this.#state.at === 'connecting') return true
    if (this.#resets.waiting.size >= maxWaitingResets) return false
    // If the peer accepts no streams for now, one stream waits for it.
    return this.#streamCount < Math.max(1, this.#http2.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY)
  }

  /** Waits for the connection. The attempt ends when its last caller stops waiting. */
  async connected(signal: AbortSignal): Promise<void> {
    this.#waiting += 1
    try {
      await abortable(this.#connected, signal)
    } finally {
      this.#waiting -= 1
      if (this.#waiting === 0 && this.#state.at === 'connecting') {
        this.destroy(new ConnError('CONNECT_FAILED', `connecting to ${this.authority} was cancelled`))
      }
    }
  }

  /** Opens a stream. Throws Node's error when the session accepts no more streams. */
  request({ headers, size }: SizedHeaders): ClientHttp2Stream {
    checkSize(size, this.#http2.remoteSettings.maxHeaderListSize ?? Infinity)
    const stream: OwnedStream = this.#http2.request(headers, staysOpen)
    stream[owner] = this
    this.#streamCount += 1
    this.#active.add(stream)
    if (this.#active.size === 1) this.#stopIdling()
    stream.on('error', Session.#listeners.error)
    stream.on('close', Session.#listeners.close)
    return stream
  }

  /** Calls `events` once, when the response of a stream has come, or when it closes without one. */
  awaitResponse(stream: OwnedStream, events: ResponseEvents): void {
    stream[awaiting] = events
    stream.on('response', Session.#listeners.response)
    this.#responsePings?.onRequest()
  }

  /** Calls what waits for the response of a stream no more, and returns it. */
  stopAwaiting(stream: OwnedStream): ResponseEvents | undefined {
    const events = stream[awaiting]
    stream[awaiting] = undefined
    if (events !== undefined) this.#responsePings?.onAnswer()
    return events
  }

  #onStreamClose(stream: OwnedStream): void {
    this.#streamCount -= 1
    this.#resets.forget(stream)
    this.pump.forget(stream)
    this.#release(stream)
    this.#pool.onRoom()
    this.stopAwaiting(stream)?.onClose()
  }

  /** Resets a stream now, or as soon as the peer accepts another reset. Returns whether it did so now. */
  reset(stream: Http2Stream, code: number): boolean {
    const isNow = this.#resets.add(stream, code)
    if (!isNow) this.#release(stream)
    return isNow
  }

  get bytesRead(): number {
    return this.#socket.bytesRead
  }

  /** How many bytes have gone to the peer before it hung up. */
  get bytesWritten(): number {
    return this.#bytesWrittenAtEnd ?? this.#socket.bytesWritten
  }

  /** Lets the streams end, and opens no more. */
  drain(): void {
    if (this.#state.at !== 'open') return
    this.#state = { at: 'draining' }
    if (!this.#http2.destroyed) this.#http2.close()
    this.#startIdling()
  }

  /** Drains the session, or destroys it if it is still connecting. */
  close(): void {
    if (this.#state.at === 'connecting') {
      this.destroy(new ConnError('SESSIONS_CLOSED', `the pool was closed while ${this.authority} was connecting`))
    }
    this.drain()
  }

  /** Ends the session now, and its streams with `error`. */
  destroy(error: ConnError): void {
    this.#lastError ??= error
    this.#http2.destroy(error)
    // Node would wait until the peer has read the last bytes, which a silent peer never does.
    this.#socket.destroy()
  }

  /** Returns why the session has ended, or is about to end. */
  closeError(): ConnError {
    if (this.#state.at === 'closed') return this.#state.error
    return sessionError(this.authority, this.#lastError, {
      at: this.#progress,
      hasReceived: this.#socket.bytesRead > 0,
      certificate: this.#certificate?.(),
    })
  }

  #onClose(): void {
    clearTimeout(this.#idleTimer)
    this.#keepAlive.stop()
    this.#state = { at: 'closed', error: this.closeError() }
    this.#pool.onRoom()
  }

  #release(stream: Http2Stream): void {
    if (this.#active.delete(stream)) this.#startIdling()
  }

  /** Without active streams, the process may end, and so does the session after a while. */
  #startIdling(): void {
    if (this.#active.size > 0 || this.#state.at === 'closed') return
    this.#keepAlive.stop()
    clearTimeout(this.#idleTimer)
    this.#socket.unref()
    const { idleTimeout, closeTimeout } = this.#options
    if (this.#state.at === 'draining') this.#resets.flush()
    // Node hangs up and then waits for the peer to do so, which a peer that only sent GOAWAY never does. The peer has
    // some time, since it may still have to read what was sent last.
    this.#idleTimer =
      this.#state.at === 'draining'
        ? setTimeout(() => this.#socket.destroy(), closeTimeout).unref()
        : setTimeout(() => this.drain(), idleTimeout).unref()
  }

  #stopIdling(): void {
    clearTimeout(this.#idleTimer)
    this.#socket.ref()
    this.#keepAlive.start()
  }
}

/** The body of a request stays open. */
const staysOpen = { endStream: false } as const

/** Opens the socket as Node's `connect` would: a session hides its socket, and only the socket can end it at once. */
function connectSocket({ protocol, hostname, port }: URL, tls: ConnectionOptions | undefined): Socket {
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  if (protocol === 'http:') return connectTcp({ host, port: Number(port || 80) })
  // A server name is no IP address, and has no dot at its end (RFC 6066, section 3).
  const servername = isIP(host) === 0 ? { servername: host.replace(/\.$/, '') } : {}
  return connectTls({ host, port: Number(port || 443), ...servername, ...tls, ALPNProtocols: ['h2'] })
}

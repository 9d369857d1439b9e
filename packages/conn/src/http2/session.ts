import type { ClientHttp2Session, ClientHttp2Stream, Http2Stream, OutgoingHttpHeaders } from 'node:http2'
import { connect } from 'node:http2'
import type { Socket } from 'node:net'
import { connect as connectSocket, isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { connect as connectTls, TLSSocket } from 'node:tls'

import type { ClientCertificate } from '../node/client-certificate.ts'
import { watchClientCertificate } from '../node/client-certificate.ts'
import { connDefaults } from '../limits.ts'
import { ConnError } from '../errors.ts'
import { checkHeaders } from './headers.ts'
import type { KeepAliveTimes } from './keep-alive.ts'
import { KeepAlive } from './keep-alive.ts'
import type { Progress } from './node-errors.ts'
import { connectFailure, RstCode } from './node-errors.ts'
import { readOn } from '../node/keep-reading.ts'
import { mostWaiting, Resets } from './reset-budget.ts'
import { pingForResponses } from './response-ping.ts'
import { clearTimeout, setTimeout } from '../runtime/timers.ts'
import { abortable } from '../waits/abortable.ts'
import { widenWindows } from './windows.ts'

/**
 * The life of a session, which is open once the peer's SETTINGS say how many streams it takes, and once it has acknowledged
 * ours. Until then nobody shows that there is more behind the port than a balancer that hangs up.
 *
 *     connecting ──SETTINGS, ACK──▶ open ──GOAWAY, idle, drain()──▶ draining
 *         └──────────────error──────┴──▶ closed ◀──last stream ended──┘
 */
type State =
  | { readonly at: 'connecting' }
  | { readonly at: 'open' }
  | { readonly at: 'draining' }
  | { readonly at: 'closed'; readonly error: ConnError }

/** Times in milliseconds. See {@link ConnDefaults}. */
export interface SessionTimeouts extends KeepAliveTimes {
  readonly idleTimeout: number
  readonly closeTimeout: number
  /** Whether the peer is to be pinged no more than has to be. */
  readonly isCalm: boolean
}

/** What a session tells the pool that it belongs to. */
export interface Pool {
  /** A stream may find a place that had none. */
  onRoom(): void
  /** The peer has had enough of being pinged. */
  onTooManyPings(): void
}

/** One HTTP/2 connection of a client, with the streams that it carries. */
export class Session {
  readonly authority: string
  /** To be called when bytes were written to one of its streams. */
  readonly readOn: (stream: Http2Stream) => void
  readonly #socket: Socket
  readonly #http2: ClientHttp2Session
  readonly #timeouts: SessionTimeouts
  readonly #pool: Pool
  readonly #keepAlive: KeepAlive
  readonly #pingForResponse: ((stream: ClientHttp2Stream) => void) | undefined
  readonly #connected: Promise<void>
  readonly #gone: Promise<void>
  #state: State = { at: 'connecting' }
  readonly #resets = new Resets()
  /** Those that a conn has, or will have. */
  readonly #live = new Set<Http2Stream>()
  #waiting = 0
  /** How many take a place at the peer. */
  #streams = 0
  #resting: NodeJS.Timeout | undefined
  #lastError: unknown
  /** How many bytes had left when the peer hung up. */
  #writtenInTime: number | undefined
  #progress: Progress['at'] = 'none'
  readonly #certificate: (() => ClientCertificate) | undefined

  constructor(origin: URL, tls: ConnectionOptions | undefined, timeouts: SessionTimeouts, pool: Pool) {
    this.authority = origin.host
    this.#timeouts = timeouts
    this.#pool = pool
    this.#socket = dial(origin, tls)
    this.#certificate = this.#socket instanceof TLSSocket ? watchClientCertificate(this.#socket) : undefined
    // Node gives the session up when its socket fails, and closes it with the socket, which it leaves open after an alert.
    this.#socket.on('error', (error) => {
      this.#lastError ??= error
      this.#socket.destroy()
    })
    this.#http2 = connect(origin, {
      settings: { enablePush: false, initialWindowSize: connDefaults.streamWindow },
      maxSessionMemory: connDefaults.sessionMemory,
      ...tls,
      createConnection: () => this.#socket,
    })
    const http2 = this.#http2
    const onDead = (error: ConnError): void => this.destroy(error)
    this.#keepAlive = new KeepAlive(http2, timeouts, onDead)
    this.#pingForResponse = timeouts.isCalm ? undefined : pingForResponses(() => this.#keepAlive.ask())
    this.readOn = readOn(http2, onDead)
    this.#connected = new Promise((resolve, reject) => {
      http2.once('connect', () => {
        const failure = this.#checkProtocol()
        if (failure !== undefined) {
          this.destroy(failure)
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
        this.#rest()
        resolve()
      })
      http2.once('close', () => reject(this.failure()))
    })
    this.#connected.catch(() => {})
    this.#gone = new Promise((resolve) => http2.once('close', resolve))
    // Stays for good: a deferred error after the last listener left would end the process (connect-es#1768).
    http2.on('error', (error) => {
      this.#lastError ??= error
    })
    http2.on('goaway', (code) => {
      if (code === RstCode.ENHANCE_YOUR_CALM) pool.onTooManyPings()
      if (code === RstCode.NO_ERROR && this.#state.at === 'connecting') this.#refuse()
      this.drain()
    })
    http2.once('close', () => this.#onClose())
    this.#socket.once('end', () => {
      this.#writtenInTime = this.#socket.bytesWritten
    })
  }

  /** Whether no new stream will ever be opened on it. */
  get isEnding(): boolean {
    const { at } = this.#state
    if (at === 'draining' || at === 'closed' || this.#writtenInTime !== undefined) return true
    return this.#http2.closed || this.#http2.destroyed
  }

  /** Whether a new stream may be opened on it, now or once it is connected. */
  get isUsable(): boolean {
    if (this.isEnding) return false
    if (this.#state.at === 'connecting') return true
    if (this.#resets.waiting >= mostWaiting) return false
    // A peer that takes none for now is waited for, on one connection.
    return this.#streams < Math.max(1, this.#http2.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY)
  }

  /** Waits for the connection. When nobody waits any more, the attempt is given up. */
  async connected(signal: AbortSignal): Promise<void> {
    this.#waiting += 1
    try {
      await abortable(this.#connected, signal)
    } finally {
      this.#waiting -= 1
      if (this.#waiting === 0 && this.#state.at === 'connecting') {
        this.destroy(new ConnError('CONNECT_FAILED', `connecting to ${this.authority} was given up`))
      }
    }
  }

  /** Opens a stream. Throws what Node throws when the session takes no more of them. */
  request(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    checkHeaders(headers, this.#http2.remoteSettings.maxHeaderListSize)
    const stream = this.#http2.request(headers, { endStream: false })
    this.#streams += 1
    this.#live.add(stream)
    if (this.#live.size === 1) this.#work()
    stream.on('error', () => {})
    this.#pingForResponse?.(stream)
    stream.once('close', () => {
      this.#streams -= 1
      this.#resets.forget(stream)
      this.#leave(stream)
      this.#pool.onRoom()
    })
    return stream
  }

  /** Resets one of its streams, now or as soon as the peer takes another reset. Returns whether it was now. */
  reset(stream: Http2Stream, code: number): boolean {
    const isNow = this.#resets.add(stream, code)
    if (!isNow) this.#leave(stream)
    return isNow
  }

  /** How many bytes came from the peer so far. */
  get bytesRead(): number {
    return this.#socket.bytesRead
  }

  /** How many bytes went to the peer so far: while it was there to take them. */
  get bytesWritten(): number {
    return this.#writtenInTime ?? this.#socket.bytesWritten
  }

  /** Lets the streams end and opens no more. */
  drain(): void {
    if (this.#state.at !== 'open') return
    this.#state = { at: 'draining' }
    if (!this.#http2.destroyed) this.#http2.close()
    this.#rest()
  }

  /** The same for a session that is not wanted any more. While it connects, there is nothing to wait for: it ends now. */
  shutDown(): void {
    if (this.#state.at === 'connecting') {
      this.destroy(new ConnError('SESSIONS_CLOSED', `the sessions were closed while ${this.authority} was connecting`))
    }
    this.drain()
  }

  /** Waits until it is gone. */
  gone(): Promise<void> {
    return this.#gone
  }

  /** Ends it now, and its streams with `error`. */
  destroy(error: ConnError): void {
    this.#lastError ??= error
    this.#http2.destroy(error)
    // Node waits until the peer has taken the last bytes, which a silent one never does.
    this.#socket.destroy()
  }

  /** Why it ended, or will have ended. */
  failure(): ConnError {
    if (this.#state.at === 'closed') return this.#state.error
    return connectFailure(this.authority, this.#lastError, {
      at: this.#progress,
      hasSpoken: this.#socket.bytesRead > 0,
      certificate: this.#certificate?.(),
    })
  }

  /** The peer says GOAWAY before it has taken a request. Requests that it gives back for it end in the same way. */
  #refuse(): void {
    const message = `${this.authority} said GOAWAY before it took a request`
    this.destroy(new ConnError('RESET', message, { rstCode: RstCode.REFUSED_STREAM }))
  }

  #checkProtocol(): ConnError | undefined {
    const { encrypted, alpnProtocol } = this.#http2
    if (encrypted !== true || alpnProtocol === 'h2') return undefined
    return new ConnError('HTTP2_NOT_SUPPORTED', `${this.authority} did not choose h2 in the TLS handshake`)
  }

  #onClose(): void {
    clearTimeout(this.#resting)
    this.#keepAlive.stop()
    this.#state = { at: 'closed', error: this.failure() }
    this.#pool.onRoom()
  }

  #leave(stream: Http2Stream): void {
    if (this.#live.delete(stream)) this.#rest()
  }

  /** No streams but those whose reset waits: the process may end, and so may the session after a while. */
  #rest(): void {
    if (this.#live.size > 0 || this.#state.at === 'closed') return
    this.#keepAlive.stop()
    clearTimeout(this.#resting)
    this.#socket.unref()
    const { idleTimeout, closeTimeout } = this.#timeouts
    if (this.#state.at === 'draining') this.#resets.flush()
    // Node hangs up and waits for the peer to do the same, which those that only said GOAWAY never do. What was sent
    // last may still be unread there, so that they are given some time.
    this.#resting =
      this.#state.at === 'draining'
        ? setTimeout(() => this.#socket.destroy(), closeTimeout).unref()
        : setTimeout(() => this.drain(), idleTimeout).unref()
  }

  #work(): void {
    clearTimeout(this.#resting)
    this.#socket.ref()
    this.#keepAlive.start()
  }
}

/** What Node's own `connect` does. A session hides its socket, and only the socket can end one at once. */
function dial({ protocol, hostname, port }: URL, tls: ConnectionOptions | undefined): Socket {
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  if (protocol === 'http:') return connectSocket({ host, port: Number(port || 80) })
  // The name of a server has no dot at its end there (RFC 6066, section 3), and is no address.
  const servername = isIP(host) === 0 ? { servername: host.replace(/\.$/, '') } : {}
  return connectTls({ host, port: Number(port || 443), ...servername, ...tls, ALPNProtocols: ['h2'] })
}

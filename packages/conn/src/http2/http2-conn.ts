import type { Http2Session, Http2Stream, IncomingHttpHeaders } from 'node:http2'

import type { Http2Transport } from './http2-stream.ts'
import { inspectAs } from '../runtime/inspect-as.ts'
import type { CloseTimeouts } from '../core/stream-conn.ts'
import { StreamConn } from '../core/stream-conn.ts'

/** Where one end of a connection is. */
export interface Address {
  readonly address: string
  /** Zero for a Unix socket. */
  readonly port: number
}

/** What a request and its response said before the bytes began. */
export interface RequestInfo {
  readonly side: 'client' | 'server'
  readonly method: string
  /** The path with its query, as sent. */
  readonly path: string
  readonly status: number
  /** What the peer sent: the response's headers on the client, the request's on the server. A conn has a copy of its own. */
  readonly headers: IncomingHttpHeaders
}

/**
 * A conn over one HTTP/2 stream, with what its request and response said. Logs and JSON show it without headers and query. `abort(reason)` resets the stream with CANCEL,
 * or with `reason.rstCode` where the reason has one. A client sends at most 500 resets at once on one connection, and 30 a second after
 * them: the others wait, and `closed` does not wait for them.
 */
export class Http2Conn extends StreamConn implements RequestInfo {
  static {
    Object.defineProperties(
      this.prototype,
      inspectAs<Http2Conn>((conn) => ({
        side: conn.side,
        method: conn.method,
        path: conn.path.split('?', 1)[0],
        status: conn.status,
        localAddress: conn.localAddress,
        remoteAddress: conn.remoteAddress,
        streamId: conn.streamId,
        ...conn.halves,
      })),
    )
  }

  readonly side: 'client' | 'server'
  readonly method: string
  readonly path: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly localAddress: Address
  readonly remoteAddress: Address
  /** The stream's identifier within its connection. */
  readonly streamId: number

  readonly #transport: Http2Transport

  /** @internal */
  constructor(stream: Http2Stream, transport: Http2Transport, exchange: RequestInfo, timeouts: CloseTimeouts) {
    const { local, remote } = addressesOf(stream.session)
    super(transport, timeouts)
    this.#transport = transport
    this.side = exchange.side
    this.method = exchange.method
    this.path = exchange.path
    this.status = exchange.status
    this.headers = compact(exchange.headers)
    this.localAddress = local
    this.remoteAddress = remote
    this.streamId = stream.id ?? 0
  }

  /**
   * Has `watcher` called when more of the peer's bytes lie unread than the conn reads ahead, up to the stream's window, or less
   * again: with the change, in bytes. It may abort the conn.
   */
  watchUnread(watcher: (change: number) => void): void {
    this.#transport.watchUnread(watcher)
  }
}

interface Addresses {
  readonly local: Address
  readonly remote: Address
}

const known = new WeakMap<Http2Session, Addresses>()

/** The same objects for all conns of a session, which nobody can change. */
function addressesOf(session: Http2Session | undefined): Addresses {
  const before = session && known.get(session)
  if (before !== undefined) return before
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = session?.socket ?? {}
  const addresses = {
    local: Object.freeze({ address: localAddress, port: localPort }),
    remote: Object.freeze({ address: remoteAddress, port: remotePort }),
  }
  if (session !== undefined) known.set(session, addresses)
  return addresses
}

/** A copy that takes a fifth of the memory: Node's is a hash table, as V8 makes all objects that begin without a prototype. */
function compact(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.setPrototypeOf({ ...headers }, null) as IncomingHttpHeaders
}

import type { Http2Stream, IncomingHttpHeaders } from 'node:http2'

import type { Http2Transport } from './http2-transport.ts'
import type { CloseTimeouts } from './stream-conn.ts'
import { StreamConn } from './stream-conn.ts'

/** Where one end of a connection is. */
export interface Address {
  readonly address: string
  /** Zero for a Unix socket. */
  readonly port: number
}

/** What a request and its response said before the bytes began. */
export interface Exchange {
  readonly side: 'client' | 'server'
  readonly method: string
  /** The path with its query, as sent. */
  readonly path: string
  readonly status: number
  /** What the peer sent: the response's headers on the client, the request's on the server. */
  readonly headers: IncomingHttpHeaders
}

/**
 * A conn over one HTTP/2 stream, with what its request and response said. `abort(reason)` resets the stream with CANCEL,
 * or with `reason.rstCode` where the reason has one.
 */
export class Http2Conn extends StreamConn implements Exchange {
  readonly side: 'client' | 'server'
  readonly method: string
  readonly path: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly localAddress: Address
  readonly remoteAddress: Address
  /** The stream's identifier within its connection. */
  readonly streamId: number

  /** @internal */
  constructor(stream: Http2Stream, transport: Http2Transport, exchange: Exchange, timeouts: CloseTimeouts) {
    const socket = stream.session?.socket
    super(transport, timeouts)
    this.side = exchange.side
    this.method = exchange.method
    this.path = exchange.path
    this.status = exchange.status
    this.headers = exchange.headers
    this.localAddress = { address: socket?.localAddress ?? '', port: socket?.localPort ?? 0 }
    this.remoteAddress = { address: socket?.remoteAddress ?? '', port: socket?.remotePort ?? 0 }
    this.streamId = stream.id ?? 0
  }
}

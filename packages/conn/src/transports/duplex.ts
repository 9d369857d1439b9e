import { Socket } from 'node:net'
import { Duplex } from 'node:stream'

import type { Conn } from '../core/conn.ts'
import { StreamConn } from '../core/stream-conn.ts'
import type { CloseTimeouts } from '../limits.ts'
import { DuplexTransport } from './node-stream.ts'
import { SocketTransport } from './socket.ts'

/**
 * Makes a conn of a Node stream: a TCP, TLS or Unix socket, or a child's stdio through `Duplex.from({ readable,
 * writable })`. The conn owns the stream.
 *
 * For a half-close the stream must keep its own half open when the peer ends: `allowHalfOpen: true` with `net.connect`
 * and `net.createServer`. Only TCP has a reset. The peer of any other stream sees an abort as a clean end, unless the
 * stream or the protocol above distinguishes them.
 *
 * @throws ConnError `INVALID_ARGUMENT` when the stream belongs to a conn already.
 */
export function fromDuplex(stream: Duplex, timeouts?: CloseTimeouts): Conn {
  return new StreamConn(stream instanceof Socket ? new SocketTransport(stream) : new DuplexTransport(stream), timeouts)
}

/**
 * Makes a Node stream of a conn, for libraries that need one. The stream owns the conn: `end()` is `closeWrite()`, and
 * `destroy()` is `abort()` unless both halves have ended.
 */
export function toDuplex(conn: Conn): Duplex {
  const duplex = new Duplex({
    allowHalfOpen: true,
    read() {
      conn.read().then(
        (chunk) => this.push(chunk),
        (error: Error) => this.destroy(error),
      )
    },
    write(chunk: Uint8Array, _encoding, done) {
      conn.write(chunk).then(() => done(), done)
    },
    final(done) {
      conn.closeWrite().then(() => done(), done)
    },
    destroy(error, done) {
      if (error !== null || !this.readableEnded || !this.writableFinished) conn.abort(error ?? undefined)
      done(error)
    },
  })
  // A reader gets everything that arrived, and then the end or the error. Without a reader, `read(0)` finds the error.
  void conn.closed.then((closed) => {
    if (closed.clean) return
    if (duplex.readableEnded) duplex.destroy(closed.error)
    duplex.once('end', () => duplex.destroy(closed.error))
    duplex.read(0)
  })
  return duplex
}

import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

import type { Conn } from '../core/conn.ts'
import { DuplexTransport } from './node-stream.ts'
import type { ConnError } from '../errors.ts'
import { startReading } from '../node/handle.ts'
import { StreamConn } from '../core/stream-conn.ts'
import type { CloseTimeouts } from '../limits.ts'
import type { TransportEvents } from '../core/transport.ts'

/**
 * Makes a conn of a Node stream: a TCP, TLS or Unix socket, or a child's stdio through `Duplex.from({ readable, writable })`.
 * The conn owns the stream from then on.
 *
 * For a half-close the stream must keep its own half open when the peer ends: `allowHalfOpen: true` with `net.connect`
 * and `net.createServer`. Only TCP has a reset: the peer of anything else takes an abort for a clean end, unless the stream
 * or the protocol above tells them apart.
 *
 * @throws ConnError `INVALID_ARGUMENT` when the stream is that of a conn already.
 */
export function fromDuplex(stream: Duplex, timeouts?: CloseTimeouts): Conn {
  return new StreamConn(stream instanceof Socket ? new SocketTransport(stream) : new DuplexTransport(stream), timeouts)
}

/** A TCP socket that is aborted sends RST rather than FIN, so that the peer can't take it for a clean end. */
class SocketTransport extends DuplexTransport<Socket> {
  override start(events: TransportEvents): void {
    // A terminal would ask for its end twice.
    if (!(this.stream instanceof TLSSocket) && !('isTTY' in this.stream)) this.#readPastTheEnd()
    super.start(events)
  }

  /** A reset that comes together with the last bytes looks like an end to libuv (libuv#4997). Who reads on is told. */
  #readPastTheEnd(): void {
    const { stream } = this
    const push = stream.push
    let hasReadOn = false
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null && !hasReadOn) {
        hasReadOn = true
        if (startReading(stream)) return true
      }
      return push.call(stream, chunk, encoding)
    }
  }

  override destroy(error: ConnError | null): void {
    const { stream } = this
    // Without an error all was written, and RST would take back what the peer has not received.
    if (error === null) stream.destroy()
    // libuv refuses to reset a socket whose FIN is about to leave (EINVAL), and Node then loses it, open.
    else if (stream.connecting && !(stream instanceof TLSSocket)) stream.once('connect', () => this.destroy(error))
    else if (stream.writableEnded && !stream.writableFinished && stream.writableLength === 0) {
      stream.once('finish', () => resetSocket(stream))
    } else resetSocket(stream)
  }
}

function resetSocket(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    // Only TCP knows RST: no Unix socket does, and TLS hides it.
    socket.destroy()
  }
}

/**
 * Makes a Node stream of a conn, for libraries that take one. The stream owns the conn from then on: `end()` is
 * `closeWrite()`, and `destroy()` is `abort()` unless both halves have ended.
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
  // What has arrived is read to its end, or to the error, first. A conn that nobody reads is looked at for that.
  void conn.closed.then((closed) => {
    if (closed.clean) return
    if (duplex.readableEnded) duplex.destroy(closed.error)
    duplex.once('end', () => duplex.destroy(closed.error))
    duplex.read(0)
  })
  return duplex
}

import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import type { TransportEvents } from '../core/transport.ts'
import type { ConnError } from '../errors.ts'
import { startReading } from '../node/handle.ts'
import { DuplexTransport } from './node-stream.ts'

/** A socket as a transport. An aborted TCP socket sends RST, since the peer could mistake FIN for a clean end. */
export class SocketTransport extends DuplexTransport<Socket> {
  override start(events: TransportEvents): void {
    // A terminal would ask for its end twice.
    if (!(this.stream instanceof TLSSocket) && !('isTTY' in this.stream)) this.#readPastTheEnd()
    super.start(events)
  }

  /** Reads once more at the end: libuv reports a reset that comes with the last bytes as an end (libuv#4997). */
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
    // Without an error everything was written, and RST would discard what the peer has not received.
    if (error === null) stream.destroy()
    // libuv refuses to reset a socket whose FIN is about to leave (EINVAL), and Node then loses the open socket.
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
    // Only TCP has RST: Unix sockets have no reset, and TLS hides it.
    socket.destroy()
  }
}

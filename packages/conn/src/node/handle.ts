import type { Http2Session } from 'node:http2'
import type { Socket } from 'node:net'

/** The private parts of a socket's native handle that this package uses, since Node has no public call for them. */
interface Handle {
  readStart?(): unknown
  readonly writeQueueSize?: number
  readonly bytesWritten?: number
}

/** Starts to read a socket. Returns whether it reads. */
export function startReading(socket: object): boolean {
  return handleOf(socket)?.readStart?.() === 0
}

/** Number of bytes written to a socket that the system has not accepted yet. Undefined if unknown. */
export function queuedBytes(socket: object): number | undefined {
  return handleOf(socket)?.writeQueueSize
}

/** Number of bytes that the system, or TLS, was given to send, including those already sent. Undefined if unknown. */
export function dispatchedBytes(socket: object): number | undefined {
  // Asked for at each write: without a call of its own.
  const { _handle: handle } = socket as { readonly _handle?: Handle | null }
  return handle?.bytesWritten
}

/**
 * A number that grows while the system accepts bytes written to a socket, which it does as the other end reads them.
 * Undefined while no bytes wait, and if unknown.
 */
export function takenBytes(socket: object): number | undefined {
  const [queued = 0, dispatched] = [queuedBytes(socket), dispatchedBytes(socket)]
  return queued === 0 || dispatched === undefined ? undefined : dispatched - queued
}

const sockets = new WeakMap<Http2Session, Socket>()

/** The socket of a session. The proxy in `session.socket` refuses to destroy it, but `off` returns the socket. */
export function rawSocket(session: Http2Session): Socket {
  let socket = sockets.get(session)
  if (socket === undefined) sockets.set(session, (socket = session.socket.off('close', () => {})))
  return socket
}

function handleOf(socket: object): Handle | null | undefined {
  const { _handle: handle } = socket as { readonly _handle?: Handle | null }
  return handle
}

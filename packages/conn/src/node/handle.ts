import type { Http2Session } from 'node:http2'
import type { Socket } from 'node:net'

/** What this package asks of a socket's native handle, since Node has no public call for it. */
interface Handle {
  readStart?(): unknown
  readonly writeQueueSize?: number
  readonly bytesWritten?: number
}

/** Tells a socket to read. Returns whether it does. */
export function startReading(socket: object): boolean {
  return handleOf(socket)?.readStart?.() === 0
}

/** How many bytes of what was written to a socket the system has not taken yet. Undefined where nobody knows. */
export function queuedBytes(socket: object): number | undefined {
  return handleOf(socket)?.writeQueueSize
}

/** How many bytes the system, or TLS, was given to send, whether it has sent them or not. Undefined where nobody knows. */
export function dispatchedBytes(socket: object): number | undefined {
  return handleOf(socket)?.bytesWritten
}

/**
 * A number that grows with what the system takes of what was written to a socket, which is as the other end takes it. Undefined
 * while nothing waits to be taken, and where nobody knows.
 */
export function takenBytes(socket: object): number | undefined {
  const [queued = 0, dispatched] = [queuedBytes(socket), dispatchedBytes(socket)]
  return queued === 0 || dispatched === undefined ? undefined : dispatched - queued
}

/** The socket of a session itself. What `session.socket` gives refuses to destroy it, but hands out its `this`. */
export function rawSocket(session: Http2Session): Socket {
  return session.socket.off('close', () => {})
}

function handleOf(socket: object): Handle | null | undefined {
  const { _handle: handle } = socket as { readonly _handle?: Handle | null }
  return handle
}

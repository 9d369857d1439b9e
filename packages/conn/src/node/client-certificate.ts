import type { TLSSocket } from 'node:tls'

/** The part of the client's certificate in a TLS handshake. */
export interface ClientCertificate {
  /** Whether the server asked for a certificate, and whether the client gave one. */
  readonly wish: 'unasked' | 'missing' | 'given'
  /** Whether the server sent anything after the client's half of the handshake, such as a TLS 1.3 session ticket. */
  readonly isAccepted: boolean
}

/**
 * Follows the handshake of a client's socket. Returns a function that reports what it has shown so far.
 *
 * With TLS 1.3 the client's half comes last. A server therefore rejects a certificate when the handshake looks complete
 * to the client, and some servers then hang up without an alert.
 */
export function watchClientCertificate(socket: TLSSocket): () => ClientCertificate {
  let wish: ClientCertificate['wish'] = 'unasked'
  let isAccepted = false
  // A destroyed socket has forgotten all of it.
  const look = (): void => {
    // Only a server that asks sends the signature algorithms that it accepts. Some runtimes do not know them.
    const { getSharedSigalgs }: Partial<TLSSocket> = socket
    const shared: unknown = getSharedSigalgs?.call(socket)
    if (!Array.isArray(shared) || shared.length === 0) return
    wish = Object.keys(socket.getCertificate() ?? {}).length > 0 ? 'given' : 'missing'
  }
  socket.once('secureConnect', () => {
    look()
    isAccepted = socket.getProtocol() !== 'TLSv1.3'
  })
  // With TLS 1.2 the server rejects the certificate during the handshake, and Node then destroys the socket.
  socket.prependListener('end', look)
  socket.prependListener('error', look)
  socket.on('session', () => {
    isAccepted = true
  })
  return () => ({ wish, isAccepted })
}

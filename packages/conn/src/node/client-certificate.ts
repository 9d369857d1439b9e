import type { TLSSocket } from 'node:tls'

/** What a TLS handshake showed of the client's certificate. */
export interface ClientCertificate {
  /** Whether the server asked for one, and whether there was one. */
  readonly wish: 'unasked' | 'missing' | 'given'
  /** Whether the server said anything after the client's half of the handshake: with TLS 1.3 most send a session ticket. */
  readonly isAccepted: boolean
}

/**
 * Follows the handshake of a client's socket. With TLS 1.3 the client's half of it comes last, so that a server refuses a
 * certificate when the handshake looks complete at the client, and some servers then hang up without an alert.
 */
export function watchClientCertificate(socket: TLSSocket): () => ClientCertificate {
  let wish: ClientCertificate['wish'] = 'unasked'
  let isAccepted = false
  // The socket forgets all of it when it is destroyed.
  const look = (): void => {
    // Only a server that asks says which signatures it takes. Not every runtime knows them.
    const { getSharedSigalgs }: Partial<TLSSocket> = socket
    const shared: unknown = getSharedSigalgs?.call(socket)
    if (!Array.isArray(shared) || shared.length === 0) return
    wish = Object.keys(socket.getCertificate() ?? {}).length > 0 ? 'given' : 'missing'
  }
  socket.once('secureConnect', () => {
    look()
    isAccepted = socket.getProtocol() !== 'TLSv1.3'
  })
  // With TLS 1.2 the server refuses before the handshake is over, whereupon Node destroys the socket.
  socket.prependListener('end', look)
  socket.prependListener('error', look)
  socket.on('session', () => {
    isAccepted = true
  })
  return () => ({ wish, isAccepted })
}

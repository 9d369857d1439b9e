/** One port: socket.io over HTTP/1.1, channels over HTTP/2. */
import type { Http2SecureServer, SecureServerOptions } from 'node:http2'
import { createSecureServer } from 'node:http2'
import { Server } from 'socket.io'

import { Question, quotesFor } from './quotes.ts'
import { quoteRouter } from './router.ts'

// #region server
export function serveBoth(tls: SecureServerOptions): Http2SecureServer {
  const server = createSecureServer({ ...tls, allowHTTP1: true })

  new Server(server).on('connection', (socket) => {
    socket.on('question', (data: unknown) => {
      for (const quote of quotesFor(Question.parse(data))) socket.emit('quote', quote)
    })
  })

  quoteRouter().attach(server)
  return server
}
// #endregion

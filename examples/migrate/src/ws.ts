/** One port: WebSockets of ws over HTTP/1.1, channels over HTTP/2. */
import type { Http2SecureServer, SecureServerOptions } from 'node:http2'
import { createSecureServer } from 'node:http2'
import { WebSocketServer } from 'ws'

import { Question, quotesFor } from './quotes.ts'
import { quoteRouter } from './router.ts'

// #region server
export function serveBoth(tls: SecureServerOptions): Http2SecureServer {
  const server = createSecureServer({ ...tls, allowHTTP1: true })

  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (ws) => sockets.emit('connection', ws, request))
  })
  sockets.on('connection', (ws) => {
    ws.on('message', (data: Buffer) => {
      const question = Question.parse(JSON.parse(data.toString()))
      for (const quote of quotesFor(question)) ws.send(JSON.stringify(quote))
    })
  })

  quoteRouter().attach(server)
  return server
}
// #endregion

/** Express, which only supports HTTP/1.1: it gets those requests, and channels use HTTP/2. */
import { createRouter } from '@h2channel/channel/server'
import express from 'express'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, createSecureServer, Http2ServerRequest, Http2ServerResponse } from 'node:http2'

import { greet } from './greet.ts'
import { greetings } from './routes.ts'
import { announce, certificate, port } from './setup.ts'

const app = express()
app.get('/hello', (_request, response) => {
  response.type('text').send('hello\n')
})

const server = createSecureServer(
  { ...certificate, allowHTTP1: true },
  (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => {
    // Express would throw an error that no code can catch. With this code, browsers and curl repeat the request over
    // HTTP/1.1.
    if (response instanceof Http2ServerResponse) response.stream.close(constants.NGHTTP2_HTTP_1_1_REQUIRED)
    else if (!(request instanceof Http2ServerRequest)) app(request, response)
  },
)

const router = createRouter()
router.handle(greetings, greet)
router.attach(server)

server.listen(port, '127.0.0.1', () => announce(server))

async function stop(): Promise<void> {
  await router.drain()
  server.close()
}
process.once('SIGTERM', () => void stop())

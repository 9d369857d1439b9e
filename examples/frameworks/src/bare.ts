/** Bare `node:http2`. */
import { createRouter } from '@h2channel/channel/server'
import { createSecureServer } from 'node:http2'

import { greet } from './greet.ts'
import { greetings } from './routes.ts'
import { announce, certificate, port } from './setup.ts'

const server = createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
  const isHello = request.url === '/hello'
  response.writeHead(isHello ? 200 : 404, { 'content-type': 'text/plain' })
  response.end(isHello ? 'hello\n' : 'not found\n')
})

const router = createRouter()
router.handle(greetings, greet)
router.attach(server)

server.listen(port, '127.0.0.1', () => announce(server))

async function stop(): Promise<void> {
  await router.drain()
  server.close()
}
process.once('SIGTERM', () => void stop())

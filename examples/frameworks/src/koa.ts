/** Koa. */
import { createRouter } from '@h2channel/channel/server'
import Koa from 'koa'
import { createSecureServer } from 'node:http2'

import { greet } from './greet.ts'
import { greetings } from './routes.ts'
import { announce, certificate, port } from './setup.ts'

const app = new Koa()
app.use(async (context, next) => {
  if (context.path === '/hello') context.body = 'hello\n'
  else await next()
})

// oxlint-disable-next-line typescript/no-misused-promises -- this promise never rejects: Koa answers errors itself.
const server = createSecureServer({ ...certificate, allowHTTP1: true }, app.callback())

const router = createRouter()
router.handle(greetings, greet)
router.attach(server)

server.listen(port, '127.0.0.1', () => announce(server))

async function stop(): Promise<void> {
  await router.drain()
  server.close()
}
process.once('SIGTERM', () => void stop())

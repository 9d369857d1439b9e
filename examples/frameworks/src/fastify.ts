/** Fastify. */
import { createRouter } from '@h2channel/channel/server'
import { fastify } from 'fastify'

import { greet } from './greet.ts'
import { greetings } from './routes.ts'
import { announce, certificate, port } from './setup.ts'

const app = fastify({ http2: true, https: { ...certificate, allowHTTP1: true } })
app.get('/hello', () => 'hello\n')

const router = createRouter()
router.handle(greetings, greet)
router.attach(app.server)

app.addHook('preClose', async () => {
  await router.drain()
})

// Not `localhost`: for that Fastify starts two servers, for IPv4 and for IPv6, and `app.server` is only one of them.
await app.listen({ port, host: '127.0.0.1' })
announce(app.server)

process.once('SIGTERM', () => void app.close())

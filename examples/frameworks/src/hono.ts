/** Hono on Node. */
import { createRouter } from '@h2channel/channel/server'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import type { Http2SecureServer } from 'node:http2'
import { createSecureServer } from 'node:http2'

import { greet } from './greet.ts'
import { greetings } from './routes.ts'
import { announce, certificate, port } from './setup.ts'

const app = new Hono()
app.get('/hello', (context) => context.text('hello\n'))

// `serve` is typed to return any server. It returns the one that `createServer` makes.
const server = serve(
  {
    fetch: app.fetch,
    createServer: createSecureServer,
    serverOptions: { ...certificate, allowHTTP1: true },
    hostname: '127.0.0.1',
    port,
  },
  () => announce(server),
) as Http2SecureServer

const router = createRouter()
router.handle(greetings, greet)
router.attach(server)

async function stop(): Promise<void> {
  await router.drain()
  server.close()
}
process.once('SIGTERM', () => void stop())

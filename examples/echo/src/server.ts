/** Sends every message back. */
import { createRouter } from '@h2channel/channel/server'
import { makeCertificate } from '@h2channel/conn/testing'
import { createSecureServer, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'

import { echo } from './routes.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    /** With a new certificate. */
    tls: { type: 'boolean', default: false },
  },
})

const router = createRouter()
router.handle(echo, async (channel) => {
  for await (const message of channel) await channel.send(message)
})

const server = values.tls ? createSecureServer(await makeCertificate()) : createServer()
router.attach(server)
server.listen(Number(values.port), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(`listening on ${values.tls ? 'https' : 'http'}://localhost:${port}`)
})

// Open channels may end before the server stops.
process.once('SIGTERM', () => void router.drain().then(() => server.close()))

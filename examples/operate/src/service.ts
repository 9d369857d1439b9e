/** A service that is deployed often: with probes, a drain on SIGTERM, and a maximum age of its channels. */
import { createRouter } from '@h2channel/channel/server'
import { connLimits } from '@h2channel/conn'
import { createServer as createProbeServer } from 'node:http'
import { createServer } from 'node:http2'

import { orders } from './routes.ts'

const { PORT = '8080', PROBE_PORT = '8081' } = process.env

const router = createRouter({ maxAge: 3_600_000 })
router.handle(orders, async (channel) => {
  // The client ends a channel that drains. Then this loop ends, and the handler returns.
  for await (const order of channel) await channel.send(`${order} by ${process.pid}`)
})

const server = createServer({ maxSessionMemory: connLimits.sessionMemory })
router.attach(server)
server.listen(Number(PORT), () => console.log(`listening on http://localhost:${PORT}`))

// Probes use HTTP/1, which a cleartext HTTP/2 server does not answer: they get a port of their own.
let isStopping = false
const probes = createProbeServer((request, response) => {
  response.statusCode = isStopping && request.url === '/readyz' ? 503 : 200
  response.end()
}).listen(Number(PROBE_PORT))

async function stop(): Promise<void> {
  isStopping = true
  await router.drain({ timeout: 20_000 })
  server.close()
  probes.close()
}
process.once('SIGTERM', () => void stop())

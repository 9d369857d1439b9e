/** Adds up the flights that it receives, and sends its progress while more of them arrive. */
import type { ServerChannel } from '@h2channel/channel'
import { createRouter } from '@h2channel/channel/server'
import { makeCertificate } from '@h2channel/conn/testing'
import { writeFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'

import type { CodecName } from './routes.ts'
import { routes } from './routes.ts'
import { Tally } from './tally.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8443' },
    /** The file for the certificate, which the client must trust. */
    ca: { type: 'string', default: 'ca.pem' },
  },
})

const { key, cert } = await makeCertificate()
writeFileSync(values.ca, cert)

// An ordinary server, with other work too.
const server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
  const isHealthz = request.url === '/healthz'
  response.writeHead(isHealthz ? 200 : 404, { 'content-type': 'text/plain' })
  response.end(isHealthz ? 'ok\n' : 'not found\n')
})

const router = createRouter()
for (const route of Object.values(routes)) router.handle(route, summarise)
router.attach(server)

async function summarise(channel: ServerChannel<(typeof routes)[CodecName]>): Promise<void> {
  const tally = new Tally()
  for await (const flight of channel) {
    tally.add(flight)
    if (tally.count % 10_000 === 0) await channel.send(tally.summary(false))
  }
  await channel.send(tally.summary(true))
}

server.listen(Number(values.port), '127.0.0.1', () => {
  const url = `https://localhost:${(server.address() as AddressInfo).port}`
  console.log(`server: process ${process.pid}, listening on ${url}`)
  process.send?.(url)
})

// Ends with the process that started it, however that process ended.
process.once('disconnect', () => process.exit())

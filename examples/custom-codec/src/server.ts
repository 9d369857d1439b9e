/** Receives the readings of thermometers, and acknowledges each. */
import { createRouter } from '@h2channel/channel/server'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'

import { readings } from './routes.ts'

const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } })

const router = createRouter()
router.handle(readings, async (channel, { headers }) => {
  console.log(`readings come as ${headers['content-type']}`)
  const sensors = new Map<string, { since: Date; count: number; sum: number }>()
  for await (const { sensor, at, celsius, frame } of channel) {
    const { since, count, sum } = sensors.get(sensor) ?? { since: at, count: 0, sum: 0 }
    sensors.set(sensor, { since, count: count + 1, sum: sum + celsius })
    const sha256 = createHash('sha256').update(frame).digest()
    await channel.send({ sensor, since, count: count + 1, mean: (sum + celsius) / (count + 1), sha256 })
  }
})

const server = createServer()
router.attach(server)
server.listen(Number(values.port), '127.0.0.1', () => {
  console.log(`listening on http://localhost:${(server.address() as AddressInfo).port}`)
})

// Open channels may end before the server stops.
process.once('SIGTERM', () => void router.drain().then(() => server.close()))

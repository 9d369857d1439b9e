/**
 * One end of a channel, which tells its parent which source files each message passed: `peer.ts receive`, `peer.ts send
 * ORIGIN`. The next message leaves when the one before has arrived, which the parent says, so that each travels alone.
 */
import { defineRoute } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import { Session } from 'node:inspector/promises'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'

const warmUp = 200
const counted = 300

const Tick = z.object({ symbol: z.string(), price: z.number() })
const ticks = defineRoute('/ticks', { client: json(Tick), server: json(Tick) })

const inspector = new Session()

async function startToCount(): Promise<void> {
  inspector.connect()
  await inspector.post('Profiler.enable')
  await inspector.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
  // The counts begin at zero from here.
  await inspector.post('Profiler.takePreciseCoverage')
}

/** The files with a function that most messages called, by their paths below `packages`. */
async function filesPassed(): Promise<string[]> {
  const { result } = await inspector.post('Profiler.takePreciseCoverage')
  const passed = result.filter(({ url, functions }) => {
    const calls = functions.map(({ ranges }) => ranges[0]?.count ?? 0)
    return url.includes('/packages/') && Math.max(...calls) > counted / 2
  })
  return passed.map(({ url }) => url.replace(/^.*\/packages\/(\w+)\/src\//, '$1/')).toSorted()
}

async function receive(): Promise<void> {
  const router = createRouter()
  router.handle(ticks, async (channel) => {
    let received = 0
    for await (const _ of channel) {
      received++
      if (received === warmUp) await startToCount()
      if (received === warmUp + counted) process.send?.({ files: await filesPassed() })
      process.send?.({ received })
    }
  })
  const server = createServer()
  router.attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.send?.({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

async function send(origin: string): Promise<void> {
  const channel = await createClient(origin).open(ticks)
  for (let sent = 1; sent <= warmUp + counted; sent++) {
    const arrived = once(process, 'message')
    await channel.send({ symbol: 'SAP', price: sent })
    await arrived
    if (sent === warmUp) await startToCount()
  }
  process.send?.({ files: await filesPassed() })
}

const [role, origin = ''] = process.argv.slice(2)
if (role === 'send') await send(origin)
else await receive()

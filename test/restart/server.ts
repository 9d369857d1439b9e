/** A server that sends numbers on every channel. When it stops, it reports what it sent and received. */
import { createRouter } from '@h2channel/channel/server'
import { createServer } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'

import type { Report } from './routes.ts'
import { pace, talk } from './routes.ts'

const reports: Report[] = []
const router = createRouter()
router.handle(talk, async (channel, { params }) => {
  const report = {
    id: params.id,
    turn: Number(params.turn),
    received: [] as number[],
    first: Number(params.next),
    sent: 0,
    isTold: false,
  }
  reports.push(report)
  const over = new AbortController()
  const send = async (): Promise<void> => {
    while (!over.signal.aborted && !channel.draining.aborted) {
      await channel.send({ number: report.first + report.sent })
      report.sent += 1
      await pause(pace)
    }
    await channel.end()
  }
  const sending = send().catch(() => {
    report.isTold = true
  })
  for await (const { number } of channel) report.received.push(number)
  over.abort()
  await sending
})

const server = createServer({ maxSessionMemory: 100 })
router.attach(server)
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'))

async function stop(): Promise<void> {
  await router.drain()
  server.close()
  console.log(`report ${JSON.stringify(reports)}`)
}
process.once('SIGTERM', () => void stop())

/** A server that counts on every channel, and reports at its end. */
import { createRouter } from '@h2channel/channel/server'
import { createServer } from 'node:http2'

import type { Report } from './routes.ts'
import { converse, talk } from './routes.ts'

const reports: Report[] = []
const router = createRouter({ resume: true })
router.handle(talk, async (channel, { params }) => {
  let isOver = false
  reports.push(
    await converse(
      params.id,
      channel,
      () => isOver,
      () => {
        isOver = true
      },
    ),
  )
})

const server = createServer({ maxSessionMemory: 100 })
router.attach(server)
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'))

async function stop(): Promise<void> {
  await router.drain()
  server.close()
  console.log(`report ${JSON.stringify({ reports, left: [router.channels, router.detached] })}`)
}
process.once('SIGTERM', () => void stop())

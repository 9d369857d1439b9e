/** A server that sends numbers on every channel, and stores what it receives in a file, as others do in a database. */
import { createRouter } from '@h2channel/channel/server'
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'

import { pace, talk } from './routes.ts'

const [port, store = ''] = process.argv.slice(2)
const router = createRouter()

// #region user
router.handle(talk, async (channel, { params }) => {
  let stored = 0
  const over = new AbortController()
  let { received: sent } = (await channel.receive()) ?? { received: 0 }
  const send = async (): Promise<void> => {
    while (!over.signal.aborted && !channel.draining.aborted) {
      await channel.send({ number: sent + 1, received: stored })
      sent += 1
      await pause(pace)
    }
    await channel.end()
  }
  const receive = async (): Promise<void> => {
    for await (const { number } of channel) {
      appendFileSync(store, `${params.id} ${number}\n`)
      stored = number
    }
    over.abort()
  }
  await Promise.all([send(), receive()])
})
// #endregion

const server = createServer({ maxSessionMemory: 100 })
router.attach(server)
server.listen(Number(port), '127.0.0.1', () => console.log('listening'))

async function stop(): Promise<void> {
  await router.drain()
  server.close()
}
process.once('SIGTERM', () => void stop())

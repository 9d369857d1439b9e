/** A client of many conversations, and one channel for each. It ends them on SIGTERM, and reports. */
import { createClient } from '@h2channel/channel/client'

import { converse, talk } from './routes.ts'

const [port, count] = process.argv.slice(2).map(Number)
let isOver = false
process.once('SIGTERM', () => {
  isOver = true
})

const client = createClient(`http://127.0.0.1:${port}`, {
  resume: true,
  retry: { initialDelay: 10, maxDelay: 200, maxAttempts: Infinity },
})
const ids = Array.from({ length: count ?? 0 }, (_, index) => String(index))
const channels = await Promise.all(
  ids.map(async (id) => ({ id, channel: await client.open(talk, { params: { id } }) })),
)
console.log('talking')
const reports = await Promise.all(channels.map(async ({ id, channel }) => converse(id, channel, () => isOver)))
console.log(`report ${JSON.stringify(reports)}`)
await client.close()

/** A client of many conversations, and one channel for each. It ends them on SIGTERM, and reports. */
import { createClient } from '@h2channel/channel/client'

import { converse, talk } from './routes.ts'

const [origin = '', count] = process.argv.slice(2)
const { CA: ca } = process.env
let isOver = false
process.once('SIGTERM', () => {
  isOver = true
})

const client = createClient(origin, {
  tls: ca === undefined ? undefined : { ca },
  resume: true,
  retry: { initialDelay: 10, maxDelay: 200, maxAttempts: Infinity },
})
const ids = Array.from({ length: Number(count) }, (_, index) => String(index))
const channels = await Promise.all(
  ids.map(async (id) => ({ id, channel: await client.open(talk, { params: { id } }) })),
)
console.log('talking')
const reports = await Promise.all(channels.map(async ({ id, channel }) => converse(id, channel, () => isOver)))
console.log(`report ${JSON.stringify(reports)}`)
await client.close()

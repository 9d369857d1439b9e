/** Sends each line of the standard input, and prints the answers. */
import { createClient } from '@h2channel/channel/client'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

import { echo } from './routes.ts'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://localhost:8080' },
    /** Accepts any certificate, like curl's option of this name. */
    insecure: { type: 'boolean', short: 'k', default: false },
  },
})

await using client = createClient(values.url, values.insecure ? { tls: { rejectUnauthorized: false } } : {})
await using channel = await client.open(echo)
await Promise.all([sendLines(), printMessages()])

async function sendLines(): Promise<void> {
  for await (const text of createInterface({ input: process.stdin })) await channel.send({ text })
  await channel.end()
}

async function printMessages(): Promise<void> {
  for await (const { text } of channel) console.log(text)
}

/** Sends each line of the standard input as a name, and prints the greetings. */
import { createClient } from '@h2channel/channel/client'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

import { greetings } from './routes.ts'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'https://localhost:8443' },
    language: { type: 'string', default: 'en' },
    /** Accepts any certificate, like curl's option of this name. */
    insecure: { type: 'boolean', short: 'k', default: false },
  },
})

await using client = createClient(values.url, { tls: { rejectUnauthorized: !values.insecure } })
await using channel = await client.open(greetings, { params: { language: values.language } })
const input = createInterface({ input: process.stdin })
// A server that stops waits for its channels to end.
channel.draining.addEventListener('abort', () => input.close())
await Promise.all([sendNames(), printGreetings()])

async function sendNames(): Promise<void> {
  for await (const name of input) await channel.send({ name })
  await channel.end()
}

async function printGreetings(): Promise<void> {
  for await (const { text } of channel) console.log(text)
}

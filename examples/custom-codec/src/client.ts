/** Sends each line of the standard input as a reading: a time, a sensor's name, and nine bytes of a DS18B20 in hex. */
import { createClient } from '@h2channel/channel/client'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

import { readings, readingsInJson } from './routes.ts'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://localhost:8080' },
    /** Sends JSON instead of CBOR. */
    json: { type: 'boolean', default: false },
  },
})

await using client = createClient(values.url)
await using channel = await client.open(values.json ? readingsInJson : readings)
await Promise.all([sendReadings(), printReceipts()])

async function sendReadings(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === '') continue
    const [time = '', sensor = '', ...hex] = line.split(' ')
    const at = new Date(time)
    const frame = Buffer.from(hex.join(''), 'hex')
    if (Number.isNaN(at.getTime()) || frame.length !== 9) {
      console.error(`not a time, a name and nine bytes: ${line}`)
      continue
    }
    await channel.send({ sensor, at, celsius: frame.readInt16LE() / 16, frame })
  }
  await channel.end()
}

async function printReceipts(): Promise<void> {
  for await (const { sensor, count, since, mean, sha256 } of channel) {
    const digest = Buffer.from(sha256).toString('hex').slice(0, 8)
    console.log(`${sensor} ${count} since ${since.toISOString()}, mean ${mean} °C, sha256 ${digest}…`)
  }
}

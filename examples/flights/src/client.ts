/** Sends every flight with each codec, receives summaries meanwhile, and compares them with its own sums. */
import type { ClientChannel } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { isDeepStrictEqual, parseArgs } from 'node:util'

import { readFlights } from './flights.ts'
import { showProgress } from './progress.ts'
import type { Run } from './report.ts'
import { chart, machine, table } from './report.ts'
import type { CodecName, Summary } from './routes.ts'
import { routes } from './routes.ts'
import { Tally } from './tally.ts'

type FlightsChannel = ClientChannel<(typeof routes)[CodecName]>

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'https://localhost:8443' },
    /** The server's certificate. */
    ca: { type: 'string', default: 'ca.pem' },
  },
})
const url = new URL(values.url)
const ca = readFileSync(values.ca)

const flights = readFlights()
const tally = new Tally()
for (const flight of flights) tally.add(flight)
const expected = tally.summary(true)
console.log(`client: process ${process.pid}, sending ${flights.length.toLocaleString('en')} flights by each codec\n`)

const runs: Run[] = []
for (const codec of Object.keys(routes) as CodecName[]) runs.push(await run(codec))

const differing = runs.filter(({ summary }) => !isDeepStrictEqual(summary, expected)).map(({ codec }) => codec)
console.log(chart(expected))
console.log(table(runs))
console.log(machine())
if (differing.length === 0) {
  console.log(`summaries equal: ${runs.length} from the server, 1 from the file`)
} else {
  console.log(`summaries differ from the file's: ${differing.join(', ')}`)
  process.exitCode = 1
}

async function run(codec: CodecName): Promise<Run> {
  // Each codec has its own TCP connection, whose socket counts all bytes that went over it: TLS, HTTP/2 and all.
  const socket = connect(Number(url.port), url.hostname)
  await using client = createClient(url, { tls: { ca, socket } })

  const start = performance.now()
  await using channel = await client.open(routes[codec])
  const [summary] = await Promise.all([receiveAll(channel, codec), sendAll(channel)])
  const seconds = (performance.now() - start) / 1000

  return { codec, summary, seconds, bytesSent: socket.bytesWritten, bytesReceived: socket.bytesRead }
}

async function sendAll(channel: FlightsChannel): Promise<void> {
  for (const flight of flights) await channel.send(flight)
  await channel.end()
}

async function receiveAll(channel: FlightsChannel, codec: CodecName): Promise<Summary | undefined> {
  const progress = showProgress(codec, flights.length)
  let last: Summary | undefined
  for await (const summary of channel) {
    progress.update(summary.count)
    last = summary
  }
  progress.stop()
  return last
}

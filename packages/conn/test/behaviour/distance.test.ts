/**
 * The throughput of one stream over a slow link, compared with plain `node:http2`. Both use equal relays
 * in the same run; what is compared is how many round trips each needs, so that the machine's speed hardly matters.
 */
import { once } from 'node:events'
import type { Http2Stream } from 'node:http2'
import { connect as connectBare, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'

import type { Conn } from '../../src/index.ts'
import { connect, SessionPool } from '../../src/index.ts'
import { startServer } from '../../src/testing.ts'
import { distant, startRelay } from '../support/relay.ts'
import { deferred } from '../support/support.ts'

type Direction = 'client to server' | 'server to client'

const piece = Buffer.alloc(64 * 1024, 'x')
const portOf = (origin: string): number => Number(new URL(origin).port)

/** MB per second, from the first byte's departure to the last one's arrival. */
async function measured(bytes: number, transfer: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await transfer()
  return bytes / 1e6 / ((performance.now() - start) / 1e3)
}

async function writeAll(conn: Conn, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= piece.length) await conn.write(piece.subarray(0, left))
}

async function readAll(conn: Conn, bytes: number): Promise<void> {
  for (let got = 0; got < bytes;) got += (await conn.read())?.length ?? Number.NaN
}

async function ours(roundTrip: number, direction: Direction, bytes: number): Promise<number> {
  const accepted = deferred<Conn>()
  await using server = await startServer((conn) => accepted.resolve(conn), { tls: false })
  await using relay = await startRelay(portOf(server.origin), distant(roundTrip))
  await using sessions = new SessionPool({ closeTimeout: 1_000 })
  const client = await connect(`http://127.0.0.1:${relay.port}/`, { sessions })
  const there = await accepted.promise
  // There and back once: both sides' settings have arrived then.
  await client.write(piece.subarray(0, 1))
  await there.read()
  await there.write(piece.subarray(0, 1))
  await client.read()
  const [from, to] = direction === 'client to server' ? [client, there] : [there, client]
  const speed = await measured(bytes, async () => {
    await Promise.all([writeAll(from, bytes), readAll(to, bytes)])
  })
  await Promise.all([client.close(), there.close()])
  return speed
}

async function writeAllBare(stream: Http2Stream, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= piece.length) {
    if (!stream.write(piece.subarray(0, left))) await once(stream, 'drain')
  }
}

async function readAllBare(stream: Http2Stream, bytes: number): Promise<void> {
  let got = 0
  await new Promise<void>((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      got += chunk.length
      if (got >= bytes) resolve()
    })
  })
}

async function bare(roundTrip: number, direction: Direction, bytes: number): Promise<number> {
  const server = createServer()
  const accepted = once(server, 'stream') as Promise<[Http2Stream & { respond(): void }]>
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using relay = await startRelay((server.address() as AddressInfo).port, distant(roundTrip))
  const session = connectBare(`http://127.0.0.1:${relay.port}`)
  const client = session.request({ ':method': 'POST' })
  const answered = once(client, 'response')
  const [there] = await accepted
  there.respond()
  await answered
  client.write(piece.subarray(0, 1))
  await readAllBare(there, 1)
  there.write(piece.subarray(0, 1))
  await readAllBare(client, 1)
  for (const stream of [client, there]) stream.removeAllListeners('data')
  const [from, to] = direction === 'client to server' ? [client, there] : [there, client]
  const speed = await measured(bytes, async () => {
    await Promise.all([writeAllBare(from, bytes), readAllBare(to, bytes)])
  })
  client.end()
  there.end()
  await Promise.all([once(client, 'close'), once(there, 'close')])
  session.close()
  await once(session, 'close')
  await new Promise((resolve) => server.close(resolve))
  return speed
}

const MiB = 1024 * 1024
const links = [
  { roundTrip: 20, bytes: 6 * MiB },
  { roundTrip: 100, bytes: 1.5 * MiB },
]
const directions: readonly Direction[] = ['client to server', 'server to client']
const cases = links.flatMap((link) => directions.map((direction) => ({ ...link, direction })))

// Tried again where something else kept the processor busy: ours needs it fifteen times as much.
const patience = { retry: 2 }

it.each(cases)(
  'is ten times as fast at $roundTrip ms, $direction',
  patience,
  async ({ roundTrip, bytes, direction }) => {
    const [slow, fast] = [await bare(roundTrip, direction, bytes), await ours(roundTrip, direction, bytes)]
    const factor = (fast / slow).toFixed(1)
    const figures = `${fast.toFixed(1)} MB/s, plain node:http2 ${slow.toFixed(2)} MB/s: ${factor} times`
    process.stdout.write(`${roundTrip} ms, ${direction}, Node ${process.version}: ${figures}\n`)
    expect(fast / slow).toBeGreaterThanOrEqual(10)
  },
)

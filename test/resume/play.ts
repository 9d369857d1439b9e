/** Conversations of two processes, while everything between them goes wrong. */
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'

import { Program } from '../../examples/test/program.ts'
import { Report } from './routes.ts'

export const conversations = 200
export const cuts = 50
/** How long a process stands still. Unit: milliseconds. */
const stop = 3_000

/** So many bytes are more than the answers to all requests. */
const busy = 64 * 1024

/** What lies between the relay and the server. */
export interface Between extends AsyncDisposable {
  readonly port: number
  /** The authority of its certificate, as PEM. Without one, it speaks cleartext. */
  readonly ca?: string
  /** What is restarted during the conversations, one after the other. */
  readonly restarts: readonly (() => Promise<void>)[]
}

/** Numbers from 0 to below `most`, the same for the same seed. */
function randomFrom(seed: number): (most: number) => number {
  let state = Math.imul(seed, 2_654_435_761) | 1
  return (most) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return Math.floor(((state >>> 0) / 2 ** 32) * most)
  }
}

/** What lies between the two processes. */
class Relay implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** How many bytes came from the server since the last cut. */
  #passed = 0
  #onPassed = (): void => {}

  private constructor(server: Server, target: number) {
    this.#server = server
    server.on('connection', (near) => this.#join(near, target))
  }

  static async start(target: number): Promise<Relay> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Relay(server, target)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Cuts every connection, with what is on its way. Returns how many there were. */
  cut(): number {
    const count = this.#sockets.size
    for (const socket of this.#sockets) socket.resetAndDestroy()
    this.#passed = 0
    return count
  }

  /** Waits until that many bytes have come from the server since the last cut. */
  async passed(bytes: number): Promise<void> {
    while (this.#passed < bytes) {
      await new Promise<void>((resolve) => {
        this.#onPassed = resolve
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(near: Socket, target: number): void {
    const far = connect({ port: target, host: '127.0.0.1', noDelay: true })
    far.on('data', ({ length }: Buffer) => {
      this.#passed += length
      this.#onPassed()
    })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.pipe(other)
      one.once('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await once(server.close(), 'close')
  return port
}

/** How it ended. */
export interface Played {
  /** The conversations of which a message was lost, came twice or out of order, or that did not end cleanly. */
  readonly faults: readonly unknown[]
  /** How many conversations each side reported. */
  readonly reported: readonly [client: number, server: number]
  /** How many channels the server still had, and how many without a connection. */
  readonly left: readonly number[]
  readonly resumed: number
}

const nothing = (port: number): Promise<Between> =>
  Promise.resolve({ port, restarts: [], [Symbol.asyncDispose]: () => Promise.resolve() })

/** Plays all conversations, and prints their counts. `start` puts something in front of the server. */
export async function play(seed: number, start: (port: number) => Promise<Between> = nothing): Promise<Played> {
  const random = randomFrom(seed)
  const port = await freePort()
  await using server = Program.run('../test/resume/server.ts', [String(port)])
  await server.line(/listening/)
  await using between = await start(port)
  await using relay = await Relay.start(between.port)
  const { ca } = between
  const origin = `${ca === undefined ? 'http' : 'https'}://127.0.0.1:${relay.port}`
  const options = ca === undefined ? {} : { env: { CA: ca } }
  await using client = Program.run('../test/resume/client.ts', [origin, String(conversations)], options)
  await client.line(/talking/)

  const standStill = (program: Program) => async (): Promise<void> => {
    program.kill('SIGSTOP')
    await pause(stop)
    program.kill('SIGCONT')
  }
  const troubles = [standStill(server), ...between.restarts, standStill(client)]
  let lost = 0
  for (let cut = 1; cut <= cuts; cut++) {
    await pause(random(150))
    // Most cuts find all channels busy again. The others come whenever they come, and may hit a handshake.
    if (random(3) > 0) await relay.passed(busy)
    lost += relay.cut()
    const share = (count: number): number => Math.floor((count * (troubles.length + 1)) / cuts)
    if (share(cut) > share(cut - 1)) await troubles[share(cut) - 1]?.()
  }
  client.kill('SIGTERM')
  const [, ofClient = ''] = await client.line(/^report (.*)$/)
  await client.exitsWith(0)
  server.kill('SIGTERM')
  const [, ofServer = ''] = await server.line(/^report (.*)$/)
  await server.exitsWith(0)

  const ours = z.array(Report).parse(JSON.parse(ofClient))
  const { reports, left } = z
    .object({ reports: z.array(Report), left: z.array(z.number()) })
    .parse(JSON.parse(ofServer))
  const theirs = new Map(reports.map((report) => [report.id, report]))
  const faults = ours.flatMap((one) => {
    const other = theirs.get(one.id)
    const isWhole = one.sent === other?.received && one.received === other.sent
    const isClean = one.closed === 'clean' && other?.closed === 'clean'
    return isWhole && isClean && one.fault === undefined && other.fault === undefined ? [] : [{ one, other }]
  })
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
  const [up, down] = [sum(ours.map(({ sent }) => sent)), sum(ours.map(({ received }) => received))]
  const resumed = sum(ours.map(({ carriers }) => carriers - 1))
  console.log(`seed ${seed}: ${up} messages up, ${down} down, ${resumed} times resumed, ${lost} sockets cut`)
  return { faults, reported: [ours.length, theirs.size], left, resumed }
}

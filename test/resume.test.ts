/** Channels that outlive their connections, while everything goes wrong: no message is lost, and none comes twice. */
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

import { Program } from '../examples/test/program.ts'
import { Report } from './resume/routes.ts'

const runs = Number(process.env['RUNS'] ?? 1)
/** `H2CHANNEL_SEED` repeats the moments of a run, as far as a machine repeats them. */
const firstSeed = Number(process.env['H2CHANNEL_SEED'] ?? Date.now() % 1_000_000)
const conversations = 200
const cuts = 50
/** How long a process stands still. Unit: milliseconds. */
const stop = 3_000

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
    return count
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(near: Socket, target: number): void {
    const far = connect({ port: target, host: '127.0.0.1', noDelay: true })
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

describe.each(Array.from({ length: runs }, (_, index) => firstSeed + index))('seed %i', (seed) => {
  test(`${conversations} channels outlive ${cuts} lost connections, and each process standing still for 3 s`, async () => {
    const random = randomFrom(seed)
    const port = await freePort()
    await using server = Program.run('../test/resume/server.ts', [String(port)])
    await server.line(/listening/)
    await using relay = await Relay.start(port)
    await using client = Program.run('../test/resume/client.ts', [String(relay.port), String(conversations)])
    await client.line(/talking/)

    let lost = 0
    const stops = new Map([
      [Math.floor(cuts / 3), server],
      [Math.floor((2 * cuts) / 3), client],
    ])
    for (let cut = 0; cut < cuts; cut++) {
      await pause(random(150))
      lost += relay.cut()
      const program = stops.get(cut)
      if (program === undefined) continue
      program.kill('SIGSTOP')
      await pause(stop)
      program.kill('SIGCONT')
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
    console.log(
      `seed ${seed}: ${sum(ours.map(({ sent }) => sent))} messages up, ${sum(ours.map(({ received }) => received))} down, ` +
        `${sum(ours.map(({ carriers }) => carriers - 1))} times resumed, ${lost} sockets cut`,
    )
    expect(faults).toEqual([])
    expect([ours.length, theirs.size, left]).toEqual([conversations, conversations, [0, 0]])
    expect(sum(ours.map(({ carriers }) => carriers - 1))).toBeGreaterThan(conversations * 2)
  }, 120_000)
})

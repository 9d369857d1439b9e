/** Deploys while channels are busy. No message is lost unless its sender knows. */
import { createClient } from '@h2channel/channel/client'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

import { Program } from '../examples/test/program.ts'
import { pace, Report, talk } from './restart/routes.ts'

const runs = Number(process.env['RUNS'] ?? 1)
const conversations = 200
const deploys = 3
/** The least number of messages that each conversation gets between two deploys. */
const between = 10

/** Free ports. */
async function ports(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(async (server) => once(server, 'listening')))
  const free = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(async (server) => once(server.close(), 'close')))
  return free
}

async function start(port: number | undefined): Promise<Program> {
  const server = Program.run('../test/restart/server.ts', [String(port)])
  await server.line(/listening/)
  return server
}

/** One side of a conversation, which continues from channel to channel. */
class Conversation {
  readonly id: string
  /** By channel: what was sent, what was received, and whether the sender knows that some may not have arrived. */
  readonly turns: { readonly first: number; sent: number; readonly received: number[]; isTold: boolean }[] = []
  received = 0
  isEnding = false
  #waiting: (() => void) | undefined

  constructor(id: string) {
    this.id = id
  }

  /** Waits until that many messages have arrived. */
  async reached(count: number): Promise<void> {
    while (this.received < count) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
    }
  }

  async run(client: ReturnType<typeof createClient>): Promise<void> {
    let [next, expected] = [1, 1]
    while (!this.isEnding) {
      const turn = { first: next, sent: 0, received: [] as number[], isTold: false }
      const params = { id: this.id, turn: String(this.turns.length), next: String(expected) }
      const channel = await client.open(talk, { params })
      this.turns.push(turn)
      const receive = async (): Promise<void> => {
        for await (const { number } of channel) {
          turn.received.push(number)
          this.received += 1
          this.#waiting?.()
        }
      }
      const send = async (): Promise<void> => {
        while (!this.isEnding && !channel.draining.aborted) {
          await channel.send({ number: turn.first + turn.sent })
          turn.sent += 1
          await pause(pace)
        }
        await channel.end()
      }
      const told = (): void => {
        turn.isTold = true
      }
      await Promise.all([send().catch(told), receive().catch(told)])
      await channel.close().catch(told)
      next = turn.first + turn.sent
      expected += turn.received.length
    }
  }
}

/** How many of the numbers from `first` on did not arrive, each once and in order. Unexpected numbers count too. */
function wrong(first: number, sent: number, received: readonly number[]): number {
  const inOrder = received.filter((number, index) => number === first + index).length
  return sent - inOrder + (received.length - inOrder)
}

describe.each(Array.from({ length: runs }, (_, index) => index + 1))('run %i', (run) => {
  test('three deploys during 200 busy channels lose nothing without an error at its sender', async () => {
    const free = await ports(deploys + 1)
    const talking = Array.from({ length: conversations }, (_, id) => new Conversation(String(id)))
    const reports: Report[] = []
    const stop = async (server: Program): Promise<void> => {
      server.kill('SIGTERM')
      const [, report = ''] = await server.line(/^report (.*)$/)
      reports.push(...z.array(Report).parse(JSON.parse(report)))
      await server.exitsWith(0)
      await server[Symbol.asyncDispose]()
    }
    let server = await start(free[0])
    await using client = createClient(
      free.map((port) => `http://127.0.0.1:${port}`),
      { retry: { maxAttempts: 20 } },
    )
    const running = Promise.all(talking.map(async (conversation) => conversation.run(client)))
    const progress = async (): Promise<void> => {
      await Promise.race([running, Promise.all(talking.map(async (one) => one.reached(one.received + between)))])
    }
    for (let deploy = 1; deploy <= deploys; deploy++) {
      await progress()
      const next = await start(free[deploy])
      await stop(server)
      server = next
    }
    await progress()
    for (const conversation of talking) conversation.isEnding = true
    await running
    await stop(server)

    const there = new Map(reports.map((report) => [`${report.id} ${report.turn}`, report]))
    let [up, down, told, lost, channels] = [0, 0, 0, 0, 0]
    for (const { id, turns } of talking) {
      for (const [index, turn] of turns.entries()) {
        const other = there.get(`${id} ${index}`)
        const isTold = turn.isTold || other?.isTold === true
        const missing =
          wrong(turn.first, turn.sent, other?.received ?? []) +
          wrong(other?.first ?? 0, other?.sent ?? 0, turn.received)
        channels += 1
        up += turn.sent
        down += turn.received.length
        if (isTold) told += missing
        else lost += missing
      }
    }
    console.log(
      `run ${run}: ${channels} channels, ${up} messages up, ${down} down, ${told} reported unsent, ${lost} lost`,
    )
    expect(lost).toBe(0)
    // No channel was reset: all of them had enough time.
    expect(told).toBe(0)
    expect(channels).toBe(reports.length)
    // Each conversation was on every server in turn.
    expect(channels).toBeGreaterThanOrEqual(conversations * (deploys + 1))
  }, 60_000)
})

/** Deploys and crashes while channels are busy. No number is lost, and none comes twice unless a server was killed. */
import { createClient } from '@h2channel/channel/client'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { Program } from '../examples/test/program.ts'
import { converse } from './restart/converse.ts'

const runs = Number(process.env['RUNS'] ?? 1)
const conversations = 200
const deploys = 3
const kills = 4
/** The least number of messages that each conversation gets between two deploys. */
const between = 10
/** How many numbers a killed server may have stored for a conversation, without having said so. */
const mayRepeat = 50

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'restart-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Free ports. */
async function ports(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(async (server) => once(server, 'listening')))
  const free = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(async (server) => once(server.close(), 'close')))
  return free
}

/** Conversations with the servers of some ports, and the numbers that came. */
class Conversations {
  readonly #store: string
  readonly #received = Array.from({ length: conversations }, (): number[] => [])
  readonly #running: Promise<readonly number[]>
  #isOver = false
  #onNumber = (): void => {}

  constructor(free: readonly number[], store: string) {
    this.#store = join(folder, store)
    this.#running = this.#run(free.map((port) => `http://127.0.0.1:${port}`))
    this.#running.catch(() => {})
  }

  async #run(origins: readonly string[]): Promise<readonly number[]> {
    await using client = createClient(origins, {
      retry: { maxAttempts: Infinity, initialDelay: 20, maxDelay: 500 },
    })
    const each = this.#received.map(async (received, id) => {
      const onNumber = (number: number): void => {
        received.push(number)
        this.#onNumber()
      }
      return await converse(client, String(id), () => this.#isOver, onNumber)
    })
    return await Promise.all(each)
  }

  async start(port: number | undefined): Promise<Program> {
    const server = Program.run('../test/restart/server.ts', [String(port), this.#store])
    await server.line(/listening/)
    return server
  }

  /** Waits until each conversation got some numbers more. */
  async progress(): Promise<void> {
    const wanted = this.#received.map(({ length }) => length + between)
    await new Promise<void>((resolve, reject) => {
      this.#running.catch(reject)
      this.#onNumber = () => {
        if (this.#received.every(({ length }, id) => length >= (wanted[id] ?? 0))) resolve()
      }
    })
  }

  /** Ends them. Returns how many numbers were sent and received, and how many were lost, or came twice. */
  async end() {
    this.#isOver = true
    const sent = await this.#running
    const stored = this.#received.map((): number[] => [])
    for (const line of readFileSync(this.#store, 'utf8').trimEnd().split('\n')) {
      const [id, number] = line.split(' ').map(Number)
      stored[id ?? 0]?.push(number ?? 0)
    }
    const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
    const countsUp = (numbers: readonly number[]): boolean => numbers.every((number, index) => number === index + 1)
    const distinct = stored.map((numbers) => [...new Set(numbers)])
    return {
      up: sum(sent),
      down: sum(this.#received.map(({ length }) => length)),
      wrong: [...distinct, ...this.#received].filter((numbers) => !countsUp(numbers)),
      lost: sent.filter((count, id) => count !== distinct[id]?.length),
      twice: stored.map((numbers, id) => numbers.length - (distinct[id]?.length ?? 0)),
    }
  }
}

test.each(['converse.ts', 'server.ts'])('what a user writes for it in %s has at most 30 lines', (file) => {
  const text = readFileSync(new URL(`restart/${file}`, import.meta.url), 'utf8')
  const [, code = ''] = /\/\/ #region user\n(.*)\n\/\/ #endregion/s.exec(text) ?? []
  const lines = code.split('\n').filter((line) => !line.startsWith('/**'))
  expect(lines.length).toBeGreaterThan(10)
  expect(lines.length).toBeLessThanOrEqual(30)
})

describe.each(Array.from({ length: runs }, (_, index) => index + 1))('run %i', (run) => {
  test(`${deploys} deploys during ${conversations} busy channels lose nothing, and nothing comes twice`, async () => {
    const free = await ports(deploys + 1)
    const talking = new Conversations(free, `deploys-${run}`)
    let server = await talking.start(free[0])
    for (let deploy = 1; deploy <= deploys; deploy++) {
      await talking.progress()
      const next = await talking.start(free[deploy])
      server.kill('SIGTERM')
      await server.exitsWith(0)
      server = next
    }
    await talking.progress()
    const { up, down, wrong, lost, twice } = await talking.end()
    console.log(`run ${run}: ${up} numbers up, ${down} down, ${deploys} deploys`)
    expect([wrong, lost, Math.max(...twice)]).toEqual([[], [], 0])
    server.kill('SIGTERM')
    await server.exitsWith(0)
  }, 60_000)

  test(`one of two servers is killed ${kills} times during ${conversations} busy channels: nothing is lost`, async () => {
    const free = await ports(2)
    const talking = new Conversations(free, `kills-${run}`)
    const servers = await Promise.all(free.map(async (port) => talking.start(port)))
    for (let kill = 0; kill < kills; kill++) {
      await talking.progress()
      // Each in turn: also the one to which all channels have moved.
      const which = kill % servers.length
      servers[which]?.kill('SIGKILL')
      await servers[which]?.exited()
      await talking.progress()
      servers[which] = await talking.start(free[which])
    }
    await talking.progress()
    const { up, down, wrong, lost, twice } = await talking.end()
    const repeated = twice.reduce((total, count) => total + count, 0)
    console.log(`run ${run}: ${up} numbers up, ${down} down, ${kills} servers killed, ${repeated} stored twice`)
    expect([wrong, lost]).toEqual([[], []])
    expect(Math.max(...twice)).toBeLessThanOrEqual(mayRepeat)
    for (const server of servers) {
      server.kill('SIGTERM')
      await server.exitsWith(0)
    }
  }, 60_000)
})

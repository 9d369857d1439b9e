/** The processes of the comparison: started, asked, and ended whatever happens. */
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import type { Job, Result } from './job.ts'
import type { Reply, Task } from './worker.ts'

const program = fileURLToPath(new URL('worker.js', import.meta.url))

/** Whatever is still running. */
const running = new Set<Worker>()

/** Ends all that is left, at once. */
export function stopAll(): void {
  for (const worker of running) worker.stop()
}

export class Worker {
  readonly #child: ChildProcess
  /** What it last said before it failed. */
  #stderr = ''
  #settle: ((reply: Reply) => void) | undefined

  constructor(node: string) {
    // So that the server can be told to collect garbage: it changes nothing else.
    this.#child = fork(program, { execPath: node, execArgv: ['--expose-gc'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    running.add(this)
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-2_000)
    })
    this.#child.on('message', (reply: Reply) => this.#settle?.(reply))
    this.#child.on('error', (error) => this.#settle?.({ error: error.message }))
    this.#child.on('close', (code, signal) => {
      running.delete(this)
      this.#settle?.({ error: `its process ended (${signal ?? code}) ${reasonIn(this.#stderr)}`.trim() })
    })
  }

  /** Hands over a task, one at a time, and waits for the answer for so many milliseconds. */
  async ask(task: Task, patience: number): Promise<unknown> {
    const reply = await new Promise<Reply>((resolve) => {
      const timer = setTimeout(() => this.#settle?.({ error: `no answer in ${patience / 1_000} s` }), patience)
      this.#settle = (given) => {
        clearTimeout(timer)
        this.#settle = undefined
        resolve(given)
      }
      this.#child.send(task, (error) => {
        if (error !== null) this.#settle?.({ error: error.message })
      })
    })
    if (reply.error !== undefined) throw new Error(reply.error)
    return reply.answer
  }

  stop(): void {
    running.delete(this)
    this.#child.kill('SIGKILL')
  }
}

/** The line of a crashed process's last words that says why. */
function reasonIn(stderr: string): string {
  const lines = stderr.split('\n')
  return lines.find((line) => /^\s*(\w*Error|\w+ \[\w+\]|FATAL)\b/.test(line))?.trim() ?? ''
}

export interface PairOptions {
  readonly node: string
  /** How long each answer may take to begin with. Unit: milliseconds. */
  readonly patience: number
  /** Through a relay that is so far away. Unit: milliseconds. */
  readonly roundTrip?: number | undefined
}

/** A server and a client that are connected; or one process, for what is done alone. */
export class Pair {
  readonly #client: Worker
  readonly #others: readonly Worker[]
  readonly #server: Worker | undefined

  private constructor(client: Worker, server: Worker | undefined, others: readonly Worker[]) {
    this.#client = client
    this.#server = server
    this.#others = others
  }

  static async start(peer: string, isAlone: boolean, { node, patience, roundTrip }: PairOptions): Promise<Pair> {
    const client = new Worker(node)
    if (isAlone) {
      await client.ask({ do: 'load', peer }, patience)
      return new Pair(client, undefined, [])
    }
    const server = new Worker(node)
    const relay = roundTrip === undefined ? undefined : new Worker(node)
    const pair = new Pair(client, server, relay === undefined ? [] : [relay])
    try {
      let port = (await server.ask({ do: 'serve', peer }, patience)) as number
      if (relay !== undefined && roundTrip !== undefined) {
        port = (await relay.ask({ do: 'relay', target: port, roundTrip }, patience)) as number
      }
      await client.ask({ do: 'connect', peer, port }, patience)
      return pair
    } catch (error) {
      pair.stop()
      throw error
    }
  }

  async run(job: Job, patience: number): Promise<Result> {
    return (await this.#client.ask({ do: 'run', job }, patience)) as Result
  }

  /** The server's resident memory. Unit: bytes. */
  async memory(patience: number): Promise<number> {
    return (await this.#server?.ask({ do: 'memory' }, patience)) as number
  }

  stop(): void {
    for (const worker of [this.#client, this.#server, ...this.#others]) worker?.stop()
  }
}

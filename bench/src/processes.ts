/** The processes of the comparison: starts them, asks them, and ends them in any case. */
import type { Certificate } from '@h2channel/conn/testing'
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'

import type { Job, Result } from './job.ts'
import type { Entry } from './peers/index.ts'
import type { ImportTask } from './importer.ts'
import type { Reply, Task } from './worker.ts'

const ownProgram = fileURLToPath(new URL('worker.js', import.meta.url))
/** The program of a process that only imports. */
export const importer = fileURLToPath(new URL('importer.js', import.meta.url))

/** All running processes. */
const running = new Set<Worker>()

/** Ends all remaining processes at once. */
export function stopAll(): void {
  for (const worker of running) worker.stop()
}

export class Worker {
  readonly #child: ChildProcess
  /** The last line that it printed before it failed. */
  #stderr = ''
  #settle: ((reply: Reply) => void) | undefined
  /** Why it cannot be asked any more. */
  #ended: string | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(node: string, program = ownProgram, flags: readonly string[] = []) {
    // This option lets the server collect garbage, and changes nothing else.
    this.#child = fork(program, {
      execPath: node,
      execArgv: ['--expose-gc', ...flags],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    running.add(this)
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-2_000)
    })
    this.#child.on('message', (reply: Reply) => this.#settle?.(reply))
    this.#child.on('error', (error) => this.#settle?.({ error: error.message }))
    this.#child.on('close', (code, signal) => {
      running.delete(this)
      this.#ended = `its process ended (${signal ?? code}) ${reasonIn(this.#stderr)}`.trim()
      this.#settle?.({ error: this.#ended })
    })
  }

  /** Sends a task when the earlier ones are done, and waits for the answer for at most this many milliseconds. */
  async ask(task: Task | ImportTask, patience: number): Promise<unknown> {
    const asked = this.#last.then(() => this.#hand(task, patience))
    this.#last = asked
    const reply = await asked
    if (reply.error !== undefined) throw new Error(reply.error)
    return reply.answer
  }

  #hand(task: Task | ImportTask, patience: number): Promise<Reply> {
    if (this.#ended !== undefined) return Promise.resolve({ error: this.#ended })
    return new Promise((resolve) => {
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
  }

  stop(): void {
    running.delete(this)
    this.#child.kill('SIGKILL')
  }
}

/**
 * Rejects if a server does not speak TLS. A build from before the bench had TLS takes no notice of the certificate, and
 * its cleartext would be compared with TLS.
 */
async function checkTls(port: number, { cert }: Certificate): Promise<void> {
  const socket = connectTls({ host: '127.0.0.1', port, ca: cert, ALPNProtocols: ['h2', 'http/1.1'] })
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(tlsPatience) })
  } catch (cause) {
    throw new Error('its server does not speak TLS: was it built before the bench had TLS?', { cause })
  } finally {
    socket.destroy()
  }
}

/** The longest TLS handshake. Unit: milliseconds. */
const tlsPatience = 10_000

/** The line of a crashed process's output that contains the reason. */
function reasonIn(stderr: string): string {
  const lines = stderr.split('\n')
  return lines.find((line) => /^\s*(\w*Error|\w+ \[\w+\]|FATAL)\b/.test(line))?.trim() ?? ''
}

/** Starts a relay that adds a delay before a server on `target`. Returns its port. Unit: milliseconds. */
export type FarAway = (target: number, roundTrip: number) => Promise<number>

/**
 * A process that is idle for some seconds, as here while other peers are measured, collects garbage, and V8 throws
 * compiled code away with it: a call took 720 µs of CPU instead of 290 after a pause of 28 s, and one of gRPC 580
 * instead of 190. This keeps the code.
 */
const keepCode = ['--no-memory-reducer']

/** A server and a client that are connected; or one process, for work that is done alone. */
export class Pair {
  readonly #client: Worker
  readonly #server: Worker | undefined
  readonly #certificate: Certificate | undefined
  #port = 0
  #publisher: number | undefined
  readonly #connected = new Set<number>()

  private constructor(client: Worker, server: Worker | undefined, certificate: Certificate | undefined) {
    this.#client = client
    this.#server = server
    this.#certificate = certificate
  }

  /** With a certificate, they use TLS. If they are alone, they do not pause for others. */
  static async start(
    entry: Entry,
    { node, isAlone, certificate }: { node: string; isAlone: boolean; certificate: Certificate | undefined },
    patience: number,
  ): Promise<Pair> {
    const { program, name: peer } = entry.elsewhere ?? { program: ownProgram, name: entry.name }
    const isOne = entry.does.includes('alone') || entry.does.includes('codec')
    const start = (): Worker => new Worker(node, program, isAlone ? [] : keepCode)
    const pair = new Pair(start(), isOne ? undefined : start(), certificate)
    try {
      const [port] = await Promise.all([
        pair.#server?.ask({ do: 'serve', peer, ...(certificate && { certificate }) }, patience),
        pair.#client.ask({ do: 'load', peer }, patience),
      ])
      pair.#port = port as number
      if (certificate !== undefined) await checkTls(pair.#port, certificate)
      return pair
    } catch (error) {
      pair.stop()
      throw error
    }
  }

  /** Connects them unless they are connected. */
  async connect(roundTrip: number, farAway: FarAway, patience: number): Promise<void> {
    if (this.#server === undefined || this.#connected.has(roundTrip)) return
    const port = roundTrip === 0 ? this.#port : await farAway(this.#port, roundTrip)
    const trust = this.#certificate === undefined ? {} : { ca: this.#certificate.cert }
    await this.#client.ask({ do: 'connect', port, roundTrip, ...trust }, patience)
    this.#connected.add(roundTrip)
  }

  async run(job: Job, roundTrip: number, patience: number): Promise<Result> {
    const server = this.#server
    if (server === undefined) return (await this.#client.ask({ do: 'run', job, roundTrip }, patience)) as Result
    if (job.do === 'broadcast') this.#publisher ??= (await server.ask({ do: 'publish' }, patience)) as number
    const publisher = this.#publisher === undefined ? {} : { publisher: this.#publisher }
    const before = (await server.ask({ do: 'usage' }, patience)) as number
    const result = (await this.#client.ask({ do: 'run', job, roundTrip, ...publisher }, patience)) as Result
    const used = ((await server.ask({ do: 'usage' }, patience)) as number) - before
    return { ...result, cpu: (result.cpu ?? 0) + used }
  }

  /** The server's resident memory. Unit: bytes. */
  async memory(patience: number): Promise<number> {
    return (await this.#server?.ask({ do: 'memory' }, patience)) as number
  }

  stop(): void {
    this.#client.stop()
    this.#server?.stop()
  }
}

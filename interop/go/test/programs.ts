/** Starts the Go programs, and ends the ones that it started. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { inject } from 'vitest'

import { needs } from '../../needs.ts'

needs(inject('goProblem'))

/** One JSON message of a conversation. */
export interface Message {
  readonly n: number
  readonly text: string
}

/** Go's report of a conversation that has ended: see talk.Report. Empty and zero fields are left out. */
export interface Report {
  readonly id?: string
  readonly status?: number
  readonly method?: string
  readonly header?: string
  readonly messages?: readonly Message[]
  readonly text?: string
  readonly bytes?: number
  readonly count?: number
  readonly sent?: string
  readonly received?: string
  /** The error of the conversation, unless it ended cleanly. */
  readonly error?: string
  /** Whether Go saw a clean end. */
  readonly eof?: boolean
}

/** A running Go program, which prints one JSON value per line. */
class Program implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  readonly #exited: Promise<unknown>
  #complaint = ''

  constructor(name: 'server' | 'client', args: readonly string[]) {
    this.#child = spawn(join(inject('goPrograms'), name), args)
    this.#exited = once(this.#child, 'exit')
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#complaint += chunk.toString()
    })
    this.#child.stdin.on('error', () => {})
  }

  async line(): Promise<unknown> {
    const { done, value } = await this.#lines.next()
    if (done === true) throw new Error(`the Go program ended without another line. ${this.#complaint}`)
    return JSON.parse(value)
  }

  /** Kills it. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    await this.#exited
  }
}

/** A Go server, and the reports of the conversations that it had. */
export class GoServer implements AsyncDisposable {
  readonly origin: string
  readonly #program: Program
  readonly #reports = new Map<string, Report>()
  readonly #waiting = new Map<string, { resolve(report: Report): void; reject(error: unknown): void }>()

  private constructor(program: Program, origin: string) {
    this.#program = program
    this.origin = origin
    void this.#listen()
  }

  /** Over TLS with the certificate of these files, or over cleartext. */
  static async start(
    files?: { readonly cert: string; readonly key: string },
    further: readonly string[] = [],
  ): Promise<GoServer> {
    const given = files === undefined ? [] : ['-cert', files.cert, '-key', files.key]
    const program = new Program('server', [...given, ...further])
    const { address } = (await program.line()) as { address: string }
    return new GoServer(program, `${files === undefined ? 'http' : 'https'}://${address}`)
  }

  /** Waits for the report of the conversation whose request had `x-id: id`. */
  report(id: string): Promise<Report> {
    const report = this.#reports.get(id)
    if (report !== undefined) return Promise.resolve(report)
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  kill(): Promise<void> {
    return this.#program.kill()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program[Symbol.asyncDispose]()
  }

  async #listen(): Promise<void> {
    try {
      for (;;) {
        const report = (await this.#program.line()) as Report
        const { id = '' } = report
        this.#reports.set(id, report)
        this.#waiting.get(id)?.resolve(report)
      }
    } catch (error) {
      for (const { reject } of this.#waiting.values()) reject(error)
    }
  }
}

/** A Go client with its one conversation. */
export class GoClient implements AsyncDisposable {
  readonly report: Promise<Report>
  readonly #program: Program

  constructor(args: Readonly<Record<string, string | number>>) {
    this.#program = new Program(
      'client',
      Object.entries(args).flatMap(([name, value]) => [`-${name}`, String(value)]),
    )
    this.report = this.#program.line() as Promise<Report>
    this.report.catch(() => {})
  }

  kill(): Promise<void> {
    return this.#program.kill()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program[Symbol.asyncDispose]()
  }
}

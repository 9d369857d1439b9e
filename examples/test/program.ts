/** Runs programs for the tests of the examples, and waits for their output. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
}

interface Waiting {
  readonly pattern: RegExp
  readonly resolve: (found: RegExpExecArray) => void
  readonly reject: (error: Error) => void
}

/** A running program. Disposing of it kills the process if it has not ended. */
export class Program implements AsyncDisposable {
  readonly lines: string[] = []
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  readonly #waiting = new Set<Waiting>()
  #isClosed = false

  constructor(command: string, args: readonly string[], options: ProgramOptions = {}) {
    this.#child = spawn(command, args, { cwd: root, env: { ...process.env, ...options.env } })
    this.#closed = once(this.#child, 'close').finally(() => this.#onClose())
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      if (output !== null) createInterface({ input: output }).on('line', (line) => this.#onLine(line))
    }
    // A program may end before it has read everything.
    this.#child.stdin?.on('error', () => {})
  }

  /** Runs a TypeScript program of the examples from its source, such as `echo/src/server.ts`. */
  static run(path: string, args: readonly string[] = [], options?: ProgramOptions): Program {
    const file = fileURLToPath(new URL(`../${path}`, import.meta.url))
    const flags = ['--conditions=@h2channel/source', '--import', 'tsx']
    return new Program(process.execPath, [...flags, file, ...args], options)
  }

  /** Everything that it printed. */
  get output(): string {
    return this.lines.join('\n')
  }

  /** Waits until one of its lines matches, unless one already does. */
  line(pattern: RegExp): Promise<RegExpExecArray> {
    for (const line of this.lines) {
      const found = pattern.exec(line)
      if (found !== null) return Promise.resolve(found)
    }
    if (this.#isClosed) return Promise.reject(this.#silent(pattern))
    return new Promise((resolve, reject) => this.#waiting.add({ pattern, resolve, reject }))
  }

  /** Waits for the line with the address at which it listens. */
  async url(): Promise<string> {
    const [, url = ''] = await this.line(/listening on (\S+)/)
    return url
  }

  write(text: string): void {
    this.#child.stdin?.write(text)
  }

  end(text = ''): void {
    this.#child.stdin?.end(text)
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal)
  }

  /** Waits for its end. Its exit code is null if a signal ended it. */
  async exited(): Promise<number | null> {
    await this.#closed
    return this.#child.exitCode
  }

  /** Waits for its end. Throws its output if the exit code differs. */
  async exitsWith(expected: number): Promise<void> {
    const code = await this.exited()
    if (code !== expected)
      throw new Error(`the program ended with ${code}, not ${expected}. Its output:\n${this.output}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) this.kill()
    await this.#closed
  }

  #onLine(line: string): void {
    this.lines.push(line)
    for (const waiting of this.#waiting) {
      const found = waiting.pattern.exec(line)
      if (found === null) continue
      this.#waiting.delete(waiting)
      waiting.resolve(found)
    }
  }

  #onClose(): void {
    this.#isClosed = true
    for (const { pattern, reject } of this.#waiting) reject(this.#silent(pattern))
  }

  #silent(pattern: RegExp): Error {
    return new Error(`the program ended without a line like ${pattern}. Its output:\n${this.output}`)
  }
}

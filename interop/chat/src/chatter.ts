/**
 * A chat program in another language: each line of its input is a message, each received message a line of its output.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export class Chatter implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  readonly #over: Promise<{ code: number | null; complaint: string }>

  constructor(command: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(command, args, { env: { ...process.env, ...environment } })
    this.#child.stdin.on('error', () => {})
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
    let complaint = ''
    this.#child.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.toString()
    })
    this.#over = once(this.#child, 'close').then(([code]: (number | null)[]) => ({ code: code ?? null, complaint }))
  }

  /** Lets the program send a line. Waits until it has read the line. */
  async say(text: string): Promise<void> {
    if (!this.#child.stdin.write(`${text}\n`)) await once(this.#child.stdin, 'drain')
  }

  /** Ends the program's input. */
  end(): void {
    this.#child.stdin.end()
  }

  /** The next line that the program received. Undefined when it has ended. */
  async hear(): Promise<string | undefined> {
    const { done, value } = await this.#lines.next()
    return done === true ? undefined : value
  }

  /** All lines that the program receives, up to its end. */
  async hearAll(): Promise<string[]> {
    const lines: string[] = []
    for (;;) {
      const line = await this.hear()
      if (line === undefined) return lines
      lines.push(line)
    }
  }

  /** Waits for the program's end: its exit code, and its error output. */
  over(): Promise<{ code: number | null; complaint: string }> {
    return this.#over
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#over
  }
}

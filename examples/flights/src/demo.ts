/** Runs the server and the client, each in its own process, and exits with the client's code. */
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'

const interrupt = new AbortController()
process.once('SIGINT', () => interrupt.abort())
process.once('SIGTERM', () => interrupt.abort())

const directory = await mkdtemp(join(tmpdir(), 'flights-'))
const ca = join(directory, 'ca.pem')
const server = start('server', '--port', '0', '--ca', ca)
try {
  const url = await addressOf(server)
  process.exitCode = url === undefined ? 1 : await exitOf(start('client', '--url', url, '--ca', ca))
} finally {
  server.kill()
  await exitOf(server)
  await rm(directory, { recursive: true })
}
if (interrupt.signal.aborted) process.exitCode = 130

/** The program next to this one: `.ts` runs `.ts`, `.js` runs `.js`. */
function start(name: string, ...options: string[]): ChildProcess {
  const program = fork(new URL(name + extname(import.meta.url), import.meta.url), options)
  interrupt.signal.addEventListener('abort', () => program.kill())
  if (interrupt.signal.aborted) program.kill()
  return program
}

/** The line that the program prints once it listens, or undefined if it ends without one. */
function addressOf(program: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    program.once('message', (url: string) => resolve(url))
    program.once('exit', () => resolve(undefined))
  })
}

/** The exit code of the program; 1 if a signal ended it. */
async function exitOf(program: ChildProcess): Promise<number> {
  if (program.exitCode === null && program.signalCode === null) await once(program, 'exit')
  return program.exitCode ?? 1
}

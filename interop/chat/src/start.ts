/** Starts the servers that docs/guides/other-languages.md shows. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const fromSource = ['--conditions=@h2channel/source', '--import', 'tsx']

export class ChatServer implements AsyncDisposable {
  readonly port: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  /** Starts one of the servers of this folder on a free port. */
  static async start(file: 'server.ts' | 'tcp.ts'): Promise<ChatServer> {
    const port = await freePort()
    const path = fileURLToPath(new URL(file, import.meta.url))
    const env = { ...process.env, PORT: String(port) }
    const child = spawn(process.execPath, [...fromSource, path], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    await once(createInterface(child.stdout), 'line')
    return new ChatServer(child, port)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const over = once(this.#child, 'close')
    this.#child.kill()
    await over
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

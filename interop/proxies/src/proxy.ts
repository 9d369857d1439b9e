/** Starts real proxies with the configurations of this folder. */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect as connectSession } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import type { Certificate } from '@h2channel/conn/testing'

import type { ProxyKind } from './kinds.ts'

/** Throws an error that explains how to install the proxy if it is missing. */
export function requireProxy({ name, command, hint }: ProxyKind): void {
  const { error } = spawnSync(command, ['--version'], { timeout: 5_000 })
  if (error === undefined) return
  throw new Error(`${name} can't be tested: \`${command}\` is missing (${error.message}). ${hint}`)
}

export interface RunningProxy extends AsyncDisposable {
  /** Its address, such as `https://127.0.0.1:49152`. */
  readonly origin: string
  readonly port: number
  /** Stops its process: it keeps its sockets, and sends nothing more. */
  freeze(): void
  /** Kills its process, with all connections, and starts it again at the same address. */
  restart(): Promise<void>
}

export interface ProxyOptions {
  readonly idle?: string
  readonly edit?: (config: string) => string
}

/**
 * Starts a proxy on a free port of 127.0.0.1, in front of the service on `servicePort`.
 *
 * @param options.idle - how long a stream may be idle, in place of the hour in the configuration.
 * @param options.edit - further changes of the configuration.
 */
export async function startProxy(
  kind: ProxyKind,
  servicePort: number,
  { key, cert }: Certificate,
  { idle = '3600s', edit = (config) => config }: ProxyOptions = {},
): Promise<RunningProxy> {
  requireProxy(kind)
  const directory = await mkdtemp(join(tmpdir(), 'h2channel-proxy-'))
  const port = await freePort()
  const files = {
    key: join(directory, 'key.pem'),
    cert: join(directory, 'cert.pem'),
    bundle: join(directory, 'all.pem'),
  }
  await writeFile(files.key, key, { mode: 0o600 })
  await writeFile(files.cert, cert)
  await writeFile(files.bundle, `${cert}\n${key}`, { mode: 0o600 })

  for (const name of [kind.config, ...(kind.otherConfigs ?? [])]) {
    const template = await readFile(new URL(`../${name}`, import.meta.url), 'utf8')
    await writeFile(
      join(directory, name),
      edit(template)
        .replaceAll(/(?<=\s|=)(?:1h|3600s)(?=;?$)/gm, idle)
        .replaceAll('8443', String(port))
        .replaceAll('8080', String(servicePort))
        .replaceAll('/etc/ssl/h2channel/bundle.pem', files.bundle)
        .replaceAll('/etc/ssl/h2channel/cert.pem', files.cert)
        .replaceAll('/etc/ssl/h2channel/key.pem', files.key)
        .replaceAll('/etc/traefik', directory)
        .replaceAll('/run/h2channel-nginx.pid', join(directory, 'pid')),
    )
  }

  const start = async (): Promise<Running> => {
    const child = spawn(kind.command, kind.args(join(directory, kind.config), directory), {
      // Caddy keeps its files there.
      env: { ...process.env, XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = collect(child)
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const kill = async (): Promise<void> => {
      child.kill('SIGKILL')
      await exited
    }
    await listening(kind, child, { port, ca: cert }, output).catch(async (error: unknown) => {
      await kill()
      throw error
    })
    return { child, kill }
  }
  const cleanUp = (): Promise<void> => rm(directory, { recursive: true, force: true })
  let running = await start().catch(async (error: unknown) => {
    await cleanUp()
    throw error
  })
  return {
    origin: `https://127.0.0.1:${port}`,
    port,
    freeze: () => void running.child.kill('SIGSTOP'),
    async restart() {
      await running.kill()
      running = await start()
    },
    async [Symbol.asyncDispose]() {
      await running.kill()
      await cleanUp()
    },
  }
}

interface Running {
  readonly child: ChildProcess
  kill(): Promise<void>
}

interface Address {
  readonly port: number
  readonly ca: string
}

/** Waits until the port answers. A proxy does not report in any other way that it is ready. */
async function listening(kind: ProxyKind, child: ChildProcess, at: Address, output: () => string): Promise<void> {
  const deadline = Date.now() + 30_000
  while (Date.now() < deadline) {
    if (child.exitCode !== null) break
    if ((await answers(at.port)) && (await knowsRoutes(kind, at))) return
    await delay(20)
  }
  throw new Error(`${kind.name} does not listen on port ${at.port}:\n${output()}`)
}

function knowsRoutes(kind: ProxyKind, { port, ca }: Address): Promise<boolean> {
  if (kind.knowsRoutes === undefined) return Promise.resolve(true)
  return new Promise((resolve) => {
    const session = connectSession(`https://127.0.0.1:${port}`, { ca })
    const settle = (knows: boolean): void => {
      session.destroy()
      resolve(knows)
    }
    session.once('error', () => settle(false))
    const request = session.request({ ':path': '/' })
    request.once('error', () => settle(false))
    request.once('response', (answer) => settle(kind.knowsRoutes?.(answer) ?? true))
  })
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const settle = (answered: boolean): void => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}

function collect(child: ChildProcess): () => string {
  let output = ''
  const add = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4_096)
  }
  child.stdout?.on('data', add)
  child.stderr?.on('data', add)
  return () => output
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/** Starts real proxies with the configurations of this folder. */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import type { Certificate } from '@h2channel/conn/testing'

export interface ProxyKind {
  readonly name: string
  /** The program, found in PATH. */
  readonly command: string
  /** The Debian package of the program. */
  readonly debianPackage: string
  readonly config: string
  /** Whether it terminates TLS and speaks cleartext HTTP/2 behind, or forwards TLS. */
  readonly endsTls: boolean
  readonly args: (config: string, directory: string) => readonly string[]
}

export const haproxy: ProxyKind = {
  name: 'HAProxy, mode http',
  command: process.env['HAPROXY'] ?? 'haproxy',
  debianPackage: 'haproxy',
  config: 'haproxy.cfg',
  endsTls: true,
  args: (config) => ['-db', '-f', config],
}

export const haproxyTcp: ProxyKind = {
  ...haproxy,
  name: 'HAProxy, mode tcp',
  config: 'haproxy-tcp.cfg',
  endsTls: false,
}

export const nginx: ProxyKind = {
  name: 'nginx',
  command: process.env['NGINX'] ?? 'nginx',
  debianPackage: 'nginx',
  config: 'nginx.conf',
  endsTls: true,
  args: (config, directory) => ['-p', directory, '-c', config, '-e', 'stderr', '-g', 'daemon off; master_process off;'],
}

export const nghttpx: ProxyKind = {
  name: 'nghttpx',
  command: process.env['NGHTTPX'] ?? 'nghttpx',
  debianPackage: 'nghttp2-proxy',
  config: 'nghttpx.conf',
  endsTls: true,
  args: (config) => [`--conf=${config}`, '--single-process'],
}

/** Throws an error that explains how to install the proxy if it is missing. */
export function requireProxy({ name, command, debianPackage }: ProxyKind): void {
  const { error } = spawnSync(command, ['-v'], { timeout: 5_000 })
  if (error === undefined) return
  throw new Error(
    `${name} can't be tested: \`${command}\` is missing (${error.message}). ` +
      `Install it, on Debian and Ubuntu with: apt-get install ${debianPackage}`,
  )
}

export interface RunningProxy extends AsyncDisposable {
  /** Its address, such as `https://127.0.0.1:49152`. */
  readonly origin: string
  /** Stops its process: it keeps its sockets, and sends nothing more. */
  freeze(): void
}

/**
 * Starts a proxy on a free port of 127.0.0.1, in front of the service on `servicePort`.
 *
 * @param idle - how long a stream may be idle, in place of the hour in the configuration.
 */
export async function startProxy(
  kind: ProxyKind,
  servicePort: number,
  { key, cert }: Certificate,
  idle = '1h',
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

  const config = join(directory, kind.config)
  const template = await readFile(new URL(`../${kind.config}`, import.meta.url), 'utf8')
  await writeFile(
    config,
    template
      .replaceAll(/(?<=\s|=)1h(?=;?$)/gm, idle)
      .replaceAll('8443', String(port))
      .replaceAll('8080', String(servicePort))
      .replaceAll('/etc/ssl/h2channel/bundle.pem', files.bundle)
      .replaceAll('/etc/ssl/h2channel/cert.pem', files.cert)
      .replaceAll('/etc/ssl/h2channel/key.pem', files.key)
      .replaceAll('/run/h2channel-nginx.pid', join(directory, 'pid')),
  )

  const child = spawn(kind.command, kind.args(config, directory), { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = collect(child)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await listening(kind, child, port, output)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    origin: `https://127.0.0.1:${port}`,
    freeze: () => void child.kill('SIGSTOP'),
    [Symbol.asyncDispose]: stop,
  }
}

/** Waits until the port answers. A proxy does not report in any other way that it is ready. */
async function listening(kind: ProxyKind, child: ChildProcess, port: number, output: () => string): Promise<void> {
  const deadline = Date.now() + 5_000
  while (Date.now() < deadline) {
    if (child.exitCode !== null) break
    if (await answers(port)) return
    await delay(20)
  }
  throw new Error(`${kind.name} does not listen on port ${port}:\n${output()}`)
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

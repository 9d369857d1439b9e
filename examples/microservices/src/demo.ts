/**
 * Starts the three services and sends orders through the gateway. In the middle it deploys a new pricing service, and
 * then a new order service. It shows that each order was executed once.
 */
import { createClient } from '@h2channel/channel/client'
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'

import { makeAuthority, makeCertificate } from './certificates.ts'
import type { Execution } from './routes.ts'
import { desk } from './routes.ts'

/** How many orders are executed before the first deployment. */
const deployAfter = 200
/** The time in which all new instances must have worked. */
const patience = AbortSignal.timeout(100_000)
const symbols = ['ALV', 'BAS', 'SAP', 'SIE']
const token = crypto.randomUUID()
const folder = await mkdtemp(join(tmpdir(), 'microservices-'))
const running = new Set<ChildProcess>()

try {
  const ca = await writeCertificates('pricing', 'orders', 'gateway')
  // Each of two services has its present address and its next one.
  const [pricingPorts, ordersPorts] = [await freePorts(2), await freePorts(2)]
  const startPricing = async (turn: 0 | 1): Promise<Started> => start('pricing', '--port', String(pricingPorts[turn]))
  const startOrders = async (turn: 0 | 1): Promise<Started> =>
    start('orders', '--port', String(ordersPorts[turn]), ...addresses('--pricing', pricingPorts))
  const pricing = await startPricing(0)
  const orders = await startOrders(0)
  const gateway = await start('gateway', ...addresses('--orders', ordersPorts), '--token', token)
  for (const { name, url } of [pricing, orders, gateway])
    console.log(`${name}: ${url}/healthz ${await statusOf(url, ca)}`)

  await using client = createClient(gateway.url, { tls: { ca }, headers: { authorization: `Bearer ${token}` } })
  await using channel = await client.open(desk)
  const executions: Execution[] = []
  const receive = async (): Promise<void> => {
    for await (const execution of channel) executions.push(execution)
  }
  /** Starts the next instance before it stops the present one, and waits until the next has worked. */
  const deploy = async (
    old: Started,
    starting: Promise<Started>,
    isAtWork: (pid: number) => boolean,
  ): Promise<Started> => {
    const next = await starting
    console.log(`deployed ${next.name} at ${next.url}, after ${executions.length} orders`)
    console.log(`ended ${old.url} with exit code ${await stop(old.process)}, after ${executions.length} orders`)
    while (!isAtWork(next.process.pid ?? 0)) await pause(10, undefined, { signal: patience })
    return next
  }
  const deployed = new AbortController()
  const deployAll = async (): Promise<readonly [Started, Started]> => {
    try {
      while (executions.length < deployAfter) await pause(10, undefined, { signal: patience })
      const nextPricing = await deploy(pricing, startPricing(1), (pid) => executions.at(-1)?.pricedBy === pid)
      return [nextPricing, await deploy(orders, startOrders(1), (pid) => executions.at(-1)?.executedBy === pid)]
    } finally {
      deployed.abort()
    }
  }
  // Orders continue until each of the new instances has worked.
  let total = 0
  const send = async (): Promise<void> => {
    while (!deployed.signal.aborted) {
      const id = ++total
      await channel.send({ id, symbol: symbols[id % symbols.length] ?? '', quantity: 1 + (id % 9) })
      await pause(5, undefined, { signal: patience })
    }
    await channel.end()
  }
  const [[newPricing, newOrders]] = await Promise.all([deployAll(), send(), receive()])

  const isRight = executions.length === total && executions.every(({ id }, index) => id === index + 1)
  const share = (of: 'pricedBy' | 'executedBy', { process }: Started): number =>
    executions.filter((execution) => execution[of] === process.pid).length
  const priced = [share('pricedBy', pricing), share('pricedBy', newPricing)] as const
  const executed = [share('executedBy', orders), share('executedBy', newOrders)] as const
  const verdict = isRight ? 'each once and in order' : 'not each once'
  console.log(`${total} orders sent, ${executions.length} executed, ${verdict}`)
  console.log(`${priced[0]} at prices of the first pricing service, ${priced[1]} of the second`)
  console.log(`${executed[0]} executed by the first order service, ${executed[1]} by the second`)
  console.log('of the gateway’s /metrics:')
  const metrics = await bodyOf(`${gateway.url}/metrics`, ca)
  for (const line of metrics.split('\n').filter((one) => /^h2channel_server_(messages|io)/.test(one)))
    console.log(`  ${line}`)

  await channel.close()
  const codes = await Promise.all([gateway, newOrders, newPricing].map(async (service) => stop(service.process)))
  console.log(`exit codes of all: ${codes.join(', ')}`)
  const areBothSeen = [priced, executed].every(([before, after]) => before > 0 && after > 0 && before + after === total)
  if (!isRight || !areBothSeen || codes.some((code) => code !== 0)) process.exitCode = 1
} finally {
  for (const service of running) service.kill('SIGKILL')
  await rm(folder, { recursive: true })
}

/** Makes a certificate for each service, all signed by one authority, whose certificate it returns. */
async function writeCertificates(...names: string[]): Promise<string> {
  const authority = await makeAuthority()
  await writeFile(join(folder, 'ca'), authority.cert)
  for (const name of names) {
    const { key, cert } = await makeCertificate(name, authority)
    await writeFile(join(folder, `${name}.key`), key, { mode: 0o600 })
    await writeFile(join(folder, `${name}.cert`), cert)
  }
  return authority.cert
}

function addresses(option: string, ports: readonly number[]): string[] {
  return ports.flatMap((port) => [option, `https://127.0.0.1:${port}`])
}

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort())
  return ports
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

interface Started {
  readonly name: string
  readonly url: string
  readonly process: ChildProcess
}

/** Starts the program next to this one: `.ts` runs `.ts`, `.js` runs `.js`. Waits until it listens. */
async function start(name: string, ...options: string[]): Promise<Started> {
  const program = fork(new URL(name + extname(import.meta.url), import.meta.url), [
    '--certificates',
    folder,
    ...options,
  ])
  running.add(program)
  const failed = once(program, 'exit').then(() => {
    throw new Error(`${name} ended before it listened`)
  })
  const [url] = (await Promise.race([once(program, 'message'), failed])) as [string]
  failed.catch(() => {})
  return { name, url, process: program }
}

/** Stops a process as an orchestrator does. Returns the exit code. */
async function stop(program: ChildProcess): Promise<number | null> {
  const ended = once(program, 'exit')
  program.kill('SIGTERM')
  await ended
  running.delete(program)
  return program.exitCode
}

async function statusOf(url: string, ca: string): Promise<number | undefined> {
  const response = await responseOf(`${url}/healthz`, ca)
  response.resume()
  return response.statusCode
}

async function bodyOf(url: string, ca: string): Promise<string> {
  return text(await responseOf(url, ca))
}

async function responseOf(url: string, ca: string): Promise<IncomingMessage> {
  const [response] = await once(get(url, { ca, agent: false }), 'response')
  return response as IncomingMessage
}

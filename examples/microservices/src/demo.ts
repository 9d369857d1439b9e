/**
 * Starts the three services and sends orders through the gateway. In the middle it deploys a new pricing service, and
 * then a new order service. Then it kills each of the three, and starts it again. It shows that each order got its
 * execution.
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
import { placeOrders } from './place-orders.ts'
import type { Execution, Order } from './routes.ts'
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
  const gatewayPort = await freePort()
  const startPricing = async (turn: 0 | 1): Promise<Started> => start('pricing', '--port', String(pricingPorts[turn]))
  const startOrders = async (turn: 0 | 1): Promise<Started> =>
    start('orders', '--port', String(ordersPorts[turn]), ...addresses('--pricing', pricingPorts))
  const startGateway = async (): Promise<Started> =>
    start('gateway', '--port', String(gatewayPort), ...addresses('--orders', ordersPorts), '--token', token)
  let [pricing, orders, gateway] = [await startPricing(0), await startOrders(0), await startGateway()]
  for (const { name, url } of [pricing, orders, gateway])
    console.log(`${name}: ${url}/healthz ${await statusOf(url, ca)}`)

  await using client = createClient(gateway.url, {
    tls: { ca },
    headers: { authorization: `Bearer ${token}` },
    retry: { maxAttempts: Infinity },
  })
  const executions: Execution[] = []
  const executed = async (count: number, isAtWork: (last: Execution) => boolean = () => true): Promise<void> => {
    for (let last = executions.at(-1); ; last = executions.at(-1)) {
      if (executions.length >= count && last !== undefined && isAtWork(last)) return
      await pause(10, undefined, { signal: patience })
    }
  }
  const pricedBy =
    ({ process }: Started) =>
    (last: Execution) =>
      last.pricedBy === process.pid
  const executedBy =
    ({ process }: Started) =>
    (last: Execution) =>
      last.executedBy === process.pid

  /** Starts the next instance before it stops the present one. */
  const deploy = async (old: Started, starting: Promise<Started>): Promise<Started> => {
    const next = await starting
    console.log(`deployed ${next.name} at ${next.url}, after ${executions.length} orders`)
    console.log(`ended ${old.url} with exit code ${await stop(old.process)}, after ${executions.length} orders`)
    return next
  }
  /** Kills an instance, as a crash does, and starts another at its address. */
  const crash = async (old: Started, startAgain: () => Promise<Started>): Promise<Started> => {
    await stop(old.process, 'SIGKILL')
    console.log(`killed ${old.name}, after ${executions.length} orders`)
    const next = await startAgain()
    console.log(`started ${next.name} again, after ${executions.length} orders`)
    return next
  }
  const deployed = new AbortController()
  const deployAndCrash = async (): Promise<void> => {
    try {
      await executed(deployAfter)
      pricing = await deploy(pricing, startPricing(1))
      await executed(0, pricedBy(pricing))
      orders = await deploy(orders, startOrders(1))
      await executed(0, executedBy(orders))
      pricing = await crash(pricing, async () => startPricing(1))
      await executed(0, pricedBy(pricing))
      orders = await crash(orders, async () => startOrders(1))
      await executed(0, executedBy(orders))
      gateway = await crash(gateway, startGateway)
      await executed(executions.length + 1)
    } finally {
      deployed.abort()
    }
  }
  // Orders continue until each of the new instances has worked.
  let total = 0
  const next = async (ending: AbortSignal): Promise<Order | undefined> => {
    await pause(5, undefined, { signal: AbortSignal.any([ending, patience]) })
    if (deployed.signal.aborted) return undefined
    const id = ++total
    return { id, symbol: symbols[id % symbols.length] ?? '', quantity: 1 + (id % 9) }
  }
  const done = (batch: readonly Execution[]): void => void executions.push(...batch)
  await Promise.all([deployAndCrash(), placeOrders(client, desk, { next, done })])

  const isRight = executions.length === total && executions.every(({ id }, index) => id === index + 1)
  const verdict = isRight ? 'each once and in order' : 'not each once'
  console.log(`${total} orders sent, ${executions.length} executed, ${verdict}`)
  const shares = (['pricedBy', 'executedBy'] as const).map((by) => {
    const pids = [...new Set(executions.map((execution) => execution[by]))]
    return pids.map((pid) => executions.filter((execution) => execution[by] === pid).length)
  })
  console.log(`at prices of the pricing services, one after the other: ${shares[0]?.join(', ')}`)
  console.log(`executed by the order services, one after the other: ${shares[1]?.join(', ')}`)
  console.log('of the gateway’s /metrics:')
  const metrics = await bodyOf(`${gateway.url}/metrics`, ca)
  for (const line of metrics.split('\n').filter((one) => /^h2channel_server_(messages|io)/.test(one)))
    console.log(`  ${line}`)

  await client.close()
  const codes = await Promise.all([gateway, orders, pricing].map(async (service) => stop(service.process)))
  console.log(`exit codes of all: ${codes.join(', ')}`)
  if (!isRight || shares.some(({ length }) => length !== 3) || codes.some((code) => code !== 0)) process.exitCode = 1
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

/** Stops a process as an orchestrator does, or as a crash does. Returns the exit code. */
async function stop(program: ChildProcess, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
  const ended = once(program, 'exit')
  program.kill(signal)
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

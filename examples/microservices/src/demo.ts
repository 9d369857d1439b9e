/**
 * Starts the three services, sends orders through the gateway, deploys the pricing service anew in the middle, and shows
 * that each order was executed once.
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
import { desk, type Execution } from './routes.ts'

/** When the pricing service is deployed anew, and how many orders there may be at most until its prices are seen. */
const [deployAfter, atMost] = [200, 20_000]
const symbols = ['ALV', 'BAS', 'SAP', 'SIE']
const token = crypto.randomUUID()
const folder = await mkdtemp(join(tmpdir(), 'microservices-'))
const running = new Set<ChildProcess>()

try {
  const ca = await writeCertificates('pricing', 'orders', 'gateway')
  const [first, second] = [await freePort(), await freePort()]
  const pricing = await start('pricing', '--port', String(first))
  const addresses = [first, second].flatMap((port) => ['--pricing', `https://127.0.0.1:${port}`])
  const orders = await start('orders', ...addresses)
  const gateway = await start('gateway', '--orders', orders.url, '--token', token)
  for (const { name, url } of [pricing, orders, gateway])
    console.log(`${name}: ${url}/healthz ${await statusOf(url, ca)}`)

  await using client = createClient(gateway.url, { tls: { ca }, headers: { authorization: `Bearer ${token}` } })
  await using channel = await client.open(desk)
  const executions: Execution[] = []
  const receive = async (): Promise<void> => {
    for await (const execution of channel) executions.push(execution)
  }
  const deploy = async (): Promise<Started> => {
    while (executions.length < deployAfter) await pause(10)
    const next = await start('pricing', '--port', String(second))
    console.log(`deployed ${next.url}, after ${executions.length} orders`)
    console.log(`ended ${pricing.url} with exit code ${await stop(pricing.process)}, after ${executions.length} orders`)
    return next
  }
  // Orders go on all the while, until one was executed at a price of the new instance.
  let total = 0
  const send = async (): Promise<void> => {
    const isPricedAnew = (): boolean => executions.at(-1)?.pricedBy !== executions[0]?.pricedBy
    while (!isPricedAnew() && total < atMost) {
      const id = ++total
      await channel.send({ id, symbol: symbols[id % symbols.length] ?? '', quantity: 1 + (id % 9) })
      await pause(5)
    }
    await channel.end()
  }
  const [redeployed] = await Promise.all([deploy(), send(), receive()])

  const isRight = executions.length === total && executions.every(({ id }, index) => id === index + 1)
  const pricedBy = (instance: number | undefined): number =>
    executions.filter((execution) => execution.pricedBy === instance).length
  const [before, after] = [pricedBy(pricing.process.pid), pricedBy(redeployed.process.pid)]
  console.log(
    `${total} orders sent, ${executions.length} executed, ${isRight ? 'each once and in order' : 'not each once'}`,
  )
  console.log(`${before} at prices of the first pricing service, ${after} of the second`)
  console.log('of the gateway’s /metrics:')
  const metrics = await bodyOf(`${gateway.url}/metrics`, ca)
  for (const line of metrics.split('\n').filter((one) => /^h2channel_server_(messages|io)/.test(one)))
    console.log(`  ${line}`)

  await channel.close()
  const codes = await Promise.all([gateway, orders, redeployed].map(async (service) => stop(service.process)))
  console.log(`exit codes of all: ${codes.join(', ')}`)
  const isGood = isRight && before > 0 && after > 0 && before + after === total && codes.every((code) => code === 0)
  if (!isGood) process.exitCode = 1
} finally {
  for (const service of running) service.kill('SIGKILL')
  await rm(folder, { recursive: true })
}

/** For each service its own, all signed by one authority, whose certificate it returns. */
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

/** Starts the program beside this one: `.ts` runs `.ts`, `.js` runs `.js`. Waits until it listens. */
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

/** As an orchestrator does it. Returns the exit code. */
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

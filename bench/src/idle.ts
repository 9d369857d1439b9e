/**
 * Measures the cost of idle channels: opens them, leaves them alone with their heartbeats, and measures the server's
 * process. `pnpm bench:idle [--channels 10000] [--seconds 100] [--connections 10]`. With `--message 1000` the channels
 * are busy: each sends a message of so many characters, waits until it has come back, and sends the next.
 */
import type { ClientChannel } from '@h2channel/channel'
import { defineRoute } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import { connLimits } from '@h2channel/conn'
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { cpus } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    channels: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '100' },
    connections: { type: 'string', default: '10' },
    message: { type: 'string', default: '0' },
    role: { type: 'string', default: 'parent' },
    url: { type: 'string', default: '' },
  },
})
const channels = Number(values.channels)
const connections = Number(values.connections)
/** What busy channels send. Empty for idle channels. */
const text = '.'.repeat(Number(values.message))

const idle = defineRoute('/idle', { client: json<string>(), server: json<string>() })

/** The server's answer when it is asked for its usage. */
interface Usage {
  readonly rss: number
  readonly heap: number
  /** How many messages arrived so far. */
  readonly messages: number
  /** CPU time of the process so far, before and after the garbage collection for this answer. Unit: microseconds. */
  readonly cpu: { readonly before: number; readonly after: number }
}

function serve(): void {
  const router = createRouter()
  let messages = 0
  router.handle(idle, async (channel) => {
    for await (const message of channel) {
      messages += 1
      await channel.send(message)
    }
  })
  const server = createServer({ maxSessionMemory: connLimits.sessionMemory })
  router.attach(server)
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
  process.on('message', () => {
    const before = used()
    // Twice: memory that the first one frees is returned only then.
    for (let round = 0; round < 2; round++) globalThis.gc?.()
    const { rss, heapUsed } = process.memoryUsage()
    const usage: Usage = { rss, heap: heapUsed, messages, cpu: { before, after: used() } }
    process.send?.(usage)
  })
}

/** Unit: microseconds. */
function used(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function open(): Promise<void> {
  const clients = Array.from({ length: connections }, () => createClient(values.url))
  for (let opened = 0; opened < channels; opened += 100) {
    const some = Array.from({ length: 100 }, async (_, index) => {
      const channel = await clients[(opened + index) % connections]?.open(idle)
      await channel?.send('hello')
      await channel?.receive()
      if (channel === undefined) return
      // It continues to read, as a program that waits for messages does.
      if (text === '') channel.receive().catch(() => {})
      else void keepBusy(channel).catch(() => {})
    })
    await Promise.all(some)
  }
  process.send?.(channels)
}

async function keepBusy(channel: ClientChannel<typeof idle>): Promise<void> {
  for (;;) {
    await channel.send(text)
    await channel.receive()
  }
}

function start(role: string, ...rest: string[]): ChildProcess {
  const file = fileURLToPath(import.meta.url)
  const sizes = ['--channels', values.channels, '--connections', values.connections, '--message', values.message]
  return fork(file, ['--role', role, ...sizes, ...rest], { execArgv: [...process.execArgv, '--expose-gc'] })
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const [answer] = await once(child, 'message')
  return answer as T
}

async function usageOf(server: ChildProcess): Promise<Usage> {
  server.send('usage')
  return answerOf<Usage>(server)
}

async function measure(): Promise<void> {
  const server = start('server')
  const port = await answerOf<number>(server)
  const before = await usageOf(server)
  const client = start('client', '--url', `http://127.0.0.1:${port}`)
  await answerOf<number>(client)
  // One interval of heartbeats, until V8 has cleaned up after the opening.
  await pause(30_000)
  const opened = await usageOf(server)
  await pause(Number(values.seconds) * 1_000)
  const after = await usageOf(server)
  const [cpu] = cpus()
  console.log(`Node ${process.version}, ${cpus().length} × ${cpu?.model ?? 'unknown'}`)
  const kind = text === '' ? 'idle' : `busy (${text.length} characters a message)`
  console.log(`${channels} ${kind} channels on ${connections} connections, ${values.seconds} s, the server's process:`)
  const kib = (bytes: number): string => `${(bytes / channels / 1_024).toFixed(2)} KiB`
  console.log(
    `  resident memory a channel: ${kib(after.rss - before.rss)} (when they were open: ${kib(opened.rss - before.rss)})`,
  )
  console.log(`  heap a channel:            ${kib(after.heap - before.heap)}`)
  if (text !== '') {
    const rate = (after.messages - opened.messages) / Number(values.seconds)
    console.log(`  messages a second:         ${Math.round(rate)} in each direction`)
  }
  console.log(`  resident memory in all:    ${Math.round(after.rss / 1024 / 1024)} MiB`)
  const share = (after.cpu.before - opened.cpu.after) / 1_000_000 / Number(values.seconds) / (channels / 1_000)
  console.log(`  of a core, a thousand:     ${(share * 100).toFixed(3)} %`)
  client.kill()
  server.kill()
}

if (values.role === 'server') serve()
else if (values.role === 'client') await open()
else await measure()

import { createClient } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import { startServer } from '@h2channel/channel/testing'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'

import { Program } from '../../test/program.ts'
import { logChannels } from '../src/log-channels.ts'
import { Outbox, receiveLetters } from '../src/outbox.ts'
import { letters, orders } from '../src/routes.ts'
import { sendOrders } from '../src/send-orders.ts'

async function freePort(): Promise<string> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return String(port)
}

async function startService(): Promise<{ program: Program; url: string; probe: (path: string) => Promise<number> }> {
  const [port, probePort] = [await freePort(), await freePort()]
  const program = Program.run('operate/src/service.ts', [], { env: { PORT: port, PROBE_PORT: probePort } })
  const probe = async (path: string): Promise<number> => (await fetch(`http://localhost:${probePort}${path}`)).status
  return { program, url: await program.url(), probe }
}

test('a deploy under traffic: each order is answered once, by the old instance or the new one', async () => {
  const [old, next] = await Promise.all([startService(), startService()])
  await using oldProgram = old.program
  await using nextProgram = next.program
  expect(await Promise.all([old.probe('/readyz'), old.probe('/healthz')])).toEqual([200, 200])
  // Large enough that most orders are not sent yet when the first answer arrives.
  const list = Array.from({ length: 2_000 }, (_, index) => `${index}${'.'.repeat(10_000)}`)
  const answers: string[] = []
  const onAnswer = (answer: string): void => {
    if (answers.length === 0) oldProgram.kill('SIGTERM')
    answers.push(answer)
  }
  await using client = createClient([old.url, next.url])
  await sendOrders(client, list, onAnswer)

  expect(answers.map((answer) => answer.replace(/ by \d+$/, ''))).toEqual(list)
  expect(new Set(answers.map((answer) => / by (\d+)$/.exec(answer)?.[1])).size).toBe(2)
  await oldProgram.exitsWith(0)
  expect(await next.probe('/readyz')).toBe(200)
  nextProgram.kill('SIGTERM')
  await nextProgram.exitsWith(0)
}, 60_000)

test('readiness fails as soon as the service stops, and health does not', async () => {
  const service = await startService()
  const { url, probe } = service
  await using program = service.program
  await using client = createClient(url)
  const channel = await client.open(orders)
  program.kill('SIGTERM')
  await once(channel.draining, 'abort')
  expect(await Promise.all([probe('/readyz'), probe('/healthz')])).toEqual([503, 200])
  await channel.send('last')
  expect(await channel.receive()).toMatch(/^last by \d+$/)
  await channel.close()
  await program.exitsWith(0)
}, 60_000)

test('an outbox delivers what a lost channel had not acknowledged, and each letter is handled once', async () => {
  const handled: string[] = []
  const lastIds = new Map<string, number>()
  let failures = 0
  const router = createRouter()
  router.handle(letters, async (channel, { params }) => {
    await receiveLetters(channel, params.sender, lastIds, async (text) => {
      handled.push(text)
      await Promise.resolve()
      // The third letter was handled, and its acknowledgement is lost.
      if (text !== 'three' || failures > 0) return
      failures += 1
      channel.abort()
    })
  })
  await using server = await startServer(router)
  await using client = server.client()
  const outbox = new Outbox()
  for (const text of ['one', 'two', 'three', 'four']) outbox.add(text)
  const deliver = async (): Promise<void> => {
    await using channel = await client.open(letters, { params: { sender: 'ada' } })
    await outbox.deliver(channel)
  }
  await expect(deliver()).rejects.toMatchObject({ code: 'PEER_ABORTED' })
  expect(outbox.size).toBeGreaterThanOrEqual(2)
  await deliver()
  expect(outbox.size).toBe(0)
  expect(handled).toEqual(['one', 'two', 'three', 'four'])
})

test('the log has a line for each end of a channel, each refusal and each drain, with the peer and without headers', async () => {
  const lines: string[] = []
  logChannels((line) => lines.push(line))
  const router = createRouter({ onError: () => {} })
  router.handle(orders, () => {
    throw new TypeError('not today')
  })
  await using server = await startServer(router)
  await using client = server.client({ retry: { maxAttempts: 1 }, headers: { authorization: 'Bearer secret' } })
  const channel = await client.open(orders)
  await expect(channel.receive()).rejects.toMatchObject({ code: 'INTERNAL' })
  await channel.closed
  await router.drain()
  await expect(client.open(orders)).rejects.toMatchObject({ code: 'REFUSED' })

  const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const of = (event: string, side?: string): Record<string, unknown>[] =>
    events.filter((one) => one['event'] === event && (side === undefined || one['side'] === side))
  expect(of('error')).toMatchObject([{ route: '/orders', message: expect.stringContaining('not today') as string }])
  expect(of('close', 'server')).toMatchObject([
    {
      code: 'INTERNAL',
      cause: 'TypeError: not today',
      channel: { conn: { remoteAddress: { address: '127.0.0.1' } } },
    },
  ])
  expect(of('close', 'client')).toMatchObject([{ code: 'INTERNAL', origin: server.origin }])
  expect(of('refuse', 'server')).toMatchObject([{ status: 503 }])
  expect(of('drain')).toMatchObject([{ timeout: 20_000 }])
  expect(lines.join('\n')).not.toContain('secret')
})

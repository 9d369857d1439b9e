/** A link whose client is written in Go, by SPEC.md alone. */
import { defineRoute } from '@h2channel/channel'
import { createRouter } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import { listen } from '@h2channel/conn/testing'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer as createRelay } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, inject, test } from 'vitest'

import { needs } from '../../needs.ts'

needs(inject('goProblem'))

const run = promisify(execFile)
const numbers = defineRoute('/numbers', { client: json<{ n: number }>(), server: json<{ n: number }>() })

test('a channel with a client in Go outlives its connections: each number comes once and in order (LINK-9)', async () => {
  const closed: unknown[] = []
  const router = createRouter({ resume: true })
  router.handle(numbers, async (channel) => {
    for await (const message of channel) await channel.send(message)
    void channel.closed.then((outcome) => closed.push(outcome))
  })
  const node = createServer()
  router.attach(node)
  await using server = await listen(node, undefined)
  const sockets = new Set<Socket>()
  const relay = createRelay((near) => {
    const far = connect({ port: Number(new URL(server.origin).port), host: '127.0.0.1' })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.pipe(other)
      one.once('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  }).listen(0, '127.0.0.1')
  await once(relay, 'listening')
  const cutting = setInterval(() => {
    for (const socket of sockets) socket.resetAndDestroy()
  }, 150)
  try {
    const url = `http://127.0.0.1:${(relay.address() as AddressInfo).port}/numbers`
    const { stdout } = await run(join(inject('goPrograms'), 'link'), [url, '1500'])
    const report = JSON.parse(stdout) as { readonly carriers: number }
    expect(report).toEqual({ sent: 1_500, received: 1_500, carriers: report.carriers })
    expect(report.carriers).toBeGreaterThan(5)
    await expect.poll(() => [router.channels, router.detached, closed]).toEqual([0, 0, [{ clean: true }]])
  } finally {
    clearInterval(cutting)
    for (const socket of sockets) socket.destroy()
    relay.close()
  }
})

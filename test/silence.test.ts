/** Peers that stop responding: processes that hang, and a network that drops everything. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { describe, expect, test } from 'vitest'

import { Program } from '../examples/test/program.ts'
import { limits } from './silence/route.ts'

const time = limits.heartbeatInterval + limits.heartbeatTimeout
/** How much later the end may come on a busy machine. */
const slack = 5_000

/** Forwards bytes between clients and a server, until it drops them. */
async function relayTo(url: string): Promise<AsyncDisposable & { readonly url: string; swallow(): void }> {
  const { port } = new URL(url)
  const sockets: Socket[] = []
  const server = createServer((near) => {
    const far = connect(Number(port), '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.push(from)
      from.on('data', (bytes) => to.write(bytes))
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    swallow() {
      for (const socket of sockets) {
        socket.removeAllListeners('data')
        socket.removeAllListeners('close')
        socket.on('data', () => {})
      }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function ended(program: Program): Promise<string | undefined> {
  const [, code] = await program.line(/^ended (\S+)/)
  return code
}

describe('a peer that stops responding', () => {
  test.each(['server', 'client'])('the %s, whose process stands still, is noticed by the other', async (frozen) => {
    await using server = Program.run('../test/silence/server.ts')
    await using client = Program.run('../test/silence/client.ts', [await server.url()])
    await client.line(/^idle$/)
    const [still, other] = frozen === 'server' ? [server, client] : [client, server]
    const began = performance.now()
    still.kill('SIGSTOP')
    expect(await ended(other)).toBe('PEER_SILENT')
    expect(performance.now() - began).toBeLessThan(time + slack)
    still.kill('SIGCONT')
  })

  test('both ends detect a network that drops everything', async () => {
    await using server = Program.run('../test/silence/server.ts')
    await using relay = await relayTo(await server.url())
    await using client = Program.run('../test/silence/client.ts', [relay.url])
    await client.line(/^idle$/)
    const began = performance.now()
    relay.swallow()
    expect(await Promise.all([ended(client), ended(server)])).toEqual(['PEER_SILENT', 'PEER_SILENT'])
    expect(performance.now() - began).toBeLessThan(time + slack)
  })

  test('a channel that is only idle stays open', async () => {
    await using server = Program.run('../test/silence/server.ts')
    await using client = Program.run('../test/silence/client.ts', [await server.url()])
    await client.line(/^idle$/)
    const over = Promise.race([ended(client), ended(server)])
    const later = new Promise((resolve) => {
      setTimeout(resolve, 3 * time, 'still there')
    })
    expect(await Promise.race([over, later])).toBe('still there')
    over.catch(() => {})
  })
}, 60_000)

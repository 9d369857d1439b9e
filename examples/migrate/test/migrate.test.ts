/** Each server answers the clients of both protocols at the same port. */
import { createClient as createConnectClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import type { ClientDuplexStream, ServiceClientConstructor } from '@grpc/grpc-js'
import { credentials, loadPackageDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { createClient } from '@h2channel/channel/client'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { io } from 'socket.io-client'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'

import { Program } from '../../test/program.ts'
import { quotes } from '../src/quotes.ts'
import { Quotes } from '../src/quotes_pb.ts'

const question = { symbols: ['SAP', 'ALV'] }
const answers = [
  { symbol: 'SAP', price: 251.3 },
  { symbol: 'ALV', price: 347.9 },
]
const allAnswered = [answers, answers, answers]
/** Of the servers, which make their own certificates. */
const tls = { rejectUnauthorized: false }

/** What comes of a question of the older client, one through a channel, and one of the older client again. */
async function bothAt(name: string, ask: (host: string) => Promise<unknown[]>): Promise<unknown[][]> {
  await using program = Program.run('migrate/src/main.ts', [name, '--port', '0'])
  const origin = await program.url()
  const { host } = new URL(origin)
  const first = await ask(host)
  await using client = createClient(origin, { tls })
  const channel = await client.open(quotes)
  await channel.send(question)
  await channel.end()
  const received: unknown[] = []
  for await (const quote of channel) received.push(quote)
  return [first, received, await ask(host)]
}

test('WebSockets and channels share a port', async () => {
  const all = await bothAt('ws', async (host) => {
    const socket = new WebSocket(`wss://${host}`, tls)
    const received: unknown[] = []
    socket.on('message', (data: Buffer) => {
      received.push(JSON.parse(data.toString()))
      if (received.length === answers.length) socket.close()
    })
    await once(socket, 'open')
    socket.send(JSON.stringify(question))
    await once(socket, 'close')
    return received
  })
  expect(all).toEqual(allAnswered)
})

test.each(['polling', 'websocket'])('socket.io over %s and channels share a port', async (transport) => {
  const all = await bothAt('socket-io', async (host) => {
    const socket = io(`https://${host}`, { ...tls, transports: [transport], reconnection: false })
    try {
      return await new Promise<unknown[]>((resolve, reject) => {
        const received: unknown[] = []
        socket.on('connect_error', reject)
        socket.on('quote', (quote: unknown) => {
          received.push(quote)
          if (received.length === answers.length) resolve(received)
        })
        socket.emit('question', question)
      })
    } finally {
      socket.disconnect()
    }
  })
  expect(all).toEqual(allAnswered)
})

test('Connect and channels share a port', async () => {
  const all = await bothAt('connect', async (host) => {
    const baseUrl = `https://${host}`
    const transport = createConnectTransport({ baseUrl, httpVersion: '2', nodeOptions: tls })
    const received: unknown[] = []
    async function* ask(): AsyncIterable<typeof question> {
      yield question
    }
    for await (const { symbol, price } of createConnectClient(Quotes, transport).watch(ask())) {
      received.push({ symbol, price })
    }
    return received
  })
  expect(all).toEqual(allAnswered)
})

test('clients of gRPC and channels share a port', async () => {
  const definition = loadSync(fileURLToPath(new URL('../quotes.proto', import.meta.url)))
  const { Quotes: Client } = loadPackageDefinition(definition)['market'] as { Quotes: ServiceClientConstructor }
  const all = await bothAt('connect', async (host) => {
    const client = new Client(host, credentials.createSsl(null, null, null, tls))
    const watch = client['watch'] as unknown as () => ClientDuplexStream<unknown, unknown>
    const call = watch.call(client)
    call.write(question)
    call.end()
    const received = await call.toArray()
    client.close()
    return received
  })
  expect(all).toEqual(allAnswered)
})

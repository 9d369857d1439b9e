// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
import { bytes, json, msgpack, oneOf } from '@h2channel/codecs'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

import type { Channel } from '../../src/index.ts'
import { defineRoute, fixedLength, newlineDelimited } from '../../src/index.ts'
import { createRouter } from '../../src/server.ts'
import { channelPair, startServer, testClock } from '../../src/testing.ts'
import { failOnUnhandledRejections, failure, receiveAll } from '../support/support.ts'

failOnUnhandledRejections()

const quotes = defineRoute('/quotes/:market', {
  client: json(z.object({ symbol: z.string() })),
  server: msgpack(z.object({ price: z.number() })),
})

test('channelPair: joins both typed ends of a route', async () => {
  const [client, server] = channelPair(quotes)
  expectTypeOf(client).toEqualTypeOf<Channel<{ symbol: string }, { price: number }>>()
  expectTypeOf(server).toEqualTypeOf<Channel<{ price: number }, { symbol: string }>>()
  await client.send({ symbol: 'SAP' })
  expect(await server.receive()).toEqual({ symbol: 'SAP' })
  await server.send({ price: 196.2 })
  expect(await client.receive()).toEqual({ price: 196.2 })
  await Promise.all([client.close(), server.close()])
  expect(await Promise.all([client.closed, server.closed])).toEqual([{ clean: true }, { clean: true }])
})

test('channelPair: validates, and each end learns of a failure of the other', async () => {
  const [client, server] = channelPair(quotes)
  await client.send(JSON.parse('{"symbol":7}'))
  await failure(server.receive(), 'INVALID_MESSAGE')
  expect(await failure(client.receive(), 'INVALID_MESSAGE')).toMatchObject({ side: 'local' })
})

test('channelPair: an abort looks as it does over a network', async () => {
  const [client, server] = channelPair(quotes)
  const wait = server.receive()
  client.abort()
  await failure(wait, 'PEER_ABORTED')
})

test('channelPair: the other end learns of an iteration that ended early', async () => {
  const [client, server] = channelPair(quotes)
  await client.send({ symbol: 'SAP' })
  for await (const _ of server) break
  await server.send({ price: 1 })
  expect(await client.receive()).toEqual({ price: 1 })
  await failure(client.send({ symbol: 'BMW' }), 'PEER_STOPPED')
  await Promise.all([client.close(), server.close()])
})

test('channelPair: accepts onInvalid for each end', async () => {
  const skipped: string[] = []
  const onInvalid = ({ message }: Error): 'skip' => {
    skipped.push(message)
    return 'skip'
  }
  const [client, server] = channelPair(quotes, { onInvalid: { server: onInvalid } })
  await client.send(JSON.parse('{"symbol":7}'))
  await client.send({ symbol: 'SAP' })
  expect(await server.receive()).toEqual({ symbol: 'SAP' })
  expect(skipped).toEqual([expect.stringMatching(/^symbol: /)])
  await server.send(JSON.parse('{"price":"high"}'))
  await failure(client.receive(), 'INVALID_MESSAGE')
})

test('channelPair: accepts limits for both ends', async () => {
  const [client, server] = channelPair(quotes, { limits: { maxMessageBytes: 16 } })
  await failure(client.send({ symbol: 'x'.repeat(20) }), 'MESSAGE_TOO_LARGE')
  await client.send({ symbol: 'SAP' })
  await client.end()
  expect(await receiveAll(server)).toEqual([{ symbol: 'SAP' }])
  await server.close()
})

test.each([
  ['newline-delimited', defineRoute('/a', { client: json(), server: json(), framing: newlineDelimited() })],
  ['fixed-length', defineRoute('/a', { client: bytes(3), server: bytes(3), framing: fixedLength(3) })],
  ['alternatives', defineRoute('/a', { client: oneOf(msgpack(), json()), server: oneOf(json(), msgpack()) })],
])('channelPair: works with a route of %s', async (_what, route) => {
  const [client, server] = channelPair<string, unknown, unknown>(route)
  const message = Uint8Array.of(1, 2, 3)
  await client.send(message)
  await client.end()
  expect(await receiveAll(server)).toHaveLength(1)
  await server.close()
})

test.each([false, true])(
  'startServer: serves a router, with TLS %s, to clients with connections of their own',
  async (tls) => {
    const router = createRouter({ perSession: { maxChannels: 1 }, authorize: ({ headers }) => headers.authorization })
    router.handle(quotes, async (channel, { auth, params }) => {
      for await (const { symbol } of channel) await channel.send({ price: `${symbol}${auth}${params.market}`.length })
    })
    await using server = await startServer(router, { tls })
    expect(server.origin).toMatch(tls ? /^https:/ : /^http:/)
    const at = { params: { market: 'xetra' } }
    const clients = [
      server.client({ headers: { authorization: 'ab' } }),
      server.client({ headers: { authorization: 'abc' } }),
    ]
    const channels = await Promise.all(clients.map(async (client) => client.open(quotes, at)))
    for (const channel of channels) await channel.send({ symbol: 'SAP' })
    expect(await Promise.all(channels.map(async (channel) => channel.receive()))).toEqual([
      { price: 10 },
      { price: 11 },
    ])
    await Promise.all(channels.map(async (channel) => channel.close()))
  },
)

test('startServer: a router with a clock that the test advances', async () => {
  const clock = testClock()
  const hour = 3_600_000
  const router = createRouter({
    clock,
    limits: { heartbeatInterval: 2 ** 30 },
    authorize: () => ({ expiresAt: Date.now() + hour }),
  })
  router.handle(quotes, async (channel) => {
    for await (const message of channel) await channel.send({ price: message.symbol.length })
  })
  await using server = await startServer(router)
  const channel = await server.client().open(quotes, { params: { market: 'xetra' } })
  const ended = failure(channel.receive(), 'UNAUTHENTICATED')
  await clock.advance(hour + 10_000)
  expect(await ended).toMatchObject({ fatal: true })
})

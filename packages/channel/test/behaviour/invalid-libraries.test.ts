/** One route, as several schema libraries describe it: each with each, over real channels. */
import { json, msgpack } from '@h2channel/codecs'
import { expect, test } from 'vitest'

import type { Order } from '../../../codecs/test/support/schema-libraries.ts'
import { libraries } from '../../../codecs/test/support/schema-libraries.ts'
import { defineRoute } from '../../src/index.ts'
import { channelPair } from '../../src/testing.ts'
import { serve } from '../support/server-support.ts'
import { failOnUnhandledRejections, failure, until } from '../support/support.ts'

failOnUnhandledRejections()

const good: Order = { id: 1, symbols: ['SAP', 'BMW'], note: 'fast' }
const bad = { id: 1, symbols: ['SAP', 7] } as unknown as Order

const routes = libraries.flatMap(([library, schema]) =>
  [json, msgpack].map((codec) => {
    const [client, server] = [codec(schema), codec(schema)]
    return [library, client.name, defineRoute('/orders', { client, server })] as const
  }),
)

test.each(routes)('channelPair: carries and checks the messages of %s in %s', async (_, __, route) => {
  const [client, server] = channelPair(route)
  await client.send(good)
  await client.send({ id: 2, symbols: [] })
  await client.send(bad)
  expect(await server.receive()).toEqual(good)
  expect(await server.receive()).toEqual({ id: 2, symbols: [] })
  const here = await failure(server.receive(), 'INVALID_MESSAGE')
  expect(here).toMatchObject({ side: 'remote', cause: { issues: [{ path: ['symbols', 1] }] } })
  expect(here.message).toMatch(/^symbols\[1\]: .*string/)
  const there = await failure(client.receive(), 'INVALID_MESSAGE')
  expect(there.message).toBe('/orders: the peer refused what this side sent (INVALID_MESSAGE)')
})

test('createRouter, createClient: serve a client whose route another library describes', async () => {
  const path = (index: number): `/orders/${string}` => `/orders/${index}`
  await using served = await serve((router) => {
    for (const [index, [, schema]] of libraries.entries()) {
      const route = defineRoute(path(index), { client: json(schema), server: json(schema) })
      router.handle(route, async (channel) => {
        for await (const { id, symbols } of channel) await channel.send({ id: id + 1, symbols: symbols.toReversed() })
      })
    }
  })
  const client = served.client()
  for (const [, schema] of libraries) {
    for (const index of libraries.keys()) {
      const route = defineRoute(path(index), { client: json(schema), server: json(schema) })
      const channel = await client.open(route)
      await channel.send(good)
      expect(await channel.receive()).toEqual({ id: 2, symbols: ['BMW', 'SAP'] })
      const told = served.errors.length
      await channel.send(bad)
      await failure(channel.receive(), 'INVALID_MESSAGE')
      await until(() => served.errors.length > told)
      expect(served.errors.at(-1)).toMatchObject({
        code: 'INVALID_MESSAGE',
        cause: { issues: [{ path: ['symbols', 1] }] },
      })
    }
  }
})

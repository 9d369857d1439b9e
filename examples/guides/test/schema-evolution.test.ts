import type { Route } from '@h2channel/channel'
import { defineRoute } from '@h2channel/channel'
import { createRouter } from '@h2channel/channel/server'
import type { RunningServer } from '@h2channel/channel/testing'
import { startServer } from '@h2channel/channel/testing'
import { json } from '@h2channel/codecs'
import { expect, test } from 'vitest'
import { z } from 'zod'

import {
  events,
  ordersV1,
  ordersV2,
  quote,
  quotesV1,
  quotesV2,
  skipUnknownTypes,
  Status,
  ticks,
  ticksV1,
} from '../src/schema-evolution.ts'

/** A server that sends every message back. */
async function startEcho<T>(route: Route<string, T, T>, onInvalid?: typeof skipUnknownTypes): Promise<RunningServer> {
  const router = createRouter({ onError: () => {} }).handle(
    route,
    async (channel) => {
      for await (const message of channel) await channel.send(message)
    },
    { onInvalid },
  )
  return startServer(router)
}

test('a new client and an old server leave out what the old one does not know', async () => {
  await using server = await startEcho(ordersV1)
  await using channel = await server.client().open(ordersV2)
  await channel.send({ id: '1', side: 'buy', venue: 'xetra', note: 'urgent' })
  expect(await channel.receive()).toEqual({ id: '1', side: 'buy', venue: 'any' })
})

test('an old client and a new server use the default', async () => {
  await using server = await startEcho(ordersV2)
  await using channel = await server.client().open(ordersV1)
  await channel.send({ id: '1', side: 'buy' })
  // On the wire it has a venue, which the old client drops.
  expect(await channel.receive()).toEqual({ id: '1', side: 'buy' })
})

test('an enum grows', async () => {
  const Later = z.object({ id: z.string(), status: z.enum(['open', 'filled', 'expired']) })
  await using server = await startEcho(defineRoute('/statuses', { client: json(Later), server: json(Later) }))
  const now = defineRoute('/statuses', { client: json(Later), server: json(Status) })
  await using channel = await server.client().open(now)
  await channel.sendAll([
    { id: '1', status: 'open' },
    { id: '2', status: 'expired' },
  ])
  expect(await channel.receive()).toEqual({ id: '1', status: 'open' })
  expect(await channel.receive()).toEqual({ id: '2', status: 'unknown' })
})

test('messages of a new type are skipped, and other mistakes are not', async () => {
  await using server = await startEcho(events, skipUnknownTypes)
  const later = defineRoute(events.path, { client: json<object>(), server: events.server })
  await using channel = await server.client().open(later)
  await channel.sendAll([
    { type: 'expired', id: '1' },
    { type: 'filled', id: '2' },
  ])
  expect(await channel.receive()).toEqual({ type: 'filled', id: '2' })
  await channel.send({ type: 'filled', id: 3 })
  await expect(channel.receive()).rejects.toMatchObject({ code: 'INVALID_MESSAGE', side: 'local' })
})

test('a route serves records of both layouts', async () => {
  await using server = await startEcho(ticks)
  const client = server.client()
  await using newer = await client.open(ticks)
  await newer.send({ id: 1, price: 0.1, size: 5 })
  expect(await newer.receive()).toEqual({ id: 1, price: 0.1, size: 5 })
  await using older = await client.open(ticksV1)
  await older.send({ id: 1, price: 0.5 })
  expect(await older.receive()).toEqual({ id: 1, price: 0.5 })
})

test('a new client uses records of version 1 at a server that has no others', async () => {
  await using server = await startEcho(ticksV1)
  const client = server.client()
  await expect(client.open(ticks)).rejects.toMatchObject({ code: 'UNSUPPORTED_CODEC' })
})

test('a client uses version 2 where it is served, and version 1 elsewhere', async () => {
  const old = createRouter().handle(quotesV1, async (channel) => {
    for await (const { symbol } of channel) await channel.send({ price: symbol.length + 0.25 })
  })
  await using oldServer = await startServer(old)
  expect(await quote(oldServer.client(), 'SAP')).toBe(325)
  const both = createRouter()
    .handle(quotesV1, (channel) => channel.send({ price: 0 }))
    .handle(quotesV2, (channel) => channel.send({ cents: 100 }))
  await using newServer = await startServer(both)
  expect(await quote(newServer.client(), 'SAP')).toBe(100)
})

/** The routes that a server under test serves. `vectors/README.md` describes them for other languages. */
import type { Channel } from '@h2channel/channel'
import { defineRoute } from '@h2channel/channel'
import type { Router, RouterOptions } from '@h2channel/channel/server'
import { createRouter } from '@h2channel/channel/server'
import { bytes, i16, json, msgpack, oneOf, struct, text, u16, u8 } from '@h2channel/codecs'
import { z } from 'zod'

const any = { client: json(), server: json() }
const record = struct({ a: u8, b: i16, c: text(4) })

const echo = defineRoute('/conformance/echo', any)
const strict = defineRoute('/conformance/strict', { client: json(z.strictObject({ n: z.int() })), server: json() })
const small = defineRoute('/conformance/small', any)
const parameter = defineRoute('/conformance/params/:name', any)
const literal = defineRoute('/conformance/params/literal', any)
const below = defineRoute('/conformance/:kind/below', any)
const failing = defineRoute('/conformance/fail', any)
const stopping = defineRoute('/conformance/stop', any)
const draining = defineRoute('/conformance/drain', any)
const packed = defineRoute('/conformance/msgpack', { client: msgpack(), server: msgpack() })
const raw = defineRoute('/conformance/bytes', { client: bytes(), server: bytes() })
const sized = defineRoute('/conformance/sized', { client: bytes(4), server: bytes(4) })
const records = defineRoute('/conformance/record', { client: record, server: record })
const little = defineRoute('/conformance/little', { client: struct({ n: u16 }, { endian: 'little' }), server: json() })
const mixed = defineRoute('/conformance/mixed', { client: bytes(8), server: bytes(12) })
const choice = defineRoute('/conformance/any', {
  client: oneOf(json(), msgpack()),
  server: oneOf(json(), msgpack()),
})

/** Sends each message back, until the client has ended its half. */
async function sendBack<T>(channel: Channel<T, T>): Promise<void> {
  for await (const message of channel) await channel.send(message)
}

/** Serves the routes of the suite. */
export function createConformanceRouter(options: RouterOptions = {}): Router {
  // Two cases make a handler fail, which is no news.
  const router = createRouter({ onError: () => {}, resume: { timeout: 10_000 }, ...options })
  router.handle(parameter, (channel, { params }) => channel.send({ name: params.name }))
  router.handle(literal, (channel) => channel.send({ literal: true }))
  router.handle(below, (channel, { params }) => channel.send({ kind: params.kind }))
  router.handle(echo, sendBack)
  router.handle(strict, async (channel) => {
    for await (const message of channel) await channel.send(message)
  })
  router.handle(small, sendBack, { limits: { maxMessageBytes: 1_024 } })
  router.handle(failing, async (channel) => {
    await channel.receive()
    throw new Error('a secret of the server')
  })
  // Leaving the loop stops receiving.
  router.handle(stopping, async (channel) => {
    for await (const _ of channel) break
    await channel.send({ stopped: true })
  })
  router.handle(draining, sendBack, { maxAge: 100, maxAgeGrace: 2_000 })
  router.handle(packed, sendBack)
  router.handle(raw, sendBack)
  router.handle(sized, sendBack)
  router.handle(records, sendBack)
  router.handle(little, sendBack)
  router.handle(mixed, async (channel) => {
    for await (const _ of channel) await channel.send(new Uint8Array(12))
  })
  router.handle(choice, sendBack)
  return router
}

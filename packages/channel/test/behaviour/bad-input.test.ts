/** What a peer can do wrong: what this side says about it, what the peer sees, and that the next one is served. */
import { json } from '@h2channel/codecs'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { expect, test } from 'vitest'
import { z } from 'zod'

import { createClient } from '../../src/client.ts'
import { ChannelError, defineRoute } from '../../src/index.ts'
import type { Served } from '../support/server-support.ts'
import { ask, ask1, serve } from '../support/server-support.ts'
import { bytesOf, deferred, failOnUnhandledRejections, jsonFrames, utf8 } from '../support/support.ts'

failOnUnhandledRejections()

const Order = json(z.object({ count: z.number() }))
const orders = defineRoute('/orders', { client: Order, server: Order })
const other = defineRoute('/other', { client: Order, server: Order })

interface Outcome {
  /** The code of the error at this side, if the input got as far as a channel. */
  readonly here?: string
  /** What the peer sees: a status, and the code of the reset where there is one; or the code of its error. */
  readonly there: unknown
}

interface Shop {
  readonly served: Served
  /** The code by which the next handler ends. */
  next(): Promise<string>
}

/** Sends bytes as a peer without control frames does, and gives what both sides make of it. */
async function sendBytes(
  { served, next }: Shop,
  body: Uint8Array,
  contentType = 'application/vnd.h2channel+json',
): Promise<Outcome> {
  const here = next()
  const { status, rstCode } = await ask(served.at, { ':path': '/orders', 'content-type': contentType }, body)
  return { here: await here, there: { status, rstCode } }
}

/** Opens a channel as a client does, and gives what that fails with. */
async function open(client: ReturnType<typeof createClient>, route: typeof orders | typeof other): Promise<unknown> {
  try {
    await (await client.open(route)).close()
    return 'opened'
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error
    const { cause } = error
    return [error.code, cause instanceof Error && 'code' in cause ? cause.code : undefined]
  } finally {
    await client.close()
  }
}

const table: readonly { what: string; run: (shop: Shop) => Promise<Outcome>; expected: Outcome }[] = [
  {
    what: 'garbage bytes',
    run: (shop) => sendBytes(shop, bytesOf('de ad be ef de ad be ef')),
    expected: { here: 'INVALID_FRAME', there: { status: 200, rstCode: 1 } },
  },
  {
    what: 'garbage text, such as a request of HTTP/1',
    run: (shop) => sendBytes(shop, utf8('GET / HTTP/1.1\r\n\r\n')),
    expected: { here: 'INVALID_FRAME', there: { status: 200, rstCode: 1 } },
  },
  {
    what: 'a length over the limit',
    run: (shop) => sendBytes(shop, bytesOf('3f ff ff ff 7b')),
    expected: { here: 'MESSAGE_TOO_LARGE', there: { status: 200, rstCode: 6 } },
  },
  {
    what: 'a body that ends inside a frame',
    run: (shop) => sendBytes(shop, jsonFrames({ count: 1 }).subarray(0, 9)),
    expected: { here: 'TRUNCATED_FRAME', there: { status: 200, rstCode: 1 } },
  },
  {
    what: 'a body that ends inside a prefix',
    run: (shop) => sendBytes(shop, bytesOf('00 00')),
    expected: { here: 'TRUNCATED_FRAME', there: { status: 200, rstCode: 1 } },
  },
  {
    what: 'bytes that are no JSON',
    run: (shop) => sendBytes(shop, bytesOf('00 00 00 01 7b')),
    expected: { here: 'INVALID_MESSAGE', there: { status: 200, rstCode: 1 } },
  },
  {
    what: 'a line of nothing but white space',
    run: (shop) => sendBytes(shop, utf8('{"count":1}\n\n \t\n'), 'application/x-ndjson'),
    expected: { here: 'INVALID_MESSAGE', there: { status: 200, rstCode: 1 } },
  },
  {
    what: 'lines after a byte order mark',
    run: (shop) => sendBytes(shop, utf8('\ufeff{"count":1}\n'), 'application/x-ndjson'),
    expected: { here: 'INVALID_MESSAGE', there: { status: 200, rstCode: 1 } },
  },
  {
    what: 'JSON that the schema refuses',
    run: (shop) => sendBytes(shop, jsonFrames({ count: 1 }, { count: 'two' })),
    expected: { here: 'INVALID_MESSAGE', there: { status: 200, rstCode: 1 } },
  },
  {
    what: 'a control frame that was not announced',
    run: (shop) => sendBytes(shop, bytesOf('80 00 00 01 02')),
    expected: { here: 'INVALID_FRAME', there: { status: 200, rstCode: 1 } },
  },
  {
    what: 'JSON that the schema refuses, from a client',
    async run({ served, next }) {
      const here = next()
      const client = served.client()
      const channel = await client.open(orders)
      await channel.send(JSON.parse('{"count":"two"}'))
      const there: unknown = await channel.receive().catch((error: unknown) => error)
      return { here: await here, there: there instanceof ChannelError ? [there.code, there.side] : there }
    },
    expected: { here: 'INVALID_MESSAGE', there: ['INVALID_MESSAGE', 'local'] },
  },
  {
    what: 'an unknown path',
    run: async ({ served }) => ({ there: await open(createClient(served.at.origin, { tls: served.at.tls }), other) }),
    expected: { there: ['NOT_FOUND', 'UNEXPECTED_STATUS'] },
  },
  {
    what: 'a wrong content type',
    async run({ served }) {
      const { status, headers } = await ask(served.at, { ':path': '/orders', 'content-type': 'text/html' })
      return { there: [status, headers.accept] }
    },
    expected: { there: [415, 'application/vnd.h2channel+json, application/x-ndjson'] },
  },
  {
    what: 'a client of HTTP/1',
    run: async ({ served }) => ({ there: (await ask1(served.at, '/orders')).status }),
    expected: { there: 505 },
  },
  {
    what: 'a refused TLS certificate',
    run: async ({ served }) => ({ there: await open(createClient(served.at.origin), orders) }),
    expected: { there: ['CONNECT_FAILED', 'TLS_FAILED'] },
  },
  {
    what: 'a dead port',
    async run() {
      const server = createTcpServer()
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const { port } = server.address() as AddressInfo
      await once(server.close(), 'close')
      return { there: await open(createClient(`http://127.0.0.1:${port}`), orders) }
    },
    expected: { there: ['CONNECT_FAILED', 'CONNECT_FAILED'] },
  },
]

test.each(table)('createRouter, createClient: $what', async ({ run, expected }) => {
  let ended = deferred<string>()
  await using served = await serve(
    (router) => {
      router.handle(orders, async (channel) => {
        const { resolve } = ended
        void channel.closed.then((closed) => resolve(closed.clean ? 'clean' : closed.error.code))
        for await (const { count } of channel) await channel.send({ count: count * 2 })
      })
    },
    { tls: true, allowHTTP1: true },
  )
  const next = (): Promise<string> => {
    ended = deferred()
    return ended.promise
  }
  expect(await run({ served, next })).toEqual(expected)
  // The hook receives the error of a channel whose peer broke the protocol, and no other error.
  expect(served.errors.map((error) => (error instanceof ChannelError ? error.code : error))).toEqual(
    expected.here === undefined ? [] : [expected.here],
  )

  const clean = next()
  const channel = await served.client().open(orders)
  await channel.send({ count: 21 })
  expect(await channel.receive()).toEqual({ count: 42 })
  await channel.end()
  expect(await channel.receive()).toBeUndefined()
  expect(await channel.closed).toEqual({ clean: true })
  expect(await clean).toBe('clean')
})

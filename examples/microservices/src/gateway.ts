/** The gateway: JSON from the outside, which needs a token; MessagePack to the order service. */
import type { Channel } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { createRouter, Refusal } from '@h2channel/channel/server'
import { parseArgs } from 'node:util'

import { desk, orders } from './routes.ts'
import { credentialsOf, startService } from './service.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    certificates: { type: 'string', default: '.' },
    orders: { type: 'string', default: '' },
    token: { type: 'string', default: '' },
  },
})

const credentials = credentialsOf('gateway', values.certificates)
const service = createClient(values.orders, { tls: credentials })

const router = createRouter({
  perSession: { maxChannels: 100, maxMessagesPerSecond: 10_000 },
  limits: { maxMessageBytes: 16 * 1024 },
  authorize({ headers }) {
    if (headers.authorization === `Bearer ${values.token}`) return
    throw new Refusal(401, 'who are you?', { 'www-authenticate': 'Bearer' })
  },
})
router.handle(desk, async (channel) => {
  await using inner = await service.open(orders)
  // Each end of either goes on to the other, and so does its backpressure.
  await Promise.all([pass(channel, inner), pass(inner, channel)])
})

async function pass<M>(from: Channel<never, M>, to: Channel<M, unknown>): Promise<void> {
  for await (const batch of from.batches()) await to.sendAll(batch)
  await to.end()
}

startService(router, { port: Number(values.port), credentials, stop: async () => service.close() })

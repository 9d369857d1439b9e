/** The gateway: JSON from outside clients, which need a token; MessagePack to the order service. */
import { createClient } from '@h2channel/channel/client'
import { createRouter, Refusal } from '@h2channel/channel/server'
import { parseArgs } from 'node:util'

import { placeOrders } from './place-orders.ts'
import type { Order } from './routes.ts'
import { desk, orders } from './routes.ts'
import { credentialsOf, startService } from './service.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    certificates: { type: 'string', default: '.' },
    /** Addresses of the order service: the present one and the next one. */
    orders: { type: 'string', multiple: true, default: [] },
    token: { type: 'string', default: '' },
  },
})

const credentials = credentialsOf('gateway', values.certificates)
const service = createClient(values.orders, { tls: credentials, retry: { maxAttempts: Infinity } })

const router = createRouter({
  perSession: { maxChannels: 100, maxMessagesPerSecond: 10_000 },
  limits: { maxMessageBytes: 16 * 1024 },
  authorize({ headers }) {
    if (headers.authorization === `Bearer ${values.token}`) return
    throw new Refusal(401, 'who are you?', { 'www-authenticate': 'Bearer' })
  },
})
router.handle(desk, async (channel, { signal }) => {
  const next = async (ending: AbortSignal): Promise<Order | undefined> => channel.receive({ signal: ending })
  await placeOrders(service, orders, { next, done: async (executions) => channel.sendAll(executions) }, signal)
  await channel.end()
})

startService(router, { port: Number(values.port), credentials, stop: async () => service.close() })

/** The gateway: JSON from outside clients, which need a token; MessagePack to the order service. */
import type { ClientChannel, ServerChannel } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { createRouter, Refusal } from '@h2channel/channel/server'
import { parseArgs } from 'node:util'

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
const service = createClient(values.orders, { tls: credentials })

const router = createRouter({
  perSession: { maxChannels: 100, maxMessagesPerSecond: 10_000 },
  limits: { maxMessageBytes: 16 * 1024 },
  authorize({ headers }) {
    if (headers.authorization === `Bearer ${values.token}`) return
    throw new Refusal(401, 'who are you?', { 'www-authenticate': 'Bearer' })
  },
})
router.handle(desk, async (channel, { signal }) => {
  for (let isOver = false; !isOver;) {
    await using inner = await service.open(orders, { signal })
    ;[isOver] = await Promise.all([passOrders(channel, inner), passExecutions(inner, channel)])
  }
  await channel.end()
})

type Desk = ServerChannel<typeof desk>
type Orders = ClientChannel<typeof orders>

/**
 * Returns when the client has no more orders, or when this instance of the order service drains. The next then gets the
 * rest.
 */
async function passOrders(outer: Desk, inner: Orders): Promise<boolean> {
  let order = await nextOrder(outer, inner)
  for (; order !== undefined && order !== 'draining'; order = await nextOrder(outer, inner)) await inner.send(order)
  await inner.end()
  return order === undefined
}

async function nextOrder(outer: Desk, inner: Orders): Promise<Order | 'draining' | undefined> {
  try {
    return await outer.receive({ signal: inner.draining })
  } catch (error) {
    // An aborted wait has consumed no order: the next `receive` returns it.
    if (inner.draining.aborted) return 'draining'
    throw error
  }
}

/** Returns when all orders that the instance got were answered. */
async function passExecutions(inner: Orders, outer: Desk): Promise<void> {
  for await (const batch of inner.batches()) await outer.sendAll(batch)
}

startService(router, { port: Number(values.port), credentials, stop: async () => service.close() })

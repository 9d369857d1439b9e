/** The order service: executes each order at the last price from the pricing service. */
import { createClient } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import type { MessageOf } from '@h2channel/codecs'
import { once, EventEmitter } from 'node:events'
import { parseArgs } from 'node:util'

import { orders, ticks } from './routes.ts'
import { credentialsOf, onlyServices, startService } from './service.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    certificates: { type: 'string', default: '.' },
    /** Addresses of the pricing service: the present one and the next one. */
    pricing: { type: 'string', multiple: true, default: [] },
  },
})

const credentials = credentialsOf('orders', values.certificates)
const pricing = createClient(values.pricing, { tls: credentials, retry: { maxAttempts: Infinity } })

type Tick = MessageOf<typeof ticks.server>
const last = new Map<string, Tick>()
/** Emits an event named by the symbol for each new price. */
const changes = new EventEmitter()

const stopping = new AbortController()
/** Subscribes, and subscribes again when the instance drains or was lost. */
const following = pricing.keepOpen(
  ticks,
  async (channel) => {
    await channel.send({ symbols: ['ALV', 'BAS', 'SAP', 'SIE'] })
    for await (const tick of channel) {
      last.set(tick.symbol, tick)
      changes.emit(tick.symbol)
    }
  },
  { signal: stopping.signal },
)

async function priceOf(symbol: string, signal: AbortSignal): Promise<Tick> {
  for (;;) {
    const tick = last.get(symbol)
    if (tick !== undefined) return tick
    await once(changes, symbol, { signal })
  }
}

const router = createRouter({ authorize: onlyServices })
router.handle(orders, async (channel, { signal }) => {
  for await (const { id, symbol } of channel) {
    const { price, instance } = await priceOf(symbol, signal)
    await channel.send({ id, price, pricedBy: instance, executedBy: process.pid })
  }
})

startService(router, {
  port: Number(values.port),
  credentials,
  async stop() {
    stopping.abort()
    await following.catch(() => {})
    await pricing.close()
  },
})

/** The order service: executes each order at the last price from the pricing service. */
import { createClient } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import type { MessageOf } from '@h2channel/codecs'
import { once, EventEmitter } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
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
const pricing = createClient(values.pricing, { tls: credentials, retry: { maxAttempts: 100 } })

type Tick = MessageOf<typeof ticks.server>
const last = new Map<string, Tick>()
/** Emits an event named by the symbol for each new price. */
const changes = new EventEmitter()

/** Subscribes, and subscribes again when the instance drains or was lost. */
async function follow(): Promise<void> {
  while (!stopping.signal.aborted) {
    try {
      const { signal } = stopping
      await using channel = await pricing.open(ticks, { signal })
      await channel.send({ symbols: ['ALV', 'BAS', 'SAP', 'SIE'] })
      for (let tick = await channel.receive({ signal }); tick !== undefined; tick = await channel.receive({ signal })) {
        last.set(tick.symbol, tick)
        changes.emit(tick.symbol)
      }
    } catch (error) {
      if (stopping.signal.aborted) return
      console.error('orders: the price subscription failed:', error)
      await pause(1_000)
    }
  }
}

const stopping = new AbortController()
const following = follow()

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
    await following
    await pricing.close()
  },
})

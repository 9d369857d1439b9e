/** The pricing service: sends prices when they change, to all subscribers. */
import { createRouter } from '@h2channel/channel/server'
import { setInterval } from 'node:timers/promises'
import { parseArgs } from 'node:util'

import { ticks } from './routes.ts'
import { credentialsOf, onlyServices, startService } from './service.ts'

const { values } = parseArgs({
  options: { port: { type: 'string', default: '0' }, certificates: { type: 'string', default: '.' } },
})

const prices = new Map<string, number>()

/** The next price: up or down by some tenths of a percent. */
function next(symbol: string): number {
  const price = (prices.get(symbol) ?? 100) * (1 + (Math.random() - 0.5) / 200)
  prices.set(symbol, price)
  return price
}

const router = createRouter({ authorize: onlyServices })
router.handle(ticks, async (channel, { signal }) => {
  const asked = await channel.receive()
  if (asked === undefined) return
  // With the signal, the wait for the next prices also ends when the subscriber has left.
  for await (const _ of setInterval(5, undefined, { signal })) {
    // The subscriber then opens another channel, to the instance that was deployed meanwhile.
    if (channel.draining.aborted) return
    await channel.sendAll(asked.symbols.map((symbol) => ({ symbol, price: next(symbol), instance: process.pid })))
  }
})

startService(router, { port: Number(values.port), credentials: credentialsOf('pricing', values.certificates) })

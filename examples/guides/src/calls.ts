/** The four kinds of calls that gRPC has, with channels. */
import { defineRoute } from '@h2channel/channel'
import type { Client } from '@h2channel/channel/client'
import type { Router } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import { z } from 'zod'

// #region routes
const Question = z.object({ symbol: z.string().max(20) })
const Price = z.object({ price: z.number() })
const Reading = z.object({ celsius: z.number() })

export const prices = defineRoute('/prices/:market', { client: json(Question), server: json(Price) })
export const history = defineRoute('/history', { client: json(Question), server: json(Price) })
export const readings = defineRoute('/readings', {
  client: json(Reading),
  server: json(z.object({ mean: z.number() })),
})
// #endregion

// #region server
export function serveCalls(
  router: Router,
  priceOf: (market: string, symbol: string, signal: AbortSignal) => Promise<number>,
  pricesOf: (symbol: string) => Iterable<number>,
): Router {
  return router
    .answer(prices, async ({ symbol }, { params, signal }) => ({ price: await priceOf(params.market, symbol, signal) }))
    .handle(history, async (channel) => {
      const asked = await channel.receive()
      if (asked === undefined) return
      for (const price of pricesOf(asked.symbol)) await channel.send({ price })
    })
    .handle(readings, async (channel) => {
      let [sum, count] = [0, 0]
      for await (const { celsius } of channel) {
        sum += celsius
        count += 1
      }
      await channel.send({ mean: sum / count })
    })
}
// #endregion

// #region one
/** Unary: one message there, one back, in one round trip. */
export async function askPrice(client: Client, symbol: string): Promise<number> {
  const options = { params: { market: 'xetra' }, signal: AbortSignal.timeout(2_000) }
  const { price } = await client.call(prices, { symbol }, options)
  return price
}
// #endregion

// #region streams
/** Server streaming: the question leaves with the request. */
export async function* askHistory(client: Client, symbol: string): AsyncGenerator<number, void> {
  await using channel = await client.open(history, { initial: [{ symbol }] })
  await channel.end()
  for await (const { price } of channel) yield price
}

/** Client streaming: any number of messages, then one reply. */
export async function askMean(client: Client, celsius: Iterable<number>): Promise<number | undefined> {
  await using channel = await client.open(readings)
  for (const one of celsius) await channel.send({ celsius: one })
  await channel.end()
  return (await channel.receive())?.mean
}
// #endregion

// #region many
/** Many questions on one channel, which are answered in order. */
export async function askPrices(client: Client, symbols: readonly string[]): Promise<number[]> {
  await using channel = await client.open(prices, { params: { market: 'xetra' } })
  const asking = channel.sendAll(symbols.map((symbol) => ({ symbol }))).then(async () => channel.end())
  const received: number[] = []
  for await (const { price } of channel) received.push(price)
  await asking
  return received
}
// #endregion

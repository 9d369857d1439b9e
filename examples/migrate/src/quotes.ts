/** The messages, the route, and the answers, which do not depend on the protocol. */
import { defineRoute } from '@h2channel/channel'
import { json } from '@h2channel/codecs'
import { z } from 'zod'

// #region route
export const Question = z.object({ symbols: z.array(z.string()).max(100) })
export const Quote = z.object({ symbol: z.string(), price: z.number() })

export const quotes = defineRoute('/quotes', { client: json(Question), server: json(Quote) })
// #endregion

const prices = new Map([
  ['SAP', 251.3],
  ['ALV', 347.9],
])

export function quotesFor({ symbols }: z.infer<typeof Question>): z.infer<typeof Quote>[] {
  return symbols.map((symbol) => ({ symbol, price: prices.get(symbol) ?? 0 }))
}

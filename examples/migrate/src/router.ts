/** The new side of every server in this folder. */
// #region router
import type { Router } from '@h2channel/channel/server'
import { createRouter } from '@h2channel/channel/server'

import { quotes, quotesFor } from './quotes.ts'

export function quoteRouter(): Router {
  return createRouter().handle(quotes, async (channel) => {
    for await (const question of channel) {
      for (const quote of quotesFor(question)) await channel.send(quote)
    }
  })
}
// #endregion

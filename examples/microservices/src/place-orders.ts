/** A client of orders that outlives the services behind it: the gateway's, and the one outside. */
import type { Route } from '@h2channel/channel'
import type { Client } from '@h2channel/channel/client'

import type { Execution, Order } from './routes.ts'

export interface Orders {
  /** The next order, or undefined after the last one. When the signal aborts, it throws, and has taken none. */
  next(signal: AbortSignal): Promise<Order | undefined>
  /** Gets each execution once, in the order of the orders. */
  done(executions: readonly Execution[]): void | Promise<void>
}

/**
 * Sends each order until it was executed: what had no answer when a channel was lost leaves again on the next. The
 * service may have executed such an order already, so it must know an order by its id.
 */
export async function placeOrders(
  client: Client,
  route: Route<'/orders' | '/desk', Order, Execution>,
  { next, done }: Orders,
  signal?: AbortSignal,
): Promise<void> {
  const waiting = new Map<number, Order>()
  let isOver = false
  await client.keepOpen(
    route,
    async (channel) => {
      const ending = new AbortController()
      channel.draining.addEventListener('abort', () => ending.abort())
      const send = async (): Promise<void> => {
        await channel.sendAll([...waiting.values()])
        while (!isOver && !ending.signal.aborted) {
          const order = await next(ending.signal)
          isOver = order === undefined
          if (order === undefined) break
          waiting.set(order.id, order)
          await channel.send(order)
        }
      }
      const sendUntilEnding = async (): Promise<void> => {
        await send().catch((error: unknown) => {
          if (!ending.signal.aborted) throw error
        })
        await channel.end()
      }
      const receive = async (): Promise<void> => {
        for await (const batch of channel.batches()) await done(batch.filter(({ id }) => waiting.delete(id)))
      }
      const sending = sendUntilEnding()
      sending.catch((error: unknown) => channel.abort(error))
      // Both have ended before the next channel is opened.
      try {
        await receive()
      } finally {
        ending.abort()
        await sending
      }
    },
    { signal },
  )
}

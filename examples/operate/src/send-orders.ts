/** Sends orders over as many channels as it takes: a channel that drains gets no more, and the next one continues. */
import type { Client } from '@h2channel/channel/client'

import { orders } from './routes.ts'

export async function sendOrders(
  client: Client,
  list: readonly string[],
  onAnswer: (answer: string) => void,
): Promise<void> {
  const left = [...list]
  while (left.length > 0) {
    await using channel = await client.open(orders)
    const sending = async (): Promise<void> => {
      for (let order = left[0]; order !== undefined && !channel.draining.aborted; order = left[0]) {
        await channel.send(order)
        left.shift()
      }
      await channel.end()
    }
    const receiving = async (): Promise<void> => {
      for await (const answer of channel) onAnswer(answer)
    }
    // Together, so that the caller gets an error of either.
    await Promise.all([sending(), receiving()])
  }
}

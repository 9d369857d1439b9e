/** What a user writes: a conversation that continues from channel to channel, whatever happens to the servers. */
import type { Client } from '@h2channel/channel/client'
import { setTimeout as pause } from 'node:timers/promises'

import { pace, talk } from './routes.ts'

// #region user
/** Sends numbers until `isOver`, each until a server has stored it. `onNumber` gets the server's, each once. */
export async function converse(client: Client, id: string, isOver: () => boolean, onNumber: (number: number) => void) {
  let [stored, received] = [0, 0]
  await client.keepOpen(
    talk,
    async (channel) => {
      let sent = stored
      const send = async (): Promise<void> => {
        await channel.send({ number: 0, received })
        while (!isOver() && !channel.draining.aborted) {
          await channel.send({ number: sent + 1, received })
          sent += 1
          await pause(pace)
        }
        await channel.end()
      }
      const receive = async (): Promise<void> => {
        for await (const message of channel) {
          ;({ number: received, received: stored } = message)
          onNumber(message.number)
        }
      }
      await Promise.all([send(), receive()])
      await channel.close()
      stored = sent // after a clean end
    },
    { params: { id } },
  )
  return stored
}
// #endregion

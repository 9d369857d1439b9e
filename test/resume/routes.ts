import { defineRoute } from '@h2channel/channel'
import { json } from '@h2channel/codecs'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'

const Numbered = json(z.object({ number: z.number().int() }))

/** A conversation `id`, on one channel, for as long as its client wants. Both sides count from 0. */
export const talk = defineRoute('/talk/:id', { client: Numbered, server: Numbered })

/** What one side of a conversation says at its end. */
export const Report = z.object({
  id: z.string(),
  /** How many numbers `send` accepted. */
  sent: z.number(),
  /** How many came, each once and in order. */
  received: z.number(),
  /** The first one that did not come as it should, with what was expected. */
  fault: z.string().optional(),
  /** How the channel ended. */
  closed: z.string(),
  /** How many connections have carried it. */
  carriers: z.number(),
})
export type Report = z.infer<typeof Report>

/** How often each end of a channel sends. Unit: milliseconds. */
const pace = 20

interface Channel {
  send(message: { number: number }): Promise<void>
  end(): Promise<void>
  readonly closed: Promise<{ readonly clean: boolean; readonly error?: Error }>
  readonly stats: { readonly carriers: number }
  [Symbol.asyncIterator](): AsyncIterator<{ number: number }, undefined>
}

/** Sends numbers until `isOver`, and checks what comes. */
export async function converse(
  id: string,
  channel: Channel,
  isOver: () => boolean,
  onPeerEnd?: () => void,
): Promise<Report> {
  let [sent, received] = [0, 0]
  let fault: string | undefined
  const send = async (): Promise<void> => {
    for (; !isOver(); sent++) {
      await channel.send({ number: sent })
      await pause(pace)
    }
    await channel.end()
  }
  const receive = async (): Promise<void> => {
    for await (const { number } of channel) {
      if (number !== received) fault ??= `${number} came where ${received} was expected`
      received += 1
    }
    onPeerEnd?.()
  }
  const failures = await Promise.allSettled([send(), receive()])
  for (const result of failures) if (result.status === 'rejected') fault ??= String(result.reason)
  const closed = await channel.closed
  return {
    id,
    sent,
    received,
    ...(fault === undefined ? {} : { fault }),
    closed: closed.clean ? 'clean' : String(closed.error),
    carriers: channel.stats.carriers,
  }
}

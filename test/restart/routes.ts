import { defineRoute } from '@h2channel/channel'
import { json } from '@h2channel/codecs'
import { z } from 'zod'

const Numbered = json(z.object({ number: z.number().int() }))

/** A conversation `id`, whose channels follow one another. The server's numbers continue with `next`. */
export const talk = defineRoute('/talk/:id/:turn/:next', { client: Numbered, server: Numbered })

/** A server's report about one of its channels. */
export const Report = z.object({
  id: z.string(),
  turn: z.number(),
  /** What it received, in order. */
  received: z.array(z.number()),
  /** The first number that it sent, and how many `send` accepted. */
  first: z.number(),
  sent: z.number(),
  /** Whether its sender knows that some may not have arrived. */
  isTold: z.boolean(),
})
export type Report = z.infer<typeof Report>

/** How often each end of a channel sends. Unit: milliseconds. */
export const pace = 20

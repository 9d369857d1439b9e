import { defineRoute } from '@h2channel/channel'
import { json } from '@h2channel/codecs'
import { z } from 'zod'

/** Each side counts from 1. `received` is the last number of the other side that was stored. */
const Numbered = json(z.object({ number: z.int(), received: z.int() }))

/** A conversation, whose channels follow one another. A client's first message on each has the number 0. */
export const talk = defineRoute('/talk/:id', { client: Numbered, server: Numbered })

/** How often each end of a channel sends. Unit: milliseconds. */
export const pace = 20

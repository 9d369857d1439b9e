/** The messages of the examples. Both sides of each route import it from here. */
import { defineRoute } from '@h2channel/channel'
import { json } from '@h2channel/codecs'
import { z } from 'zod'

export const orders = defineRoute('/orders', { client: json(z.string()), server: json(z.string()) })

/** Letters have increasing numbers. The server answers with the number of each letter that it has handled. */
export const letters = defineRoute('/letters/:sender', {
  client: json(z.object({ id: z.int(), text: z.string() })),
  server: json(z.object({ handled: z.int() })),
})

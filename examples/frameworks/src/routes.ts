import { defineRoute } from '@h2channel/channel'
import { json } from '@h2channel/codecs'
import { z } from 'zod'

/** Clients send names, and get a greeting for each. */
export const greetings = defineRoute('/greetings/:language', {
  client: json(z.object({ name: z.string() })),
  server: json(z.object({ text: z.string() })),
})

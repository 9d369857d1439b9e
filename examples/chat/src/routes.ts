import { defineRoute } from '@h2channel/channel'
import { json } from '@h2channel/codecs'
import { z } from 'zod'

export const Name = z.string().regex(/^[\p{L}\p{N}_-]{1,20}$/u, 'a name has 1 to 20 letters, digits, _ or -')

// Every member's terminal prints it: no control characters.
const Text = z
  .string()
  .max(2_000)
  .regex(/^\P{Cc}*$/u)

/** A login comes first. The server answers it with `welcome` or `refused`. */
const FromClient = z.discriminatedUnion('type', [
  z.object({ type: z.literal('login'), name: Name }),
  z.object({ type: z.literal('say'), text: Text }),
])
export type FromClient = z.infer<typeof FromClient>

const FromServer = z.discriminatedUnion('type', [
  z.object({ type: z.literal('welcome'), members: z.array(Name) }),
  z.object({ type: z.literal('refused'), reason: z.string() }),
  z.object({ type: z.literal('joined'), name: Name }),
  z.object({ type: z.literal('left'), name: Name }),
  z.object({ type: z.literal('said'), name: Name, text: Text }),
])
export type FromServer = z.infer<typeof FromServer>

export const chat = defineRoute('/chat', { client: json(FromClient), server: json(FromServer) })

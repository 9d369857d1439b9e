import { defineRoute } from '@h2channel/channel'
import { json, msgpack, oneOf } from '@h2channel/codecs'
import { z } from 'zod'

export const Said = z.object({ text: z.string() })
export const Heard = z.object({ from: z.string(), text: z.string() })

export const chat = defineRoute('/chat', {
  client: oneOf(json(Said), msgpack(Said)),
  server: oneOf(json(Heard), msgpack(Heard)),
})

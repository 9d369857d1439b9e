import { defineRoute } from '@h2channel/channel'
import { json } from '@h2channel/codecs'
import { z } from 'zod'

const Line = z.object({ text: z.string() })

/** JSON supports two framings: length prefixes for typed clients, one message per line for curl. The client chooses. */
export const echo = defineRoute('/echo', { client: json(Line), server: json(Line) })

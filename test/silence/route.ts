import { defineRoute } from '@h2channel/channel'
import { json } from '@h2channel/codecs'

export const idle = defineRoute('/idle', { client: json<string>(), server: json<string>() })

/** Unit: milliseconds. */
export const limits = { heartbeatInterval: 500, heartbeatTimeout: 1_000 }

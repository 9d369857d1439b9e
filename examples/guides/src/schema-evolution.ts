/** Two versions of the messages of a route, while programs of both run. */
import { ChannelError, defineRoute } from '@h2channel/channel'
import type { Client } from '@h2channel/channel/client'
import type { Codec } from '@h2channel/codecs'
import { CodecError, f32, f64, json, oneOf, struct, u32 } from '@h2channel/codecs'
import { z } from 'zod'

// #region compatible
export const OrderV1 = z.object({
  id: z.string(),
  side: z.enum(['buy', 'sell']),
})

export const OrderV2 = z.object({
  id: z.string(),
  side: z.enum(['buy', 'sell']),
  venue: z.string().default('any'), // what a program of version 1 means
  note: z.string().optional(),
})
// #endregion

export const ordersV1 = defineRoute('/orders', { client: json(OrderV1), server: json(OrderV1) })
export const ordersV2 = defineRoute('/orders', { client: json(OrderV2), server: json(OrderV2) })

// #region enum
/** A reader that is ready for statuses that do not exist yet. */
export const Status = z.object({
  id: z.string(),
  status: z.enum(['open', 'filled', 'unknown']).catch('unknown'),
})
// #endregion

// #region skip
const Event = z.discriminatedUnion('type', [
  z.object({ type: z.literal('filled'), id: z.string() }),
  z.object({ type: z.literal('cancelled'), id: z.string() }),
])
export const events = defineRoute('/events', { client: json(Event), server: json(Event) })

/** For `onInvalid`: drops events of types that this version does not know. Any other mistake ends the channel. */
export function skipUnknownTypes({ cause }: ChannelError): 'skip' | 'close' {
  const issues = cause instanceof CodecError ? (cause.issues ?? []) : []
  return issues.length === 1 && issues[0]?.path?.[0] === 'type' ? 'skip' : 'close'
}
// #endregion

// #region records
const TickV1 = struct({ id: u32, price: f32 })
const TickV2 = struct({ id: u32, price: f64, size: u32 })
type Tick = { id: number; price: number; size: number }

/** Reads and writes records of version 1 for a program that works with version 2. */
const asTickV2: Codec<Tick> = {
  name: TickV1.name,
  contentType: TickV1.contentType,
  encode: (tick, out) => TickV1.encode(tick, out),
  decode: (bytes) => ({ ...TickV1.decode(bytes), size: 0 }),
}

export const ticksV1 = defineRoute('/ticks', { client: TickV1, server: TickV1 })
export const ticks = defineRoute('/ticks', { client: oneOf(TickV2, asTickV2), server: oneOf(TickV2, asTickV2) })
// #endregion

// #region paths
const Question = z.object({ symbol: z.string() })
export const quotesV1 = defineRoute('/v1/quotes', {
  client: json(Question),
  server: json(z.object({ price: z.number() })),
})
export const quotesV2 = defineRoute('/v2/quotes', {
  client: json(Question),
  server: json(z.object({ cents: z.int() })),
})

/** Asks by version 2, or by version 1 a server that has no other. */
export async function quote(client: Client, symbol: string): Promise<number | undefined> {
  try {
    await using channel = await client.open(quotesV2)
    await channel.send({ symbol })
    return (await channel.receive())?.cents
  } catch (error) {
    if (!(error instanceof ChannelError) || error.code !== 'NOT_FOUND') throw error
  }
  await using channel = await client.open(quotesV1)
  await channel.send({ symbol })
  const answer = await channel.receive()
  return answer && Math.round(answer.price * 100)
}
// #endregion

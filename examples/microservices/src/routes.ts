/** What the services say to each other, and the outside to them. Whoever calls a service imports its route from here. */
import { defineRoute } from '@h2channel/channel'
import { f64, json, msgpack, struct, text, u32 } from '@h2channel/codecs'
import { z } from 'zod'

/** Prices as they change: many, small and all alike, so records of a fixed layout. */
export const ticks = defineRoute('/ticks', {
  client: json(z.object({ symbols: z.array(z.string()).min(1) })),
  server: struct({ symbol: text(8), price: f64, instance: u32 }),
})

const Order = z.object({ id: z.int(), symbol: z.string(), quantity: z.int().positive() })
export type Order = z.infer<typeof Order>

/** With the processes that executed and priced it, which the demo deploys anew. */
const Execution = z.object({ id: z.int(), price: z.number(), pricedBy: z.int(), executedBy: z.int() })
export type Execution = z.infer<typeof Execution>

/** Between services: MessagePack. */
export const orders = defineRoute('/orders', { client: msgpack(Order), server: msgpack(Execution) })

/** For the outside: JSON, so that curl speaks it too. */
export const desk = defineRoute('/desk', { client: json(Order), server: json(Execution) })

/** The messages between the services, and from outside. Each client of a service imports its route from here. */
import { defineRoute } from '@h2channel/channel'
import { f64, json, msgpack, struct, text, u32 } from '@h2channel/codecs'
import { z } from 'zod'

/** Prices when they change: many small messages of the same kind, so records of a fixed layout. */
export const ticks = defineRoute('/ticks', {
  client: json(z.object({ symbols: z.array(z.string()).min(1) })),
  server: struct({ symbol: text(8), price: f64, instance: u32 }),
})

const Order = z.object({ id: z.int(), symbol: z.string(), quantity: z.int().positive() })
export type Order = z.infer<typeof Order>

/** An executed order, with the processes that executed and priced it: the demo replaces both. */
const Execution = z.object({ id: z.int(), price: z.number(), pricedBy: z.int(), executedBy: z.int() })
export type Execution = z.infer<typeof Execution>

/** Between services: MessagePack. */
export const orders = defineRoute('/orders', { client: msgpack(Order), server: msgpack(Execution) })

/** For outside clients: JSON, so that curl can use it too. */
export const desk = defineRoute('/desk', { client: json(Order), server: json(Execution) })

/** The messages between client and server: the same conversation in three encodings. */
import { defineRoute } from '@h2channel/channel'
import { f64, i16, json, msgpack, struct, u16 } from '@h2channel/codecs'
import { z } from 'zod'

export const Flight = z.object({
  /** Delay in minutes; negative if the flight was early. */
  delay: z.int(),
  /** Miles. */
  distance: z.int(),
  /** Departure, as an hour of the day with its fraction. */
  time: z.number().min(0).lt(24),
})
export type Flight = z.infer<typeof Flight>

// All values fit exactly: delays are -58 to 180, distances 108 to 2298. Times are fractions such as 5 2/3; f32 would
// round 157,166 of them.
export const flightRecord = struct({ delay: i16, distance: u16, time: f64 })

const Summary = z.object({
  /** How many flights had arrived. */
  count: z.int(),
  /** Whether these were all. */
  final: z.boolean(),
  /** One entry for each hour of the day. Without flights there is no mean. */
  hours: z.array(z.object({ flights: z.int(), meanDelay: z.number().nullable() })).length(24),
})
export type Summary = z.infer<typeof Summary>

export const routes = {
  json: defineRoute('/flights/json', { client: json(Flight), server: json(Summary) }),
  msgpack: defineRoute('/flights/msgpack', { client: msgpack(Flight), server: msgpack(Summary) }),
  // Records are flat, but a summary contains a list. So each side has its own codec.
  struct: defineRoute('/flights/struct', { client: flightRecord, server: json(Summary) }),
}

export type CodecName = keyof typeof routes

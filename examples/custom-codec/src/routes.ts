/** The messages between a thermometer's client and the server, in CBOR and in JSON. */
import { defineRoute } from '@h2channel/channel'
import { json, oneOf } from '@h2channel/codecs'
import { z } from 'zod'

import { cbor } from './cbor.ts'

// At both ends, a time is a Date and bytes are a Uint8Array. In between, each format has its own representation.
const milliseconds = z.codec(z.int(), z.date(), {
  decode: (time) => new Date(time),
  encode: (date) => date.getTime(),
})
const isoText = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
})
const bytes = z.instanceof(Uint8Array)
const base64 = z.codec(z.base64(), bytes, {
  decode: (text) => z.util.base64ToUint8Array(text),
  encode: (some) => z.util.uint8ArrayToBase64(some),
})

/** One reading, with the bytes that the sensor gave. */
const reading = { sensor: z.string().max(40), celsius: z.number() }

/** A summary of that sensor's readings, and the digest of its last bytes. */
const receipt = { sensor: z.string(), count: z.int(), mean: z.number() }

const inCbor = {
  client: cbor(z.object({ ...reading, at: milliseconds, frame: bytes })),
  server: cbor(z.object({ ...receipt, since: milliseconds, sha256: bytes })),
}
const inJson = {
  client: json(z.object({ ...reading, at: isoText, frame: base64 })),
  server: json(z.object({ ...receipt, since: isoText, sha256: base64 })),
}

/** The route for clients that send CBOR, which comes first. The server accepts both formats. */
export const readings = defineRoute('/readings', {
  client: oneOf(inCbor.client, inJson.client),
  server: oneOf(inCbor.server, inJson.server),
})

/** The route for clients that send JSON. */
export const readingsInJson = defineRoute('/readings', inJson)

// The code of README.md, which a test compares with it block by block.
import { ByteWriter, json } from '@h2channel/codecs'
import { z } from 'zod'

const Quote = z.object({ symbol: z.string(), price: z.number() })
const quotes = json(Quote) // Codec<{ symbol: string; price: number }>
const writer = new ByteWriter()
quotes.encode({ symbol: 'SAP', price: 242.5 }, writer)
const quote = quotes.decode(writer.written()) // checked by the schema

import { bytes, f32, f64, i16, msgpack, oneOf, struct, u16 } from '@h2channel/codecs'

const compact = msgpack(Quote) // numbers, Dates and Uint8Arrays arrive as such
const samples = struct({ delay: i16, distance: u16, time: f32 }) // 8 bytes a message
const chunks = bytes(4096) // Uint8Arrays of this size; bytes() accepts any
const either = oneOf(msgpack(Quote), json(Quote)) // two encodings, the first preferred

import { extension } from '@h2channel/codecs'

const utf8 = new TextDecoder('utf-8', { fatal: true })
const url = extension<URL>(1, {
  is: (value) => value instanceof URL,
  encode: ({ href }) => new TextEncoder().encode(href),
  decode: (received) => new URL(utf8.decode(received)),
})
const links = msgpack<{ title: string; link: URL }>({ extensions: [url] })

import type { Codec } from '@h2channel/codecs'
import { CodecError } from '@h2channel/codecs'

const times = struct({ milliseconds: f64 })
const dates: Codec<Date> = {
  name: 'date',
  contentType: 'application/vnd.example.date',
  size: 8,
  encode(date, out) {
    if (!(date instanceof Date)) throw new CodecError('ENCODE_FAILED', 'expected a Date')
    times.encode({ milliseconds: date.getTime() }, out)
  },
  decode: (received) => new Date(times.decode(received).milliseconds),
}

export { chunks, compact, dates, either, links, quote, samples }

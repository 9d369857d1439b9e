/** The codec alone, in one process: the part that remains when nothing is sent. */
import type { Codec } from '@h2channel/codecs'
import { ByteWriter, json } from '@h2channel/codecs'
import { Decoder, encode } from '@msgpack/msgpack'

import type { Message } from '../message.ts'
import { Tally } from '../message.ts'
import { Checked } from './checked.ts'
import type { Alone, Codecs } from './peer.ts'
import { given } from './peer.ts'

/** The size of a chunk. */
const maxChunk = 64 * 1024

/** Encodes and decodes as a hand-written sender and receiver would: a text of many lines at a time. */
export const codecJson: Alone = {
  run(pool, count) {
    const tally = new Tally()
    let lines = ''
    const arrive = (): void => {
      const chunk = Buffer.from(lines)
      for (const line of chunk.toString().split('\n')) if (line !== '') tally.add(JSON.parse(line) as Message)
      lines = ''
    }
    for (let index = 0; index < count; index++) {
      lines += `${JSON.stringify(pool[index % pool.length])}\n`
      if (lines.length >= maxChunk) arrive()
    }
    arrive()
    return tally.answer()
  },
}

const space = 1024 * 1024

export const oursCodec: Codecs = ours(json<Message>())
export const oursCodecZod: Codecs = ours(json(Checked))
export const oursCodecUncompiled: Codecs = ours(json(Checked, { compile: false }))
export const bareCodec: Codecs = bare((value) => value as Message)
export const bareCodecZod: Codecs = bare((value) => Checked.parse(value))

/** A codec as a channel uses it. */
function ours(codec: Codec<Message>): Codecs {
  const writer = new ByteWriter(space)
  const reader = given(codec.reader?.())
  return {
    encode(pool, count) {
      writer.position = 0
      for (let index = 0; index < count; index++) codec.encode(given(pool[index]), writer)
      return writer.position
    },
    decode(chunk, lengths) {
      let [offset, sum] = [0, 0]
      for (const length of lengths) {
        sum += reader.read(chunk, offset, length).id
        offset += length
      }
      reader.release()
      return sum
    },
  }
}

/** By hand: a text and its bytes. */
function bare(validate: (value: unknown) => Message): Codecs {
  const buffer = Buffer.alloc(space)
  return {
    encode(pool, count) {
      let at = 0
      for (let index = 0; index < count; index++) at += buffer.write(JSON.stringify(pool[index]), at)
      return at
    },
    decode(chunk, lengths) {
      let [offset, sum] = [0, 0]
      for (const length of lengths) {
        sum += validate(JSON.parse(chunk.toString('utf8', offset, offset + length))).id
        offset += length
      }
      return sum
    },
  }
}

let written: readonly Uint8Array[] = []

/** Only decodes, with one Decoder. */
export const codecMsgpack: Alone = {
  prepare(pool) {
    written = pool.map((message) => encode(message))
  },
  run(pool, count) {
    const tally = new Tally()
    const decoder = new Decoder()
    for (let index = 0; index < count; index++) {
      const bytes = written[index % pool.length]
      if (bytes !== undefined) tally.add(decoder.decode(bytes) as Message)
    }
    return tally.answer()
  },
}

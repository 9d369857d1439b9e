/** The codec alone, in one process: the part that remains when nothing is sent. */
import { Decoder, encode } from '@msgpack/msgpack'

import type { Message } from '../message.ts'
import { Tally } from '../message.ts'
import type { Alone } from './peer.ts'

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

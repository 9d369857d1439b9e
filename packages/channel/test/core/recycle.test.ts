/** Every message arrives as it was sent although memory is reused, even when other channels pause or are cut off. */
import { bytes, json } from '@h2channel/codecs'
import { expect, test } from 'vitest'

import { defineRoute } from '../../src/index.ts'
import { serve } from '../support/server-support.ts'
import { failOnUnhandledRejections } from '../support/support.ts'

failOnUnhandledRejections()

const route = defineRoute('/echo/:pace', { client: bytes(), server: bytes() })
const cut = defineRoute('/cut', { client: bytes(), server: json<number>() })

/** Makes a message from a channel number and an index: always equal for equal arguments, otherwise different. */
function pieceOf(channel: number, index: number): Uint8Array {
  const length = [7, 70_000, 1_000, 65_532, 65_536, 300_000, 20_000, 1_048_576][(channel * 3 + index) % 8] ?? 1
  const piece = new Uint8Array(length)
  let state = (channel + 1) * 1_000_003 + index
  for (let at = 0; at < length; at++) {
    if (at % 64 === 0) state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    piece[at] = (state >>> 24) ^ at
  }
  return piece
}

const pieces = 24

test.each([
  ['TLS', true],
  ['cleartext', false],
])('every message arrives as it was sent, over %s', async (_name, tls) => {
  await using served = await serve(
    (router) =>
      router
        .handle(route, async (channel, { params }) => {
          for await (const piece of channel) {
            // Some rest in between, so that what is sent to them waits on its way.
            if (params.pace === 'slow') await new Promise((resolve) => setTimeout(resolve, 5))
            await channel.send(piece)
          }
        })
        .handle(cut, async (channel) => {
          await channel.receive()
          channel.abort()
        }),
    { tls },
  )
  await using client = served.client()
  const run = async (number: number): Promise<void> => {
    const channel = await client.open(route, { params: { pace: number % 2 === 0 ? 'slow' : 'fast' } })
    const sending = (async () => {
      for (let index = 0; index < pieces; index++) await channel.send(pieceOf(number, index))
      await channel.end()
    })()
    let index = 0
    for await (const piece of channel) {
      expect(Buffer.compare(piece, pieceOf(number, index))).toBe(0)
      index += 1
    }
    await sending
    expect(index).toBe(pieces)
    await channel.close()
  }
  // Meanwhile, on the same connection, other channels are cut off while they send.
  const leave = async (): Promise<void> => {
    for (let round = 0; round < 10; round++) {
      const channel = await client.open(cut)
      const sends = Array.from({ length: 10 }, (_, index) => channel.send(pieceOf(round, index)))
      await Promise.allSettled(sends)
      await channel.closed
    }
  }
  await Promise.all([...Array.from({ length: 6 }, (_, number) => run(number)), leave()])
})

/** Messages of any size arrive once and in order over a slow conn, although waits are aborted. No memory stays held. */
import { bytes, type Codec } from '@h2channel/codecs'
import { type Conn, pipe } from '@h2channel/conn/web'
import { expect, test } from 'vitest'

import { coreOf } from '../../src/core/channel.ts'
import { Channel, ChannelError } from '../../src/index.ts'
import { failOnUnhandledRejections } from '../support/support.ts'

failOnUnhandledRejections()

/** Numbers from 0 to below `most`, the same for the same seed. */
function randomFrom(seed: number): (most: number) => number {
  let state = seed
  return (most) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * most)
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** `conn`, which says a few turns later that it has handed a write on. */
function slow(conn: Conn, random: (most: number) => number): Conn {
  return new Proxy(conn, {
    get(target, name) {
      if (name === 'write') {
        const write: Conn['write'] = async (chunk, options) => {
          await target.write(chunk, options)
          await turns(random(4))
        }
        return write
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const codec = bytes() as Codec<unknown>
const first = Date.now() % 1_000_000

test.each(Array.from({ length: 30 }, (_, index) => first + index))('seed %i', { timeout: 20_000 }, async (seed) => {
  const random = randomFrom(seed)
  const [left, right] = pipe({ highWaterMark: 1 + random(100_000) })
  const options = {
    send: codec,
    receive: codec,
    control: random(2) === 0,
    limits: { maxBufferedBytes: 1 + random(100_000) },
  }
  const sending = new Channel(slow(left, random), options)
  const receiving = new Channel(right, options)
  const held = { sent: 0, arrived: 0 }
  coreOf(sending).watch({
    memory: {
      onHeld: (change) => {
        held.sent += change
      },
      onArrived() {},
    },
  })
  coreOf(receiving).watch({
    memory: {
      onHeld() {},
      onArrived: (change) => {
        held.arrived += change
      },
    },
  })
  const sizes = Array.from({ length: 100 }, () => 1 + random(10 ** (1 + random(5))))
  const send = async (): Promise<void> => {
    for (const [index, size] of sizes.entries()) {
      const sent = sending.send(new Uint8Array(size).fill(index))
      if (random(3) > 0) await sent
      if (random(8) === 0) await turns(random(5))
    }
    await sending.end()
  }
  const got: Uint8Array[] = []
  const receive = async (): Promise<void> => {
    for (;;) {
      const giveUp = new AbortController()
      if (random(2) === 0) void turns(random(3)).then(() => giveUp.abort())
      try {
        const message = await receiving.receive({ signal: giveUp.signal })
        if (message === undefined) return
        if (message instanceof Uint8Array) got.push(message.slice())
      } catch (error) {
        if (!(error instanceof ChannelError && error.code === 'CANCELLED')) throw error
      }
      if (random(4) === 0) await turns(random(5))
      expect(held.sent).toBeGreaterThanOrEqual(0)
      expect(held.arrived).toBeGreaterThanOrEqual(0)
    }
  }
  await Promise.all([send(), receive()])
  expect(got.map((message) => message.length)).toEqual(sizes)
  expect(got.every((message, index) => message.every((byte) => byte === index))).toBe(true)
  expect(held).toEqual({ sent: 0, arrived: 0 })
  await Promise.all([sending.close(), receiving.close()])
})

/** A message over the limit is refused while it is encoded, not when all of it is there. */
import type { Codec } from '@h2channel/codecs'
import { array, bytes, CodecError, extension, json, msgpack, struct, text, u8 } from '@h2channel/codecs'
import { pipe } from '@h2channel/conn/web'
import { afterEach, describe, expect, test } from 'vitest'

import { Channel, newlineDelimited } from '../../src/index.ts'
import { failure } from '../support/support.ts'

const limits = { maxMessageBytes: 64 * 1024 }
const open: Channel<never, unknown>[] = []

afterEach(() => {
  for (const channel of open.splice(0)) channel.abort()
})

function channelOf<T>(codec: Codec<T>, options: { readonly framing?: ReturnType<typeof newlineDelimited> } = {}) {
  const [left, right] = pipe()
  const sender = new Channel<T, T>(left, { send: codec, receive: codec, limits, ...options })
  const receiver = new Channel<T, T>(right, { send: codec, receive: codec, ...options })
  open.push(sender, receiver)
  return { sender, receiver }
}

const huge = 200_000_000

function holes(length: number): unknown[] {
  const items: unknown[] = []
  items.length = length
  return items
}

function repeated(times: number, item: unknown): unknown[] {
  return Array.from({ length: times }, () => item)
}

/** Made when they are needed. */
const values = {
  'an item far behind the others': () => {
    const items: number[] = []
    items[2 ** 30] = 1
    return items
  },
  'an array without items': () => holes(100_000_000),
  'the same text a hundred times': () => repeated(100, 'x'.repeat(5_000_000)),
  'the same object a million times': () => repeated(1_000_000, { text: 'x'.repeat(100) }),
  'a long text': () => 'x'.repeat(huge),
  'a long text far within': () => [{ a: { b: [1, { c: 'é'.repeat(huge / 2) }] } }],
  'many bytes': () => new Uint8Array(huge),
}

const codecs = {
  json: { codec: json(), options: {} },
  'json in lines': { codec: json(), options: { framing: newlineDelimited() } },
  msgpack: { codec: msgpack(), options: {} },
  'msgpack with extensions': {
    codec: msgpack({
      extensions: [
        extension(1, {
          is: (value): value is URL => value instanceof URL,
          encode: () => new Uint8Array(),
          decode: () => new URL('a:b'),
        }),
      ],
    }),
    options: {},
  },
}

describe.each(Object.entries(codecs))('%s', (_, { codec, options }) => {
  test.each(Object.entries(values))('%s', async (__, make) => {
    const { sender, receiver } = channelOf<unknown>(codec, options)
    const message = make()
    await sender.send('before')
    const [before, began] = [process.memoryUsage(), performance.now()]
    const error = await failure(sender.send(message), 'MESSAGE_TOO_LARGE')
    const took = performance.now() - began
    const after = process.memoryUsage()
    expect(error).toMatchObject({ side: 'local', fatal: false, message: expect.stringContaining('65536') })
    // Without the limit each takes seconds, or hundreds of megabytes.
    expect(took).toBeLessThan(500)
    expect(after.external + after.heapUsed - before.external - before.heapUsed).toBeLessThan(50_000_000)
    await sender.send('after')
    expect(await receiver.receive()).toBe('before')
    expect(await receiver.receive()).toBe('after')
  })
})

test('bytes', async () => {
  const { sender, receiver } = channelOf(bytes())
  await failure(sender.send(new Uint8Array(huge)), 'MESSAGE_TOO_LARGE')
  await sender.send(Uint8Array.of(1))
  expect(await receiver.receive()).toEqual(Uint8Array.of(1))
})

test('a text that is too long for its field of a record is not counted', async () => {
  const { sender } = channelOf(struct({ name: text(16), rest: array(u8, 2) }))
  const began = performance.now()
  const error = await failure(sender.send({ name: 'x'.repeat(huge), rest: [1, 2] }), 'ENCODE_FAILED')
  expect(error.message).toContain('name')
  expect(performance.now() - began).toBeLessThan(500)
})

describe('a custom codec', () => {
  /** Writes byte by byte, and makes an error of its own of whatever goes wrong. */
  const endless: Codec<string> = {
    ...json(),
    encode(message, out) {
      try {
        for (let written = 0; written < huge; written += message.length) out.write(Buffer.from(message))
      } catch (cause) {
        throw new CodecError('ENCODE_FAILED', 'mine', { cause })
      }
    },
  }

  test('that catches the error is stopped all the same', async () => {
    const { sender } = channelOf<string>(endless)
    const began = performance.now()
    await failure(sender.send('0123456789'), 'MESSAGE_TOO_LARGE')
    expect(performance.now() - began).toBeLessThan(500)
  })

  test('may reserve more than it writes', async () => {
    const message = 'x'.repeat(limits.maxMessageBytes)
    const { sender, receiver } = channelOf<string>({
      ...json<string>(),
      encode(_message, out) {
        out.reserve(3 * message.length)
        out.write(Buffer.from(`"${message.slice(2)}"`))
      },
    })
    await sender.send(message)
    expect(await receiver.receive()).toHaveLength(limits.maxMessageBytes - 2)
  })

  test('that fails for another reason the next time reports that reason', async () => {
    const { sender } = channelOf<string>({
      ...json<string>(),
      encode(message, out) {
        if (message === 'bad') throw new TypeError('bad')
        out.write(new Uint8Array(huge))
      },
    })
    await failure(sender.send(''), 'MESSAGE_TOO_LARGE')
    expect((await failure(sender.send('bad'), 'ENCODE_FAILED')).message).toBe('bad')
  })
})

test('a message of exactly the limit is sent, one byte more is refused', async () => {
  for (const [codec, overhead] of [
    [json<string>(), 2],
    [msgpack<string>(), 3],
  ] as const) {
    const { sender, receiver } = channelOf<string>(codec)
    const fits = 'x'.repeat(limits.maxMessageBytes - overhead)
    await sender.send(fits)
    expect(await receiver.receive()).toBe(fits)
    await failure(sender.send(`${fits}x`), 'MESSAGE_TOO_LARGE')
  }
})

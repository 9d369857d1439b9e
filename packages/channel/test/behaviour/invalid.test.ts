/** What a receiver does with messages that its schema refuses: `onInvalid`. */
import type { Codec } from '@h2channel/codecs'
import { json, msgpack } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'
import { pipe } from '@h2channel/conn/web'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'

import type { OnInvalid } from '../../src/options.ts'
import type { ChannelErrorCode } from '../../src/index.ts'
import { Channel, ChannelError, defineRoute } from '../../src/index.ts'
import type { HandlerContext } from '../../src/server.ts'
import { serve } from '../support/server-support.ts'
import {
  bytesOf,
  concat,
  failOnUnhandledRejections,
  failure,
  jsonFrames,
  outcome,
  receiveAll,
  settled,
  thrown,
  until,
} from '../support/support.ts'

failOnUnhandledRejections()

interface Order {
  count: number
}
const Order = json(z.object({ count: z.number() }))
const orders = defineRoute('/orders/:shop', { client: Order, server: Order })

/** What a program without types may send. */
const wrong = (count: unknown): Order => ({ count }) as Order

/** A channel that receives orders, and the bare conn at its other end. */
function receiving(onInvalid?: OnInvalid, receive: Codec<Order> = Order): [channel: Channel<Order, Order>, peer: Conn] {
  const [conn, peer] = pipe()
  return [new Channel(conn, { send: Order, receive, control: true, onInvalid }), peer]
}

/** Two channels of orders, the second of which decides by `onInvalid`. */
function channels(onInvalid?: OnInvalid): [sender: Channel<Order, Order>, receiver: Channel<Order, Order>] {
  const [receiver, peer] = receiving(onInvalid)
  return [new Channel(peer, { send: Order, receive: Order, control: true }), receiver]
}

const skipAll = (): ReturnType<typeof vi.fn<OnInvalid>> => vi.fn<OnInvalid>(() => 'skip')

test.each([
  ['without onInvalid', undefined],
  ['by onInvalid', (): 'close' => 'close'],
  ['by an onInvalid that returns neither', (): never => undefined as never],
  ['by an onInvalid that is asynchronous', (async () => 'skip') as unknown as OnInvalid],
])('Channel: ends at an invalid message, and sends the peer nothing but the code: %s', async (_, onInvalid) => {
  const [sender, receiver] = channels(onInvalid)
  await sender.send({ count: 1 })
  await sender.send(wrong('a secret'))
  expect(await receiver.receive()).toEqual({ count: 1 })

  const here = await failure(receiver.receive(), 'INVALID_MESSAGE')
  expect(here).toMatchObject({ side: 'remote', fatal: true, cause: { issues: [{ path: ['count'] }] } })
  expect(here.message).toBe('count: Invalid input: expected number, received string')
  expect(await outcome(receiver, 'INVALID_MESSAGE')).toBe(here)

  const there = await failure(sender.receive(), 'INVALID_MESSAGE')
  expect(there.message).toBe('the peer refused what this side sent (INVALID_MESSAGE)')
  expect(there).toMatchObject({ side: 'local', fatal: true })
})

test.each<[value: unknown, type: string]>([
  ['skip', 'string'],
  [null, 'object'],
  [{}, 'object'],
])('Channel, open, handle: refuse %j as onInvalid', async (value, type) => {
  // What a program without types may say.
  const onInvalid = value as OnInvalid
  const message = `onInvalid must be a function, not of type ${type}`
  expect(thrown(() => receiving(onInvalid), 'INVALID_ARGUMENT').message).toBe(message)

  let handled = 0
  await using served = await serve((router) => {
    const handler = (): void => void handled++
    expect(thrown(() => router.handle(orders, handler, { onInvalid }), 'INVALID_ARGUMENT').message).toBe(message)
    // The path is free still.
    router.handle(orders, handler)
  })
  const opening = served.client().open(orders, { params: { shop: 'north' }, onInvalid })
  expect((await failure(opening, 'INVALID_ARGUMENT')).message).toBe(message)
  expect(handled).toBe(0)
})

test('Channel: passes onInvalid the error by which it ends', async () => {
  const onInvalid = vi.fn<OnInvalid>(() => 'close')
  const [sender, receiver] = channels(onInvalid)
  await sender.send(wrong(null))
  const here = await failure(receiver.receive(), 'INVALID_MESSAGE')
  expect(onInvalid.mock.calls).toEqual([[here]])
  expect(onInvalid.mock.calls[0]?.[0]).toBe(here)
})

test('Channel: skips invalid messages, calls onInvalid for each, and sends the peer nothing', async () => {
  const onInvalid = skipAll()
  const [sender, receiver] = channels(onInvalid)
  for (const count of [1, 'a', 2, 'b', null, 3, 'c']) await sender.send(wrong(count))
  await sender.end()
  expect(await receiveAll(receiver)).toEqual([{ count: 1 }, { count: 2 }, { count: 3 }])
  expect(onInvalid.mock.calls.map(([error]) => error.message)).toEqual(
    ['string', 'string', 'null', 'string'].map((type) => `count: Invalid input: expected number, received ${type}`),
  )
  await receiver.send({ count: 4 })
  await receiver.end()
  expect(await receiveAll(sender)).toEqual([{ count: 4 }])
  expect(await receiver.closed).toEqual({ clean: true })
  expect(await sender.closed).toEqual({ clean: true })
})

test('Channel: skips what is there already, and what a receive waits for', async () => {
  const [channel, peer] = receiving(skipAll())
  await peer.write(jsonFrames(wrong('a'), { count: 1 }))
  await settled()
  expect(await channel.receive()).toEqual({ count: 1 })

  const [first, second] = [channel.receive(), channel.receive()]
  for (const count of ['b', 2, 'c', 'd', 3]) await peer.write(jsonFrames(wrong(count)))
  expect(await first).toEqual({ count: 2 })
  expect(await second).toEqual({ count: 3 })

  const last = channel.receive()
  await peer.write(jsonFrames(wrong('e')))
  await peer.closeWrite()
  expect(await last).toBeUndefined()
})

test('Channel: closes when onInvalid returns close', async () => {
  let skipped = 0
  const [sender, receiver] = channels(() => (++skipped > 3 ? 'close' : 'skip'))
  for (let count = 0; count < 10; count++) await sender.send(wrong('x'))
  await failure(receiver.receive(), 'INVALID_MESSAGE')
  expect(skipped).toBe(4)
  await failure(sender.receive(), 'INVALID_MESSAGE')
})

test('Channel: ends with INTERNAL when onInvalid throws, and sends the peer only that code', async () => {
  const failed = new Error('a secret of the hook')
  const [sender, receiver] = channels(() => {
    throw failed
  })
  await sender.send(wrong('x'))
  const here = await failure(receiver.receive(), 'INTERNAL')
  expect(here).toMatchObject({ side: 'local', fatal: true, message: 'onInvalid threw' })
  expect(here.cause).toBe(failed)
  const there = await failure(sender.receive(), 'INTERNAL')
  expect(there).toMatchObject({ side: 'remote', message: 'the peer failed' })
})

const asynchronous = json<Order>(z.object({ count: z.number().refine(() => Promise.resolve(true)) }))

test.each<[what: string, codec: Codec<Order>, bytes: Uint8Array, code: ChannelErrorCode]>([
  ['bytes that are not of the codec', Order, bytesOf('00 00 00 01 7b'), 'INVALID_MESSAGE'],
  ['no bytes', Order, bytesOf('00 00 00 00'), 'INVALID_MESSAGE'],
  [
    'a codec that decodes to undefined',
    { ...Order, decode: () => undefined as never },
    jsonFrames({}),
    'INVALID_MESSAGE',
  ],
  ['a broken frame', Order, bytesOf('ff ff ff ff'), 'INVALID_FRAME'],
  ['a schema that is asynchronous', asynchronous, jsonFrames({ count: 1 }), 'INTERNAL'],
])('Channel: does not call onInvalid for %s', async (_, codec, bytes, code) => {
  const onInvalid = skipAll()
  const [channel, peer] = receiving(onInvalid, codec)
  await peer.write(bytes)
  await failure(channel.receive(), code)
  expect(onInvalid).not.toHaveBeenCalled()
})

test('Channel: reports an asynchronous schema as an error of this side', async () => {
  const [channel, peer] = receiving(undefined, asynchronous)
  const sender = new Channel(peer, { send: Order, receive: Order, control: true })
  await sender.send({ count: 1 })
  const here = await failure(channel.receive(), 'INTERNAL')
  expect(here).toMatchObject({ side: 'local', fatal: true, cause: { code: 'ASYNC_SCHEMA' } })
  expect(here.message).toContain('the zod schema validates with a promise')
  expect(await failure(sender.receive(), 'INTERNAL')).toMatchObject({ side: 'remote', message: 'the peer failed' })
})

test('Channel: yields to other channels in a flood of invalid messages, and keeps none of them', async () => {
  const total = 5_000
  const onInvalid = skipAll()
  const [channel, peer] = receiving(onInvalid)
  const flood = concat(Array.from({ length: 500 }, () => jsonFrames(wrong('x'))))
  const received = channel.receive()
  let turns = 0
  let longest = 0
  let seen = 0
  const writing = (async () => {
    for (let sent = 0; sent < total; sent += 500) await peer.write(flood)
    await peer.write(jsonFrames({ count: 1 }))
  })()
  while (onInvalid.mock.calls.length < total) {
    await new Promise((resolve) => setImmediate(resolve))
    turns += 1
    longest = Math.max(longest, onInvalid.mock.calls.length - seen)
    seen = onInvalid.mock.calls.length
  }
  expect(await received).toEqual({ count: 1 })
  await writing
  // What was left of one hundred, and the next.
  expect(longest).toBeLessThanOrEqual(200)
  expect(turns).toBeGreaterThanOrEqual(total / 200)
})

test('Channel: skips no more than it is asked to receive', async () => {
  const onInvalid = skipAll()
  const [, peer] = receiving(onInvalid)
  void peer.write(concat(Array.from({ length: 1_000 }, () => jsonFrames(wrong('x')))))
  await settled()
  expect(onInvalid).not.toHaveBeenCalled()
  peer.abort()
})

test('Channel: loses no message when onInvalid aborts the wait', async () => {
  // Gives up the wait that the message was for.
  const giveUp = new AbortController()
  const [channel, peer] = receiving(() => {
    giveUp.abort()
    return 'skip'
  })
  const given = failure(channel.receive({ signal: giveUp.signal }), 'CANCELLED')
  await peer.write(jsonFrames(wrong('x'), { count: 1 }, wrong('x'), { count: 2 }))
  await given
  expect(await channel.receive()).toEqual({ count: 1 })
  // This time the message is there before it is asked for.
  const again = new AbortController()
  const [other, otherPeer] = receiving(() => {
    again.abort()
    return 'skip'
  })
  await otherPeer.write(jsonFrames(wrong('x'), { count: 1 }))
  await settled()
  await failure(other.receive({ signal: again.signal }), 'CANCELLED')
  expect(await other.receive()).toEqual({ count: 1 })
})

test.each<[what: string, act: (channel: Channel<Order, Order>) => void, code: ChannelErrorCode]>([
  ['aborts', (channel) => channel.abort(), 'ABORTED'],
  ['closes', (channel) => void channel.close().catch(() => {}), 'CLOSED'],
])('Channel: stops receiving when onInvalid %s it', async (_, act, code) => {
  for (const isThere of [true, false]) {
    const [channel, peer] = receiving(() => {
      act(channel)
      return 'skip'
    })
    const frames = jsonFrames(wrong('x'), { count: 1 })
    if (isThere) {
      await peer.write(frames)
      await settled()
    }
    const received = failure(channel.receive(), code)
    if (!isThere) await peer.write(frames)
    expect(await received).toMatchObject({ side: 'local' })
    peer.abort()
    await channel.closed
  }
})

test('Channel: still sends and receives after it refused to send an invalid message', async () => {
  const checked = json(z.object({ count: z.number() }), { validate: 'both' })
  const [left, right] = pipe()
  const sender = new Channel(left, { send: checked, receive: checked, control: true })
  const receiver = new Channel(right, { send: checked, receive: checked, control: true })
  const refused = await failure(sender.send(wrong('x')), 'ENCODE_FAILED')
  expect(refused).toMatchObject({ side: 'local', fatal: false, cause: { issues: [{ path: ['count'] }] } })
  expect(refused.message).toBe('count: Invalid input: expected number, received string')
  await sender.send({ count: 1 })
  await sender.end()
  expect(await receiveAll(receiver)).toEqual([{ count: 1 }])
})

const date = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
})
const Event = z.object({ at: date, tags: z.array(z.string()) })

test.each([
  ['json', json(Event)],
  ['msgpack', msgpack(Event)],
])('createRouter, createClient: carry what has codecs, in %s', async (_, codec) => {
  const events = defineRoute('/events', { client: codec, server: codec })
  await using served = await serve((router) => {
    router.handle(events, async (channel) => {
      for await (const { at, tags } of channel) await channel.send({ at: new Date(at.getTime() + 1), tags })
    })
  })
  const channel = await served.client().open(events)
  await channel.send({ at: new Date(5), tags: ['a'] })
  expect(await channel.receive()).toEqual({ at: new Date(6), tags: ['a'] })
  const refused = await failure(channel.send({ at: 'now', tags: [] } as never), 'ENCODE_FAILED')
  expect(refused.message).toBe('at: Invalid input: expected date, received string')
  await channel.send({ at: new Date(7), tags: [] })
  expect(await channel.receive()).toEqual({ at: new Date(8), tags: [] })
  await channel.end()
  expect(await channel.receive()).toBeUndefined()
})

test('handle: skips what the client sent, and passes onInvalid the context', async () => {
  const told: [message: string, context: HandlerContext<'/orders/:shop'>][] = []
  const contexts: unknown[] = []
  await using served = await serve((router) => {
    router.handle(
      orders,
      async (channel, context) => {
        contexts.push(context)
        for await (const { count } of channel) await channel.send({ count: count * 2 })
      },
      {
        onInvalid(error, context) {
          told.push([error.message, context])
          return 'skip'
        },
      },
    )
  })
  const channel = await served.client().open(orders, { params: { shop: 'north' } })
  for (const count of [1, 'x', 2]) await channel.send(wrong(count))
  await channel.end()
  expect(await receiveAll(channel)).toEqual([{ count: 2 }, { count: 4 }])
  expect(told.map(([message]) => message)).toEqual(['count: Invalid input: expected number, received string'])
  expect(told[0]?.[1]).toBe(contexts[0])
  expect(told[0]?.[1].params).toEqual({ shop: 'north' })
  expect(served.errors).toEqual([])
})

test('handle: calls onError when onInvalid throws, and serves the next client', async () => {
  const failed = new Error('the hook has a bug')
  await using served = await serve((router) => {
    router.handle(
      orders,
      async (channel) => {
        for await (const { count } of channel) await channel.send({ count })
      },
      {
        onInvalid() {
          throw failed
        },
      },
    )
  })
  const open = (): Promise<Channel<Order, Order>> => served.client().open(orders, { params: { shop: 'north' } })
  const channel = await open()
  await channel.send(wrong('x'))
  expect((await failure(channel.receive(), 'INTERNAL')).message).toBe('/orders/:shop: the peer failed')
  await until(() => served.errors.length > 0)
  expect(served.errors).toMatchObject([{ code: 'INTERNAL', side: 'local', cause: failed }])
  const next = await open()
  await next.send({ count: 1 })
  expect(await next.receive()).toEqual({ count: 1 })
  await next.close()
})

test('handle: ends the channel by default, and sends the client only the code', async () => {
  await using served = await serve((router) => {
    router.handle(orders, async (channel) => {
      for await (const { count } of channel) await channel.send({ count })
    })
  })
  const channel = await served.client().open(orders, { params: { shop: 'north' } })
  await channel.send(wrong('a secret'))
  const there = await failure(channel.receive(), 'INVALID_MESSAGE')
  expect(there.message).toBe('/orders/:shop: the peer refused what this side sent (INVALID_MESSAGE)')
  await until(() => served.errors.length > 0)
  expect(served.errors).toMatchObject([{ message: 'count: Invalid input: expected number, received string' }])
})

test.each<[answer: 'skip' | 'close' | 'throw', received: unknown[]]>([
  ['skip', [1, 2]],
  ['close', [1, 'INVALID_MESSAGE']],
  ['throw', [1, 'INTERNAL']],
])('open: treats invalid messages of the server as onInvalid returns: %s', async (answer, expected) => {
  await using served = await serve((router) => {
    router.handle(orders, async (channel) => {
      for (const count of [1, 'x', 2]) await channel.send(wrong(count))
    })
  })
  const onInvalid: OnInvalid = () => {
    if (answer === 'throw') throw new Error('no')
    return answer
  }
  const channel = await served.client().open(orders, { params: { shop: 'north' }, onInvalid })
  const received: unknown[] = []
  try {
    for await (const { count } of channel) received.push(count)
  } catch (error) {
    received.push(error instanceof ChannelError ? error.code : error)
  }
  expect(received).toEqual(expected)
  await channel.close().catch(() => {})
})

// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
import { bytes, CodecError, json, msgpack } from '@h2channel/codecs'
import { pipe } from '@h2channel/conn/web'
import { describe, expect, test } from 'vitest'

import { Channel, channelDefaults, fixedLength, lengthPrefixed, newlineDelimited } from '../../src/index.ts'
import {
  bytesOf,
  channelAndPeer,
  channels,
  concat,
  failOnUnhandledRejections,
  failure,
  hexOf,
  jsonFrames,
  overConn,
  readAll,
  receiveAll,
  settled,
  thrown,
  utf8,
  WatchedConn,
} from '../support/support.ts'

failOnUnhandledRejections()

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

describe.each([
  ['with control frames', true],
  ['without control frames', false],
])('%s', (_what, control) => {
  test('send: messages arrive in order, both ways at once', async () => {
    const [left, right] = channels<number>({ control })
    const send = async (channel: Channel<number, number>, count: number): Promise<void> => {
      for (let index = 0; index < count; index++) await channel.send(index)
      await channel.end()
    }
    const [atLeft, atRight] = await Promise.all([
      receiveAll(left),
      receiveAll(right),
      send(left, 1_000),
      send(right, 700),
    ])
    expect(atRight).toEqual(numbers(1_000))
    expect(atLeft).toEqual(numbers(700))
    expect(await left.closed).toEqual({ clean: true })
    expect(await right.closed).toEqual({ clean: true })
  })

  test('send: an answer for each question', async () => {
    const [left, right] = channels<number>({ control })
    const answering = (async () => {
      for await (const question of right) await right.send(question * 2)
      await right.close()
    })()
    for (const question of numbers(50)) {
      await left.send(question)
      expect(await left.receive()).toBe(question * 2)
    }
    await left.close()
    await answering
  })
})

test('send: puts exact bytes on the wire', async () => {
  const [channel, peer] = channelAndPeer()
  void channel.send({ a: 1 })
  void channel.send('é')
  await channel.end()
  expect(hexOf(await readAll(peer))).toBe('00 00 00 07 7b 22 61 22 3a 31 7d 00 00 00 04 22 c3 a9 22')
})

test.each([
  ['newline-delimited', newlineDelimited(), '7b 22 61 22 3a 31 7d 0a 31 0a'],
  ['length-prefixed', lengthPrefixed(), '00 00 00 07 7b 22 61 22 3a 31 7d 00 00 00 01 31'],
])('Channel: speaks %s framing', async (_name, framing, wire) => {
  const [channel, peer] = channelAndPeer({ framing })
  await channel.send({ a: 1 })
  await channel.send(1)
  await channel.end()
  expect(hexOf(await readAll(peer))).toBe(wire)
  await peer.write(bytesOf(wire))
  await peer.closeWrite()
  expect(await receiveAll(channel)).toEqual([{ a: 1 }, 1])
})

test('Channel: speaks another codec and framing in each direction', async () => {
  const [left, right] = pipe()
  const toRight = { framing: fixedLength(3), codec: bytes(3) }
  const toLeft = { framing: newlineDelimited(), codec: json<string>() }
  const client = new Channel(left, {
    send: toRight.codec,
    receive: toLeft.codec,
    framing: { send: toRight.framing, receive: toLeft.framing },
    control: true,
  })
  const server = new Channel(right, {
    send: toLeft.codec,
    receive: toRight.codec,
    framing: { send: toLeft.framing, receive: toRight.framing },
    control: true,
  })
  await client.send(utf8('abc'))
  await server.send('hello')
  expect(await server.receive()).toEqual(utf8('abc'))
  expect(await client.receive()).toBe('hello')
  await Promise.all([client.end(), server.end()])
  expect(await client.receive()).toBeUndefined()
})

describe('Channel: refuses', () => {
  const [conn] = pipe()

  test('a framing that can’t carry its codec, either way', () => {
    const codecs = { send: json(), receive: msgpack() }
    const error = thrown(() => new Channel(conn, { ...codecs, framing: newlineDelimited() }), 'INVALID_ARGUMENT')
    expect(error.message).toContain('msgpack')
    const framing = { send: fixedLength(4), receive: lengthPrefixed() }
    thrown(() => new Channel(conn, { ...codecs, framing }), 'INVALID_ARGUMENT')
  })

  test.each([
    { maxMessageBytes: 0 },
    { maxBufferedBytes: -1 },
    { maxWaitingSends: 1.5 },
    { flushBytes: Number.POSITIVE_INFINITY },
    { maxMessageBytes: 2 ** 30 },
  ])('%j as limits', (limits) => {
    thrown(() => overConn(conn, { limits }), 'INVALID_ARGUMENT')
  })

  test('channelDefaults: are finite, and the documented values', () => {
    expect(channelDefaults).toEqual({
      maxMessageBytes: 4 * 1024 * 1024,
      maxBufferedBytes: 1024 * 1024,
      maxWaitingSends: 1_024,
      flushBytes: 64 * 1024,
      closeTimeout: 10_000,
      heartbeatInterval: 25_000,
      heartbeatTimeout: 10_000,
      slowAfter: 30_000,
      maxControlFramesPerSecond: 1_000,
    })
  })
})

describe('send: flushes', () => {
  test.each([
    ['a promise', (turn: () => void) => void Promise.resolve().then(turn)],
    ['a callback of I/O', (turn: () => void) => void setImmediate(turn)],
  ])('once for all that a turn sends, when the turn began with %s', async (_what, begin) => {
    const [left, right] = pipe()
    const conn = new WatchedConn(left)
    const channel = overConn(conn)
    await new Promise<void>((resolve, reject) => {
      begin(() => {
        const turn = async (): Promise<void> => {
          for (const number of numbers(100)) await channel.send(number)
        }
        turn().then(resolve, reject)
      })
    })
    await settled()
    expect(conn.writes).toHaveLength(1)
    expect(hexOf(concat(conn.writes))).toBe(hexOf(jsonFrames(...numbers(100))))
    channel.abort()
    await right.closed
  })

  test('at once when a turn has produced 64 KiB', () => {
    const [left] = pipe()
    const conn = new WatchedConn(left)
    const channel = overConn(conn)
    const message = 'x'.repeat(10_000)
    for (let count = 1; count <= 6; count++) void channel.send(message)
    expect(conn.writes).toHaveLength(0)
    expect(channel.bufferedBytes).toBe(6 * 10_006)
    void channel.send(message)
    expect(conn.writes.map((write) => write.length)).toEqual([7 * 10_006])
    channel.abort()
  })

  test('at once when a turn has produced flushBytes', async () => {
    const [left] = pipe()
    const conn = new WatchedConn(left)
    const channel = overConn(conn, { limits: { flushBytes: 20 } })
    for (const number of numbers(10)) void channel.send(number)
    expect(conn.writes.map((write) => write.length)).toEqual([20])
    await settled()
    // The second follows when the conn has taken the first, and the rest at the turn's end.
    expect(conn.writes.map((write) => write.length)).toEqual([20, 20, 10])
    channel.abort()
  })

  test('a message larger than the buffer in one piece', async () => {
    const [left, right] = pipe()
    const conn = new WatchedConn(left)
    const channel = overConn(conn)
    const other = overConn(right)
    const message = 'x'.repeat(1_000_000)
    await channel.send(message)
    expect(conn.writes.map((write) => write.length)).toEqual([1_000_006])
    expect(await other.receive()).toBe(message)
    await Promise.all([channel.close(), other.close()])
  })
})

describe('send: a message that can’t be sent rejects alone', () => {
  test('ENCODE_FAILED, with the codec’s error as the cause and no stray bytes', async () => {
    const [channel, peer] = channelAndPeer()
    const sends = [channel.send(1), channel.send(10n), channel.send(undefined), channel.send(2)]
    const error = await failure(Promise.resolve(sends[1]), 'ENCODE_FAILED')
    expect(error).toMatchObject({ side: 'local', fatal: false })
    expect(error.cause).toBeInstanceOf(CodecError)
    await failure(Promise.resolve(sends[2]), 'ENCODE_FAILED')
    await Promise.all([sends[0], sends[3]])
    await channel.send(3)
    await channel.end()
    expect(hexOf(await readAll(peer))).toBe(hexOf(jsonFrames(1, 2, 3)))
  })

  test('MESSAGE_TOO_LARGE, at this side', async () => {
    const [channel, peer] = channelAndPeer({ limits: { maxMessageBytes: 10 } })
    await channel.send('12345678')
    const error = await failure(channel.send('123456789'), 'MESSAGE_TOO_LARGE')
    expect(error).toMatchObject({ side: 'local', fatal: false })
    await channel.send(2)
    await channel.end()
    expect(hexOf(await readAll(peer))).toBe(hexOf(jsonFrames('12345678', 2)))
  })

  test('whatever a custom codec writes and throws', async () => {
    const [left, peer] = pipe()
    const codec = {
      ...bytes(),
      encode(message: Uint8Array, out: Parameters<ReturnType<typeof bytes>['encode']>[1]) {
        out.write(message)
        // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- anything can be thrown
        if (message.length === 200_000) throw 'no'
      },
    }
    const channel = new Channel(left, { send: codec, receive: json() })
    const error = await failure(channel.send(new Uint8Array(200_000)), 'ENCODE_FAILED')
    expect(error).toMatchObject({ message: 'no', cause: 'no' })
    expect(channel.bufferedBytes).toBe(0)
    await channel.send(utf8('a'))
    await failure(channel.send(new Uint8Array(200_000)), 'ENCODE_FAILED')
    await channel.send(utf8('b'))
    await channel.end()
    expect(hexOf(await readAll(peer))).toBe('00 00 00 01 61 00 00 00 01 62')
  })

  test('also when it had to wait for its turn', async () => {
    const [channel, peer] = channelAndPeer({ limits: { maxBufferedBytes: 1 } })
    const sends = [channel.send(1), channel.send(10n), channel.send(3)]
    await failure(Promise.resolve(sends[1]), 'ENCODE_FAILED')
    await Promise.all([sends[0], sends[2]])
    await channel.end()
    expect(hexOf(await readAll(peer))).toBe(hexOf(jsonFrames(1, 3)))
  })
})

test('send: encodes the message at the call, so that the caller may change it afterwards', async () => {
  const [left, right] = channels<{ value: number }>()
  const message = { value: 1 }
  void left.send(message)
  message.value = 2
  void left.send(message)
  await left.end()
  expect(await receiveAll(right)).toEqual([{ value: 1 }, { value: 2 }])
})

describe('send: with a signal', () => {
  test('that has aborted already sends nothing', async () => {
    const [left, right] = channels()
    await failure(left.send(1, { signal: AbortSignal.abort() }), 'CANCELLED')
    await left.send(2, { signal: new AbortController().signal })
    await left.end()
    expect(await receiveAll(right)).toEqual([2])
  })

  test('that aborts while it waits sends nothing, and later ones arrive in order', async () => {
    const [left, right] = channels({ limits: { maxBufferedBytes: 1 } })
    const controller = new AbortController()
    const sends = [
      left.send(1),
      left.send(2, { signal: controller.signal }),
      left.send(3),
      left.send(4, { signal: controller.signal }),
      left.send(5, { signal: new AbortController().signal }),
    ]
    controller.abort('enough')
    expect(await failure(Promise.resolve(sends[1]), 'CANCELLED')).toMatchObject({ cause: 'enough', fatal: false })
    await failure(Promise.resolve(sends[3]), 'CANCELLED')
    await Promise.all([sends[0], sends[2], sends[4]])
    await left.end()
    expect(await receiveAll(right)).toEqual([1, 3, 5])
  })

  test('of a deadline gives TIMEOUT, while the peer reads nothing', async () => {
    const [channel, peer] = channelAndPeer({ limits: { maxBufferedBytes: 1 }, pipe: { highWaterMark: 1 } })
    await channel.send(1)
    await settled()
    await channel.send(2)
    const error = await failure(channel.send(3, { signal: AbortSignal.timeout(1) }), 'TIMEOUT')
    expect(error).toMatchObject({ side: 'local', fatal: false })
    await Promise.all([channel.send(4), channel.end(), readAll(peer)]).then(([, , wire]) => {
      expect(hexOf(wire)).toBe(hexOf(jsonFrames(1, 2, 4)))
    })
  })
})

describe('receive', () => {
  test('gives undefined at the end, repeatedly, and null as a message', async () => {
    const [left, right] = channels()
    await left.send(null)
    await left.end()
    expect(await right.receive()).toBeNull()
    for (let round = 0; round < 3; round++) expect(await right.receive()).toBeUndefined()
    expect(await Promise.all([right.receive(), right.receive()])).toEqual([undefined, undefined])
    expect(await receiveAll(right)).toEqual([])
    await right.end()
  })

  test('serves concurrent calls in order, and all of them at the end', async () => {
    const [left, right] = channels()
    const waits = numbers(6).map(() => right.receive())
    for (const number of numbers(2)) await left.send(number)
    await settled()
    for (const number of [2, 3]) await left.send(number)
    await left.end()
    expect(await Promise.all(waits)).toEqual([0, 1, 2, 3, undefined, undefined])
  })

  test('serves calls that come while others wait after those', async () => {
    const [channel, peer] = channelAndPeer()
    const first = channel.receive()
    await peer.write(jsonFrames(1, 2, 3))
    const second = channel.receive()
    expect(await first).toBe(1)
    expect(await Promise.all([second, channel.receive()])).toEqual([2, 3])
    channel.abort()
  })

  test('loses no message by a signal that gives up the wait', async () => {
    const [left, right] = channels()
    await failure(right.receive({ signal: AbortSignal.abort() }), 'CANCELLED')
    expect(await failure(right.receive({ signal: AbortSignal.timeout(1) }), 'TIMEOUT')).toMatchObject({ fatal: false })
    const controller = new AbortController()
    const waits = [right.receive(), right.receive({ signal: controller.signal }), right.receive()]
    controller.abort()
    await failure(Promise.resolve(waits[1]), 'CANCELLED')
    for (const number of numbers(3)) await left.send(number)
    expect(await Promise.all([waits[0], waits[2], right.receive()])).toEqual([0, 1, 2])
    left.abort()
  })

  test('ignores a signal that aborts afterwards', async () => {
    const [left, right] = channels()
    const controller = new AbortController()
    const wait = right.receive({ signal: controller.signal })
    await left.send(1)
    expect(await wait).toBe(1)
    controller.abort()
    await left.send(2)
    expect(await right.receive()).toBe(2)
    left.abort()
  })

  test('accepts frames however they were cut into chunks', async () => {
    const wire = jsonFrames(1, 'two', [3], { four: 4 })
    for (const size of [1, 2, 5, wire.length]) {
      const [channel, peer] = channelAndPeer()
      const writing = (async () => {
        for (let at = 0; at < wire.length; at += size) await peer.write(wire.slice(at, at + size))
        await peer.closeWrite()
      })()
      expect(await receiveAll(channel)).toEqual([1, 'two', [3], { four: 4 }])
      await writing
    }
  })

  test('decodes a message only when it is asked for', async () => {
    const [left, peer] = pipe()
    const decoded: unknown[] = []
    const codec = json()
    const receive = {
      ...codec,
      decode(body: Uint8Array) {
        const message = codec.decode(body)
        decoded.push(message)
        return message
      },
    }
    const channel = new Channel(left, { send: codec, receive })
    await peer.write(jsonFrames(1, 2, 3))
    await settled()
    expect(decoded).toEqual([])
    expect(await channel.receive()).toBe(1)
    expect(decoded).toEqual([1])
    channel.abort()
  })

  test('reads no further than one chunk ahead', async () => {
    const [left, peer] = pipe({ highWaterMark: 1 })
    const conn = new WatchedConn(left)
    const channel = overConn(conn)
    const writes = numbers(5).map((number) => peer.write(jsonFrames(number)))
    await settled()
    expect(conn.reads).toBe(1)
    expect(await channel.receive()).toBe(0)
    await settled()
    expect(conn.reads).toBe(2)
    const rest = numbers(4).map(() => channel.receive())
    expect(await Promise.all(rest)).toEqual([1, 2, 3, 4])
    await Promise.all(writes)
    channel.abort()
  })

  test('next: gives the iteration what receive gives', async () => {
    const [left, right] = channels()
    const iterator = right[Symbol.asyncIterator]()
    const first = iterator.next()
    const second = iterator.next()
    await left.send(1)
    await left.send(2)
    await left.end()
    expect(await first).toEqual({ done: false, value: 1 })
    expect(await second).toEqual({ done: false, value: 2 })
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })
})

test('bufferedBytes: counts what the conn has not accepted', async () => {
  const [channel, peer] = channelAndPeer({ pipe: { highWaterMark: 1 } })
  expect(channel.bufferedBytes).toBe(0)
  await channel.send(1)
  expect(channel.bufferedBytes).toBe(5)
  await settled()
  expect(channel.bufferedBytes).toBe(0)
  await channel.send(22)
  await settled()
  expect(channel.bufferedBytes).toBe(6)
  await peer.read()
  await peer.read()
  await settled()
  expect(channel.bufferedBytes).toBe(0)
  channel.abort()
  expect(channel.bufferedBytes).toBe(0)
})

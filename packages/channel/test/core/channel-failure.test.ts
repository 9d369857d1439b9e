// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
import { bytes, CodecError, json, msgpack } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'
import type { TestServer } from '@h2channel/conn/testing'
import { listen, startServer } from '@h2channel/conn/testing'
import { pipe } from '@h2channel/conn/web'
import type { ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:http2'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

import { coreOf } from '../../src/core/channel.ts'
import type { ChannelErrorCode } from '../../src/index.ts'
import { Channel, ChannelError, fixedLength, newlineDelimited } from '../../src/index.ts'
import {
  bytesOf,
  channelAndPeer,
  channels,
  concat,
  deferred,
  failOnUnhandledRejections,
  failure,
  hexOf,
  jsonFrames,
  outcome,
  overConn,
  readAll,
  settled,
  until,
  utf8,
  WatchedConn,
  receiveAll,
} from '../support/support.ts'

failOnUnhandledRejections()

test.each([
  ['an invalid message', '00 00 00 01 7b'],
  ['an invalid prefix', '40 00 00 01 31'],
])('%s, behind a message, when the conn has died: receiving fails, and does not wait', async (_what, broken) => {
  for (const receive of [receiveAll, drain]) {
    const [channel, peer] = channelAndPeer()
    await peer.write(bytesOf(`00 00 00 01 31 ${broken} 00 00 00 01 32`))
    await settled()
    peer.abort()
    await channel.closed
    await failure(receive(channel), 'PEER_ABORTED')
    await failure(channel.receive(), 'PEER_ABORTED')
  }
})

/** The other loop than `for await`. */
async function drain(channel: Channel<unknown, unknown>): Promise<void> {
  while ((await channel.receive()) !== undefined);
}

const internal = (): ChannelError => new ChannelError('INTERNAL', 'secret detail', { side: 'local' })

describe('a close frame', () => {
  test('comes after the messages that were sent before the failure, and names the code alone (CTRL-4, ERR-4)', async () => {
    const [left, right] = channels()
    for (const message of [1, 2, 3]) await left.send(message)
    coreOf(left).closeWithError(internal())
    for (const message of [1, 2, 3]) expect(await right.receive()).toBe(message)
    const error = await failure(right.receive(), 'INTERNAL')
    expect(error).toMatchObject({ side: 'remote', fatal: true })
    expect(error.message).not.toContain('secret')
    for (const wait of [right.receive(), right.send(4), right.end()])
      expect(await failure(wait, 'INTERNAL')).toBe(error)
    expect(await outcome(right, 'INTERNAL')).toBe(error)
    expect(await outcome(left, 'INTERNAL')).toMatchObject({ side: 'local', message: 'secret detail' })
    await failure(left.receive(), 'INTERNAL')
    await failure(left.send(5), 'INTERNAL')
  })

  test('is this on the wire, followed by the end (CLOSE-2)', async () => {
    const [channel, peer] = channelAndPeer()
    await channel.send(1)
    coreOf(channel).closeWithError(internal())
    coreOf(channel).closeWithError(new ChannelError('INVALID_FRAME', 'too late'))
    expect(hexOf(await readAll(peer))).toBe('00 00 00 01 31 80 00 00 0a 01 08 49 4e 54 45 52 4e 41 4c')
    await peer.close()
  })

  test('is noticed by a channel that only sends', async () => {
    const [channel, peer] = channelAndPeer()
    await channel.send(1)
    await peer.write(bytesOf('80 00 00 0a 01 08 49 4e 54 45 52 4e 41 4c'))
    await settled()
    await failure(channel.send(2), 'INTERNAL')
    await peer.close()
    await outcome(channel, 'INTERNAL')
  })

  test('and a stop are noticed by a channel that receives once and then only sends', async () => {
    for (const [frame, code] of [
      ['80 00 00 0a 01 08 49 4e 54 45 52 4e 41 4c', 'INTERNAL'],
      ['80 00 00 01 02', 'PEER_STOPPED'],
    ] as const) {
      const [channel, peer] = channelAndPeer()
      await peer.write(jsonFrames(1))
      await settled()
      expect(await channel.receive()).toBe(1)
      await peer.write(bytesOf(frame))
      await settled()
      await failure(channel.send(2), code)
      await Promise.all([channel.close(), peer.close()])
    }
  })

  test('is noticed behind control frames of types that are not known (CTRL-3, VER-3)', async () => {
    const [channel, peer] = channelAndPeer()
    await peer.write(bytesOf('80 00 00 03 7f 01 02 00 00 00 01 31 80 00 00 01 03 80 00 00 00'))
    expect(await channel.receive()).toBe(1)
    const error = await failure(channel.receive(), 'INVALID_FRAME')
    expect(error.side).toBe('remote')
    await peer.close()
  })

  test.each([
    ['INVALID_MESSAGE', 'INVALID_MESSAGE', 'local'],
    ['INVALID_FRAME', 'INVALID_FRAME', 'local'],
    ['TRUNCATED_FRAME', 'TRUNCATED_FRAME', 'local'],
    ['MESSAGE_TOO_LARGE', 'MESSAGE_TOO_LARGE', 'local'],
    ['INTERNAL', 'INTERNAL', 'remote'],
    ['GOING_HOME', 'PEER_ABORTED', 'remote'],
  ] as const)('of %s is %s here, of side %s', async (sent, code, side) => {
    const [channel, peer] = channelAndPeer({ limits: { maxMessageBytes: 1 } })
    const reason = 'the reason'
    const body = Uint8Array.of(1, sent.length, ...utf8(sent), ...utf8(reason))
    await peer.write(Uint8Array.of(0x80, 0, 0, body.length, ...body))
    await peer.closeWrite()
    const error = await failure(channel.receive(), code)
    expect(error).toMatchObject({ side, fatal: true })
    expect(error.message).toContain(reason)
    await peer.close()
  })

  test('ends a channel that has no room any more, and drops what waits (CLOSE-2)', async () => {
    const [channel, peer] = channelAndPeer({ limits: { maxBufferedBytes: 1 }, pipe: { highWaterMark: 1 } })
    await channel.send(1)
    await settled()
    const sends = [channel.send(2), channel.send(3)]
    const ending = channel.end()
    await peer.write(bytesOf('80 00 00 0a 01 08 49 4e 54 45 52 4e 41 4c'))
    await sends[0]
    await failure(Promise.resolve(sends[1]), 'INTERNAL')
    await failure(ending, 'INTERNAL')
    await peer.close()
    await channel.closed
    expect(channel.bufferedBytes).toBe(0)
  })
})

test('a stop: does not keep what was accepted from going out (STOP-2)', async () => {
  const [channel, peer] = channelAndPeer({ limits: { maxBufferedBytes: 1 } })
  const sends = [channel.send(1), channel.send(2)]
  const ending = channel.end()
  await peer.write(bytesOf('80 00 00 01 02'))
  await settled()
  await Promise.allSettled([...sends, ending])
  await failure(channel.send(3), 'CLOSED')
  await Promise.all([channel.close(), peer.close()])
})

test.each(['close', 'stop'] as const)(
  'a %s that comes after this side has failed changes nothing (CLOSE-4)',
  async (type) => {
    const [channel, peer] = channelAndPeer()
    await peer.write(bytesOf('00 00 00 01 7b'))
    const error = await failure(channel.receive(), 'INVALID_MESSAGE')
    const later = { close: '80 00 00 0c 01 0a 47 4f 49 4e 47 5f 41 57 41 59', stop: '80 00 00 01 02' }[type]
    await peer.write(bytesOf(later))
    await peer.closeWrite()
    expect(await channel.closed).toEqual({ clean: false, error })
  },
)

test('of two close frames, the first counts (CLOSE-4)', async () => {
  const [channel, peer] = channelAndPeer()
  const goingAway = '80 00 00 0c 01 0a 47 4f 49 4e 47 5f 41 57 41 59'
  await peer.write(bytesOf(`${goingAway} 80 00 00 0a 01 08 49 4e 54 45 52 4e 41 4c`))
  await peer.closeWrite()
  await failure(channel.receive(), 'GOING_AWAY')
  await outcome(channel, 'GOING_AWAY')
})

test('a control frame from a peer that announced none: INVALID_FRAME (FRAME-7, CTRL-1)', async () => {
  const [channel, peer] = channelAndPeer({ control: false })
  await peer.write(concat([jsonFrames(1), bytesOf('80 00 00 01 02')]))
  expect(await channel.receive()).toBe(1)
  expect(await failure(channel.receive(), 'INVALID_FRAME')).toMatchObject({ side: 'remote', fatal: true })
  await peer.closed
})

const brokenInputs = [
  { what: 'a message that is no JSON', wire: '00 00 00 01 7b', code: 'INVALID_MESSAGE', reason: '', rstCode: 1 },
  {
    what: 'a reserved bit',
    wire: '40 00 00 00',
    code: 'INVALID_FRAME',
    reason: "the frame's prefix 0x40000000 has a reserved bit set",
    rstCode: 1,
  },
  {
    what: 'a length over the limit',
    wire: '3f ff ff ff',
    code: 'MESSAGE_TOO_LARGE',
    reason: 'a message of 1073741823 bytes is over the limit of 4194304',
    rstCode: 6,
  },
  {
    what: 'an end inside a prefix',
    wire: '00 00',
    code: 'TRUNCATED_FRAME',
    reason: 'the stream ended inside a frame, after 2 of 4 bytes of a prefix',
    rstCode: 1,
  },
  {
    what: 'an end inside a body',
    wire: '00 00 00 02 31',
    code: 'TRUNCATED_FRAME',
    reason: 'the stream ended inside a frame, after 1 of 2 bytes of a body',
    rstCode: 1,
  },
  {
    what: 'an invalid control frame',
    wire: '80 00 00 00',
    code: 'INVALID_FRAME',
    reason: 'a control frame of no bytes',
    rstCode: 1,
  },
] as const

describe.each(brokenInputs)('$what', ({ wire, code, rstCode, reason }) => {
  test('ends the channel, and the peer receives the code and at most numbers (ERR-1, ERR-4)', async () => {
    const [channel, peer] = channelAndPeer()
    await channel.send('before')
    await peer.write(concat([jsonFrames(1), bytesOf(wire)]))
    await peer.closeWrite()
    expect(await channel.receive()).toBe(1)
    const error = await failure(channel.receive(), code)
    expect(error).toMatchObject({ side: 'remote', fatal: true })
    const wait = await Promise.all([readAll(peer), outcome(channel, code)])
    expect(wait[1]).toBe(error)
    const told = wait[0].subarray(jsonFrames('before').length)
    const size = 2 + code.length
    expect(hexOf(told.subarray(4, 4 + size))).toBe(hexOf(Uint8Array.of(1, code.length, ...utf8(code))))
    expect(new TextDecoder().decode(told.subarray(4 + size))).toBe(reason)
    await failure(channel.send(1), code)
    await peer.close()
  })

  test('ends the channel by a reset where the peer accepts no control frames (END-5)', async () => {
    const [left, peer] = pipe()
    const conn = new WatchedConn(left)
    const channel = overConn(conn, { control: false })
    await peer.write(bytesOf(wire))
    await peer.closeWrite()
    await failure(channel.receive(), code)
    expect(conn.aborts).toMatchObject([{ rstCode }])
    await outcome(channel, code)
    await peer.closed
  })

  test('reaches the peer as an error on its own side', async () => {
    const [left, right] = pipe()
    const channel = overConn(left)
    const peer = overConn(new Forging(right, bytesOf(wire)))
    void peer.send('forged').catch(() => {})
    void peer.end().catch(() => {})
    await failure(channel.receive(), code)
    expect(await failure(peer.receive(), code)).toMatchObject({ side: 'local', fatal: true })
    await Promise.all([outcome(channel, code), outcome(peer, code)])
  })
})

/** A conn whose writes are all the same bytes. */
class Forging extends WatchedConn {
  readonly #bytes: Uint8Array

  constructor(conn: Conn, forged: Uint8Array) {
    super(conn)
    this.#bytes = forged
  }

  override write(): Promise<void> {
    return super.write(this.#bytes)
  }
}

describe('a message that is refused', () => {
  const Quote = z.object({ symbol: z.string() })

  test('by the schema is INVALID_MESSAGE, with the codec’s error as the cause, which is not sent (CODEC-1, ERR-4)', async () => {
    const [left, peer] = pipe()
    const channel = new Channel(left, { send: json(), receive: json(Quote), control: true })
    await peer.write(jsonFrames({ symbol: 'SAP' }, { symbol: 7 }, { symbol: 'BMW' }))
    expect(await channel.receive()).toEqual({ symbol: 'SAP' })
    const error = await failure(channel.receive(), 'INVALID_MESSAGE')
    expect(error.cause).toBeInstanceOf(CodecError)
    expect(error.cause).toMatchObject({ code: 'INVALID_MESSAGE', issues: [{ path: ['symbol'] }] })
    await failure(channel.receive(), 'INVALID_MESSAGE')
    expect(hexOf(await readAll(peer))).toBe('80 00 00 11 01 0f 49 4e 56 41 4c 49 44 5f 4d 45 53 53 41 47 45')
    await peer.close()
  })

  test('while several wait: those before it get theirs, it and those after it the error', async () => {
    const [left, peer] = pipe()
    const channel = new Channel(left, { send: json(), receive: json(Quote), control: true })
    const waits = [channel.receive(), channel.receive(), channel.receive()]
    await peer.write(jsonFrames({ symbol: 'SAP' }, { symbol: 7 }))
    expect(await waits[0]).toEqual({ symbol: 'SAP' })
    await failure(Promise.resolve(waits[1]), 'INVALID_MESSAGE')
    await failure(Promise.resolve(waits[2]), 'INVALID_MESSAGE')
    await peer.close()
  })

  test('in an iteration ends that with the error', async () => {
    const [left, peer] = pipe()
    const channel = new Channel(left, { send: json(), receive: msgpack() })
    await peer.write(bytesOf('00 00 00 01 01 00 00 00 01 c1'))
    const received: unknown[] = []
    const iterating = (async () => {
      for await (const message of channel) received.push(message)
    })()
    await failure(iterating, 'INVALID_MESSAGE')
    expect(received).toEqual([1])
    await peer.closed
  })

  test('by a codec that throws something else is INVALID_MESSAGE as well', async () => {
    const [left, peer] = pipe()
    const receive = {
      ...bytes(),
      decode(): Uint8Array {
        // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- anything can be thrown
        throw 'no'
      },
    }
    const channel = new Channel(left, { send: json(), receive })
    await peer.write(bytesOf('00 00 00 00'))
    expect(await failure(channel.receive(), 'INVALID_MESSAGE')).toMatchObject({ message: 'no', cause: 'no' })
    await peer.closed
  })

  test.each([
    ['newline-delimited', newlineDelimited(), '7b 0a'],
    ['fixed-length', fixedLength(2), 'ff ff'],
  ])('in %s framing ends the channel by a reset', async (_name, framing, wire) => {
    const [left, peer] = pipe()
    const conn = new WatchedConn(left)
    const codec = framing.name === 'newline-delimited' ? json() : { ...json(), size: 2 }
    const channel = new Channel(conn, { send: codec, receive: codec, framing, control: true })
    await peer.write(bytesOf(wire))
    await failure(channel.receive(), 'INVALID_MESSAGE')
    expect(conn.aborts).toMatchObject([{ rstCode: 1 }])
    await peer.closed
  })
})

describe('isOutcome', () => {
  test('tells the error that ended a channel, or its sending half, from other errors of the same kind', async () => {
    const [left, right] = channels()
    const [other] = channelAndPeer()
    for await (const _ of eachOf(right)) break
    await settled()
    const stopped = await failure(left.send(1), 'PEER_STOPPED')
    expect(coreOf(left).isOutcome(stopped)).toBe(true)
    expect(coreOf(left).isOutcome(new ChannelError('PEER_STOPPED', 'another'))).toBe(false)
    left.abort()
    expect(coreOf(left).isOutcome(await failure(left.send(1), 'ABORTED'))).toBe(true)
    other.abort()
    expect(coreOf(left).isOutcome(await failure(other.send(1), 'ABORTED'))).toBe(false)
    expect(coreOf(other).isOutcome(undefined)).toBe(false)
  })

  /** An iteration that is left before its first message. */
  function eachOf(channel: Channel<unknown, unknown>): AsyncIterable<number> {
    const iterator = channel[Symbol.asyncIterator]()
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false, value: 0 }),
        return: async () => {
          await iterator.return?.()
          return { done: true, value: undefined }
        },
      }),
    }
  }
})

describe('over HTTP/2', () => {
  /** A bare server that answers with 200 and lets `serve` do as it likes. */
  async function bareServer(serve: (stream: ServerHttp2Stream) => void): Promise<TestServer> {
    const server = createServer()
    server.on('stream', (stream) => {
      stream.on('error', () => {})
      stream.respond()
      serve(stream)
    })
    return listen(server, undefined)
  }

  test.each([
    [1, 'INVALID_MESSAGE', 'local'],
    [2, 'INTERNAL', 'remote'],
    [6, 'MESSAGE_TOO_LARGE', 'local'],
    [7, 'CONN_LOST', 'remote'],
    [8, 'PEER_ABORTED', 'remote'],
    [5, 'CONN_LOST', 'remote'],
    [11, 'CONN_LOST', 'remote'],
    [0x6832_0004, 'PEER_TOO_SLOW', 'local'],
  ] as [number, ChannelErrorCode, string][])(
    'RST_STREAM with %i ends the channel with %s (ERR-2, ERR-3, HOP-1)',
    async (rst, code, side) => {
      const opened = deferred<ServerHttp2Stream>()
      await using server = await bareServer((stream) => opened.resolve(stream))
      const channel = overConn(await server.connect('/'), { control: false })
      const waits = [channel.receive(), channel.receive()]
      const stream = await opened.promise
      // Node sends END_STREAM before the reset where it can.
      stream.end = () => stream
      stream.close(rst)
      stream.destroy()
      for (const wait of waits) expect(await failure(wait, code)).toMatchObject({ side, fatal: true })
      await outcome(channel, code)
      await failure(channel.send(1), code)
    },
  )

  test('RST_STREAM with NO_ERROR after the end: sends get PEER_STOPPED, and earlier messages arrive', async () => {
    await using server = await bareServer((stream) => {
      stream.write(jsonFrames(1, 2, 3))
      stream.end()
      stream.once('finish', () => stream.close(0))
    })
    const channel = overConn(await server.connect('/'), { control: false })
    const sending = (async () => {
      for (;;) await channel.send('x'.repeat(100_000))
    })()
    expect(await failure(sending, 'PEER_STOPPED')).toMatchObject({ side: 'remote' })
    for (const message of [1, 2, 3, undefined]) expect(await channel.receive()).toBe(message)
    await outcome(channel, 'PEER_STOPPED')
  })

  test('a lost connection: CONN_LOST at every wait, once what arrived was received (FRAME-4)', async () => {
    const opened = deferred<ServerHttp2Stream>()
    await using server = await bareServer((stream) => {
      stream.write(jsonFrames(1))
      opened.resolve(stream)
    })
    const channel = overConn(await server.connect('/'), { control: false })
    expect(await channel.receive()).toBe(1)
    const waits = [channel.receive(), channel.receive()]
    const stream = await opened.promise
    stream.session?.destroy()
    for (const wait of waits) expect(await failure(wait, 'CONN_LOST')).toMatchObject({ side: 'remote', fatal: true })
    await outcome(channel, 'CONN_LOST')
    await channel.close()
  })

  test('a body that ends inside a frame: TRUNCATED_FRAME', async () => {
    await using server = await bareServer((stream) => stream.end(bytesOf('00 00 00 05 31')))
    const channel = overConn(await server.connect('/'), { control: false })
    await failure(channel.receive(), 'TRUNCATED_FRAME')
    await outcome(channel, 'TRUNCATED_FRAME')
  })

  test('abort: the peer’s waits fail with PEER_ABORTED', async () => {
    const accepted = deferred<Channel<unknown, unknown>>()
    const over = deferred()
    await using server = await startServer(
      async (conn) => {
        accepted.resolve(overConn(conn))
        await over.promise
      },
      { tls: false },
    )
    const left = overConn(await server.connect('/'))
    const right = await accepted.promise
    const waits = [right.receive(), right.receive()]
    await left.send(1)
    expect(await waits[0]).toBe(1)
    left.abort('mine')
    expect(await failure(Promise.resolve(waits[1]), 'PEER_ABORTED')).toMatchObject({ side: 'remote', fatal: true })
    await outcome(right, 'PEER_ABORTED')
    await failure(right.send(1), 'PEER_ABORTED')
    over.resolve()
  })

  test('close: stops a peer that only sends and accepts no control frames (END-4)', async () => {
    const opened = deferred<Conn>()
    const over = deferred()
    await using server = await startServer(
      async (conn) => {
        opened.resolve(conn)
        await over.promise
      },
      { tls: false },
    )
    const left = overConn(await server.connect('/', { lingerTimeout: 20 }), { control: false })
    const right = overConn(await opened.promise, { control: false })
    const flooding = (async () => {
      for (;;) await right.send('x'.repeat(10_000))
    })()
    await until(() => right.bufferedBytes > 0)
    await left.send('last')
    await left.close()
    await failure(flooding, 'PEER_STOPPED')
    expect(await right.receive()).toBe('last')
    expect(await right.receive()).toBeUndefined()
    over.resolve()
  })
})

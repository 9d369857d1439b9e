// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
/** Messages that leave with a request: `open({ initial })` and `call`. */
import type { Codec } from '@h2channel/codecs'
import { bytes, f64, json, msgpack, struct, u32 } from '@h2channel/codecs'
import { SessionPool } from '@h2channel/conn'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'

import { Flag, FrameType, goaway, startRawPeer } from '../../../conn/test/support/raw-peer.ts'
import type { ClientEvent } from '../../src/client.ts'
import { createClient } from '../../src/client.ts'
import type { DiagnosticEvents } from '../../src/diagnostics.ts'
import type { ChannelStats, Framing } from '../../src/index.ts'
import { defineRoute, fixedLength, newlineDelimited } from '../../src/index.ts'
import { Refusal } from '../../src/server.ts'
import { bare, serve } from '../support/server-support.ts'
import type { Bare } from '../support/server-support.ts'
import {
  deferred,
  failOnUnhandledRejections,
  failure,
  hexOf,
  jsonFrames,
  receiveAll,
  until,
} from '../support/support.ts'

failOnUnhandledRejections()

const type = 'application/vnd.h2channel+json'
const echo = defineRoute('/echo', { client: json(), server: json() })
const aged = defineRoute('/aged', { client: json(), server: json() })
const lines = defineRoute('/lines', { client: json(), server: json(), framing: newlineDelimited() })
const quick = { initialDelay: 1, maxDelay: 1 }
/** More than the windows of both ends and their sockets hold. */
const large = 'x'.repeat(3 * 1024 * 1024)

async function bodyOf(stream: ServerHttp2Stream): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return hexOf(Buffer.concat(chunks))
}

/** A server that answers a request with `reply`, and ends. */
const replying =
  (...reply: readonly unknown[]) =>
  (stream: ServerHttp2Stream): void => {
    stream.respond({ 'content-type': type })
    stream.end(jsonFrames(...reply))
  }

function clientOf(server: Bare, options: object = {}): ReturnType<typeof createClient> {
  return createClient(server.origin, { sessions: server.sessions, retry: quick, ...options })
}

/** Nothing of a client's channels is left: it closes at once. */
async function expectIdle(client: ReturnType<typeof createClient>): Promise<void> {
  await client.close({ timeout: 1_000 })
}

describe('the wire', () => {
  test.each([
    ['call', Flag.END_STREAM],
    ['open', 0],
  ])('%s sends request and messages in one packet, before the response (OPEN-6, CALL-1)', async (kind, flags) => {
    await using peer = await startRawPeer()
    await using sessions = new SessionPool({ closeTimeout: 20 })
    const client = createClient(peer.origin, { sessions })
    const first = client.open(lines).catch(() => undefined)
    const { link } = await peer.request()
    const packets: Buffer[] = []
    link.socket.on('data', (chunk) => packets.push(chunk))
    const controller = new AbortController()
    const { signal } = controller
    const asking = kind === 'call' ? client.call(echo, 1, { signal }) : client.open(echo, { signal, initial: [1, 2] })
    const sent = await link.take(FrameType.DATA, ({ stream }) => stream === 3)
    expect(hexOf(sent.payload)).toBe(hexOf(kind === 'call' ? jsonFrames(1) : jsonFrames(1, 2)))
    expect(sent.flags).toBe(flags)
    expect(packets).toHaveLength(1)
    controller.abort()
    await failure(asking, 'CANCELLED')
    link.socket.destroy()
    await first
  })

  const point = struct({ x: f64, n: u32 })
  test.each<[string, Codec<unknown>, Framing | undefined, unknown]>([
    ['json', json(), undefined, { a: [1, null] }],
    ['lines of json', json(), newlineDelimited(), { a: 'ü' }],
    ['msgpack', msgpack(), undefined, { a: 2n ** 60n }],
    ['struct', point, undefined, { x: 0.5, n: 7 }],
    ['records', point, fixedLength(12), { x: 0.5, n: 7 }],
    ['bytes', bytes(), undefined, Uint8Array.of(1, 2)],
  ])('carries %s', async (_what, codec, framing, message) => {
    const route = defineRoute('/any', { client: codec, server: codec, ...(framing && { framing }) })
    await using served = await serve((router) => router.answer(route, (asked) => asked))
    const client = served.client()
    expect(await client.call(route, message)).toEqual(message)
    const channel = await client.open(route, { initial: [message, message] })
    await channel.send(message)
    await channel.end()
    expect(await receiveAll(channel)).toEqual([message, message, message])
    expect(channel.stats).toMatchObject({ sent: { messages: 3 }, received: { messages: 3 } })
    expect(channel.stats.sent.bytes).toBe(channel.stats.received.bytes)
    await expectIdle(client)
  })

  test('carries messages over the window, both ways', async () => {
    await using served = await serve((router) => router.answer(echo, (asked) => asked))
    const client = served.client()
    const replies = await Promise.all([client.call(echo, large), client.call(echo, large)])
    expect(replies.map((reply) => reply === large)).toEqual([true, true])
    const channel = await client.open(echo, { initial: [large] })
    await channel.send('next')
    await channel.end()
    expect((await receiveAll(channel)).map((reply) => String(reply).length)).toEqual([large.length, 4])
    await expectIdle(client)
  })
})

describe('each attempt', () => {
  const accept = replying('done')
  const refusal =
    (status: number) =>
    (stream: ServerHttp2Stream): void => {
      stream.respond({ ':status': status })
      stream.end()
    }

  async function openAgain(client: ReturnType<typeof createClient>): Promise<unknown> {
    const channel = await client.open(echo, { initial: new Set(['again']) })
    const reply = await channel.receive()
    await channel.end()
    return reply
  }

  test.each(['call', 'open'])('of %s has the messages', async (kind) => {
    const bodies: Promise<string>[] = []
    const answers = [refusal(503), (stream: ServerHttp2Stream): void => stream.close(7), refusal(429), accept]
    await using server = await bare((stream) => {
      bodies.push(bodyOf(stream))
      // A reset would discard what has not been read.
      void bodies.at(-1)?.catch(() => {})
      stream.once('readable', () => answers[bodies.length - 1]?.(stream))
    })
    const client = clientOf(server)
    const opening = kind === 'call' ? client.call(echo, 'again') : openAgain(client)
    expect(await opening).toBe('done')
    const read = await Promise.allSettled(bodies)
    const all = read.map((one) => (one.status === 'fulfilled' ? one.value : 'reset'))
    const body = hexOf(jsonFrames('again'))
    expect(all).toEqual([body, 'reset', body, body])
    await expectIdle(client)
  })

  test('on another connection, after GOAWAY, has them', async () => {
    let requests = 0
    await using peer = await startRawPeer({
      onRequest(socket) {
        requests += 1
        if (requests <= 4) setImmediate(() => socket.write(goaway(0, 0)))
      },
    })
    await using sessions = new SessionPool({ closeTimeout: 20 })
    const events: ClientEvent[] = []
    const client = createClient(peer.origin, { sessions, retry: quick, onEvent: (event) => void events.push(event) })
    const controller = new AbortController()
    const calling = failure(client.call(echo, 'again', { signal: controller.signal }), 'CANCELLED')
    for (let count = 0; count < 5; count++) {
      const { link } = await peer.request()
      const sent = await link.take(FrameType.DATA)
      expect([hexOf(sent.payload), sent.flags]).toEqual([hexOf(jsonFrames('again')), Flag.END_STREAM])
    }
    controller.abort()
    await calling
    expect(events.map((event) => event.type)).toEqual(['retry', 'fail'])
  })

  test('is handled once where its connection gets GOAWAY while it is on its way, as after `maxAge`', async () => {
    const seen: unknown[] = []
    await using served = await serve((router) => {
      router.answer(echo, (message) => {
        seen.push(message)
        return message
      })
      router.handle(aged, async (channel) => void (await channel.closed), { maxAge: 1 })
    })
    const client = served.client()
    const over = new AbortController()
    let sent = 0
    const calling = Array.from({ length: 20 }, async () => {
      while (!over.signal.aborted) {
        const message = sent++
        expect(await client.call(echo, message)).toBe(message)
      }
    })
    for (let round = 0; round < 20; round += 1) {
      const channel = await client.open(aged)
      if (!channel.draining.aborted) await once(channel.draining, 'abort')
      await channel.close()
    }
    over.abort()
    await Promise.all(calling)
    expect([seen.length, new Set(seen).size]).toEqual([sent, sent])
  })

  test('has had its last where the connection is lost later: a handler may have run', async () => {
    await using peer = await startRawPeer()
    await using sessions = new SessionPool({ closeTimeout: 20 })
    const calling = failure(createClient(peer.origin, { sessions, retry: quick }).call(echo, 1), 'CONNECT_FAILED')
    const { link } = await peer.request()
    await link.take(FrameType.DATA)
    link.socket.destroy()
    expect(await calling).toMatchObject({ retryable: false })
  })
})

describe('what cannot be sent', () => {
  test.each([
    ['ENCODE_FAILED', { n: 1n }],
    ['ENCODE_FAILED', undefined],
    ['MESSAGE_TOO_LARGE', large],
  ] as const)('is %s, before any request', async (code, message) => {
    await using server = await bare(replying())
    const events: ClientEvent[] = []
    const onEvent = (event: ClientEvent): void => void events.push(event)
    const client = clientOf(server, { limits: { maxMessageBytes: 100 }, onEvent })
    expect(await failure(client.call(echo, message), code)).toMatchObject({ side: 'local', fatal: false })
    await failure(client.open(echo, { initial: [1, message] }), code)
    expect([server.asked, events]).toEqual([[], []])
  })

  test('is more than a channel buffers: SEND_BUFFER_FULL', async () => {
    await using server = await bare(replying())
    const client = clientOf(server, { limits: { maxBufferedBytes: 100 } })
    const message = 'x'.repeat(94)
    const error = await failure(client.open(echo, { initial: [message, message] }), 'SEND_BUFFER_FULL')
    expect(error).toMatchObject({ retryable: false })
    // The last may exceed it, as with `send`.
    const channel = await client.open(echo, { initial: ['', message.repeat(9)] })
    await channel.close()
    expect(server.asked).toHaveLength(1)
  })

  test('is no iterable, or throws', async () => {
    await using server = await bare(replying())
    const client = clientOf(server)
    await failure(client.open(echo, { initial: 'text' }), 'INVALID_ARGUMENT')
    await failure(client.open(echo, { initial: 5 as never }), 'INVALID_ARGUMENT')
    const mine = new Error('mine')
    const throwing = (function* (): Generator<number> {
      yield 1
      throw mine
    })()
    await expect(client.open(echo, { initial: throwing })).rejects.toBe(mine)
    expect(server.asked).toEqual([])
  })
})

describe('a server that refuses', () => {
  test.each([
    [415, 'UNSUPPORTED_CODEC'],
    [503, 'REFUSED'],
    [401, 'UNAUTHENTICATED'],
    [404, 'NOT_FOUND'],
  ] as const)('with %i while a large message is on its way is %s', async (status, code) => {
    const closed: Promise<unknown>[] = []
    await using server = await bare((stream) => {
      closed.push(once(stream, 'close'))
      stream.respond({ ':status': status })
      stream.end('no')
    })
    const client = clientOf(server, { retry: { maxAttempts: 1 } })
    const error = await failure(client.call(echo, large), code)
    expect(error.message).toContain('no')
    await Promise.all(closed)
    await expectIdle(client)
  })

  test('by authorize, discards the message', async () => {
    const authorize = (): never => {
      throw new Refusal(401, 'who?')
    }
    await using served = await serve((router) => router.answer(echo, (asked) => asked), { router: { authorize } })
    const client = served.client()
    await failure(client.call(echo, large), 'UNAUTHENTICATED')
    await expectIdle(client)
  })
})

describe('the reply', () => {
  test('that does not come is NO_REPLY (CALL-3)', async () => {
    await using server = await bare(replying())
    const client = clientOf(server)
    const error = await failure(client.call(echo, 1), 'NO_REPLY')
    expect(error).toMatchObject({ side: 'remote', fatal: true, retryable: false })
    expect(error.message).toContain('/echo')
    await expectIdle(client)
  })

  test('is NO_REPLY too where the server, or the client, skips the only message', async () => {
    const route = defineRoute('/echo', { client: json(z.number()), server: json(z.number()) })
    await using served = await serve((router) => {
      router.answer(route, (asked) => (asked === 1 ? ('text' as never) : asked), { onInvalid: () => 'skip' })
    })
    const client = served.client()
    await failure(client.call(route, 'text' as never), 'NO_REPLY')
    await failure(client.call(route, 1, { onInvalid: () => 'skip' }), 'NO_REPLY')
    expect(served.errors).toEqual([])
    await expectIdle(client)
  })

  test('may be followed by no other: INVALID_MESSAGE, and the server learns it (CALL-3)', async () => {
    await using server = await bare((stream) => {
      stream.respond({ 'content-type': type })
      stream.write(jsonFrames(1, 2))
    })
    const client = clientOf(server)
    const error = await failure(client.call(echo, 1), 'INVALID_MESSAGE')
    expect(error).toMatchObject({ side: 'remote', message: expect.stringMatching(/^\/echo: .* needs open$/) })
    expect(await server.resets[0]).toBe(1)
    await expectIdle(client)
  })

  test('counts once the server has ended its half (CALL-3)', async () => {
    const streams: ServerHttp2Stream[] = []
    await using server = await bare((stream) => {
      streams.push(stream)
      if (streams.length > 1) return replying('two')(stream)
      stream.respond({ 'content-type': type })
      stream.write(jsonFrames('one'))
    })
    const client = clientOf(server)
    let isSettled = false
    const calling = client.call(echo, 1).finally(() => (isSettled = true))
    // It comes behind the first reply.
    expect(await client.call(echo, 2)).toBe('two')
    expect(isSettled).toBe(false)
    const [stream] = streams
    if (stream === undefined) throw new Error('no request came')
    stream.end()
    expect(await calling).toBe('one')
    await expectIdle(client)
  })

  test('that the schema rejects is INVALID_MESSAGE, or skipped by onInvalid', async () => {
    const route = defineRoute('/echo', { client: json(), server: json(z.number()) })
    await using server = await bare(replying('text', 5))
    const client = clientOf(server)
    await failure(client.call(route, 1), 'INVALID_MESSAGE')
    expect(await client.call(route, 1, { onInvalid: () => 'skip' })).toBe(5)
    await expectIdle(client)
  })

  test('that the schema rejects is no error of a server that has ended', async () => {
    await using served = await serve((router) => router.answer(echo, () => 'text'))
    const closed: unknown[] = []
    const onClose = (event: unknown): void => {
      const { opening, closed: how } = event as DiagnosticEvents['close']
      if (opening.side === 'server') closed.push(how)
    }
    subscribe('h2channel:close', onClose)
    try {
      const client = served.client()
      const route = defineRoute('/echo', { client: json(), server: json(z.number()) })
      expect(await failure(client.call(route, 1), 'INVALID_MESSAGE')).toMatchObject({ side: 'remote' })
      await until(() => closed.length === 1)
      expect([closed, served.errors]).toEqual([[{ clean: true }], []])
      await expectIdle(client)
    } finally {
      unsubscribe('h2channel:close', onClose)
    }
  })

  test.each([echo, lines])('of a handler that fails is INTERNAL ($path)', async (route) => {
    await using served = await serve((router) => {
      router.answer(route, () => {
        throw new Error('secret')
      })
    })
    const client = served.client()
    const error = await failure(client.call(route, 1), 'INTERNAL')
    expect(error.message).not.toContain('secret')
    expect(served.errors).toMatchObject([{ message: 'secret' }])
    await expectIdle(client)
  })

  test('may come before the message was read', async () => {
    await using server = await bare(replying('early'))
    const client = clientOf(server)
    expect(await client.call(echo, large)).toBe('early')
    // The server that reads none of it is reset in the end: the channel does not stay.
    await client.close({ timeout: 50 })
    const stream = await server.resets[0]
    expect(stream).toBeDefined()
  })
})

test('a call has the events of a channel, and the headers that a subscriber adds', async () => {
  const events: string[] = []
  const opened: ChannelStats[] = []
  const onOpening = (event: unknown): void => {
    const { side, headers } = event as DiagnosticEvents['opening']
    if (side === 'client') Object.assign(headers, { 'x-trace': 'abc' })
    events.push(`${side} opening ${String(headers['x-trace'])}`)
  }
  const onClose = (event: unknown): void => {
    const { opening, channel, closed } = event as DiagnosticEvents['close']
    events.push(`${opening.side} close ${closed.clean}`)
    if (opening.side === 'client') opened.push(channel.stats)
  }
  subscribe('h2channel:opening', onOpening)
  subscribe('h2channel:close', onClose)
  try {
    await using served = await serve((router) => router.answer(echo, (asked) => asked))
    expect(await served.client().call(echo, 'hello')).toBe('hello')
    await until(() => events.length === 4)
    expect(events.toSorted()).toEqual([
      'client close true',
      'client opening abc',
      'server close true',
      'server opening abc',
    ])
    expect(opened).toMatchObject([{ sent: { messages: 1, bytes: 11 }, received: { messages: 1, bytes: 11 } }])
  } finally {
    unsubscribe('h2channel:opening', onOpening)
    unsubscribe('h2channel:close', onClose)
  }
})

describe('a call ends', () => {
  /** Aborts a call when `at` says so. Nothing of it may be left. */
  const moments: [string, (stream: ServerHttp2Stream, abort: () => void) => void][] = [
    ['before the response', (_stream, abort) => abort()],
    [
      'after the response',
      (stream, abort) => {
        stream.respond({ 'content-type': type })
        setImmediate(abort)
      },
    ],
    [
      'after the reply, before the end',
      (stream, abort) => {
        stream.respond({ 'content-type': type })
        stream.write(jsonFrames(1), abort)
      },
    ],
  ]
  test.each(moments)('by its signal %s: the server sees CANCEL', async (_what, answer) => {
    const controller = new AbortController()
    const { signal } = controller
    const add = vi.spyOn(signal, 'addEventListener')
    const remove = vi.spyOn(signal, 'removeEventListener')
    await using server = await bare((stream) => answer(stream, () => controller.abort('mine')))
    const client = clientOf(server)
    const error = await failure(client.call(echo, 1, { signal }), 'CANCELLED')
    expect(error.cause).toBe('mine')
    expect(await server.resets[0]).toBe(8)
    // A signal that has aborted keeps no listener of ours.
    expect(add.mock.calls.length - remove.mock.calls.length).toBeLessThanOrEqual(1)
    await expectIdle(client)
  })

  test('by a signal that had aborted, before anything is sent', async () => {
    await using server = await bare(replying(1))
    const client = clientOf(server)
    await failure(client.call(echo, 1, { signal: AbortSignal.abort() }), 'CANCELLED')
    await failure(client.call(echo, 1, { signal: 5 as never }), 'INVALID_ARGUMENT')
    expect(server.asked).toEqual([])
  })

  test('with TIMEOUT by a signal of that kind, and the handler learns it', async () => {
    const gone = deferred<unknown>()
    await using served = await serve((router) => {
      router.answer(echo, async (_message, { signal }) => {
        await once(signal, 'abort')
        gone.resolve(signal.reason)
        return 1
      })
    })
    const client = served.client()
    const controller = new AbortController()
    const calling = failure(client.call(echo, 1, { signal: controller.signal }), 'TIMEOUT')
    await until(() => served.router.channels === 1)
    controller.abort(new DOMException('late', 'TimeoutError'))
    await calling
    expect(await gone.promise).toMatchObject({ code: 'PEER_ABORTED' })
    await until(() => served.router.channels === 0)
    expect(served.errors).toEqual([])
    await expectIdle(client)
  })

  test('with a text that says whether only the end of the server is missing', async () => {
    await using server = await bare((stream) => {
      if (server.asked.length > 1) return replying('two')(stream)
      stream.respond({ 'content-type': type })
      stream.write(jsonFrames('one'))
    })
    const client = clientOf(server)
    const controller = new AbortController()
    const calling = failure(client.call(echo, 1, { signal: controller.signal }), 'TIMEOUT')
    // It comes behind the first reply.
    expect(await client.call(echo, 2)).toBe('two')
    controller.abort(new DOMException('late', 'TimeoutError'))
    const { message } = await calling
    const state = 'its reply has arrived, but the server has not ended its half'
    expect(message).toBe(`the call of /echo (${state}) took longer than its signal allows`)
    expect(await server.resets[0]).toBe(8)
    await expectIdle(client)
  })

  test('and leaves no listener on its signal', async () => {
    await using served = await serve((router) => router.answer(echo, (asked) => asked))
    const { signal } = new AbortController()
    const add = vi.spyOn(signal, 'addEventListener')
    const remove = vi.spyOn(signal, 'removeEventListener')
    const client = served.client()
    for (let count = 0; count < 3; count++) expect(await client.call(echo, count, { signal })).toBe(count)
    expect(add.mock.calls.length).toBe(remove.mock.calls.length)
    await expectIdle(client)
  })

  test('with its reply while its client closes, and with GOING_AWAY at the deadline', async () => {
    const answer = deferred<number>()
    await using served = await serve((router) => {
      router.answer(echo, (asked) => (asked === 'slow' ? answer.promise : new Promise(() => {})))
    })
    const open: ClientEvent[] = []
    const client = served.client({ onEvent: (event) => void open.push(event) })
    const slow = client.call(echo, 'slow')
    const stuck = failure(client.call(echo, 'stuck'), 'GOING_AWAY')
    await until(() => open.length === 2)
    const closing = client.close({ timeout: 100 })
    answer.resolve(5)
    expect(await slow).toBe(5)
    await stuck
    await closing
    await failure(client.call(echo, 1), 'CLOSED')
  })

  test('with CONN_LOST when the connection breaks after the response', async () => {
    await using server = await bare((stream) => {
      stream.respond({ 'content-type': type })
      setImmediate(() => stream.session?.destroy())
    })
    const client = clientOf(server)
    await failure(client.call(echo, 1), 'CONN_LOST')
    await expectIdle(client)
  })

  test('with the error of a reset', async () => {
    await using server = await bare((stream) => {
      stream.respond({ 'content-type': type })
      // A turn later: Node drops a response that has not left yet.
      setImmediate(() => {
        // Node would send END_STREAM first.
        stream.end = () => stream
        stream.close(0x6832_0002)
      })
    })
    const client = clientOf(server)
    await failure(client.call(echo, 1), 'RATE_LIMITED')
    await expectIdle(client)
  })
})

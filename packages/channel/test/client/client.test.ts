// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
import { bytes, json, msgpack, oneOf } from '@h2channel/codecs'
import { SessionPool } from '@h2channel/conn'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, expect, test, vi } from 'vitest'

import type { ClientEvent } from '../../src/client.ts'
import { createClient } from '../../src/client.ts'
import { refClock } from '../../src/runtime/clock.ts'
import { defineRoute, fixedLength, newlineDelimited } from '../../src/index.ts'
import type { createRouter } from '../../src/server.ts'
import { bare, deadPort, serve, testCertificate } from '../support/server-support.ts'
import { deferred, failOnUnhandledRejections, failure, receiveAll, thrown, utf8 } from '../support/support.ts'

failOnUnhandledRejections()

const vnd = 'application/vnd.h2channel'
const echo = defineRoute('/echo', { client: json(), server: json() })
const greet = defineRoute('/greet/:name/:title', { client: json<string>(), server: json<string[]>() })

const setUp = (router: ReturnType<typeof createRouter>): void => {
  router.handle(echo, async (channel) => {
    for await (const message of channel) await channel.send(message)
  })
  router.handle(greet, (channel, { params }) => channel.send([params.name, params.title]))
}

const accepting = (stream: ServerHttp2Stream): void => {
  stream.respond({ 'content-type': `${vnd}+json` })
  stream.end()
}

describe('open', () => {
  test('opens many channels on one connection, over TLS', async () => {
    await using served = await serve(setUp, { tls: true })
    const client = served.client()
    const channels = await Promise.all(Array.from({ length: 20 }, () => client.open(echo)))
    for (const [index, channel] of channels.entries()) await channel.send(index)
    for (const [index, channel] of channels.entries()) expect(await channel.receive()).toBe(index)
    expect(served.at.sessions.size).toBe(1)
    await Promise.all(channels.map((channel) => channel.close()))
  })

  test.each([
    ['plain', 'ada', 'countess'],
    ['slashes', 'a/b', '/'],
    ['spaces', 'ada lovelace', ' '],
    ['percent signs', '100%', '%2F'],
    ['letters of the world', 'größe', '日本 🚢'],
    ['what a URL is made of', '?a=b&c#d', ';:@=+$,'],
    ['dots', '...', 'a.b'],
    ['quotes and brackets', `"'\`<>`, '[]{}|\\^'],
  ])('carries parameters with %s', async (_what, name, title) => {
    await using served = await serve(setUp)
    const channel = await served.client().open(greet, { params: { name, title } })
    expect(await receiveAll(channel)).toEqual([[name, title]])
    await channel.close()
  })

  test.each([
    ['an empty one', { name: '', title: 'x' }],
    ['one that a URL parser removes', { name: '.', title: 'x' }],
    ['one that a URL parser follows upwards', { name: 'x', title: '..' }],
    ['half a surrogate pair', { name: '\ud800', title: 'x' }],
  ])('rejects %s as a parameter (PATH-4)', async (_what, params) => {
    await using served = await serve(setUp)
    expect(await failure(served.client().open(greet, { params }), 'INVALID_ARGUMENT')).toMatchObject({ side: 'local' })
  })

  test('rejects a missing parameter at run time too', async () => {
    await using served = await serve(setUp)
    const open = served.client().open as (route: unknown, options?: unknown) => Promise<unknown>
    await failure(open(greet), 'INVALID_ARGUMENT')
    await failure(open(greet, { params: { name: 'x' } }), 'INVALID_ARGUMENT')
    await failure(open({ ...echo, client: { ...json(), alternatives: [] } }), 'INVALID_ROUTE')
  })

  test('puts the origin’s path before the route’s', async () => {
    await using server = await bare(accepting)
    for (const base of ['', '/', '/v1', '/v1/', '/a/b']) {
      const client = createClient(server.origin + base, { sessions: server.sessions })
      const channel = await client.open(greet, { params: { name: 'x', title: 'y/z' } })
      await channel.close()
    }
    const path = '/greet/x/y%2Fz'
    expect(server.asked.map((headers) => headers[':path'])).toEqual([
      path,
      path,
      `/v1${path}`,
      `/v1${path}`,
      `/a/b${path}`,
    ])
  })

  test('announces what it sends, what it accepts and that it supports control frames (OPEN-3, OPEN-4, OPEN-5)', async () => {
    await using server = await bare(accepting)
    const client = createClient(new URL(server.origin), { sessions: server.sessions })
    const both = oneOf(json<number>(), msgpack<number>())
    await (await client.open(defineRoute('/a', { client: both, server: both }))).close()
    const lines = { client: json<number>(), server: json<number>(), framing: newlineDelimited() }
    await (await client.open(defineRoute('/b', lines), { method: 'PUT' })).close()
    const all = `${vnd}+json, application/x-ndjson, ${vnd}+msgpack`
    expect(server.asked).toMatchObject([
      { ':method': 'POST', 'content-type': `${vnd}+json`, accept: all, h2channel: '1' },
      { ':method': 'PUT', 'content-type': 'application/x-ndjson', accept: `application/x-ndjson, ${vnd}+json` },
    ])
    expect(server.asked[1]).not.toHaveProperty('h2channel')
  })

  test('sends headers of the client, of its headers function and of the call', async () => {
    await using server = await bare(accepting)
    const { sessions } = server
    let asked = 0
    const clients = [
      createClient(server.origin, { sessions, headers: { authorization: 'a', 'x-by': 'client' } }),
      createClient(server.origin, { sessions, headers: () => ({ authorization: `b${(asked += 1)}` }) }),
      createClient(server.origin, { sessions, headers: async () => ({ authorization: `c${(asked += 1)}` }) }),
    ]
    for (const client of clients) {
      for (let round = 0; round < 2; round++) {
        const headers = round === 0 ? {} : { 'x-by': 'call', 'content-type': 'text/html', accept: 'text/html' }
        const signal = round === 0 ? undefined : new AbortController().signal
        await (await client.open(echo, { headers, signal })).close()
      }
    }
    expect(server.asked.map((headers) => [headers.authorization, headers['x-by']])).toEqual([
      ['a', 'client'],
      ['a', 'call'],
      ['b1', undefined],
      ['b2', 'call'],
      ['c3', undefined],
      ['c4', 'call'],
    ])
    expect(new Set(server.asked.map((headers) => headers['content-type']))).toEqual(new Set([`${vnd}+json`]))
  })

  test('sends each header once, ignoring case: the call wins over the client, and the library over both', async () => {
    await using server = await bare(accepting)
    const cases = [
      [{ Authorization: 'a' }, { authorization: 'b' }],
      [{ authorization: 'a' }, { Authorization: 'b' }],
      [
        { 'content-type': 'x/y', Accept: 'x/y' },
        { 'Content-Type': 'x/y', accept: 'x/y' },
      ],
      [{ H2Channel: '9' }, { 'CONTENT-TYPE': 'x/y' }],
      [{ Authorization: 'a' }, { authorization: undefined }],
    ] as const
    for (const [ofClient, ofCall] of cases) {
      const client = createClient(server.origin, { sessions: server.sessions, headers: ofClient })
      await (await client.open(echo, { headers: ofCall })).close()
    }
    expect(server.asked.map(({ authorization }) => authorization)).toEqual(['b', 'b', undefined, undefined, undefined])
    for (const headers of server.asked) {
      expect(headers).toMatchObject({
        'content-type': `${vnd}+json`,
        accept: `${vnd}+json, application/x-ndjson`,
        h2channel: '1',
      })
    }
  })

  test('rejects with the error of the headers function', async () => {
    await using server = await bare(accepting)
    const error = new Error('no token')
    const { sessions } = server
    const rejecting = createClient(server.origin, { sessions, headers: () => Promise.reject(error) })
    await expect(rejecting.open(echo)).rejects.toBe(error)
    await expect(rejecting.open(echo, { signal: new AbortController().signal })).rejects.toBe(error)
    const throwing = createClient(server.origin, {
      sessions,
      headers: () => {
        throw error
      },
    })
    await expect(throwing.open(echo)).rejects.toBe(error)
  })

  test('rejects headers that HTTP/2 forbids', async () => {
    await using server = await bare(accepting)
    const client = createClient(server.origin, { sessions: server.sessions })
    const error = await failure(client.open(echo, { headers: { connection: 'close' } }), 'INVALID_ARGUMENT')
    expect(error.cause).toMatchObject({ name: 'ConnError', code: 'INVALID_ARGUMENT' })
  })
})

describe('open: with a signal', () => {
  test('that has aborted, or aborts before the response', async () => {
    await using server = await bare(() => {})
    const client = createClient(server.origin, { sessions: server.sessions })
    await failure(client.open(echo, { signal: AbortSignal.abort() }), 'CANCELLED')
    expect(await failure(client.open(echo, { signal: AbortSignal.timeout(30) }), 'TIMEOUT')).toMatchObject({
      side: 'local',
      fatal: false,
    })
    const controller = new AbortController()
    const opening = client.open(echo, { signal: controller.signal })
    controller.abort('mine')
    expect((await failure(opening, 'CANCELLED')).cause).toBe('mine')
  })

  test('that aborts while the headers are pending', async () => {
    await using server = await bare(accepting)
    const headers = deferred<Record<string, string>>()
    const client = createClient(server.origin, { sessions: server.sessions, headers: () => headers.promise })
    const controller = new AbortController()
    const opening = client.open(echo, { signal: controller.signal })
    controller.abort()
    await failure(opening, 'CANCELLED')
    await failure(client.open(echo, { signal: AbortSignal.timeout(1) }), 'TIMEOUT')
    await failure(client.open(echo, { signal: AbortSignal.abort() }), 'CANCELLED')
    headers.resolve({})
    expect(server.asked).toEqual([])
  })

  test('that aborts afterwards has no effect', async () => {
    await using served = await serve(setUp)
    const controller = new AbortController()
    const channel = await served.client().open(echo, { signal: controller.signal })
    controller.abort()
    await channel.send(1)
    expect(await channel.receive()).toBe(1)
    await channel.close()
  })
})

describe('open: a response that is not a channel', () => {
  test.each([
    [404, 'NOT_FOUND', 'no such route'],
    [406, 'UNSUPPORTED_CODEC', ''],
    [415, 'UNSUPPORTED_CODEC', 'not this'],
    [400, 'REFUSED', ''],
    [401, 'UNAUTHENTICATED', 'who are you?'],
    [403, 'REFUSED', 'not you'],
    [503, 'REFUSED', '<html>later</html>'],
    [302, 'REFUSED', ''],
  ] as const)('status %i is %s, with what the server said (ANS-2)', async (status, code, said) => {
    await using server = await bare((stream) => {
      stream.respond({ ':status': status, 'content-type': `${vnd}+json` })
      stream.end(`${said}\n`)
    })
    const client = createClient(server.origin, { sessions: server.sessions })
    const error = await failure(client.open(echo), code)
    expect(error).toMatchObject({ side: 'remote', fatal: true, cause: { response: { status } } })
    expect(error.message).toContain(`/echo was refused with status ${status}`)
    expect(error.message).toContain(said)
  })

  test('a long page is shortened in the error message', async () => {
    await using server = await bare((stream) => {
      stream.respond({ ':status': 500 })
      stream.end('x'.repeat(10_000))
    })
    const error = await failure(createClient(server.origin, { sessions: server.sessions }).open(echo), 'REFUSED')
    expect(error.message.length).toBeLessThan(300)
  })

  test.each(['text/html', 'application/json', `${vnd}+msgpack`, ';;;"', `${vnd}+json; version=2`])(
    'status 200 with content-type %s is BAD_RESPONSE, and not one byte is decoded (ANS-3)',
    async (contentType) => {
      await using server = await bare((stream) => {
        stream.respond({ 'content-type': contentType })
        stream.write('<html><body>It works!</body></html>')
      })
      const decoded: unknown[] = []
      const codec = json()
      const spying = {
        ...codec,
        decode(body: Uint8Array) {
          decoded.push(body)
          return codec.decode(body)
        },
      }
      const client = createClient(server.origin, { sessions: server.sessions })
      const error = await failure(client.open(defineRoute('/echo', { client: codec, server: spying })), 'BAD_RESPONSE')
      expect(error).toMatchObject({ side: 'remote', fatal: true })
      expect(error.message).toContain(`/echo was answered with a response of type ${contentType}, not one of `)
      expect(await server.resets[0]).toBe(8)
      expect(decoded).toEqual([])
    },
  )

  test.each([
    ['gzip', `${vnd}+json`],
    ['br', 'application/x-ndjson'],
    ['identity, zstd', `${vnd}+json`],
  ])('a response with content-encoding %s is BAD_RESPONSE that names it (%s) (OPEN-7)', async (coding, contentType) => {
    await using server = await bare((stream) => {
      stream.respond({ 'content-type': contentType, 'content-encoding': coding })
      stream.write(utf8('no message'))
    })
    const error = await failure(createClient(server.origin, { sessions: server.sessions }).open(echo), 'BAD_RESPONSE')
    expect(error.message).toContain(`content-encoding ${coding}`)
    expect(await server.resets[0]).toBe(8)
  })

  test('a response with content-encoding identity opens the channel', async () => {
    await using server = await bare((stream) => {
      stream.respond({ 'content-type': 'application/x-ndjson', 'content-encoding': 'identity' })
      stream.end('7\n')
    })
    const channel = await createClient(server.origin, { sessions: server.sessions }).open(echo)
    expect(await receiveAll(channel)).toEqual([7])
    await channel.close()
  })

  test.each(['content-type', 'content-encoding'])(
    'no more than 200 characters of a response’s %s are repeated',
    async (name) => {
      await using server = await bare((stream) => {
        stream.respond({ 'content-type': `${vnd}+json`, [name]: 'x'.repeat(10_000) })
      })
      const error = await failure(createClient(server.origin, { sessions: server.sessions }).open(echo), 'BAD_RESPONSE')
      expect(error.message).toMatch(/x{100}/)
      expect(error.message).not.toMatch(/x{201}/)
      expect(error.message.length).toBeLessThan(500)
    },
  )

  test('a response beyond the limits releases its stream', async () => {
    await using server = await bare((stream) => stream.respond({ 'content-type': 'application/octet-stream; size=64' }))
    const blocks = defineRoute('/blocks', { client: bytes(64), server: bytes(64), framing: fixedLength(64) })
    const client = createClient(server.origin, { sessions: server.sessions, limits: { maxMessageBytes: 63 } })
    await failure(client.open(blocks), 'MESSAGE_TOO_LARGE')
    expect(await server.resets[0]).toBe(8)
  })

  test('a response without content-type is not taken for length prefixes (ANS-3)', async () => {
    await using server = await bare((stream) => {
      stream.respond()
      stream.end('<html>a page</html>')
    })
    await failure(createClient(server.origin, { sessions: server.sessions }).open(echo), 'BAD_RESPONSE')
  })

  test('a response without content-type is read as lines on a route of lines (ANS-3)', async () => {
    await using server = await bare((stream) => {
      stream.respond()
      stream.end('7\n')
    })
    const lines = defineRoute('/echo', { client: json(), server: json(), framing: newlineDelimited() })
    const channel = await createClient(server.origin, { sessions: server.sessions }).open(lines)
    expect(await receiveAll(channel)).toEqual([7])
    await channel.close()
  })

  test.each([201, 202, 204, 205, 206, 299])(
    'status %i is BAD_RESPONSE, since only 200 opens a channel (ANS-2)',
    async (status) => {
      await using server = await bare((stream) => {
        stream.respond({ ':status': status, 'content-type': 'application/x-ndjson' })
        stream.end()
      })
      const error = await failure(createClient(server.origin, { sessions: server.sessions }).open(echo), 'BAD_RESPONSE')
      expect(error).toMatchObject({ side: 'remote', fatal: true, retryable: false })
      expect(error.message).toBe(`/echo was answered with status ${status}, not 200`)
    },
  )

  test('informational responses are ignored (ANS-2)', async () => {
    await using server = await bare((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</style.css>; rel=preload' })
      stream.respond({ 'content-type': 'application/x-ndjson; charset=utf-8' })
      stream.end('7\n')
    })
    const channel = await createClient(server.origin, { sessions: server.sessions }).open(echo)
    expect(await receiveAll(channel)).toEqual([7])
    await channel.close()
  })

  test.each(['2', '999999999'])('a server that answers with version %s is BAD_RESPONSE (VER-1)', async (version) => {
    await using server = await bare((stream) => stream.respond({ 'content-type': `${vnd}+json`, h2channel: version }))
    const error = await failure(createClient(server.origin, { sessions: server.sessions }).open(echo), 'BAD_RESPONSE')
    expect(error.message).toBe(`/echo was answered with h2channel: ${version}, where this side offered 1`)
    expect(await server.resets[0]).toBe(8)
  })

  test.each([
    ['a response in lines', { 'content-type': 'application/x-ndjson', h2channel: '2' }],
    ['a malformed header', { 'content-type': `${vnd}+json`, h2channel: '01' }],
    ['a repeated header', { 'content-type': `${vnd}+json`, h2channel: ['1', '1'] }],
  ])('%s announces nothing (CTRL-1, VER-2)', async (_what, headers) => {
    const got: Buffer[] = []
    await using server = await bare((stream) => {
      stream.on('data', (chunk: Buffer) => got.push(chunk))
      stream.on('end', () => stream.end())
      stream.respond(headers)
    })
    const channel = await createClient(server.origin, { sessions: server.sessions }).open(echo)
    await channel.close()
    // With control frames, a stop would have left.
    expect(Buffer.concat(got)).toEqual(Buffer.alloc(0))
  })
})

describe('open: CONNECT_FAILED', () => {
  test('an unused port', async () => {
    await using client = createClient(`http://127.0.0.1:${await deadPort()}`)
    const error = await failure(client.open(echo), 'CONNECT_FAILED')
    expect(error).toMatchObject({ side: 'remote', fatal: true, cause: { code: 'CONNECT_FAILED' } })
  })

  test('an untrusted certificate', async () => {
    await using served = await serve(setUp, { tls: true })
    await using client = createClient(served.at.origin)
    expect((await failure(client.open(echo), 'CONNECT_FAILED')).cause).toMatchObject({ code: 'TLS_FAILED' })
  })

  test('a server that speaks HTTP/1', async () => {
    const { createServer: createHttps } = await import('node:https')
    const certificate = await testCertificate()
    const server = createHttps({ ...certificate })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    await using client = createClient(`https://127.0.0.1:${port}`, { tls: { ca: certificate.cert } })
    const error = await failure(client.open(echo), 'CONNECT_FAILED')
    expect(error.cause).toMatchObject({ code: 'HTTP2_NOT_SUPPORTED' })
    await once(server.close(), 'close')
  })

  test('a server that does not answer within connectTimeout', async () => {
    await using server = await bare(() => {})
    const client = createClient(server.origin, { sessions: server.sessions, connectTimeout: 30 })
    expect((await failure(client.open(echo), 'CONNECT_FAILED')).cause).toMatchObject({ code: 'CONNECT_TIMEOUT' })
  })

  test('a server that resets the request', async () => {
    await using server = await bare((stream) => stream.close(7))
    const client = createClient(server.origin, { sessions: server.sessions })
    expect((await failure(client.open(echo), 'CONNECT_FAILED')).cause).toMatchObject({ code: 'RESET', rstCode: 7 })
  })

  test('a closed client', async () => {
    await using server = await bare(accepting)
    const client = createClient(server.origin)
    await client.close()
    expect(await failure(client.open(echo), 'CLOSED')).toMatchObject({ side: 'local' })
  })

  test('a closed pool', async () => {
    await using server = await bare(accepting)
    const sessions = new SessionPool()
    const client = createClient(server.origin, { sessions })
    await sessions.close()
    const error = await failure(client.open(echo), 'CLOSED')
    expect(error).toMatchObject({ side: 'local', cause: { code: 'SESSIONS_CLOSED' } })
  })
})

describe('connectTimeout', () => {
  test('counts for the headers of a request too', async () => {
    await using server = await bare(accepting)
    let asked = 0
    const client = createClient(server.origin, {
      sessions: server.sessions,
      connectTimeout: 20,
      retry: { maxAttempts: 2, initialDelay: 1, maxDelay: 1 },
      // It rejects later, which must not be an unhandled rejection.
      headers: () => new Promise((_resolve, reject) => void setTimeout(reject, 50 * (asked += 1), new Error('late'))),
    })
    const error = await failure(client.open(echo), 'CONNECT_FAILED')
    expect(error).toMatchObject({ side: 'local', retryable: true })
    expect(error.message).toContain('20 ms')
    expect([asked, server.asked.length]).toEqual([2, 0])
  })

  test('headers that never come leave no timer after the signal, so that the process can end', async () => {
    const timers = vi.spyOn(refClock, 'setTimer')
    const cleared = vi.spyOn(refClock, 'clearTimer')
    const waiting = deferred()
    const client = createClient('http://localhost', {
      connectTimeout: 123_456,
      headers: () => (waiting.resolve(), new Promise(() => {})),
    })
    const controller = new AbortController()
    const opened = client.open(echo, { signal: controller.signal })
    await waiting.promise
    controller.abort()
    await failure(opened, 'CANCELLED')
    const made = timers.mock.calls.findIndex(([, delay]) => delay === 123_456)
    expect(cleared.mock.calls).toContainEqual([timers.mock.results[made]?.value])
    vi.restoreAllMocks()
    await client.close()
  })

  test('an aborted signal calls no headers function', async () => {
    const headers = vi.fn<() => OutgoingHttpHeaders>(() => ({}))
    await using client = createClient('http://localhost', { headers })
    await failure(client.open(echo, { signal: AbortSignal.abort() }), 'CANCELLED')
    expect(headers).not.toHaveBeenCalled()
  })

  test('ejects no address for headers that do not come', async () => {
    await using server = await bare(accepting)
    const events: ClientEvent[] = []
    const client = createClient([server.origin, `${server.origin}/b`], {
      sessions: server.sessions,
      connectTimeout: 1,
      retry: { maxAttempts: 1 },
      headers: () => new Promise(() => {}),
      onEvent: (event) => void events.push(event),
    })
    await failure(client.open(echo), 'CONNECT_FAILED')
    expect(events).toMatchObject([{ type: 'fail' }])
  })

  test('limits headers and response together', async () => {
    await using server = await bare(() => {})
    const [whole, headers] = [300, 200]
    const client = createClient(server.origin, {
      sessions: server.sessions,
      connectTimeout: whole,
      retry: { maxAttempts: 1 },
      headers: () => new Promise((resolve) => void setTimeout(resolve, headers, {})),
    })
    const began = performance.now()
    await failure(client.open(echo), 'CONNECT_FAILED')
    expect(performance.now() - began).toBeLessThan(whole + headers)
    expect(server.asked).toHaveLength(1)
  })

  test.each([0, -1, Number.NaN, Infinity])('rejects %s', (connectTimeout) => {
    thrown(() => createClient('http://localhost', { connectTimeout }), 'INVALID_ARGUMENT')
  })
})

describe('createClient', () => {
  test.each(['', 'localhost', 'ftp://localhost', 'ws://localhost', '/path', 'http://localhost:undefined'])(
    'rejects %j as an origin',
    (origin) => {
      const { message } = thrown(() => createClient(origin), 'INVALID_ARGUMENT')
      expect(message).toBe(`a client needs a valid http: or https: URL, not ${origin}`)
    },
  )

  test('rejects invalid limits', () => {
    thrown(() => createClient('http://localhost', { limits: { flushBytes: 0 } }), 'INVALID_ARGUMENT')
  })

  test('applies its limits to every channel', async () => {
    await using served = await serve(setUp)
    const channel = await served.client({ limits: { maxMessageBytes: 10 } }).open(echo)
    await failure(channel.send('x'.repeat(20)), 'MESSAGE_TOO_LARGE')
    await channel.close()
  })

  test('close: lets open channels end, and closes its own connections', async () => {
    await using served = await serve(setUp)
    const client = createClient(served.at.origin)
    const channel = await client.open(echo)
    const closing = client.close()
    await channel.send('late')
    expect(await channel.receive()).toBe('late')
    await channel.close()
    await closing
    expect(await channel.closed).toEqual({ clean: true })
  })

  test('close: leaves a shared pool open', async () => {
    await using served = await serve(setUp)
    await using sessions = new SessionPool()
    const first = createClient(served.at.origin, { sessions })
    await (await first.open(echo)).close()
    await first.close()
    const channel = await createClient(served.at.origin, { sessions }).open(echo)
    await channel.send(1)
    expect(await channel.receive()).toBe(1)
    await channel.close()
  })

  test('lets the process end once no channel is open', async () => {
    await using served = await serve(setUp)
    const program = `
      import { json } from '@h2channel/codecs'
      import { createClient } from '${new URL('../../src/client.ts', import.meta.url).href}'
      const echo = { path: '/echo', client: json(), server: json() }
      const client = createClient('${served.at.origin}')
      const channel = await client.open(echo)
      await channel.send('over')
      console.log(await channel.receive())
      await channel.close()
    `
    const node = spawn(
      process.execPath,
      ['--conditions=@h2channel/source', '--import', import.meta.resolve('tsx'), '--input-type=module', '-e', program],
      { cwd: new URL('..', import.meta.url), stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let said = ''
    node.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const [code] = (await once(node, 'close')) as [number]
    expect([code, said]).toEqual([0, 'over\n'])
  })
})

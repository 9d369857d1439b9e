/** What a request and its answer are on the wire: rules of SPEC.md, by bare HTTP/2. */
import type { Codec, StructLayout } from '@h2channel/codecs'
import { json, oneOf, struct, u8 } from '@h2channel/codecs'
import { once } from 'node:events'
import type { ClientHttp2Stream, Http2ServerRequest, Http2ServerResponse, OutgoingHttpHeaders } from 'node:http2'
import { describe, expect, test } from 'vitest'

import { defineRoute } from '../../src/index.ts'
import type { Router } from '../../src/server.ts'
import { Refusal } from '../../src/server.ts'
import type { Served } from '../support/server-support.ts'
import { ask, ask1, bareSession, serve } from '../support/server-support.ts'
import { bytesOf, deferred, failOnUnhandledRejections, hexOf, jsonFrames } from '../support/support.ts'

failOnUnhandledRejections()

const vnd = 'application/vnd.h2channel'
const codecs = { client: json(), server: json() }
const echo = defineRoute('/echo', codecs)
const named = defineRoute('/named/:name', codecs)
const plain = { ':method': 'POST', ':path': '/echo', 'content-type': `${vnd}+json` }

function serveEcho(router: Router): void {
  router.handle(echo, async (channel) => {
    for await (const message of channel) await channel.send(message)
  })
}

describe('a request', () => {
  test.each<[string, OutgoingHttpHeaders, Uint8Array | undefined]>([
    ['with content-length', { ...plain, 'content-length': '5' }, jsonFrames(7)],
    ['with END_STREAM on its HEADERS', plain, undefined],
    ['that expects 100-continue', { ...plain, expect: '100-continue' }, jsonFrames(7)],
    ['with a query', { ...plain, ':path': '/echo?a=/b&%zz' }, jsonFrames(7)],
  ])('%s opens a channel (OPEN-8, PATH-5)', async (_what, headers, body) => {
    await using served = await serve(serveEcho)
    const answer = await ask(served.at, headers, body)
    expect([answer.status, hexOf(answer.body), answer.rstCode]).toEqual([200, hexOf(body ?? new Uint8Array()), 0])
    expect(served.errors).toEqual([])
  })

  test('may have trailers, whose content is ignored (OPEN-8)', async () => {
    await using served = await serve(serveEcho)
    await using session = bareSession(served.at)
    const stream = session.http2.request(plain, { endStream: false, waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'content-type': 'text/html', h2channel: '9' }))
    stream.end(jsonFrames(7))
    expect(hexOf(await bodyOf(stream))).toBe(hexOf(jsonFrames(7)))
    expect(served.errors).toEqual([])
  })

  test('is answered before its first message, and either half may end first (ANS-1, OPEN-2, END-1, END-2)', async () => {
    const ended: unknown[] = []
    await using served = await serve((router) => {
      router.handle(echo, async (channel) => {
        await channel.send('first')
        await channel.end()
        for await (const message of channel) ended.push(message)
        void channel.closed.then((closed) => ended.push(closed))
      })
    })
    await using session = bareSession(served.at)
    const stream = session.http2.request({ ...plain, h2channel: '1' }, { endStream: false })
    const [response] = (await once(stream, 'response')) as [{ ':status': number }]
    expect(response[':status']).toBe(200)
    expect(hexOf(await bodyOf(stream))).toBe(hexOf(jsonFrames('first')))
    // The server's half has ended. The client's continues.
    stream.write(jsonFrames(1))
    stream.end(jsonFrames(2))
    await once(stream, 'close')
    await served.router.drain()
    expect(ended).toEqual([1, 2, { clean: true }])
  })

  test('may be followed by messages before it is answered (OPEN-6)', async () => {
    const allowed = deferred()
    const got: unknown[] = []
    const setUp = (router: Router): void => {
      router.handle(echo, async (channel) => {
        for await (const message of channel) got.push(message)
      })
    }
    await using served = await serve(setUp, { router: { authorize: () => allowed.promise } })
    await using session = bareSession(served.at)
    const stream = session.http2.request(plain, { endStream: false })
    await new Promise((resolve) => stream.write(jsonFrames(1, 2), resolve))
    allowed.resolve()
    await once(stream, 'response')
    stream.end(jsonFrames(3))
    await bodyOf(stream)
    await served.router.drain()
    expect(got).toEqual([1, 2, 3])
  })

  test('goes to the most specific route, whatever the order of handle (PATH-3)', async () => {
    const paths = ['/a/:x', '/:y/b', '/a/b', '/:x/:y']
    for (const order of [paths, paths.toReversed()]) {
      await using served = await serve((router) => {
        for (const path of order) {
          router.handle(defineRoute(path, codecs), (channel, { params }) => channel.send([path, params]))
        }
      })
      const answers = ['/a/b', '/a/c', '/c/b', '/c/%64'].map(async (path) => {
        return (await ask(served.at, { ...plain, ':path': path })).body
      })
      expect((await Promise.all(answers)).map(hexOf)).toEqual(
        [
          ['/a/b', {}],
          ['/a/:x', { x: 'c' }],
          ['/:y/b', { y: 'c' }],
          ['/:x/:y', { x: 'c', y: 'd' }],
        ].map((answer) => hexOf(jsonFrames(answer))),
      )
    }
  })
})

describe('the answer', () => {
  test('forbids caches and changes, unless it has a header of its own for that (ANS-4)', async () => {
    await using served = await serve(serveEcho, { attach: false })
    served.at.server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
      if (request.headers['x-own'] !== undefined) response.setHeader('Cache-Control', 'private')
      served.router.accept(request, response)
    })
    const one = await ask(served.at, plain)
    const other = await ask(served.at, { ...plain, 'x-own': '1' })
    expect([one, other].map(({ headers }) => headers['cache-control'])).toEqual(['no-store, no-transform', 'private'])
  })

  test('to an accept of more than 32,768 characters is 431 (ANS-6)', async () => {
    await using served = await serve(serveEcho, { router: { maxHeaderBytes: 60_000 } })
    const accept = (length: number): OutgoingHttpHeaders => ({ ...plain, accept: '*/*'.padStart(length, ',') })
    expect((await ask(served.at, accept(32_768))).status).toBe(200)
    expect((await ask(served.at, accept(32_769))).status).toBe(431)
  })
})

/** A layout of `count` fields, whose names begin with `name`. */
function layoutOf(name: string, count: number): StructLayout {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}${'x'.repeat(60)}${index}`, u8]))
}

test('a route whose own formats are longer than 32,768 characters opens to its client', async () => {
  const codec = (): Codec<unknown> =>
    oneOf(...(['a', 'b', 'c'].map((name) => struct(layoutOf(name, 110))) as [Codec<object>])) as Codec<unknown>
  const long = defineRoute('/long', { client: json(), server: codec() })
  await using served = await serve((router) => router.handle(long, (channel) => channel.close()))
  const client = served.client()
  expect((await (await client.open(long)).closed).clean).toBe(true)
})

test('an answer lists the formats of a route in a header only where that is short (OPEN-3)', async () => {
  const [short, long] = [struct(layoutOf('a', 2)), struct(layoutOf('a', 110))]
  const listed = await Promise.all(
    [short, oneOf(long, struct(layoutOf('b', 110)))].map(async (client) => {
      const route = defineRoute('/records', { client, server: json() })
      await using served = await serve((router) => router.handle(route, () => {}))
      const answer = await ask(served.at, { ...plain, ':path': '/records', 'content-type': 'text/plain' })
      return [answer.status, answer.headers.accept?.includes(short.contentType.slice(0, 60))]
    }),
  )
  expect(listed).toEqual([
    [415, true],
    [415, undefined],
  ])
})

describe('of two reasons to refuse a request, the earlier one counts (ANS-8)', () => {
  type Server = 'http1' | 'draining' | 'full'
  interface Cause {
    readonly status: number
    readonly headers?: OutgoingHttpHeaders
    readonly server?: Server
  }
  const causes: readonly Cause[] = [
    { status: 404, headers: { ':path': '/nowhere/x' } },
    { status: 505, server: 'http1' },
    { status: 400, headers: { ':path': '/named/%zz' } },
    { status: 431, headers: { 'x-much': 'x'.repeat(20_000) } },
    { status: 403, headers: { 'sec-fetch-site': 'cross-site' } },
    { status: 405, headers: { ':method': 'GET' } },
    { status: 503, server: 'draining' },
    { status: 415, headers: { 'content-type': 'text/html' } },
    { status: 406, headers: { accept: 'text/html' } },
    { status: 429, server: 'full' },
    { status: 401, headers: { 'x-as': 'anonymous' } },
  ]

  async function statusOf(headers: OutgoingHttpHeaders, server: Server | undefined): Promise<number | undefined> {
    const setUp = (router: Router): void => {
      serveEcho(router)
      router.handle(named, () => {})
    }
    const authorize = (request: { headers: OutgoingHttpHeaders }): void => {
      if (request.headers['x-as'] !== undefined) throw new Refusal(401, 'who are you?')
    }
    const isHttp1 = server === 'http1'
    const options = { tls: isHttp1, allowHTTP1: isHttp1, router: { authorize, perSession: { maxChannels: 1 } } }
    await using served: Served = await serve(setUp, options)
    if (isHttp1) return (await ask1(served.at, String(headers[':path']))).status
    if (server === 'draining') await served.router.drain()
    await using session = bareSession(served.at)
    if (server === 'full') {
      const first = session.http2.request(plain, { endStream: false })
      await once(first, 'response')
      const answer = await session.ask(headers)
      first.close()
      return answer.status
    }
    return (await session.ask(headers)).status
  }

  /** HTTP/1 has no more than a path here, and one request has one path. */
  function fitTogether(one: Cause, other: Cause): boolean {
    if (one.server !== undefined && other.server !== undefined) return false
    const names = Object.keys(one.headers ?? {})
    return names.every((name) => other.headers?.[name] === undefined)
  }

  const pairs = causes.flatMap((one, index) =>
    causes.slice(index + 1).flatMap((other) => (fitTogether(one, other) ? [[one, other] as const] : [])),
  )

  test.each(causes)('$status alone', async ({ status, headers, server }) => {
    expect(await statusOf({ ...plain, ...headers }, server)).toBe(status)
  })

  test.each(pairs.map(([one, other]) => ({ first: one.status, second: other.status, one, other })))(
    '$first before $second',
    async ({ first, one, other }) => {
      const server = one.server ?? other.server
      expect(await statusOf({ ...plain, ...one.headers, ...other.headers }, server)).toBe(first)
    },
  )
})

test('a malformed close frame ends the channel as aborted, and the server sends no error back (CLOSE-3)', async () => {
  const ended: unknown[] = []
  await using served = await serve((router) => {
    router.handle(echo, async (channel) => {
      await channel.receive().catch(() => {})
      void channel.closed.then((closed) => ended.push(closed))
    })
  })
  const malformed = bytesOf('80 00 00 05 01 03 31 41 42')
  const answer = await ask(served.at, { ...plain, h2channel: '1' }, malformed)
  expect([answer.status, hexOf(answer.body)]).toEqual([200, ''])
  await served.router.drain()
  expect(ended).toMatchObject([{ clean: false, error: { code: 'PEER_ABORTED' } }])
  expect(served.errors).toEqual([])
})

async function bodyOf(stream: ClientHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

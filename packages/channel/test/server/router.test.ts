// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
import { bytes, json, msgpack, oneOf } from '@h2channel/codecs'
import { once } from 'node:events'
import type { Http2ServerRequest, Http2ServerResponse, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'

import { coreOf } from '../../src/core/channel.ts'
import { ChannelError, defineRoute } from '../../src/index.ts'
import type { HandlerContext, RouterOptions } from '../../src/server.ts'
import { createRouter } from '../../src/server.ts'
import { ask, ask1, bareSession, serve } from '../support/server-support.ts'
import type { Deferred } from '../support/support.ts'
import {
  channels,
  concat,
  deferred,
  failOnUnhandledRejections,
  failure,
  framed,
  hexOf,
  jsonFrames,
  outcome,
  receiveAll,
  thrown,
  utf8,
  until,
} from '../support/support.ts'

failOnUnhandledRejections()

const vnd = 'application/vnd.h2channel'
const plain = { 'content-type': `${vnd}+json` }
const echo = defineRoute('/echo', { client: json(), server: json() })
const greet = defineRoute('/greet/:name', { client: json<string>(), server: json<string>() })

const echoing = (router: ReturnType<typeof createRouter>): void => {
  router.handle(echo, async (channel) => {
    for await (const message of channel) await channel.send(message)
  })
}

describe('attach: shares a port with other handlers', () => {
  const health = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    response.writeHead(request.url === '/healthz' ? 200 : 404, { 'x-by': 'application' })
    response.end(`${request.httpVersion} ok`)
  }

  test.each(['before', 'after'])('a request listener that was added %s it, over HTTP/1.1 and HTTP/2', async (when) => {
    await using served = await serve(echoing, { tls: true, allowHTTP1: true, attach: when === 'after' })
    served.at.server.on('request', health)
    if (when === 'before') served.router.attach(served.at.server)
    const over1 = await ask1(served.at, '/healthz')
    expect([over1.status, over1.body.toString()]).toEqual([200, '1.1 ok'])
    const over2 = await ask(served.at, { ':path': '/healthz', ':method': 'GET' })
    expect([over2.status, over2.body.toString()]).toEqual([200, '2.0 ok'])
    expect((await ask(served.at, { ':path': '/nowhere' })).headers['x-by']).toBe('application')
    expect((await ask1(served.at, '/nowhere')).headers['x-by']).toBe('application')
    const refused = await ask1(served.at, '/echo')
    expect([refused.status, refused.headers['x-by']]).toEqual([505, undefined])
    const channel = await served.client().open(echo)
    await channel.send('hello')
    expect(await channel.receive()).toBe('hello')
    await channel.close()
  })

  test.each(['before', 'after'])('a stream listener that was added %s it', async (when) => {
    await using served = await serve(echoing, { attach: when === 'after' })
    const seen: unknown[] = []
    served.at.server.on('stream', (stream: ServerHttp2Stream, headers) => {
      seen.push(headers[':path'])
      stream.respond({ ':status': 200 })
      stream.end('mine')
    })
    if (when === 'before') served.router.attach(served.at.server)
    expect((await ask(served.at, { ':path': '/healthz' })).body.toString()).toBe('mine')
    const channel = await served.client().open(echo)
    await channel.send('hello')
    expect(await channel.receive()).toBe('hello')
    await channel.close()
    expect(seen).toEqual(['/healthz'])
  })

  test('no other listener: 404 over HTTP/2 and HTTP/1.1', async () => {
    await using served = await serve(echoing, { tls: true, allowHTTP1: true })
    const over2 = await ask(served.at, { ':path': '/nowhere' })
    expect([over2.status, over2.body.toString()]).toEqual([404, 'no such route\n'])
    const over1 = await ask1(served.at, '/nowhere')
    expect([over1.status, over1.body.toString()]).toEqual([404, 'no such route\n'])
    expect((await ask1(served.at, '/echo')).status).toBe(505)
    expect((await ask1(served.at, 'http://example.com/echo')).status).toBe(505)
  })

  test('another router, attached and detached in either order', async () => {
    await using served = await serve(echoing, { attach: false })
    const second = createRouter().handle(greet, (channel, { params }) => channel.send(params.name))
    const detachFirst = served.router.attach(served.at.server)
    const detachSecond = second.attach(served.at.server)
    const statuses = async (): Promise<(number | undefined)[]> => {
      const answers = ['/echo', '/greet/ada', '/nowhere'].map((path) => ask(served.at, { ...plain, ':path': path }))
      return (await Promise.all(answers)).map(({ status }) => status)
    }
    expect(await statuses()).toEqual([200, 200, 404])
    detachFirst()
    expect(await statuses()).toEqual([404, 200, 404])
    const detachAgain = served.router.attach(served.at.server)
    expect(await statuses()).toEqual([200, 200, 404])
    detachSecond()
    expect(await statuses()).toEqual([200, 404, 404])
    detachAgain()
  })

  test('twice to one server is an error until it is detached; to another server it is allowed', async () => {
    await using served = await serve(echoing)
    const error = thrown(() => served.router.attach(served.at.server), 'INVALID_ARGUMENT')
    expect(error.message).toContain('attached')
    expect((await ask(served.at, { ...plain, ':path': '/echo' })).status).toBe(200)
    await using other = await serve(() => {}, { attach: false })
    const detach = served.router.attach(other.at.server)
    detach()
    const again = served.router.attach(other.at.server)
    // The first detach function has no effect any more.
    detach()
    expect((await ask(other.at, { ...plain, ':path': '/echo' })).status).toBe(200)
    again()
  })

  test('detach: the server gets the requests again, and open channels continue', async () => {
    await using served = await serve(echoing, { attach: false })
    const detach = served.router.attach(served.at.server)
    const channel = await served.client().open(echo)
    detach()
    detach()
    served.at.server.on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 204 })
      stream.end()
    })
    expect((await ask(served.at, { ':path': '/echo' })).status).toBe(204)
    await channel.send('still')
    expect(await channel.receive()).toBe('still')
    await channel.close()
  })
})

describe('accept: within a handler of a framework', () => {
  test('headers of its middleware are sent over HTTP/1 too', async () => {
    await using served = await serve(echoing, { tls: true, allowHTTP1: true, attach: false })
    served.at.server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
      response.setHeader('X-Request-Id', '7')
      response.setHeader('Content-Length', '999')
      response.setHeader('Content-Encoding', 'gzip')
      served.router.accept(request, response)
    })
    const refused = await ask1(served.at, '/echo')
    expect(refused).toMatchObject({ status: 505, headers: { 'x-request-id': '7' } })
    expect(refused.headers['content-encoding']).toBeUndefined()
    expect(refused.body.toString()).toBe('a channel needs HTTP/2\n')
  })

  test('headers of its middleware are sent with every answer, except headers of a body', async () => {
    const setUp = (router: ReturnType<typeof createRouter>): void => {
      echoing(router)
      router.handle(greet, () => {})
    }
    await using served = await serve(setUp, { attach: false, router: { origins: ['https://shop.example'] } })
    served.at.server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
      response.setHeader('X-Request-Id', '7')
      response.setHeader('Set-Cookie', ['a=1', 'b=2'])
      response.setHeader('Content-Type', 'text/html')
      response.setHeader('Content-Length', '999')
      response.setHeader('Content-Encoding', 'gzip')
      response.setHeader('H2channel', '9')
      response.setHeader('Access-Control-Allow-Origin', '*')
      served.router.accept(request, response)
    })
    const set = { 'x-request-id': '7', 'set-cookie': ['a=1', 'b=2'] }
    const opened = await ask(served.at, { ...plain, ':path': '/echo' }, jsonFrames('hello'))
    expect(opened).toMatchObject({ status: 200, headers: { ...set, ...plain, 'access-control-allow-origin': '*' } })
    expect(hexOf(opened.body)).toBe(hexOf(jsonFrames('hello')))
    const own = ['content-length', 'content-encoding', 'h2channel']
    expect(own.map((name) => opened.headers[name])).toEqual([undefined, undefined, undefined])
    const refused = await ask(served.at, { ':path': '/echo', 'content-type': 'text/html' })
    expect(refused).toMatchObject({ status: 415, headers: { ...set, 'content-type': 'text/plain; charset=utf-8' } })
    expect(refused.headers['content-length']).toBeUndefined()
    const listed = await ask(served.at, { ...plain, ':path': '/echo', origin: 'https://shop.example' }, jsonFrames())
    expect(listed.headers['access-control-allow-origin']).toBe('https://shop.example')
    expect(await ask(served.at, { ':path': '/greet/%zz' })).toMatchObject({ status: 400, headers: set })
  })

  test.each<[string, string, string | string[]]>([
    ['with several values of a header that has one', 'X-Content-Type-Options', ['nosniff', 'nosniff']],
    ['with a line break', 'X-Request-Id', 'secret\r\nset-cookie: a=1'],
    ['of more than HTTP/2 has room for', 'X-Big', 'secret'.repeat(12_000)],
  ])(
    'what its middleware has set %s is 500, told to onError, and harms no other request',
    async (_what, name, value) => {
      await using served = await serve(
        (router) => {
          echoing(router)
          router.handle(greet, () => {})
        },
        // Rejected after a wait, too.
        { attach: false, router: { authorize: () => Promise.resolve() } },
      )
      served.at.server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
        if (request.headers['x-as'] === 'bad') response.setHeader(name, value)
        served.router.accept(request, response)
      })
      await using session = bareSession(served.at)
      const bad = { ':path': '/echo', 'x-as': 'bad' }
      const answer = await session.ask({ ...plain, ...bad }, jsonFrames())
      expect([answer.status, answer.body.toString()]).toEqual([500, 'the channel could not be opened\n'])
      expect(answer.headers[name.toLowerCase()]).toBeUndefined()
      expect(served.errors).toMatchObject([{ code: 'INVALID_ARGUMENT' }])
      expect(String(served.errors)).toContain(name.toLowerCase() === 'x-big' ? 'limit' : name.toLowerCase())
      expect(String(served.errors)).not.toContain('secret')
      expect((await session.ask({ ...plain, ...bad, ':method': 'GET' })).status).toBe(405)
      expect((await session.ask({ ...bad, ':path': '/greet/%zz' })).status).toBe(400)
      expect((await session.ask({ ...plain, ':path': '/echo' }, jsonFrames())).status).toBe(200)
      expect(served.router.channels).toBe(0)
    },
  )

  test.each(['before', 'after'])(
    'a framework that answers as well, %s accept, is reported to onError',
    async (when) => {
      await using served = await serve(echoing, { attach: false, router: { authorize: () => sleep(1) } })
      served.at.server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
        if (when === 'before') response.write('mine')
        served.router.accept(request, response)
        if (when === 'after') response.write('mine')
      })
      await using session = bareSession(served.at)
      const stream = session.http2.request({ ...plain, ':method': 'POST', ':path': '/echo' }, { endStream: false })
      await vi.waitFor(() => expect(served.errors).toMatchObject([{ code: 'ALREADY_RESPONDED' }]))
      expect(served.router.channels).toBe(0)
      stream.destroy()
    },
  )

  test('handles requests for a route, and leaves the rest', async () => {
    await using served = await serve(echoing, { tls: true, allowHTTP1: true, attach: false })
    served.at.server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
      if (served.router.accept(request, response)) return
      response.writeHead(200)
      response.end('framework')
    })
    const channel = await served.client().open(echo)
    await channel.send('hello')
    expect(await channel.receive()).toBe('hello')
    await channel.close()
    expect((await ask(served.at, { ':path': '/other' })).body.toString()).toBe('framework')
    expect((await ask1(served.at, '/other')).body.toString()).toBe('framework')
    expect((await ask1(served.at, '/echo')).status).toBe(505)
    expect((await ask(served.at, { ':path': '/echo', 'content-type': 'text/html' })).status).toBe(415)
  })
})

describe('handle: refuses', () => {
  const noop = (): void => {}

  test.each(['/greet/:name', '/greet/:other'])('a second handler of %s', (path) => {
    const router = createRouter().handle(greet, noop)
    const again = defineRoute(path, { client: json(), server: json() })
    expect(thrown(() => router.handle(again, noop), 'INVALID_ROUTE').message).toContain(path)
    router.handle(defineRoute('/greet/:name/twice', { client: json(), server: json() }), noop)
  })

  test('messages of a fixed size over the limit', () => {
    const router = createRouter({ limits: { maxMessageBytes: 10 } })
    const blocks = defineRoute('/blocks', { client: bytes(11), server: json() })
    thrown(() => router.handle(blocks, noop), 'INVALID_ROUTE')
    router.handle(defineRoute('/blocks', { client: bytes(10), server: json() }), noop)
  })

  test('createRouter: invalid limits', () => {
    thrown(() => createRouter({ limits: { maxMessageBytes: 0 } }), 'INVALID_ARGUMENT')
  })

  test('createRouter: an onError that is not a function', () => {
    // A program without types may pass this.
    const error = thrown(() => createRouter({ onError: 'print' as never }), 'INVALID_ARGUMENT')
    expect(error.message).toBe('onError must be a function, not of type string')
  })
})

describe('answers', () => {
  const prices = defineRoute('/prices/:market', {
    client: oneOf(msgpack(), json()),
    server: oneOf(msgpack(), json()),
  })
  const setUp = (router: ReturnType<typeof createRouter>): void => {
    router.handle(prices, () => {})
  }
  const all = `${vnd}+msgpack, ${vnd}+json, application/x-ndjson`

  test.each([
    ['a path that is no percent-encoding', { ':path': '/prices/%zz' }, 400, {}],
    ['one that is no UTF-8', { ':path': '/prices/%ff' }, 400, {}],
    ['a path of no route', { ':path': '/price/xetra' }, 404, {}],
    ['a path in other letters', { ':path': '/PRICES/xetra' }, 404, {}],
    ['a slash too many', { ':path': '/prices/xetra/' }, 404, {}],
    ['a parameter too few', { ':path': '/prices/' }, 404, {}],
    ['the first format', {}, 200, { 'content-type': `${vnd}+msgpack` }],
    ['no content-type', { 'content-type': undefined }, 415, { accept: all }],
    ['another method', { ':method': 'PUT' }, 200, {}],
    ['a format that it takes', { 'content-type': `${vnd}+json` }, 200, { 'content-type': `${vnd}+json` }],
    ['lines', { 'content-type': 'application/x-ndjson' }, 200, { 'content-type': 'application/x-ndjson' }],
    ['a wish', { accept: `${vnd}+json;q=0.5` }, 200, { 'content-type': `${vnd}+json` }],
    ['a format that it doesn’t take', { 'content-type': 'text/html' }, 415, { accept: all }],
    ['a malformed content-type', { 'content-type': ';;;"' }, 415, { accept: all }],
    ['a coding', { 'content-encoding': 'gzip' }, 415, { 'accept-encoding': 'identity' }],
    ['two codings', { 'content-encoding': 'identity, br' }, 415, {}],
    ['the identity coding', { 'content-encoding': 'Identity' }, 200, {}],
    ['a wish that it can’t fulfil', { accept: 'text/html' }, 406, {}],
    ['a malformed accept', { accept: ';;,;q="' }, 406, {}],
    ['an announcement', { h2channel: '1' }, 200, { h2channel: '1' }],
    ['an announcement of a later version', { h2channel: '7' }, 200, { h2channel: '1' }],
    ['a repeated announcement', { h2channel: ['1', '1'] }, 200, { h2channel: undefined }],
    ['no header for caches', {}, 200, { 'cache-control': 'no-store, no-transform' }],
    ['a dot segment', { ':path': '/prices/..' }, 400, {}],
    ['an encoded dot segment', { ':path': '/prices/%2e' }, 400, {}],
    ['another spelling of a dot segment before a route', { ':path': '/prices/../prices/xetra' }, 404, {}],
    ['a malformed announcement', { h2channel: 'yes' }, 200, { h2channel: undefined }],
    [
      'an announcement with lines',
      { h2channel: '1', 'content-type': 'application/x-ndjson' },
      200,
      { h2channel: undefined },
    ],
    ['no announcement', {}, 200, { h2channel: undefined }],
  ])('%s', async (_what, headers, status, expected) => {
    await using served = await serve(setUp)
    const answer = await ask(served.at, { ':path': '/prices/xetra', 'content-type': `${vnd}+msgpack`, ...headers })
    expect(answer.status).toBe(status)
    for (const [name, value] of Object.entries(expected)) expect(answer.headers[name]).toBe(value)
    expect(answer.headers['content-type']).toContain(status === 200 ? 'application/' : 'text/plain')
    expect(served.errors).toEqual([])
  })
})

describe('a path that is written in another way (RFC 3986, section 6.2.2)', () => {
  const route = defineRoute('/a~b/caf%C3%A9/:name', { client: json(), server: json<string>() })

  test.each([
    ['as in the route', '/a~b/caf%C3%A9/x~y', 'x~y'],
    ['with an unreserved character encoded', '/a%7Eb/c%61f%C3%A9/x%7ey', 'x~y'],
    ['with small letters', '/a~b/caf%c3%a9/%c3%a9', 'é'],
    ['with a percent sign that is one', '/a~b/caf%C3%A9/%257E', '%7E'],
    ['with an encoded slash', '/a~b/caf%C3%A9/x%2Fy', 'x/y'],
  ])('%s, is the same (PATH-1)', async (_what, path, name) => {
    await using served = await serve((router) => {
      router.handle(route, (channel, { params }) => channel.send(params.name))
    })
    const answer = await ask(served.at, { ...plain, ':path': path }, jsonFrames())
    expect([answer.status, hexOf(answer.body)]).toEqual([200, hexOf(jsonFrames(name))])
  })

  test.each(['/a%2Fb', '/a%257Eb/caf%C3%A9/x', '/a~b%2Fcaf%C3%A9/x', '/A~b/caf%C3%A9/x'])(
    '%s is another (PATH-2)',
    async (path) => {
      await using served = await serve((router) => {
        router.handle(route, () => {})
      })
      expect((await ask(served.at, { ...plain, ':path': path })).status).toBe(404)
    },
  )

  test('two routes that differ only in encoding are the same route', () => {
    const router = createRouter().handle(route, () => {})
    const other = defineRoute('/a%7Eb/caf%c3%a9/:other', { client: json(), server: json() })
    thrown(() => router.handle(other, () => {}), 'INVALID_ROUTE')
  })
})

describe('context', () => {
  test('has parameters, query, headers and the conn', async () => {
    const asked = deferred<unknown>()
    const route = defineRoute('/a/:first/b/:second', { client: json(), server: json() })
    await using served = await serve((router) => {
      router.handle(route, (_channel, { params, query, headers, conn }) => {
        asked.resolve({ params, query: [...query], by: headers['x-by'], method: conn.method, path: conn.path })
      })
    })
    const path = '/a/x%2Fy%20%C3%A9%25/b/2?q=1&q=%C3%A9&r'
    await ask(served.at, { ...plain, ':path': path, ':method': 'PUT', 'x-by': 'me' })
    expect(await asked.promise).toEqual({
      params: { first: 'x/y é%', second: '2' },
      query: [
        ['q', '1'],
        ['q', 'é'],
        ['r', ''],
      ],
      by: 'me',
      method: 'PUT',
      path,
    })
  })

  test('signal: aborts when the client leaves, with the error of the channel', async () => {
    const aborted = deferred<unknown>()
    await using served = await serve((router) => {
      router.handle(echo, async (channel, { signal }) => {
        await channel.send('ready')
        await once(signal, 'abort')
        aborted.resolve(signal.reason)
      })
    })
    const channel = await served.client().open(echo)
    expect(await channel.receive()).toBe('ready')
    channel.abort()
    expect(await aborted.promise).toMatchObject({ name: 'ChannelError', code: 'PEER_ABORTED' })
    expect(served.errors).toEqual([])
  })

  test('the context can be copied and inherited from, with all properties', async () => {
    const contexts = deferred<HandlerContext[]>()
    await using served = await serve((router) => {
      router.handle(echo, (_channel, context) => {
        contexts.resolve([{ ...context }, Object.create(context) as HandlerContext, new Proxy(context, {})])
      })
    })
    const channel = await served.client().open(echo)
    for (const context of await contexts.promise) {
      expect(context.signal).toBeInstanceOf(AbortSignal)
      expect(context.query).toBeInstanceOf(URLSearchParams)
      expect(context.conn.path).toBe('/echo')
      if (!context.signal.aborted) await once(context.signal, 'abort')
    }
    await channel.close()
  })

  test('signal: has aborted when it is read after the end, in any order of listeners', async () => {
    const seen = deferred<AbortSignal[]>()
    await using served = await serve((router) => {
      router.handle(echo, async (channel, context) => {
        const inTime = deferred<AbortSignal>()
        void channel.closed.then(() => inTime.resolve(context.signal))
        void context.signal
        const first = await inTime.promise
        seen.resolve([first, context.signal])
      })
    })
    const channel = await served.client().open(echo)
    channel.abort()
    const [first, second] = await seen.promise
    expect(first?.aborted).toBe(true)
    expect(second).toBe(first)
  })

  test('signal: aborts when the channel has ended cleanly', async () => {
    const context = deferred<AbortSignal>()
    await using served = await serve((router) => {
      router.handle(echo, (_channel, { signal }) => context.resolve(signal))
    })
    const channel = await served.client().open(echo)
    await channel.close()
    const signal = await context.promise
    if (!signal.aborted) await once(signal, 'abort')
    expect(signal.reason).toMatchObject({ name: 'AbortError' })
  })
})

describe('a handler that returns', () => {
  test('closes its channel: everything sent is delivered first', async () => {
    await using served = await serve((router) => {
      router.handle(echo, (channel) => {
        for (let count = 0; count < 500; count++) void channel.send(count)
      })
    })
    const channel = await served.client().open(echo)
    expect(await receiveAll(channel)).toHaveLength(500)
    await failure(channel.send(1), 'PEER_STOPPED')
    expect(await channel.closed).toEqual({ clean: true })
  })
})

test('a handler that throws after it sent more than buffers hold: everything that it sent arrives first', async () => {
  const many = 120
  const text = 'x'.repeat(20_000)
  const settled = deferred<PromiseSettledResult<void>[]>()
  await using served = await serve((router) => {
    router.handle(greet, async (channel) => {
      const sends = Array.from({ length: many }, () => channel.send(text))
      void Promise.allSettled(sends).then(settled.resolve)
      await sends[many / 2]
      throw new Error('enough')
    })
  })
  const channel = await served.client().open(greet, { params: { name: 'you' } })
  let received = 0
  const receiving = async (): Promise<void> => {
    for await (const message of channel) {
      expect(message).toBe(text)
      received += 1
    }
  }
  await failure(receiving(), 'INTERNAL')
  // Sends that were still waiting failed, and every accepted message has arrived.
  const taken = (await settled.promise).filter((send) => send.status === 'fulfilled')
  expect(taken.length).toBeGreaterThan(many / 2)
  expect(received).toBe(taken.length)
})

describe('a handler that throws', () => {
  const failing = (error: unknown) => (router: ReturnType<typeof createRouter>) => {
    router.handle(echo, async (channel) => {
      await channel.send('before')
      throw error
    })
  }

  test('ends its channel with INTERNAL, and the client learns nothing else (ERR-4)', async () => {
    const error = new Error('the password is swordfish')
    await using served = await serve(failing(error))
    const answer = await ask(served.at, { ...plain, ':path': '/echo', h2channel: '1' }, new Uint8Array(0))
    expect(hexOf(answer.body)).toBe(
      hexOf(concat([jsonFrames('before'), Uint8Array.of(0x80, 0, 0, 10, 1, 8, ...utf8('INTERNAL'))])),
    )
    const channel = await served.client().open(echo)
    expect(await channel.receive()).toBe('before')
    const told = await failure(channel.receive(), 'INTERNAL')
    expect(told).toMatchObject({ side: 'remote', fatal: true })
    expect(JSON.stringify([told.message, told.cause])).not.toContain('swordfish')
    await outcome(channel, 'INTERNAL')
    expect(served.errors).toEqual([error, error])
  })

  test('resets the stream of a peer without control frames', async () => {
    await using served = await serve(failing('anything'))
    const answer = await ask(served.at, { ...plain, ':path': '/echo' }, new Uint8Array(0))
    expect(answer.rstCode).toBe(2)
    expect(served.errors).toEqual(['anything'])
  })

  test('synchronously ends its channel in the same way', async () => {
    const error = new Error('at once')
    await using served = await serve((router) => {
      router.handle(echo, () => {
        throw error
      })
    })
    const channel = await served.client().open(echo)
    await failure(channel.receive(), 'INTERNAL')
    expect(served.errors).toEqual([error])
  })

  const throwing = (): never => {
    throw new Error('not for a program to call')
  }

  test.each([
    // oxlint-disable-next-line unicorn/no-thenable -- a program that does so must not harm the server.
    ['whose own then throws', { then: { value: throwing } }],
    ['whose constructor throws', { constructor: { get: throwing } }],
  ])('a promise %s', async (_what, properties) => {
    const promise = Object.defineProperties(Promise.resolve(), properties)
    await using served = await serve((router) => router.handle(echo, () => promise))
    await (
      await served.client().open(echo)
    ).closed
    await until(() => served.router.channels === 0)
  })

  test('onError: gets the context too', async () => {
    const told = deferred<unknown>()
    const onError: RouterOptions['onError'] = (error, { headers }) => told.resolve([error, headers[':path']])
    await using served = await serve(failing('why'), { router: { onError } })
    await failure(receiveAll(await served.client().open(echo)), 'INTERNAL')
    expect(await told.promise).toEqual(['why', '/echo'])
  })

  test('onError: prints by default', async () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => {})
    try {
      const error = new Error('shown')
      await using served = await serve(failing(error), { router: { onError: undefined } })
      await failure(receiveAll(await served.client().open(echo)), 'INTERNAL')
      expect(print.mock.calls).toEqual([['h2channel: the handler of /echo failed:', error]])
    } finally {
      print.mockRestore()
    }
  })
})

test('onError: an asynchronous hook that rejects does not end the process', async () => {
  const print = vi.spyOn(console, 'error').mockImplementation(() => {})
  const onError: () => unknown = async () => Promise.reject(new Error('no log today'))
  try {
    await using served = await serve(
      (router) =>
        router.handle(echo, () => {
          throw new Error('why')
        }),
      { router: { onError } },
    )
    await failure((await served.client().open(echo)).receive(), 'INTERNAL')
    await vi.waitFor(() => expect(print).toHaveBeenCalledTimes(1))
  } finally {
    print.mockRestore()
  }
})

test('onError: a hook that throws neither ends the process nor keeps the channel open', async () => {
  const print = vi.spyOn(console, 'error').mockImplementation(() => {})
  try {
    const hook = new Error('of the hook')
    const router: RouterOptions = {
      onError: () => {
        throw hook
      },
    }
    const failing = (table: ReturnType<typeof createRouter>): void => {
      table.handle(echo, () => Promise.reject(new Error('of the handler')))
    }
    await using served = await serve(failing, { router })
    const channel = await served.client().open(echo)
    await failure(channel.receive(), 'INTERNAL')
    await channel.close()
    expect(print.mock.calls).toEqual([['h2channel: onError failed for /echo:', hook]])
  } finally {
    print.mockRestore()
  }
})

test.each([
  ['ends its body late', true],
  ['never ends its body', false],
])('a rejected client that %s gets its whole answer, and no reset but NO_ERROR', async (_what, ends) => {
  await using served = await serve(echoing)
  await using session = bareSession(served.at)
  const request = { ':method': 'POST', ':path': '/echo', 'content-type': 'text/plain' }
  const stream = session.http2.request(request, { endStream: false })
  const closed = once(stream, 'close')
  stream.write('a body that is not read')
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }]
  expect(headers[':status']).toBe(415)
  let said = ''
  for await (const chunk of stream.setEncoding('utf8').iterator({ destroyOnReturn: false })) said += String(chunk)
  expect(said).toContain('text/plain is not one of')
  if (ends) stream.end('the rest')
  await closed
  expect(stream.rstCode).toBe(0)
})

test.each([true, false])(
  'HEAD gets 405, and a reset afterwards affects no other request (END_STREAM: %s)',
  async (endStream) => {
    await using served = await serve(echoing)
    await using session = bareSession(served.at)
    const stream = session.http2.request({ ':method': 'HEAD', ':path': '/echo' }, { endStream })
    stream.on('error', () => {})
    const closed = new Promise((resolve) => stream.once('close', resolve))
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }]
    expect(headers).toMatchObject({ ':status': 405, allow: 'POST' })
    stream.close(2)
    await closed
    expect((await session.ask({ ...plain, ':path': '/echo' }, jsonFrames(1))).status).toBe(200)
  },
)

test('attach and detach: other listeners stay, in any order and any number of times', async () => {
  await using served = await serve(() => {}, { attach: false })
  const { server } = served.at
  const [first, second] = [createRouter(), createRouter()]
  echoing(first)
  second.handle(greet, (channel, { params }) => channel.send(`hello ${params.name}`))
  for (let round = 0; round < 100; round++) {
    const detachFirst = first.attach(server)
    const detachSecond = second.attach(server)
    detachFirst()
    detachSecond()
  }
  expect(server.listenerCount('session')).toBeLessThan(5)
  const detach = first.attach(server)
  second.attach(server)
  expect((await ask(served.at, { ':path': '/nowhere' })).status).toBe(404)
  expect(await receiveAll(await served.client().open(greet, { params: { name: 'you' } }))).toEqual(['hello you'])
  detach()
  await failure(served.client().open(echo), 'NOT_FOUND')
})

describe('a handler that fails because its own channel ended', () => {
  type Handler = Parameters<typeof serveHandler>[0]

  function serveHandler(handler: (channel: Channel, signal: AbortSignal, ready: Deferred<void>) => Promise<void>) {
    const done = deferred<unknown>()
    const ready = deferred()
    const served = serve((router) => {
      router.handle(echo, async (channel, { signal }) => {
        try {
          await handler(channel, signal, ready)
          done.resolve('returned')
        } catch (error) {
          done.resolve(error)
          throw error
        }
      })
    })
    return { served, done, ready }
  }
  type Channel = ReturnType<typeof channels>[0]

  const handlers: [string, Handler][] = [
    [
      'receive',
      async (channel, _signal, ready) => {
        ready.resolve()
        await channel.receive()
      },
    ],
    [
      'send',
      async (channel, _signal, ready) => {
        ready.resolve()
        for (;;) await channel.send('x'.repeat(100_000))
      },
    ],
    [
      'throwIfAborted',
      async (channel, signal, ready) => {
        await channel.end()
        ready.resolve()
        await once(signal, 'abort')
        signal.throwIfAborted()
      },
    ],
    [
      'a wait of Node with its signal',
      async (_channel, signal, ready) => {
        ready.resolve()
        await sleep(60_000, undefined, { signal })
      },
    ],
  ]

  test.each(handlers)('in %s, does not call onError', async (_what, handler) => {
    const { served: starting, done, ready } = serveHandler(handler)
    await using served = await starting
    const channel = await served.client().open(echo)
    await ready.promise
    channel.abort()
    expect(await done.promise).toBeInstanceOf(Error)
    // Once another request is answered, everything about the first was reported.
    await ask(served.at, { ':path': '/nowhere' })
    expect(served.errors).toEqual([])
  })

  test('with the error of another channel, does', async () => {
    const [other] = channels()
    other.abort('another')
    const foreign = await failure(other.receive(), 'ABORTED')
    await using served = await serve((router) => {
      router.handle(echo, async () => {
        await other.receive()
      })
    })
    const channel = await served.client().open(echo)
    await failure(channel.receive(), 'INTERNAL')
    expect(served.errors).toEqual([foreign])
  })

  test('with another error after its channel was closed with an error, does', async () => {
    await using served = await serve((router) => {
      router.handle(echo, async (channel) => {
        coreOf(channel).closeWithError(new ChannelError('INTERNAL', 'first'))
        throw new Error('second')
      })
    })
    const channel = await served.client().open(echo)
    await outcome(channel, 'INTERNAL')
    await ask(served.at, { ':path': '/nowhere' })
    expect(served.errors).toMatchObject([{ message: 'second' }])
  })
})

describe('a peer without this package', () => {
  const schema = json(z.object({ n: z.number() }))
  const doubled = defineRoute('/doubled', { client: schema, server: schema })
  const setUp = (router: ReturnType<typeof createRouter>): void => {
    router.handle(doubled, async (channel) => {
      for await (const { n } of channel) await channel.send({ n: n * 2 })
    })
  }

  test('speaks length-prefixed JSON (CONF-1)', async () => {
    await using served = await serve(setUp)
    const answer = await ask(served.at, { ...plain, ':path': '/doubled' }, jsonFrames({ n: 1 }, { n: 2 }))
    expect(hexOf(answer.body)).toBe(hexOf(jsonFrames({ n: 2 }, { n: 4 })))
    expect(answer).toMatchObject({ status: 200, rstCode: 0 })
    expect(answer.headers['content-type']).toBe(`${vnd}+json`)
  })

  test('speaks newline-delimited JSON (CONF-2)', async () => {
    await using served = await serve(setUp)
    const headers = { ':path': '/doubled', 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' }
    const answer = await ask(served.at, headers, utf8('{"n":1}\r\n\n{"n":21}\n'))
    expect(answer.body.toString()).toBe('{"n":2}\n{"n":42}\n')
    expect(answer.headers['content-type']).toBe('application/x-ndjson')
  })

  test('sends an invalid message, and gets a reset with PROTOCOL_ERROR', async () => {
    await using served = await serve(setUp)
    const answer = await ask(served.at, { ...plain, ':path': '/doubled' }, jsonFrames({ n: 'one' }))
    expect(answer.rstCode).toBe(1)
    expect(served.errors).toMatchObject([{ code: 'INVALID_MESSAGE', cause: { issues: [{ path: ['n'] }] } }])
  })

  test('sends a message over the limit, and gets a reset with FRAME_SIZE_ERROR', async () => {
    await using served = await serve(setUp, { router: { limits: { maxMessageBytes: 10 } } })
    const answer = await ask(served.at, { ...plain, ':path': '/doubled' }, framed({ n: 123_456_789 }, schema))
    expect(answer.rstCode).toBe(6)
  })

  test('leaves before it is answered, without an effect on other requests', async () => {
    await using served = await serve(setUp)
    await using session = bareSession(served.at)
    for (let round = 0; round < 5; round++) {
      const stream = session.http2.request({ ...plain, ':method': 'POST', ':path': '/doubled' }, { endStream: false })
      stream.on('error', () => {})
      const closed = once(stream, 'close')
      stream.close(8)
      await closed
    }
    expect((await session.ask({ ...plain, ':path': '/doubled' }, jsonFrames({ n: 1 }))).status).toBe(200)
    expect(served.errors).toEqual([])
  })
})

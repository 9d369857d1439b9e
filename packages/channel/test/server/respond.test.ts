// oxlint-disable vitest/expect-expect -- some of these tests assert by the helpers of support.ts
/** Requests that get no channel: their answers, and how long their streams stay open. */
import { json } from '@h2channel/codecs'
import { connDefaults } from '@h2channel/conn'
import { listen } from '@h2channel/conn/testing'
import { once } from 'node:events'
import type { ClientHttp2Session, OutgoingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { connect, createServer } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import { describe, expect, test } from 'vitest'

import {
  FrameType,
  greeting as clientGreeting,
  headers as headersFrame,
  post,
  RawLink,
  Setting,
  setting,
} from '../../../conn/test/support/raw-peer.ts'
import { defineRoute } from '../../src/index.ts'
import type { Router } from '../../src/server.ts'
import { createRouter, Refusal } from '../../src/server.ts'
import type { Served } from '../support/server-support.ts'
import { ask, bareSession, serve } from '../support/server-support.ts'
import { deferred, failOnUnhandledRejections, failure, jsonFrames, receiveAll, thrown } from '../support/support.ts'

failOnUnhandledRejections()

const greet = defineRoute('/greet/:name', { client: json<string>(), server: json<string>() })
const jsonType = 'application/vnd.h2channel+json'
const plain = { ':method': 'POST', ':path': '/greet/ada', 'content-type': jsonType }
const greeting = (router: Router): void => {
  router.handle(greet, (channel, { params }) => channel.send(`hello ${params.name}`))
}

/** Requests that are rejected, with the status of each. */
const refused: readonly (readonly [status: number, headers: OutgoingHttpHeaders])[] = [
  [400, { ...plain, ':path': '/greet/%zz' }],
  [401, { ...plain, 'x-as': 'anonymous' }],
  [403, { ...plain, 'sec-fetch-site': 'cross-site' }],
  [404, { ...plain, ':path': '/nowhere' }],
  [405, { ...plain, ':method': 'GET' }],
  [406, { ...plain, accept: 'text/html' }],
  [415, { ...plain, 'content-type': 'text/html' }],
  [415, { ...plain, 'content-encoding': 'gzip' }],
  [431, { ...plain, 'x-much': 'x'.repeat(20_000) }],
  [500, { ...plain, 'x-as': 'a mistake' }],
]

async function guarded(): Promise<Served> {
  return serve(greeting, {
    router: {
      authorize({ headers }) {
        if (headers['x-as'] === 'anonymous') throw new Refusal(401, 'who are you?')
        if (headers['x-as'] === 'a mistake') throw new Error('of authorize')
      },
    },
  })
}

/** The streams that clients open from now on. */
function streamsOf(served: Served): ServerHttp2Stream[] {
  const streams: ServerHttp2Stream[] = []
  served.at.server.on('session', (session: ServerHttp2Session) => {
    session.prependListener('stream', (stream: ServerHttp2Stream) => streams.push(stream))
  })
  return streams
}

/** A client that reads no body of an answer. */
async function withoutWindow(origin: string): Promise<ClientHttp2Session & AsyncDisposable> {
  const session = connect(origin, { settings: { initialWindowSize: 0 } })
  session.on('error', () => {})
  await once(session, 'localSettings')
  const dispose = async (): Promise<void> => {
    const closed = once(session, 'close')
    session.destroy()
    await closed
  }
  return Object.assign(session, { [Symbol.asyncDispose]: dispose })
}

test('a client neither reads the answer nor ends its body: its streams are released after any rejection (ANS-5)', async () => {
  await using served = await guarded()
  const streams = streamsOf(served)
  await using session = await withoutWindow(served.at.origin)
  const statuses = refused.map(async ([, headers]) => {
    const stream = session.request(headers, { endStream: false })
    stream.on('error', () => {})
    const [response] = (await once(stream, 'response')) as [{ ':status': number }]
    return response[':status']
  })
  expect(await Promise.all(statuses)).toEqual(refused.map(([status]) => status))
  expect(streams).toHaveLength(refused.length)
  await Promise.all(streams.map(async (stream) => stream.destroyed || once(stream, 'close')))
  expect(streams.map((stream) => stream.destroyed)).toEqual(refused.map(() => true))
  // The connection still works.
  session.settings({ initialWindowSize: 65_535 })
  await once(session, 'localSettings')
  await using other = bareSession(served.at)
  expect((await other.ask(plain, new Uint8Array())).status).toBe(200)
})

test('as many rejected streams of a connection linger as it may have channels, and no more', async () => {
  const [many, over] = [10_000, 50]
  const { lingerTimeout } = connDefaults
  // None is released before all have come, on a slow machine too.
  Object.assign(connDefaults, { lingerTimeout: 60_000 })
  const server = createServer({ maxSessionMemory: 1_024 })
  createRouter().attach(server)
  const at = await listen(server, undefined)
  const seen = { answered: 0, 'refused unread': 0, 'let go': 0 }
  const done = deferred()
  const link = new RawLink(connectSocket(Number(new URL(at.origin).port), '127.0.0.1'), {
    onFrame({ type, payload }) {
      if (type === FrameType.HEADERS) seen.answered += 1
      if (type === FrameType.RST_STREAM) seen[payload.readUInt32BE(0) === 7 ? 'refused unread' : 'let go'] += 1
      if (seen.answered + seen['refused unread'] === many + over) done.resolve(undefined)
    },
  })
  try {
    link.send(clientGreeting(setting(Setting.INITIAL_WINDOW_SIZE, 0)))
    for (let count = 0; count < many + over; count++) link.send(headersFrame(1 + 2 * count, post))
    await done.promise
    expect(seen).toEqual({ answered: many, 'refused unread': over, 'let go': 0 })
  } finally {
    Object.assign(connDefaults, { lingerTimeout })
    link.socket.destroy()
    await link.closed
    await at.close()
  }
})

test.each([true, false])(
  'over HTTP/1 the connection of a refused request is closed (its body ends: %s) (TRANS-2)',
  async (ends) => {
    await using served = await serve(greeting, { tls: true, allowHTTP1: true })
    const { hostname, port } = new URL(served.at.origin)
    const socket: TLSSocket = connectTls({ host: hostname, port: Number(port), ca: served.at.tls?.ca })
    await once(socket, 'secureConnect')
    const closed = once(socket, 'close')
    socket.write(`POST /greet/ada HTTP/1.1\r\nhost: test\r\ncontent-length: ${ends ? 2 : 1_000_000}\r\n\r\n{}`)
    let said = ''
    for await (const chunk of socket.setEncoding('latin1')) said += String(chunk)
    expect(said).toMatch(/^HTTP\/1\.1 505 .*\r\n[^]*\r\n\r\n[^]*a channel needs HTTP\/2\n/)
    await closed
  },
)

describe('no answer repeats more than 200 characters of what a client sent', () => {
  const most = (text: string): number => Math.max(...Array.from(text.matchAll(/x+/g), ([run]) => run.length))
  const long = 'x'.repeat(5_000)

  test.each([
    ['content-type', { 'content-type': `text/${long}` }, 415],
    ['accept', { accept: `text/${long}` }, 406],
    ['content-encoding', { 'content-encoding': long }, 415],
  ])('%s', async (_what, headers, status) => {
    await using served = await serve(greeting)
    const answer = await ask(served.at, { ...plain, ...headers })
    expect(answer.status).toBe(status)
    const said = answer.body.toString()
    expect(said).toContain('xxx')
    expect(most(said)).toBeLessThanOrEqual(200)
    expect(said.length).toBeLessThan(400)
  })

  test('the names that a preflight asks for', async () => {
    await using served = await serve(greeting, { router: { origins: ['https://shop.example'] } })
    const preflight = { ...plain, ':method': 'OPTIONS', 'content-type': undefined, origin: 'https://shop.example' }
    const allowed = async (names: string): Promise<unknown> => {
      const asked = { 'access-control-request-method': 'POST', 'access-control-request-headers': names }
      const { status, headers } = await ask(served.at, { ...preflight, ...asked })
      expect(status).toBe(204)
      return headers['access-control-allow-headers']
    }
    expect(await allowed('x'.repeat(200))).toBe('x'.repeat(200))
    expect(await allowed('x'.repeat(201))).toBeUndefined()
  })
})

describe('maxHeaderBytes', () => {
  /** The size of headers (RFC 9113, section 6.5.2). */
  const sizeOf = (headers: OutgoingHttpHeaders): number =>
    Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + String(value).length + 32, 0)

  /** The status of a request whose headers have `bytes` bytes. */
  async function statusOf(served: Served, bytes: number, more: OutgoingHttpHeaders = {}): Promise<number | undefined> {
    const { host } = new URL(served.at.origin)
    const headers = { ...plain, ...more, 'x-more': '' }
    const whole = { ...headers, ':authority': host, ':scheme': 'http' }
    return (await ask(served.at, { ...headers, 'x-more': 'x'.repeat(bytes - sizeOf(whole)) }, new Uint8Array())).status
  }

  /** The media types of a route are added to the limit, for both directions. */
  const onTop = 2 * `${jsonType}, application/x-ndjson`.length

  test.each([
    [undefined, 16_384],
    [1_000, 1_000],
  ])('%s: headers of that many bytes open a channel, and one more gets 431 (ANS-6)', async (maxHeaderBytes, bytes) => {
    let asked = 0
    await using served = await serve(greeting, { router: { maxHeaderBytes, authorize: () => void (asked += 1) } })
    expect(await statusOf(served, bytes + onTop)).toBe(200)
    expect(asked).toBe(1)
    expect(await statusOf(served, bytes + onTop + 1)).toBe(431)
    // Before any other check, and before `authorize`.
    expect(
      await statusOf(served, bytes + onTop + 1, { 'content-type': 'text/html', 'sec-fetch-site': 'cross-site' }),
    ).toBe(431)
    expect([asked, served.router.channels]).toEqual([1, 0])
  })

  test('many small headers count too', async () => {
    await using served = await serve(greeting, { router: { maxHeaderBytes: 1_000 } })
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`x-${index}`, '']))
    expect((await ask(served.at, { ...plain, ...many })).status).toBe(431)
  })

  test('is an error of open, and the connection stays open', async () => {
    await using served = await serve(greeting)
    const client = served.client()
    const params = { name: 'ada' }
    const refusal = await failure(client.open(greet, { params, headers: { 'x-much': 'x'.repeat(20_000) } }), 'REFUSED')
    expect(refusal).toMatchObject({ retryable: false, cause: { response: { status: 431 } } })
    expect(await receiveAll(await client.open(greet, { params }))).toEqual(['hello ada'])
    expect(served.at.sessions.size).toBe(1)
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('%s is invalid', (maxHeaderBytes) => {
    expect(thrown(() => createRouter({ maxHeaderBytes }), 'INVALID_ARGUMENT').message).toContain('maxHeaderBytes')
  })
})

describe('a Refusal', () => {
  test.each<[string, unknown]>([
    ['that is another’s, without a status', Object.assign(new Error('secret'), { name: 'Refusal' })],
    [
      'that is another’s, with a status that opens',
      Object.assign(new Error('secret'), { name: 'Refusal', status: 200 }),
    ],
    ['whose headers were spoilt since', withHeader('bad name', 'secret')],
    ['whose headers were given another line', withHeader('x-a', 'secret\r\nset-cookie: a')],
  ])('%s is a mistake: 500, told to onError', async (_what, error) => {
    await using served = await serve(greeting, {
      router: {
        authorize({ headers }) {
          if (headers['x-as'] === 'anonymous') throw error
        },
      },
    })
    await using session = bareSession(served.at)
    const answer = await session.ask({ ...plain, 'x-as': 'anonymous' })
    expect(answer.status).toBe(500)
    expect(JSON.stringify(answer.headers) + answer.body.toString()).not.toContain('secret')
    expect(served.errors).toHaveLength(1)
    expect((await session.ask(plain, jsonFrames())).status).toBe(200)
  })

  function withHeader(name: string, value: string): Refusal {
    const refusal = new Refusal(401, 'no')
    refusal.headers[name] = value
    return refusal
  }
})

describe('the headers of a Refusal', () => {
  test.each<[string, OutgoingHttpHeaders]>([
    ['a line break', { 'www-authenticate': 'Bearer error="a\nb"' }],
    ['a return', { 'x-a': 'a\rb' }],
    ['NUL', { 'x-a': 'a\0b' }],
    ['a character beyond Latin-1', { 'x-a': '€' }],
    ['one of several values wrong', { 'set-cookie': ['a=1', 'b=\n'] }],
    ['a space at the beginning', { 'x-a': ' a' }],
    ['a tab at the end', { 'x-a': 'a\t' }],
    ['a name with a space', { 'bad name': 'x' }],
    ['no name', { '': 'x' }],
    ['a name with a line break', { 'a\nb': 'x' }],
    ['two spellings of one', { 'Content-Type': 'text/html', 'content-type': 'text/plain' }],
    ['two spellings of one that may have several values', { 'X-A': '1', 'x-a': '2' }],
    ['several values of one that has one', { etag: ['1', '2'] as never }],
    ['a status', { ':status': 200 }],
    ['Connection', { Connection: 'close' }],
    ['Transfer-Encoding', { 'Transfer-Encoding': 'chunked' }],
    ['more than 16 KiB', { 'x-big': 'x'.repeat(100_000) }],
    ['more than 16 KiB in many', Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`x-${index}`, 'x']))],
    // A program without types may pass this.
    ['null', { 'x-a': null as never }],
    ['an object', { 'x-a': {} as never }],
  ])('%s is INVALID_ARGUMENT', (_what, headers) => {
    thrown(() => new Refusal(401, 'no', headers), 'INVALID_ARGUMENT')
  })

  test('the error does not contain the value, which may be a secret', () => {
    const error = thrown(() => new Refusal(401, 'no', { 'set-cookie': 'secret\n' }), 'INVALID_ARGUMENT')
    expect(`${error.message} ${String(error.cause)}`).not.toContain('secret')
    expect(error.message).toContain('set-cookie')
  })

  test.each<[string, OutgoingHttpHeaders, OutgoingHttpHeaders]>([
    [
      'in capitals',
      { 'Content-Type': 'text/html', 'WWW-Authenticate': 'Bearer' },
      { 'content-type': 'text/html', 'www-authenticate': 'Bearer' },
    ],
    ['in Latin-1', { 'x-a': 'ä' }, { 'x-a': 'ä' }],
    ['several of a name', { 'set-cookie': ['a=1', 'b=2'] }, { 'set-cookie': ['a=1', 'b=2'] }],
    ['several in one', { 'www-authenticate': ['Bearer', 'Basic'] }, { 'www-authenticate': 'Bearer, Basic' }],
    ['a number', { 'Retry-After': 5 }, { 'retry-after': '5' }],
    ['undefined', { 'x-a': undefined }, {}],
    [
      'handed on from another answer, with its body’s',
      { 'Content-Length': '999', 'content-encoding': 'gzip', 'www-authenticate': 'Bearer' },
      { 'www-authenticate': 'Bearer' },
    ],
    ['as much as may be', { 'x-a': 'x'.repeat(16_384 - 35) }, { 'x-a': 'x'.repeat(16_384 - 35) }],
  ])('%s arrive, and the connection stays open', async (_what, headers, expected) => {
    await using served = await serve(greeting, {
      router: {
        authorize({ headers: { 'x-as': as } }) {
          if (as === 'anonymous') throw new Refusal(429, 'no', headers)
        },
      },
    })
    await using session = bareSession(served.at)
    const answer = await session.ask({ ...plain, 'x-as': 'anonymous' })
    expect(answer).toMatchObject({ status: 429, headers: expected })
    expect(answer.body.toString()).toBe('no\n')
    expect((await session.ask(plain, jsonFrames())).status).toBe(200)
    expect(served.errors).toEqual([])
  })
})

import type { Client } from '@h2channel/channel/client'
import { createClient } from '@h2channel/channel/client'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { ClientHttp2Session } from 'node:http2'
import { connect, constants } from 'node:http2'
import { Agent, request as requestOf } from 'node:https'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { Program } from '../../test/program.ts'
import { greetings } from '../src/routes.ts'

const timeout = 60_000
const tls = { rejectUnauthorized: false }

interface Answer {
  readonly status: number
  readonly body: string
}

/** The reset code of a stream that got no answer. */
interface Reset {
  readonly reset: number
}

/** Clients of one server that keep their connections open, as browsers and proxies do. */
class Clients implements AsyncDisposable {
  readonly channels: Client
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true, ...tls })
  #session: ClientHttp2Session

  constructor(url: string) {
    this.#url = url
    this.channels = createClient(url, { tls, retry: { maxAttempts: 1 } })
    this.#session = this.#connect()
  }

  #connect(): ClientHttp2Session {
    const session = connect(this.#url, tls)
    // Failures show in the request.
    session.on('error', () => {})
    return session
  }

  async http1(path: string, method = 'GET'): Promise<Answer> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      requestOf(new URL(path, this.#url), { method, agent: this.#agent }, resolve).once('error', reject).end()
    })
    return { status: response.statusCode ?? 0, body: await text(response) }
  }

  /**
   * Repeats a request on another connection if that is safe: after GOAWAY, also if the two crossed (RFC 9113, section
   * 8.7).
   */
  async http2(path: string): Promise<Answer | Reset> {
    const answer = await this.#ask(path)
    return 'reset' in answer && answer.reset === constants.NGHTTP2_REFUSED_STREAM ? this.#ask(path) : answer
  }

  async #ask(path: string): Promise<Answer | Reset> {
    if (this.#session.closed) this.#session = this.#connect()
    const stream = this.#session.request({ ':path': path })
    let status = 0
    stream.once('response', (headers) => {
      status = headers[':status'] ?? 0
    })
    try {
      const body = await text(stream)
      return { status, body }
    } catch (error) {
      if (stream.rstCode === undefined || stream.rstCode === constants.NGHTTP2_NO_ERROR) throw error
      return { reset: stream.rstCode }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
    this.#session.destroy()
    await this.channels.close()
  }
}

const hello: Answer = { status: 200, body: 'hello\n' }
const useHttp1: Reset = { reset: constants.NGHTTP2_HTTP_1_1_REQUIRED }

interface Framework {
  /** The name of its file. */
  readonly name: string
  /** The text of the framework's own 404. */
  readonly notFound: RegExp
  /** The answer to all ordinary requests over HTTP/2, if the framework does not support it. */
  readonly http2?: Reset
  /** The answer to ordinary requests while channels drain, if it differs. */
  readonly whileDraining?: Partial<Answer>
}

const frameworks: readonly Framework[] = [
  { name: 'bare', notFound: /^not found$/m },
  { name: 'fastify', notFound: /Route GET:\/nowhere not found/, whileDraining: { status: 503 } },
  { name: 'koa', notFound: /^(Not Found|404)$/ },
  { name: 'hono', notFound: /^404 Not Found$/ },
  { name: 'nest', notFound: /Cannot GET \/nowhere/ },
  { name: 'express', notFound: /Cannot GET \/nowhere/, http2: useHttp1 },
]

describe.each(frameworks)('$name', { timeout }, ({ name, notFound, http2, whileDraining = http2 ?? hello }) => {
  const start = (): Program => Program.run(`frameworks/src/${name}.ts`, ['--port', '0'])
  let server: Program
  let clients: Clients

  beforeAll(async () => {
    server = start()
    await server.url()
  }, timeout)
  beforeEach(async () => {
    clients = new Clients(await server.url())
  })
  afterEach(() => clients[Symbol.asyncDispose]())
  afterAll(() => server[Symbol.asyncDispose]())

  test('HTTP/1.1, HTTP/2 and channels at the same time on one port', async () => {
    const turns = Array.from({ length: 20 }, (_, turn) => `client ${turn}`)
    await Promise.all(
      turns.map(async (who) => {
        await using channel = await clients.channels.open(greetings, { params: { language: 'fr' } })
        await channel.send({ name: who })
        const [first, second, greeting] = await Promise.all([
          clients.http1('/hello'),
          clients.http2('/hello'),
          channel.receive(),
        ])
        expect(first).toEqual(hello)
        expect(second).toEqual(http2 ?? hello)
        expect(greeting).toEqual({ text: `Bonjour, ${who}!` })
        await channel.end()
        expect(await channel.receive()).toBeUndefined()
        expect(await channel.closed).toEqual({ clean: true })
      }),
    )
  })

  test("a path without a handler gets the framework's own 404, over HTTP/1.1 and HTTP/2", async () => {
    const notThere = { status: 404, body: expect.stringMatching(notFound) as string }
    expect(await clients.http1('/nowhere')).toEqual(notThere)
    expect(await clients.http2('/nowhere')).toEqual(http2 ?? notThere)
  })

  test('a channel over HTTP/1.1 is refused with 505', async () => {
    const refused = { status: 505, body: 'a channel needs HTTP/2\n' }
    expect(await clients.http1('/greetings/de', 'POST')).toEqual(refused)
  })

  test('SIGTERM: channels end first, then the program, although other clients stay connected', async () => {
    await using mortal = start()
    await using others = new Clients(await mortal.url())
    await using channel = await others.channels.open(greetings, { params: { language: 'de' } })
    await channel.send({ name: 'Ada' })
    expect(await channel.receive()).toEqual({ text: 'Guten Tag, Ada!' })
    expect(await others.http1('/hello')).toEqual(hello)
    expect(await others.http2('/hello')).toEqual(http2 ?? hello)

    const draining = once(channel.draining, 'abort')
    mortal.kill('SIGTERM')
    await draining

    expect(await others.http2('/hello')).toMatchObject(whileDraining)
    await expect(others.channels.open(greetings, { params: { language: 'de' } })).rejects.toMatchObject({
      cause: { response: { status: 503 } },
    })
    await channel.send({ name: 'Grace' })
    expect(await channel.receive()).toEqual({ text: 'Guten Tag, Grace!' })
    await channel.end()
    expect(await channel.receive()).toBeUndefined()
    expect(await channel.closed).toEqual({ clean: true })
    await mortal.exitsWith(0)
  })
})

test('the client prints a greeting for each name, and ends when the server drains', { timeout }, async () => {
  await using server = Program.run('frameworks/src/bare.ts', ['--port', '0'])
  await using client = Program.run('frameworks/src/client.ts', ['--url', await server.url(), '--insecure'])
  client.write('Ada\n')
  await client.line(/^Hello, Ada!$/)
  server.kill('SIGTERM')
  await client.exitsWith(0)
  await server.exitsWith(0)
  expect(client.lines).toEqual(['Hello, Ada!'])
})

/** Servers and bare clients for the tests of router and client. */
import type { SessionPool } from '@h2channel/conn'
import type { TestServer } from '@h2channel/conn/testing'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { connect, createSecureServer, createServer } from 'node:http2'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { createServer as createTcpServer } from 'node:net'

import type { Client, ClientOptions } from '../../src/client.ts'
import { createClient } from '../../src/client.ts'
import type { Router, RouterOptions } from '../../src/server.ts'
import { createRouter } from '../../src/server.ts'

let certificate: ReturnType<typeof makeCertificate> | undefined

/** One certificate for all tests of a file. */
export function testCertificate(): ReturnType<typeof makeCertificate> {
  certificate ??= makeCertificate()
  return certificate
}

export interface Served extends AsyncDisposable {
  readonly router: Router
  readonly at: TestServer
  /** The errors that the router's `onError` hook received. */
  readonly errors: unknown[]
  client(options?: ClientOptions): Client
}

export interface ServeOptions {
  readonly tls?: boolean
  readonly allowHTTP1?: boolean
  readonly router?: RouterOptions
  /** Whether the router is attached to the server. Default: true. */
  readonly attach?: boolean
}

/** A server with a router attached to it, and clients that trust it. */
export async function serve(setUp: (router: Router) => void, options: ServeOptions = {}): Promise<Served> {
  const { tls = false, allowHTTP1 = false } = options
  const errors: unknown[] = []
  const made = tls ? await testCertificate() : undefined
  const server = made === undefined ? createServer() : createSecureServer({ ...made, allowHTTP1 })
  const router = createRouter({ onError: (error) => void errors.push(error), ...options.router })
  setUp(router)
  if (options.attach !== false) router.attach(server)
  const at = await listen(server, made)
  const clients: Client[] = []
  return {
    router,
    at,
    errors,
    client(clientOptions = {}) {
      const client = createClient(at.origin, { tls: at.tls, sessions: at.sessions, ...clientOptions })
      clients.push(client)
      return client
    },
    async [Symbol.asyncDispose]() {
      await at.close()
    },
  }
}

/** See {@link bare}. */
export interface Bare extends AsyncDisposable {
  readonly origin: string
  readonly sessions: SessionPool
  /** The headers of each request. */
  readonly asked: IncomingHttpHeaders[]
  /** With which code each stream ended. */
  readonly resets: Promise<number>[]
}

/** A server that answers every request with `answer`, and tells the headers of each. */
export async function bare(answer: (stream: ServerHttp2Stream) => void): Promise<Bare> {
  const asked: IncomingHttpHeaders[] = []
  const resets: Promise<number>[] = []
  const server = createServer()
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    resets.push(new Promise((resolve) => stream.once('close', () => resolve(stream.rstCode ?? 0))))
    asked.push(headers)
    answer(stream)
  })
  const at = await listen(server, undefined)
  return { origin: at.origin, sessions: at.sessions, asked, resets, [Symbol.asyncDispose]: () => at.close() }
}

/**
 * A port of 127.0.0.1 without a listener. It is below the ports that a system assigns, so no other process gets it
 * before a test listens there.
 */
export async function deadPort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 30_000)
    const server = createTcpServer()
    const listening = once(server.listen(port, '127.0.0.1'), 'listening')
    if (
      !(await listening.then(
        () => true,
        () => false,
      ))
    )
      continue
    await once(server.close(), 'close')
    return port
  }
}

export interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders | IncomingMessage['headers']
  readonly body: Buffer
  /** With which code the stream ended. */
  readonly rstCode: number
}

/** Sends a request over HTTP/2 with nothing of this package, and waits for all of the answer. */
export async function ask(at: TestServer, headers: OutgoingHttpHeaders, body?: Uint8Array): Promise<Answer> {
  await using session = bareSession(at)
  return await session.ask(headers, body)
}

/** A connection of HTTP/2 with nothing of this package. */
export function bareSession(at: TestServer): AsyncDisposable & {
  readonly http2: ClientHttp2Session
  ask(headers: OutgoingHttpHeaders, body?: Uint8Array): Promise<Answer>
} {
  const http2 = connect(at.origin, at.tls)
  http2.on('error', () => {})
  const send = (headers: OutgoingHttpHeaders, body?: Uint8Array): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const stream = http2.request({ ':method': 'POST', ...headers }, { endStream: false })
      const chunks: Buffer[] = []
      let got: IncomingHttpHeaders & { ':status'?: number | undefined } = {}
      stream.on('error', () => {})
      stream.on('response', (response) => {
        got = response
      })
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('close', () => {
        const { ':status': status } = got
        if (status === undefined) reject(new Error(`closed with ${stream.rstCode} before the answer`))
        else resolve({ status, headers: got, body: Buffer.concat(chunks), rstCode: stream.rstCode ?? 0 })
      })
      if (body === undefined) stream.end()
      else stream.end(body)
    })
  return {
    http2,
    ask: send,
    // GOAWAY may have closed it: its callback would never be called then.
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        if (http2.destroyed) resolve()
        http2.once('close', resolve)
        http2.close()
      }),
  }
}

/** Requests a path, or a whole URL as a proxy does, over HTTP/1.1. */
export function ask1(at: TestServer, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request(new URL(at.origin), { path, ca: at.tls?.ca, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const { statusCode: status, headers } = response
        resolve({ status, headers, body: Buffer.concat(chunks), rstCode: 0 })
      })
    })
    asking.on('error', reject)
    asking.end()
  })
}

/** Which errors of `open` are retryable. */
import { json } from '@h2channel/codecs'
import { connect, SessionPool } from '@h2channel/conn'
import { listen } from '@h2channel/conn/testing'
import { createSecureServer, createServer, type ServerHttp2Session } from 'node:http2'
import { createServer as createHttp1Server } from 'node:http'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { describe, expect, test } from 'vitest'

import { makeClientCertificates, wrongCertificates } from '../../../conn/test/support/client-certificates.ts'
import { frame, FrameType, goaway, ok, reset, startRawPeer } from '../../../conn/test/support/raw-peer.ts'
import type { ClientOptions } from '../../src/client.ts'
import { createClient } from '../../src/client.ts'
import { defineRoute } from '../../src/index.ts'
import { bare, deadPort, serve } from '../support/server-support.ts'
import { failOnUnhandledRejections, failure } from '../support/support.ts'

failOnUnhandledRejections()

const echo = defineRoute('/echo', { client: json(), server: json() })

async function listening(server: Server): Promise<AsyncDisposable & { readonly origin: string }> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}

/** The error of an `open`, and its cause. */
async function outcomeAt(origin: string, options: ClientOptions = {}): Promise<unknown> {
  await using sessions = new SessionPool({ closeTimeout: 20 })
  const client = createClient(origin, { sessions, retry: { maxAttempts: 1 }, ...options })
  const error: unknown = await client.open(echo).catch((reason: unknown) => reason)
  return error
}

describe('retryable: no server can have handled the request', () => {
  test('an unused port', async () => {
    expect(await outcomeAt(`http://127.0.0.1:${await deadPort()}`)).toMatchObject({
      code: 'CONNECT_FAILED',
      retryable: true,
    })
  })

  test('a connection that is reset before its first byte', async () => {
    await using server = await listening(createTcpServer((socket) => void socket.resetAndDestroy()))
    expect(await outcomeAt(server.origin)).toMatchObject({ retryable: true, cause: { code: 'CONNECT_FAILED' } })
  })

  // A load balancer without a server does this.
  test.each([
    ['at once', (socket: Socket) => void socket.resume().end()],
    ['after the preface', (socket: Socket) => void socket.once('data', () => socket.end())],
    ['with its SETTINGS alone', (socket: Socket) => void socket.resume().end(frame(FrameType.SETTINGS, 0, 0))],
  ])('a connection that is closed %s', async (_when, hangUp) => {
    await using server = await listening(createTcpServer(hangUp))
    expect(await outcomeAt(server.origin)).toMatchObject({ retryable: true, cause: { code: 'CONNECT_FAILED' } })
    // Another address may behave differently.
    await using served = await serve((router) => router.handle(echo, (channel) => channel.send('here')))
    await using sessions = new SessionPool({ closeTimeout: 20 })
    const client = createClient([server.origin, served.at.origin], { sessions })
    const channel = await client.open(echo)
    expect(await channel.receive()).toBe('here')
    await channel.close()
  })

  test('a connection that is lost before the request has left', async () => {
    await using peer = await startRawPeer({
      onRequest: (socket, stream) => void socket.write(Buffer.concat([ok(stream, true), reset(stream, 0)])),
    })
    await using sessions = new SessionPool({ closeTimeout: 20 })
    const conn = await connect(peer.origin, { sessions })
    await conn.close()
    const link = await peer.link()
    // After a timer, Node reads a reset before it writes what is sent now.
    await new Promise((resolve) => {
      setTimeout(resolve)
    })
    link.socket.resetAndDestroy()
    expect(await outcomeAt(peer.origin, { sessions })).toMatchObject({
      retryable: true,
      cause: { code: 'CONNECTION_LOST' },
    })
  })

  test('no connection in connectTimeout', async () => {
    await using peer = await startRawPeer({ settings: null })
    expect(await outcomeAt(peer.origin, { connectTimeout: 20 })).toMatchObject({
      code: 'CONNECT_FAILED',
      retryable: true,
      cause: { code: 'CONNECT_TIMEOUT' },
    })
  })

  test('RST_STREAM with REFUSED_STREAM (ANS-7)', async () => {
    await using server = await bare((stream) => stream.close(7))
    expect(await outcomeAt(server.origin)).toMatchObject({ retryable: true, cause: { code: 'RESET', rstCode: 7 } })
  })

  test('GOAWAY on every connection that the attempt used (ANS-7)', async () => {
    await using peer = await startRawPeer({ onRequest: (socket) => void socket.write(goaway(0, 0)) })
    expect(await outcomeAt(peer.origin)).toMatchObject({ code: 'CONNECT_FAILED', retryable: true })
  })

  test.each([429, 503])('status %i', async (status) => {
    await using server = await bare((stream) => {
      stream.respond({ ':status': status })
      stream.end()
    })
    expect(await outcomeAt(server.origin)).toMatchObject({ code: 'REFUSED', retryable: true })
  })
})

describe('not retryable: failures that would happen again', () => {
  test.each(wrongCertificates)('a client certificate that is %s: one attempt', async (which) => {
    const { server, wrong } = await makeClientCertificates()
    const asking = createSecureServer({ ...server, ca: server.cert, requestCert: true, rejectUnauthorized: true })
    let connections = 0
    asking.on('connection', () => {
      connections += 1
    })
    await using at = await listen(asking, server)
    const retry = { initialDelay: 1, maxDelay: 1 }
    const tls = { ...at.tls, ...wrong[which] }
    const error = await outcomeAt(at.origin, { tls, retry })
    expect(error).toMatchObject({ retryable: false, cause: { code: 'TLS_FAILED' } })
    expect(connections).toBe(1)
  })

  test('an untrusted certificate', async () => {
    await using served = await serve(() => {}, { tls: true })
    expect(await outcomeAt(served.at.origin)).toMatchObject({ retryable: false, cause: { code: 'TLS_FAILED' } })
  })

  test('a server that speaks HTTP/1', async () => {
    await using server = await listening(createHttp1Server())
    expect(await outcomeAt(server.origin)).toMatchObject({
      retryable: false,
      cause: { code: 'HTTP2_NOT_SUPPORTED' },
    })
  })

  test.each([
    [400, 'REFUSED'],
    [401, 'UNAUTHENTICATED'],
    [403, 'REFUSED'],
    [404, 'NOT_FOUND'],
    [406, 'UNSUPPORTED_CODEC'],
    [415, 'UNSUPPORTED_CODEC'],
  ])('status %i', async (status, code) => {
    await using server = await bare((stream) => {
      stream.respond({ ':status': status, 'retry-after': '1' })
      stream.end()
    })
    expect(await outcomeAt(server.origin)).toMatchObject({ code, retryable: false })
    expect(server.asked).toHaveLength(1)
  })

  test('a page instead of a channel', async () => {
    await using server = await bare((stream) => {
      stream.respond({ 'content-type': 'text/html' })
      stream.end()
    })
    expect(await outcomeAt(server.origin)).toMatchObject({ code: 'BAD_RESPONSE', retryable: false })
  })

  test('an invalid header, and a closed client', async () => {
    await using server = await bare((stream) => stream.close(7))
    expect(await outcomeAt(server.origin, { headers: { connection: 'close' } })).toMatchObject({
      code: 'INVALID_ARGUMENT',
      retryable: false,
    })
    const client = createClient(server.origin)
    await client.close()
    expect(await failure(client.open(echo), 'CLOSED')).toMatchObject({ retryable: false })
  })
})

describe('not retryable: the request has left, and may be handled', () => {
  test.each([1, 2, 8, 11])('RST_STREAM with code %i (ANS-7)', async (rstCode) => {
    await using server = await bare((stream) => stream.close(rstCode))
    expect(await outcomeAt(server.origin)).toMatchObject({ retryable: false, cause: { code: 'RESET', rstCode } })
    expect(server.asked).toHaveLength(1)
  })

  test('a connection that is lost', async () => {
    const server = createServer()
    const requests: unknown[] = []
    server.on('session', (session: ServerHttp2Session) => {
      session.on('stream', (stream) => {
        requests.push(stream)
        stream.on('error', () => {})
        session.destroy()
      })
    })
    await using at = await listen(server, undefined)
    expect(await outcomeAt(at.origin)).toMatchObject({ retryable: false, cause: { code: 'CONNECTION_LOST' } })
    expect(requests).toHaveLength(1)
  })

  test('no response in connectTimeout', async () => {
    await using server = await bare((stream) => {
      if (server.asked.length > 1) return
      stream.respond({ 'content-type': 'application/vnd.h2channel+json' })
    })
    const { sessions } = server
    // On an open connection the request leaves at once.
    const first = await createClient(server.origin, { sessions }).open(echo)
    expect(await outcomeAt(server.origin, { sessions, connectTimeout: 20 })).toMatchObject({
      retryable: false,
      cause: { code: 'CONNECT_TIMEOUT' },
    })
    expect(server.asked).toHaveLength(2)
    first.abort()
  })

  test('a peer that stops responding', async () => {
    let requests = 0
    await using peer = await startRawPeer({ answersPings: false, onRequest: () => void (requests += 1) })
    await using sessions = new SessionPool({ pingInterval: 10, pingTimeout: 20, closeTimeout: 20 })
    expect(await outcomeAt(peer.origin, { sessions })).toMatchObject({
      retryable: false,
      cause: { code: 'PEER_SILENT' },
    })
    expect(requests).toBe(1)
  })

  test('a signal that ended it', async () => {
    await using server = await bare(() => {})
    const client = createClient(server.origin, { sessions: server.sessions })
    expect(await failure(client.open(echo, { signal: AbortSignal.timeout(20) }), 'TIMEOUT')).toMatchObject({
      retryable: false,
    })
    expect(await failure(client.open(echo, { signal: AbortSignal.abort() }), 'CANCELLED')).toMatchObject({
      retryable: false,
    })
  })

  test.each([500, 502, 504, 302])('status %i', async (status) => {
    await using server = await bare((stream) => {
      stream.respond({ ':status': status })
      stream.end()
    })
    expect(await outcomeAt(server.origin)).toMatchObject({ code: 'REFUSED', retryable: false })
    expect(server.asked).toHaveLength(1)
  })
})

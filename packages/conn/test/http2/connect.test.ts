import { once } from 'node:events'
import { createServer as createHttp1Server } from 'node:http'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { createSecureServer, createServer, sensitiveHeaders } from 'node:http2'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createSocketServer } from 'node:net'
import { createSecureContext, createServer as createTlsServer } from 'node:tls'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { ConnectOptions } from '../../src/index.ts'
import { accept, connLimits, connect, SessionPool } from '../../src/index.ts'
import { listen, makeCertificate, startServer } from '../../src/testing.ts'
import type { TestServer } from '../../src/testing.ts'
import { data, frame, FrameType, goaway, ok, preface, RawLink, reset, startRawPeer } from '../support/raw-peer.ts'
import { bytes, deferred, failure, readAll, text } from '../support/support.ts'

let certificate: Awaited<ReturnType<typeof makeCertificate>>
let sessions: SessionPool
beforeAll(async () => {
  certificate = await makeCertificate()
  sessions = new SessionPool({ closeTimeout: 50 })
})
afterAll(() => sessions.close())

/** Any server on a free port, and none of its sockets left behind. */
async function listenOn(server: Server): Promise<AsyncDisposable & { readonly host: string }> {
  const open = new Set<Socket>()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

/** A cleartext server that hands out its raw streams. */
function startStreams(onStream: (stream: ServerHttp2Stream) => void): Promise<TestServer> {
  const server = createServer()
  server.on('stream', (stream) => {
    stream.on('error', () => {})
    onStream(stream)
  })
  return listen(server, undefined)
}

describe('a connected conn', () => {
  it.each([{ tls: true }, { tls: false }])('shows its request and its response (tls: $tls)', async ({ tls }) => {
    const seen = deferred<{ method: string | undefined; path: string | undefined; token: unknown; port: number }>()
    const server = tls ? createSecureServer(certificate) : createServer()
    server.on('stream', (stream, headers) => {
      void accept(stream, headers, { status: 202, headers: { 'x-answer': 'yes' } }).then((conn) => {
        const { method, path, remoteAddress, side } = conn
        expect(side).toBe('server')
        seen.resolve({ method, path, token: headers['x-token'], port: remoteAddress.port })
      })
    })
    await using running = await listen(server, tls ? certificate : undefined)
    const conn = await running.connect('/a/b?c=d', { headers: { 'x-token': 'secret' } })
    expect(conn).toMatchObject({ side: 'client', method: 'POST', path: '/a/b?c=d', status: 202, streamId: 1 })
    expect(conn.headers['x-answer']).toBe('yes')
    expect(Object.getPrototypeOf(conn.headers)).toBeNull()
    expect(Object.getOwnPropertySymbols(conn.headers)).toEqual([sensitiveHeaders])
    expect(conn.localAddress.address).toBe('127.0.0.1')
    expect(conn.remoteAddress).toEqual({ address: '127.0.0.1', port: Number(new URL(running.origin).port) })
    expect(await seen.promise).toEqual({
      method: 'POST',
      path: '/a/b?c=d',
      token: 'secret',
      port: conn.localAddress.port,
    })
    conn.abort()
  })

  it('sends the given method', async () => {
    await using server = await startServer((conn) => conn.write(bytes(conn.method)), { tls: false })
    const conn = await server.connect('/', { method: 'PUT' })
    expect([conn.method, text(await conn.read())]).toEqual(['PUT', 'PUT'])
    conn.abort()
  })

  it('uses the shared pool by default', async () => {
    await using server = await startServer((conn) => conn.close(), { tls: false })
    const conn = await connect(`${server.origin}/`)
    expect(await conn.read()).toBeNull()
    await conn.close()
    expect(server.sessions.size).toBe(0)
  })

  it('outlives the signal that connected it', async () => {
    await using server = await startServer((conn) => conn.write(bytes('hello')), { tls: false })
    const giveUp = new AbortController()
    const conn = await server.connect('/', { signal: giveUp.signal })
    giveUp.abort()
    expect(text(await conn.read())).toBe('hello')
    conn.abort()
  })

  it('resets the stream with the rstCode of the reason for an abort, otherwise with CANCEL', async () => {
    const codes: number[] = []
    const streams: (() => void)[] = []
    await using server = await startStreams((stream) => {
      stream.respond({ ':status': 200 })
      stream.once('close', () => {
        codes.push(stream.rstCode)
        streams.shift()?.()
      })
    })
    for (const reason of [
      { rstCode: 11 },
      { rstCode: 0 },
      { rstCode: 'x' },
      new Error('no code'),
      'no object',
      undefined,
    ]) {
      const conn = await server.connect()
      await new Promise<void>((resolve) => {
        streams.push(resolve)
        conn.abort(reason)
      })
    }
    expect(codes).toEqual([11, 8, 8, 8, 8, 8])
  })
})

describe('the authority', () => {
  it.each([
    { url: 'http://[::1]:PORT/x', authority: '[::1]:PORT' },
    { url: 'http://localhost:PORT', authority: 'localhost:PORT' },
    { url: 'http://LOCALHOST:PORT', authority: 'localhost:PORT' },
    { url: 'http://localhost:PORT', headers: { ':authority': 'mine.test' }, authority: 'mine.test' },
    { url: 'http://localhost:PORT', headers: { Host: 'mine.test' }, authority: undefined },
  ])('is $authority for $url (RFC 9113, section 8.3.1)', async ({ url, headers, authority }) => {
    const server = createServer()
    const asked = deferred<unknown>()
    server.on('stream', (stream, { ':authority': name }) => {
      asked.resolve(name)
      void accept(stream, {}).then((conn) => conn.close())
    })
    await once(server.listen(0), 'listening')
    const { port } = server.address() as AddressInfo
    await using own = new SessionPool({ closeTimeout: 20 })
    const conn = await connect(url.replace('PORT', String(port)), { sessions: own, headers })
    expect(await asked.promise).toBe(authority?.replace('PORT', String(port)))
    await conn.close()
    server.close()
  })

  it('has no default port', async () => {
    const asked = deferred<unknown>()
    const server = createSecureServer(certificate)
    server.on('stream', (stream, headers) => {
      asked.resolve(headers[':authority'])
      void accept(stream, headers).then((conn) => conn.close())
    })
    await using running = await listen(server, certificate)
    // It is at another port than the URL says.
    const tls = {
      ...running.tls,
      host: '127.0.0.1',
      port: Number(new URL(running.origin).port),
      servername: 'localhost',
    }
    const conn = await connect('https://named.test:443/', { tls, sessions: running.sessions })
    await conn.close()
    expect(await asked.promise).toBe('named.test')
  })

  it.each([
    { host: 'localhost', name: 'localhost' },
    { host: 'localhost.', name: 'localhost' },
    { host: '127.0.0.1', name: undefined },
  ])('is $name in the TLS handshake with $host (RFC 6066, section 3)', async ({ host, name }) => {
    const asked: string[] = []
    const context = createSecureContext(certificate)
    const server = createSecureServer({
      ...certificate,
      SNICallback(servername, tell) {
        asked.push(servername)
        tell(null, context)
      },
    })
    server.on('stream', (stream, headers) => void accept(stream, headers).then((conn) => conn.close()))
    await using running = await listen(server, certificate)
    const { port } = new URL(running.origin)
    const tls: ConnectOptions['tls'] = {
      ...running.tls,
      lookup: (_host, _options, tell) => tell(null, [{ address: '127.0.0.1', family: 4 }]),
    }
    const conn = await connect(`https://${host}:${port}`, { tls, sessions: running.sessions })
    await conn.close()
    expect(asked).toEqual(name === undefined ? [] : [name])
  })
})

describe('the names of headers', () => {
  it('are compared without case, and the last value of a name counts', async () => {
    const asked = deferred<[unknown, string[]]>()
    const server = createServer()
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
      asked.resolve([headers['x-a'], raw.filter((_name, index) => index % 2 === 0)])
      void accept(stream, headers).then((conn) => conn.close())
    })
    await using running = await listen(server, undefined)
    const conn = await running.connect('/', {
      headers: { 'X-A': '1', 'x-a': '2', 'X-Secret': 'x', [sensitiveHeaders]: ['X-Secret'] },
    })
    await conn.close()
    const [value, names] = await asked.promise
    expect(value).toBe('2')
    expect(names.toSorted()).toEqual([':authority', ':method', ':path', ':scheme', 'x-a', 'x-secret'])
  })
})

describe('an error response', () => {
  it('rejects with its status, its headers and the start of its body, and leaves no stream behind', async () => {
    const closed = deferred()
    await using server = await startStreams((stream) => {
      stream.once('close', () => closed.resolve())
      stream.respond({ ':status': 403, 'content-type': 'text/html' })
      stream.end('x'.repeat(100_000))
    })
    const error = await failure(server.connect(), 'UNEXPECTED_STATUS')
    expect(error.response).toMatchObject({ status: 403, headers: { 'content-type': 'text/html' } })
    expect(text(error.response?.body ?? null)).toBe('x'.repeat(32 * 1024))
    await closed.promise
  })

  it('may have a short body or no body', async () => {
    await using server = await startStreams((stream) => {
      stream.respond({ ':status': 500 })
      stream.end('sorry')
    })
    expect(text((await failure(server.connect(), 'UNEXPECTED_STATUS')).response?.body ?? null)).toBe('sorry')
    await using mute = await startStreams((stream) => stream.respond({ ':status': 404 }, { endStream: true }))
    const { response } = await failure(mute.connect(), 'UNEXPECTED_STATUS')
    expect([response?.status, response?.body.length]).toEqual([404, 0])
  })

  it('must send its body within the connect timeout', async () => {
    await using server = await startStreams((stream) => {
      stream.respond({ ':status': 503 })
      stream.write('wait')
    })
    const error = await failure(server.connect('/', { connectTimeout: 500 }), 'UNEXPECTED_STATUS')
    expect(text(error.response?.body ?? null)).toBe('wait')
  })
})

describe('a connection that fails', () => {
  it('rejects with CONNECT_FAILED at a port without a server', async () => {
    const gone = await listenOn(createSocketServer())
    await gone[Symbol.asyncDispose]()
    const error = await failure(connect(`http://${gone.host}`, { sessions }), 'CONNECT_FAILED')
    expect(error.message).toContain(gone.host)
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('rejects with CONNECT_FAILED for an unknown name', async () => {
    const error = await failure(connect('http://unknown.invalid', { sessions }), 'CONNECT_FAILED')
    expect(error.message).toContain('unknown.invalid')
  })

  it('rejects with TLS_FAILED for a certificate that is not trusted, or of another host', async () => {
    await using server = await listen(createSecureServer(certificate), certificate)
    const refused = async (tls: ConnectOptions['tls']): Promise<unknown> =>
      (await failure(server.connect('/', { tls }), 'TLS_FAILED')).cause
    expect(await refused({})).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    expect(await refused({ ca: certificate.cert, servername: 'elsewhere.test' })).toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })

  it('rejects with TLS_FAILED at a port without TLS', async () => {
    await using server = await listenOn(createHttp1Server())
    const error = await failure(connect(`https://${server.host}`, { sessions }), 'TLS_FAILED')
    expect(error.message).toContain(server.host)
  })

  it.each([
    { name: 'a cleartext HTTP/1 server', protocol: 'http', make: () => createHttp1Server() },
    {
      name: 'a TLS server that knows http/1.1 only',
      protocol: 'https',
      make: () => createTlsServer({ ...certificate, ALPNProtocols: ['http/1.1'] }),
    },
    { name: 'a TLS server without ALPN', protocol: 'https', make: () => createTlsServer(certificate) },
    {
      name: 'a TLS server that chooses h2, and answers in HTTP/1',
      protocol: 'https',
      make: () =>
        createTlsServer({ ...certificate, ALPNProtocols: ['h2'] }, (socket) => {
          socket.on('error', () => {})
          socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
        }),
    },
  ])('rejects with HTTP2_NOT_SUPPORTED for $name', async ({ protocol, make }) => {
    await using server = await listenOn(make())
    const tls = protocol === 'https' ? { ca: certificate.cert } : undefined
    const error = await failure(connect(`${protocol}://${server.host}`, { sessions, tls }), 'HTTP2_NOT_SUPPORTED')
    expect(error.message).toContain(server.host)
    expect(error.message.includes('without TLS')).toBe(protocol === 'http')
  })

  it.each([
    { name: 'at once', hangUp: (socket: Socket) => void socket.end() },
    { name: 'after the preface', hangUp: (socket: Socket) => void socket.once('data', () => socket.end()) },
    { name: 'with its SETTINGS alone', hangUp: (socket: Socket) => void socket.end(frame(FrameType.SETTINGS, 0, 0)) },
    { name: 'by a reset', hangUp: (socket: Socket) => void socket.resetAndDestroy() },
  ])('rejects with CONNECT_FAILED where a server hangs up $name', async ({ hangUp }) => {
    await using server = await listenOn(createSocketServer(hangUp))
    const error = await failure(connect(`http://${server.host}`, { sessions }), 'CONNECT_FAILED')
    expect(error.message).toMatch(/: .+/)
  })

  it('gives the reason of each address of a name, if all of them fail', async () => {
    const gone = await listenOn(createSocketServer())
    await gone[Symbol.asyncDispose]()
    const lookup: ConnectOptions['tls'] = {
      // As `localhost` has, on most machines.
      lookup: (_host, _options, tell) =>
        tell(null, [
          { address: '127.0.0.1', family: 4 },
          { address: '127.0.0.2', family: 4 },
        ]),
    }
    const { port } = new URL(`http://${gone.host}`)
    const error = await failure(connect(`https://two.test:${port}`, { sessions, tls: lookup }), 'CONNECT_FAILED')
    expect(error.message).toMatch(/ECONNREFUSED 127\.0\.0\.1:.*ECONNREFUSED 127\.0\.0\.2:/)
  })

  it('reports that the request was not sent, if the connection was lost before', async () => {
    await using peer = await startRawPeer({ onRequest: (socket, stream) => void socket.write(ok(stream, true)) })
    await using own = new SessionPool({ closeTimeout: 20 })
    const conn = await connect(peer.origin, { sessions: own })
    await conn.close()
    const link = await peer.link()
    // From a timer on, a reset is read before anything that is sent now has left.
    await new Promise((resolve) => {
      setTimeout(resolve)
    })
    link.socket.resetAndDestroy()
    const error = await failure(connect(peer.origin, { sessions: own }), 'CONNECTION_LOST')
    expect(error.requestSent).toBe(false)
  })

  it('reports that the request was sent, if the connection was lost after it had left', async () => {
    await using peer = await startRawPeer({ onRequest: (socket) => void socket.destroy() })
    expect((await failure(connect(peer.origin, { sessions }), 'CONNECTION_LOST')).requestSent).toBe(true)
  })

  it.each([
    { stage: 'in TCP or HTTP/2', protocol: 'http' },
    { stage: 'in TLS', protocol: 'https' },
  ])('rejects with CONNECT_TIMEOUT when the server accepts and says nothing, $stage', async ({ protocol }) => {
    await using server = await listenOn(createSocketServer())
    const url = `${protocol}://${server.host}`
    const error = await failure(connect(url, { sessions, connectTimeout: 20 }), 'CONNECT_TIMEOUT')
    expect(error.requestSent).toBe(false)
    expect(error.message).toContain('20 ms')
  })

  it('reports with CONNECT_TIMEOUT that the request was sent, if it was', async () => {
    let requests = 0
    await using server = await startStreams((stream) => {
      requests += 1
      if (requests === 1) stream.respond()
    })
    // With a connection that is there, the request leaves at once.
    const first = await server.connect()
    expect(await failure(server.connect('/', { connectTimeout: 20 }), 'CONNECT_TIMEOUT')).toMatchObject({
      requestSent: true,
    })
    first.abort()
  })

  it('reports with CONNECT_TIMEOUT that no request was sent, if GOAWAY returned it', async () => {
    let connections = 0
    const server = createSocketServer((socket) => {
      connections += 1
      if (connections > 1) return
      const link = new RawLink(socket, {
        skip: preface.length,
        onFrame({ type }) {
          if (type === FrameType.HEADERS) link.send(goaway(0, 0))
        },
      })
      link.send(frame(FrameType.SETTINGS, 0, 0))
    })
    await using listening = await listenOn(server)
    await using own = new SessionPool({ closeTimeout: 20 })
    const connecting = connect(`http://${listening.host}`, { sessions: own, connectTimeout: 500 })
    expect(await failure(connecting, 'CONNECT_TIMEOUT')).toMatchObject({ requestSent: false })
    expect(connections).toBe(2)
  })
})

describe('a signal', () => {
  it.each([
    { name: 'CANCELLED', signal: () => AbortSignal.abort(new Error('enough')), code: 'CANCELLED' as const },
    {
      name: 'TIMEOUT',
      signal: () => AbortSignal.abort(new DOMException('', 'TimeoutError')),
      code: 'TIMEOUT' as const,
    },
  ])('that was aborted before opens no connection: $name', async ({ signal, code }) => {
    const own = new SessionPool()
    const given = signal()
    const error = await failure(connect('http://127.0.0.1:1', { signal: given, sessions: own }), code)
    expect(error.cause).toBe(given.reason)
    expect(own.size).toBe(0)
  })

  it('cancels connecting, ends the attempt, and harms no later one', async () => {
    const connected = deferred<Socket>()
    await using silent = await listenOn(createSocketServer((socket) => connected.resolve(socket)))
    const giveUp = new AbortController()
    const url = `https://${silent.host}`
    const own = new SessionPool()
    const connecting = failure(connect(url, { signal: giveUp.signal, sessions: own }), 'CANCELLED')
    const socket = await connected.promise
    const ended = once(socket, 'close')
    socket.resume()
    giveUp.abort()
    await connecting
    await failure(connect(url, { sessions: own, connectTimeout: 50 }), 'CONNECT_TIMEOUT')
    await ended
    await own.close()
    expect(own.size).toBe(0)
  })

  it('of one caller does not end the connection of another', async () => {
    await using server = await startServer((conn) => conn.write(bytes('hello')))
    const giveUp = new AbortController()
    const first = failure(server.connect('/', { signal: giveUp.signal }), 'CANCELLED')
    const second = server.connect()
    giveUp.abort()
    await first
    const conn = await second
    expect(text(await conn.read())).toBe('hello')
    expect(server.sessions.size).toBe(1)
    conn.abort()
  })

  it.each([
    { code: 'CANCELLED' as const, reason: new Error('enough') },
    { code: 'TIMEOUT' as const, reason: new DOMException('late', 'TimeoutError') },
  ])('gives up waiting for the response with $code, and resets the stream', async ({ code, reason }) => {
    const giveUp = new AbortController()
    const ended = deferred<unknown>()
    const seen: unknown[] = []
    await using server = await startStreams((stream) => {
      // The half that was given up must not look as if it had ended.
      stream.on('end', () => seen.push(stream.rstCode))
      stream.once('close', () => ended.resolve(stream.rstCode))
      stream.resume()
      giveUp.abort(reason)
    })
    const error = await failure(server.connect('/', { signal: giveUp.signal }), code)
    expect(error.cause).toBe(reason)
    expect(await ended.promise).toBe(8)
    expect(seen.filter((rstCode) => rstCode !== 8)).toEqual([])
  })
})

describe('an invalid argument', () => {
  it.each(['nonsense', 'ftp://127.0.0.1/', '/relative'])('is rejected: %s', async (url) => {
    expect((await failure(connect(url), 'INVALID_ARGUMENT')).fatal).toBe(false)
  })

  it.each([
    'http://user:secret@127.0.0.1:1/',
    'http://:secret@127.0.0.1:1/',
    'http://secret@127.0.0.1:1/',
    'https://user:secret@127.0.0.1:99999/',
    'ftp://user:secret@127.0.0.1/',
    '127.0.0.1/?token=secret',
  ])('is refused, and not repeated: %s', async (url) => {
    const error = await failure(connect(url), 'INVALID_ARGUMENT')
    expect(inspect(error)).not.toContain('secret')
  })

  it('is rejected: TLS options for cleartext', async () => {
    const error = await failure(connect('http://127.0.0.1:1/', { tls: {} }), 'INVALID_ARGUMENT')
    expect(error.message).toContain('https:')
  })

  const refused: readonly { readonly name: string; readonly options: ConnectOptions }[] = [
    { name: 'a header name with a space', options: { headers: { 'no name': 'x' } } },
    { name: 'an empty header name', options: { headers: { '': 'x' } } },
    { name: 'a header of HTTP/1', options: { headers: { connection: 'keep-alive' } } },
    { name: 'a pseudo-header that HTTP/2 does not know', options: { headers: { ':nonsense': 'x' } } },
    { name: 'the method CONNECT', options: { method: 'CONNECT' } },
    { name: 'a header of 66 kB', options: { headers: { 'x-big': 'a'.repeat(66_000) } } },
    {
      name: 'headers of 100 kB together',
      options: { headers: { 'x-big': Array<string>(1_000).fill('a'.repeat(100)) } },
    },
  ]
  it.each(refused)('is rejected, and harms no conn of the same session: $name', async ({ options }) => {
    await using server = await startServer(
      async (conn) => {
        for await (const chunk of conn) await conn.write(chunk)
        await conn.close()
      },
      { tls: false },
    )
    const conn = await server.connect()
    await failure(server.connect('/', options), 'INVALID_ARGUMENT')
    await conn.write(bytes('still here'))
    expect(text(await conn.read())).toBe('still here')
    await conn.close()
  })

  it('is rejected: headers above the limit of the server, and no headers below it', async () => {
    const server = createServer({ settings: { maxHeaderListSize: 10_000 } })
    server.on('stream', (stream, headers) => void accept(stream, headers).then((conn) => conn.close()))
    await using running = await listen(server, undefined)
    const { message } = await failure(
      running.connect('/', { headers: { 'x-big': 'a'.repeat(10_000) } }),
      'INVALID_ARGUMENT',
    )
    expect(message).toMatch(/have 1\d{4} bytes, and the limit is 10000/)
    await failure(running.connect(`/${'a'.repeat(10_000)}`), 'INVALID_ARGUMENT')
    const conn = await running.connect('/', { headers: { 'x-big': 'a'.repeat(9_000) } })
    await conn.close()
    expect(running.sessions.size).toBe(1)
  })

  it('does not include headers up to the documented limit', async () => {
    await using server = await startServer((conn) => conn.close(), { tls: false })
    const conn = await server.connect('/', { headers: { 'x-big': 'a'.repeat(connLimits.headerBytes - 512) } })
    expect(conn.status).toBe(200)
    await conn.close()
  })

  it('is rejected: TLS options', async () => {
    const own = new SessionPool()
    await failure(connect('https://127.0.0.1:1', { tls: { cert: 'nonsense' }, sessions: own }), 'INVALID_ARGUMENT')
    expect(own.size).toBe(0)
  })
})

describe('an open stream', () => {
  it('fails with CONNECTION_LOST at every wait when the server dies', async () => {
    const sockets: Socket[] = []
    const http2 = createServer()
    http2.on('connection', (socket: Socket) => sockets.push(socket))
    http2.on('stream', (stream) => stream.respond({ ':status': 200 }))
    await using server = await listen(http2, undefined)
    const conn = await server.connect()
    const read = failure(conn.read(), 'CONNECTION_LOST')
    for (const socket of sockets) socket.resetAndDestroy()
    await read
    await failure(conn.write(bytes('a')), 'CONNECTION_LOST')
    expect(await conn.closed).toMatchObject({
      clean: false,
      error: { code: 'CONNECTION_LOST', side: 'remote', fatal: true },
    })
  })

  it.each([
    { name: 'NO_ERROR', code: 0 },
    { name: 'PROTOCOL_ERROR', code: 1 },
    { name: 'INTERNAL_ERROR', code: 2 },
    { name: 'REFUSED_STREAM', code: 7 },
    { name: 'CANCEL', code: 8 },
    { name: 'ENHANCE_YOUR_CALM', code: 11 },
    { name: 'code 99', code: 99 },
  ])('fails with RESET when the peer resets it with $name, which is no clean end', async ({ name, code }) => {
    const sent = deferred<() => void>()
    await using peer = await startRawPeer({
      onRequest(socket, stream) {
        socket.write(ok(stream))
        sent.resolve(() => socket.write(reset(stream, code)))
      },
    })
    const conn = await connect(peer.origin, { sessions })
    const waits = [conn.read(), conn.read()]
    ;(await sent.promise)()
    const errors = await Promise.all(waits.map((wait) => failure(wait, 'RESET')))
    for (const error of errors) {
      expect(error.rstCode).toBe(code)
      expect(error.message).toContain(name)
    }
    await failure(conn.write(bytes('a')), 'RESET')
    expect((await conn.closed).clean).toBe(false)
  })

  it('fails with RESET when it is reset before the response', async () => {
    await using peer = await startRawPeer({ onRequest: (socket, stream) => socket.write(reset(stream, 7)) })
    expect((await failure(connect(peer.origin, { sessions }), 'RESET')).rstCode).toBe(7)
  })

  it('fails with CONNECTION_LOST when the connection ends before the response', async () => {
    await using peer = await startRawPeer({ onRequest: (socket) => void socket.end() })
    const error = await failure(connect(peer.origin, { sessions }), 'CONNECTION_LOST')
    expect(error.message).toContain(new URL(peer.origin).host)
  })

  it('wakes a waiting writer when the peer stops with NO_ERROR, with bytes unread on this side', async () => {
    const stop = deferred<() => void>()
    await using peer = await startRawPeer({
      onRequest(socket, stream) {
        socket.write(Buffer.concat([ok(stream), data(stream, 'unread')]))
        stop.resolve(() => socket.write(reset(stream, 0)))
      },
    })
    const conn = await connect(peer.origin, { sessions })
    const writing = (async (): Promise<never> => {
      for (;;) await conn.write(new Uint8Array(16 * 1024))
    })()
    ;(await stop.promise)()
    expect((await failure(writing, 'RESET')).rstCode).toBe(0)
    expect((await conn.closed).clean).toBe(false)
  })
})

describe('a complete body', () => {
  const endings: readonly { readonly name: string; readonly frames: (stream: number) => readonly Buffer[] }[] = [
    { name: 'nothing else', frames: () => [] },
    { name: 'RST_STREAM(NO_ERROR)', frames: (stream) => [reset(stream, 0)] },
    { name: 'RST_STREAM(CANCEL)', frames: (stream) => [reset(stream, 8)] },
    { name: 'GOAWAY with an error', frames: (stream) => [goaway(stream, 2)] },
  ]
  it.each(endings)('is read to its end, in the same packet as the headers and $name', async ({ frames }) => {
    await using peer = await startRawPeer({
      onRequest(socket, stream) {
        socket.write(Buffer.concat([ok(stream), data(stream, 'one '), data(stream, 'two', true), ...frames(stream)]))
      },
    })
    const conn = await connect(peer.origin, { sessions })
    expect(await readAll(conn)).toBe('one two')
    expect(await conn.read()).toBeNull()
    conn.abort()
  })

  it.each([
    { name: 'the connection is lost', end: (socket: Socket) => void socket.end() },
    { name: 'the stream is reset', end: (socket: Socket, stream: number) => void socket.write(reset(stream, 2)) },
    { name: 'the stream is stopped', end: (socket: Socket, stream: number) => void socket.write(reset(stream, 0)) },
  ])('is still there to be read after $name', async ({ end }) => {
    const arrived = deferred<() => void>()
    await using peer = await startRawPeer({
      onRequest(socket, stream) {
        socket.write(Buffer.concat([ok(stream), data(stream, 'first')]))
        arrived.resolve(() => {
          socket.write(Buffer.concat([data(stream, ' second'), data(stream, ' third', true)]))
          end(socket, stream)
        })
      },
    })
    const conn = await connect(peer.origin, { sessions })
    expect(text(await conn.read())).toBe('first')
    ;(await arrived.promise)()
    const closed = await conn.closed
    expect(closed.clean).toBe(false)
    expect(await readAll(conn)).toBe(' second third')
  })
})

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { connect as connectHttp2, createSecureServer, createServer } from 'node:http2'
import { request as requestHttp1 } from 'node:https'
import { describe, expect, it } from 'vitest'

import type { AcceptOptions, Http2Conn } from '../../src/index.ts'
import { accept, widenWindows } from '../../src/index.ts'
import type { TestServer } from '../../src/testing.ts'
import { listen, makeCertificate } from '../../src/testing.ts'
import { bytes, deferred, failure, readAll, text } from '../support/support.ts'

type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void | Promise<void>

function startRequests(handler: Handler): Promise<TestServer> {
  const server = createServer((request, response) => {
    void handler(request, response)
  })
  return listen(server, undefined)
}

describe('accept(request, response)', () => {
  it('answers with the status and the headers, and keeps the headers that were set before', async () => {
    await using server = await startRequests(async (request, response) => {
      response.setHeader('x-early', 'kept')
      response.setHeader('x-both', 'early')
      response.setHeader('x-case', 'early')
      const headers = { 'x-late': 'added', 'x-both': 'late', 'X-Case': 'late' }
      const conn = await accept(request, response, { status: 201, headers })
      expect(conn).toMatchObject({ side: 'server', method: 'POST', path: '/here?now', status: 201 })
      expect(conn.headers['x-question']).toBe('asked')
      await conn.write(bytes('hello'))
      await conn.close()
    })
    const conn = await server.connect('/here?now', { headers: { 'x-question': 'asked' } })
    expect(conn.status).toBe(201)
    expect(conn.headers).toMatchObject({ 'x-early': 'kept', 'x-late': 'added', 'x-both': 'late', 'x-case': 'late' })
    expect(await readAll(conn)).toBe('hello')
    await conn.close()
  })

  it('makes a conn that outlives its handler', async () => {
    const accepted = deferred<Http2Conn>()
    await using server = await startRequests((request, response) => accepted.resolve(accept(request, response)))
    const client = await server.connect()
    const conn = await accepted.promise
    for (const word of ['one', 'two']) {
      await client.write(bytes(word))
      expect(text(await conn.read())).toBe(word)
      await conn.write(bytes(word))
      expect(text(await client.read())).toBe(word)
    }
    await Promise.all([conn.close(), client.close()])
  })

  it('lets the server close first: the client reads the rest, then null', async () => {
    await using server = await startRequests(async (request, response) => {
      const conn = await accept(request, response)
      await conn.write(bytes('last words'))
      await conn.close()
    })
    const conn = await server.connect()
    expect(await readAll(conn)).toBe('last words')
    expect(await conn.read()).toBeNull()
    await conn.close()
    expect(await conn.closed).toEqual({ clean: true })
  })

  it('reads a request that had ended before it was accepted', async () => {
    const ended = deferred()
    const read = deferred<string>()
    await using server = await startRequests(async (request, response) => {
      await ended.promise
      const conn = await accept(request, response)
      read.resolve(readAll(conn))
      await conn.close()
    })
    const http2 = connectHttp2(server.origin)
    const stream = http2.request({ ':method': 'POST' })
    stream.end('early', () => ended.resolve())
    expect(await read.promise.catch((error: unknown) => error)).toMatchObject({ code: 'CLOSED' })
    http2.destroy()
  })

  it('accepts a request without a body', async () => {
    const read = deferred<Uint8Array | null>()
    await using server = await startRequests(async (request, response) => {
      const conn = await accept(request, response)
      read.resolve(await conn.read())
      await conn.close()
    })
    const http2 = connectHttp2(server.origin)
    http2.request({ ':method': 'GET' }).resume()
    expect(await read.promise).toBeNull()
    http2.destroy()
  })

  it('rejects a second time with ALREADY_RESPONDED, and leaves the first conn alone', async () => {
    await using server = await startRequests(async (request, response) => {
      const conn = await accept(request, response)
      await failure(accept(request, response), 'ALREADY_RESPONDED')
      await conn.write(bytes('still here'))
      await conn.close()
    })
    const conn = await server.connect()
    expect(await readAll(conn)).toBe('still here')
    await conn.close()
  })

  it('rejects with CONNECTION_LOST when the client is gone', async () => {
    const started = deferred()
    const rejected = deferred<string>()
    await using server = await startRequests((request, response) => {
      started.resolve()
      request.stream.once('close', () => {
        void failure(accept(request, response), 'CONNECTION_LOST').then(({ message }) => rejected.resolve(message))
      })
    })
    const giveUp = new AbortController()
    const connecting = failure(server.connect('/', { signal: giveUp.signal }), 'CANCELLED')
    await started.promise
    giveUp.abort()
    await connecting
    expect(await rejected.promise).toContain('left')
  })

  const refused: readonly { readonly name: string; readonly options: AcceptOptions }[] = [
    { name: 'an invalid header name', options: { headers: { 'no name': 'x' } } },
    { name: 'a header of HTTP/1', options: { headers: { 'transfer-encoding': 'chunked' } } },
    { name: 'a pseudo-header', options: { headers: { ':path': '/' } } },
    { name: 'an invalid status', options: { status: 1000 } },
    { name: 'status 101', options: { status: 101 } },
    { name: 'a header of 66 kB', options: { headers: { 'x-big': 'a'.repeat(66_000) } } },
    { name: 'status 204, which has no body', options: { status: 204 } },
  ]
  it.each(refused)('rejects $name with INVALID_ARGUMENT, and leaves the response unsent', async ({ options }) => {
    await using server = await startRequests(async (request, response) => {
      await failure(accept(request, response, options), 'INVALID_ARGUMENT')
      const conn = await accept(request, response)
      await conn.close()
    })
    const conn = await server.connect()
    expect([conn.status, await conn.read()]).toEqual([200, null])
    await conn.close()
  })

  it('rejects a HEAD request with INVALID_ARGUMENT', async () => {
    await using server = await startRequests(async (request, response) => {
      await failure(accept(request, response), 'INVALID_ARGUMENT')
      response.statusCode = 405
      response.end()
    })
    const session = connectHttp2(server.origin, { ...server.tls })
    const answered = session.request({ ':method': 'HEAD' })
    const status = await new Promise((resolve) => answered.once('response', (headers) => resolve(headers[':status'])))
    expect(status).toBe(405)
    await new Promise<void>((resolve) => session.close(resolve))
  })

  it('keeps a wider window', async () => {
    const http2 = createServer({ settings: { initialWindowSize: 4 * 1024 * 1024 } }, (request, response) => {
      void accept(request, response).then((conn) => conn.close())
    })
    http2.on('session', widenWindows)
    await using server = await listen(http2, undefined)
    const session = connectHttp2(server.origin)
    const windows: unknown[] = []
    session.on('remoteSettings', (settings) => windows.push(settings.initialWindowSize))
    const stream = session.request({ ':method': 'POST' }).resume()
    stream.end()
    await new Promise((resolve) => stream.once('close', resolve))
    await new Promise((resolve, reject) =>
      session.ping((error) => (error === null ? resolve(undefined) : reject(error))),
    )
    expect(windows).toEqual([4 * 1024 * 1024])
    await new Promise<void>((resolve) => session.close(resolve))
  })

  it('rejects HTTP/1 with HTTP2_NOT_SUPPORTED, and leaves its response to be sent', async () => {
    const certificate = await makeCertificate()
    const handler = async (
      request: Http2ServerRequest | IncomingMessage,
      response: Http2ServerResponse | ServerResponse,
    ) => {
      await failure(accept(request, response), 'HTTP2_NOT_SUPPORTED')
      response.writeHead(426)
      response.end('HTTP/2, please')
    }
    const http2 = createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
      void handler(request, response)
    })
    await using server = await listen(http2, certificate)
    const answered = deferred<readonly [number | undefined, string]>()
    const request = requestHttp1(server.origin, { ca: certificate.cert, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => answered.resolve([response.statusCode, body]))
    })
    request.end()
    expect(await answered.promise).toEqual([426, 'HTTP/2, please'])
  })
})

describe('accept(stream, headers)', () => {
  it('makes a conn in a listener of the `stream` event', async () => {
    const http2 = createServer()
    http2.on('stream', (stream, headers) => {
      void (async () => {
        const conn = await accept(stream, headers, { headers: { 'x-answer': 'yes' } })
        await failure(accept(stream, headers), 'ALREADY_RESPONDED')
        for await (const chunk of conn) await conn.write(chunk)
        await conn.close()
      })()
    })
    await using server = await listen(http2, undefined)
    const conn = await server.connect()
    expect(conn.headers['x-answer']).toBe('yes')
    await conn.write(bytes('echo'))
    await conn.closeWrite()
    expect(await readAll(conn)).toBe('echo')
    await conn.close()
  })

  it('gives each conn headers of its own: what a program does to them reaches no other conn of the session', async () => {
    const conns: Http2Conn[] = []
    const http2 = createServer()
    http2.on('stream', (stream, headers) => {
      void accept(stream, headers).then((conn) => conns.push(conn))
    })
    await using server = await listen(http2, undefined)
    const open = (): Promise<Http2Conn> => server.connect('/', { headers: { 'x-same': 'same', 'x-own': 'own' } })
    await open()
    const first = conns[0]?.headers
    if (first === undefined) throw new Error('no conn')
    first['x-own'] = 'changed'
    Object.defineProperty(first, 'x-same', {
      get() {
        throw new Error('another conn reads this')
      },
    })
    await open()
    expect([conns[1]?.headers['x-same'], conns[1]?.headers['x-own']]).toEqual(['same', 'own'])
  })
})

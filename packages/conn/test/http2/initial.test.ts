/** Bytes that `connect` sends together with its request. */
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:http2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { accept, connect, connLimits, SessionPool } from '../../src/index.ts'
import { listen } from '../../src/testing.ts'
import type { Frame } from '../support/raw-peer.ts'
import { data, Flag, FrameType, goaway, ok, reset, startRawPeer } from '../support/raw-peer.ts'
import { bytes, deferred, failure, readAll, text } from '../support/support.ts'

let sessions: SessionPool
beforeAll(() => {
  sessions = new SessionPool({ closeTimeout: 50 })
})
afterAll(() => sessions.close())

/** Over both windows of a stream: that of the peer, and what its sockets hold. */
const large = new Uint8Array(4 * connLimits.streamWindow).map((_byte, index) => index % 251)

function serving(onStream: (stream: ServerHttp2Stream) => void): Http2Server {
  const server = createServer({ settings: { initialWindowSize: connLimits.streamWindow } })
  server.on('stream', (stream) => {
    stream.on('error', () => {})
    onStream(stream)
  })
  return server
}

async function readBody(stream: ServerHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const isEnd = ({ type, flags }: Frame): boolean => type === FrameType.DATA && (flags & Flag.END_STREAM) !== 0

describe('the bytes of a request', () => {
  it.each([{ end: false }, { end: true }])(
    'leave in one packet with it, before any response (end: $end)',
    async ({ end }) => {
      await using peer = await startRawPeer()
      const first = connect(peer.origin, { sessions })
      const { link } = await peer.request()
      link.send(ok(1))
      const other = await first
      const packets: Buffer[] = []
      link.socket.on('data', (chunk) => packets.push(chunk))
      const connecting = connect(peer.origin, { sessions, initial: bytes('hello'), end })
      const sent = await link.take(FrameType.DATA, ({ stream }) => stream === 3)
      expect(sent).toMatchObject({ flags: end ? Flag.END_STREAM : 0, payload: Buffer.from('hello') })
      expect(packets).toHaveLength(1)
      link.send(ok(3), data(3, 'world', true))
      const conn = await connecting
      expect(await readAll(conn)).toBe('world')
      await conn.close()
      expect(await conn.closed).toEqual({ clean: true })
      other.abort()
    },
  )

  it('end the half of this side with it', async () => {
    await using peer = await startRawPeer({ onRequest: (socket, stream) => socket.write(ok(stream)) })
    const conn = await connect(peer.origin, { sessions, initial: bytes('all'), end: true })
    await failure(conn.write(bytes('more')), 'CLOSED')
    await conn.closeWrite()
    const { link, stream } = await peer.request()
    link.send(data(stream, 'answer', true))
    expect(await readAll(conn)).toBe('answer')
    expect(await conn.closed).toEqual({ clean: true })
  })

  it('may be none, with an end', async () => {
    await using peer = await startRawPeer({ onRequest: (socket, stream) => socket.write(ok(stream, true)) })
    const conn = await connect(peer.origin, { sessions, end: true })
    const { link } = await peer.request()
    expect((await link.take(FrameType.DATA)).payload).toHaveLength(0)
    expect(await conn.read()).toBeNull()
    expect(await conn.closed).toEqual({ clean: true })
  })

  it('are taken whole where they exceed the window, and hold back what follows', async () => {
    const streams: ServerHttp2Stream[] = []
    const server = serving((stream) => {
      streams.push(stream)
      stream.respond({ ':status': 200 })
      if (streams.length > 1) stream.end()
    })
    await using at = await listen(server, undefined)
    const conn = await connect(at.origin, { sessions: at.sessions, initial: large })
    let isAccepted = false
    const writing = conn.write(bytes('!')).then(() => (isAccepted = true))
    // An exchange on the connection after which an accepted write would have resolved.
    await (await connect(at.origin, { sessions: at.sessions })).close()
    const [stream] = streams
    if (stream === undefined) throw new Error('no request came')
    expect(isAccepted).toBe(false)
    const body = readBody(stream)
    await writing
    await conn.closeWrite()
    expect(Buffer.concat([large, bytes('!')]).equals(await body)).toBe(true)
    stream.end()
    await conn.close()
  })

  it('are delivered whole where the request ends with them', async () => {
    const server = serving((stream) => {
      stream.respond({ ':status': 200 })
      void readBody(stream).then((body) => stream.end(String(body.equals(large))))
    })
    await using at = await listen(server, undefined)
    const conn = await connect(at.origin, { sessions: at.sessions, initial: large, end: true })
    expect(await readAll(conn)).toBe('true')
    expect(await conn.closed).toEqual({ clean: true })
  })

  it('are sent again with the request after GOAWAY', async () => {
    let requests = 0
    await using peer = await startRawPeer({
      onRequest(socket, stream) {
        requests += 1
        if (requests < 3) setImmediate(() => socket.write(goaway(0, 0)))
        else socket.write(ok(stream))
      },
    })
    const conn = await connect(peer.origin, { sessions, initial: bytes('again'), end: true })
    for (let count = 0; count < 3; count += 1) {
      const { link } = await peer.request()
      expect((await link.take(FrameType.DATA, isEnd)).payload.toString()).toBe('again')
    }
    conn.abort()
  })

  it('are dropped when connecting is cancelled, and the stream is reset', async () => {
    const opened = deferred<ServerHttp2Stream>()
    await using at = await listen(serving(opened.resolve), undefined)
    const controller = new AbortController()
    const connecting = connect(at.origin, { sessions: at.sessions, initial: large, signal: controller.signal })
    const stream = await opened.promise
    const closed = new Promise((resolve) => stream.once('close', () => resolve(stream.rstCode)))
    controller.abort()
    await failure(connecting, 'CANCELLED')
    expect(await closed).toBe(8)
  })

  it.each([
    ['reads none of them', (): void => {}],
    ['discards them', (stream: ServerHttp2Stream): void => void stream.resume()],
  ])('end with a refusal of a server that %s', async (_what, handle) => {
    const opened = deferred<ServerHttp2Stream>()
    const server = serving((stream) => {
      handle(stream)
      stream.respond({ ':status': 415 })
      stream.end('no')
      opened.resolve(stream)
    })
    await using at = await listen(server, undefined)
    const error = await failure(connect(at.origin, { sessions: at.sessions, initial: large }), 'UNEXPECTED_STATUS')
    expect(error.response).toMatchObject({ status: 415 })
    expect(text(error.response?.body ?? null)).toBe('no')
    const stream = await opened.promise
    // Nothing of it is left behind.
    if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  })

  it('may be refused by a reset alone', async () => {
    await using peer = await startRawPeer({ onRequest: (socket, stream) => socket.write(reset(stream, 7)) })
    const options = { sessions, initial: bytes('no'), end: true }
    expect(await failure(connect(peer.origin, options), 'RESET')).toMatchObject({ rstCode: 7 })
  })

  it('are refused where they are no bytes, before anything is sent', async () => {
    const initial = 'text' as unknown as Uint8Array
    const error = await failure(connect('http://127.0.0.1:1', { sessions, initial }), 'INVALID_ARGUMENT')
    expect(error.message).toContain('Uint8Array')
  })

  it('can be read by an accepted conn at once', async () => {
    const server = createServer()
    server.on('stream', (stream, headers) => {
      void accept(stream, headers).then(async (conn) => {
        for await (const chunk of conn) await conn.write(chunk)
        await conn.close()
      })
    })
    await using at = await listen(server, undefined)
    const conn = await connect(at.origin, { sessions: at.sessions, initial: bytes('echo'), end: true })
    expect(await readAll(conn)).toBe('echo')
  })
})

describe('what requests have in common', () => {
  function seen(): { readonly server: Http2Server; readonly asked: IncomingHttpHeaders[] } {
    const asked: IncomingHttpHeaders[] = []
    const server = createServer()
    server.on('stream', (stream, headers) => {
      asked.push(headers)
      stream.respond({ ':status': 200 }, { endStream: true })
    })
    return { server, asked }
  }

  it('is one URL object with a path for each, sent as it is', async () => {
    const { server, asked } = seen()
    await using at = await listen(server, undefined)
    const url = new URL(`${at.origin}/left/out?a=b`)
    for (const path of ['/x?y=%20z', '/', undefined]) {
      await (await connect(url, { sessions: at.sessions, path })).close()
    }
    url.pathname = '/changed'
    await (await connect(url, { sessions: at.sessions })).close()
    expect(asked.map((headers) => headers[':path'])).toEqual(['/x?y=%20z', '/', '/left/out?a=b', '/changed?a=b'])
    for (const path of ['', 'x', '/a b', '/a#b', '/\n', '/ü']) {
      await failure(connect(url, { sessions: at.sessions, path }), 'INVALID_ARGUMENT')
    }
  })

  it('is one frozen object of headers', async () => {
    const { server, asked } = seen()
    await using at = await listen(server, undefined)
    const given = [
      { 'x-a': '1' },
      { 'X-A': '2' },
      { host: 'other.test', 'x-a': '3' },
      { ':authority': 'a.test', 'x-a': '4' },
    ]
    for (const headers of given) {
      Object.freeze(headers)
      for (let count = 0; count < 2; count += 1)
        await (await connect(at.origin, { sessions: at.sessions, headers })).close()
    }
    const own = new URL(at.origin).host
    expect(asked.map((headers) => `${String(headers['x-a'])} ${headers.host ?? headers[':authority']}`)).toEqual(
      [`1 ${own}`, `2 ${own}`, '3 other.test', '4 a.test'].flatMap((line) => [line, line]),
    )
  })

  it('is refused each time where it is invalid, or too large', async () => {
    const { server, asked } = seen()
    await using at = await listen(server, undefined)
    for (const headers of [{ 'x a': '1' }, { 'x-a': 'a\nb' }, { 'x-a': 'x'.repeat(connLimits.headerBytes) }]) {
      Object.freeze(headers)
      for (let count = 0; count < 2; count += 1) {
        await failure(connect(at.origin, { sessions: at.sessions, headers }), 'INVALID_ARGUMENT')
      }
    }
    expect(asked).toEqual([])
  })
})

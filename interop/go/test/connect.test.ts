import { defineRoute, newlineDelimited } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { json } from '@h2channel/codecs'
import { connect, SessionPool } from '@h2channel/conn'
import type { ConnectOptions, Http2Conn } from '@h2channel/conn'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { Message } from './programs.ts'
import { GoServer } from './programs.ts'
import * as support from './support.ts'
import { mebibyte } from './support.ts'

const decode = new TextDecoder()
const encode = new TextEncoder()

describe.each(support.transports)('connect of h2channel, h2conn.Server.Accept, %s', (transport) => {
  let files: support.CertificateFiles | undefined
  let tls: { readonly ca: string } | undefined
  let go: GoServer
  let conversations = 0
  const sessions = new SessionPool()

  beforeAll(async () => {
    files = await support.certificateFor(transport)
    tls = files === undefined ? undefined : { ca: files.pem.cert }
    go = await GoServer.start(files)
  })

  afterAll(async () => {
    await sessions.close()
    await go[Symbol.asyncDispose]()
  })

  /** Opens a conn. Its id names it in Go's reports. */
  async function open(path: string, options: ConnectOptions = {}): Promise<{ id: string; conn: Http2Conn }> {
    conversations += 1
    const id = `${path} ${conversations}`
    const headers = { ...options.headers, 'x-id': id }
    const conn = await connect(new URL(path, go.origin), { tls, sessions, ...options, headers })
    return { id, conn }
  }

  test('JSON lines, interleaved, in both directions', async () => {
    const { id, conn } = await open('/json')
    await using channel = support.jsonLines(conn)
    expect(await channel.receive()).toEqual({ n: 0, text: 'welcome' })
    const messages = support.numbered(50)
    const received = support.all(channel)
    for (const message of messages) await channel.send(message)
    await channel.end()
    expect(await received).toEqual([...support.repliesTo(messages), { n: 50, text: 'bye' }])
    expect(await go.report(id)).toEqual({ id, messages })
    expect(await channel.closed).toEqual({ clean: true })
  })

  test('JSON lines, each answered before the next', async () => {
    const { id, conn } = await open('/json')
    await using channel = support.jsonLines(conn)
    expect(await channel.receive()).toEqual({ n: 0, text: 'welcome' })
    for (const n of [1, 4, 7]) {
      await channel.send({ n, text: 'ping' })
      expect(await channel.receive()).toEqual({ n, text: 'ping' })
    }
    await channel.end()
    expect(await support.all(channel)).toEqual([{ n: 3, text: 'bye' }])
    expect((await go.report(id)).messages).toHaveLength(3)
  })

  test('JSON lines through a client of h2channel, for a route that prefers them', async () => {
    const route = defineRoute('/json', {
      client: json<Message>(),
      server: json<Message>(),
      framing: newlineDelimited(),
    })
    const client = createClient(go.origin, tls === undefined ? {} : { tls })
    await using channel = await client.open(route)
    expect(await channel.receive()).toEqual({ n: 0, text: 'welcome' })
    await channel.send({ n: 1, text: support.trickyText })
    await channel.end()
    expect(await support.all(channel)).toEqual([
      { n: 1, text: support.trickyText },
      { n: 1, text: 'bye' },
    ])
  })

  test('buffers of constant size, as io.ReadFull reads them', async () => {
    const size = 5_000
    const { id, conn } = await open(`/fixed?size=${size}`)
    await using channel = support.buffers(conn, size)
    const sent = Array.from({ length: 300 }, (_, n) => new Uint8Array(size).fill(n & 0xff).fill(n >> 8, 0, 7))
    const received = support.all(channel)
    for (const buffer of sent) await channel.send(buffer)
    await channel.end()
    const expected = sent.map((buffer) => buffer.toReversed())
    expect(Buffer.concat(await received).equals(Buffer.concat(expected))).toBe(true)
    expect(await go.report(id)).toEqual({ id, count: 300, eof: true })
  })

  test('records of constant size, as encoding/binary reads them', async () => {
    const { id, conn } = await open('/struct')
    await using channel = support.flights(conn)
    const received = support.all(channel)
    const sent = Array.from({ length: 500 }, (_, n) => ({ delay: 1 - 2 * n, distance: 65_535 - n, time: n / 4 }))
    for (const flight of sent) await channel.send(flight)
    await channel.end()
    expect(await received).toEqual(sent.map((flight) => ({ ...flight, delay: 2 * flight.delay })))
    expect(await go.report(id)).toEqual({ id, count: 500, eof: true })
  })

  test('a truncated buffer is io.ErrUnexpectedEOF in Go', async () => {
    const { id, conn } = await open('/fixed?size=100')
    await conn.write(new Uint8Array(150))
    await conn.close()
    expect(await go.report(id)).toEqual({ id, count: 1, error: 'unexpected EOF' })
  })

  test('method and headers reach Go, its status and headers reach the client', async () => {
    const { id, conn } = await open('/headers', { method: 'PUT', headers: { 'x-from-node': 'hello from Node' } })
    expect(conn.status).toBe(202)
    expect(conn.headers['x-from-go']).toBe('hello from Go')
    await conn.write(encode.encode('done'))
    await conn.close()
    expect(await go.report(id)).toEqual({ id, method: 'PUT', header: 'hello from Node', text: 'done' })
  })

  test.each([
    { path: '/refused', status: 403, body: 'this is no place for you\n', header: 'not today' },
    { path: '/nowhere', status: 404, body: '404 page not found\n', header: undefined },
  ])('$status from Go is UNEXPECTED_STATUS', async ({ path, status, body, header }) => {
    const { code, response } = await support.failure(open(path))
    expect(code).toBe('UNEXPECTED_STATUS')
    expect(response?.status).toBe(status)
    expect(response?.headers['x-from-go']).toBe(header)
    expect(decode.decode(response?.body)).toBe(body)
  })

  test('the client ends its half first: all of the answer still arrives', async () => {
    const { id, conn } = await open(`/answer?bytes=${4 * mebibyte}`)
    await conn.write(encode.encode('all that Node says'))
    await conn.closeWrite()
    expect(await support.countBytes(conn)).toBe(4 * mebibyte)
    expect(await conn.closed).toEqual({ clean: true })
    expect(await go.report(id)).toEqual({ id, text: 'all that Node says' })
  })

  // No server in Go can end only its half: a handler's return ends the response, and resets what a client still sends.
  test('Go ends first, which ends both halves: all that it sent arrives, then null', async () => {
    const { id, conn } = await open(`/leave?bytes=${4 * mebibyte}`)
    expect(await support.countBytes(conn)).toBe(4 * mebibyte)
    expect(await conn.read()).toBeNull()
    expect(await support.brokenOff(conn)).toMatchObject({ code: 'RESET', rstCode: 0 })
    expect((await support.failure(conn.write(new Uint8Array(1)))).code).toBe('RESET')
    expect(await go.report(id)).toEqual({ id })
  })

  // It cancels the request's context, which the handler waits for.
  test("h2conn's Close ends both halves once the handler returns for it", async () => {
    const { id, conn } = await open('/close')
    await conn.write(encode.encode('{"n":1,"text":"ready"}\n'))
    expect(await support.readText(conn)).toBe('{"n":1,"text":"ready"}\n')
    expect(await support.brokenOff(conn)).toMatchObject({ code: 'RESET', rstCode: 0 })
    expect(await go.report(id)).toEqual({ id })
  })

  // A server's Close puts nothing on the wire.
  test('what Go reads and writes after its own Close still arrives', async () => {
    const { id, conn } = await open('/closed')
    await conn.write(encode.encode('{"n":1,"text":"ready"}\n'))
    await conn.closeWrite()
    expect(await support.readText(conn)).toBe('{"n":1,"text":"ready"}\n')
    expect(await conn.closed).toEqual({ clean: true })
    expect(await go.report(id)).toEqual({ id })
  })

  test('abort() is an error in Go, and not io.EOF', async () => {
    const { id, conn } = await open('/wait')
    await using channel = support.jsonLines(conn)
    await channel.send({ n: 1, text: 'ready' })
    expect(await channel.receive()).toEqual({ n: 1, text: 'ready' })
    conn.abort()
    expect((await support.brokenOff(conn)).code).toBe('ABORTED')
    const report = await go.report(id)
    expect(report.eof).toBeUndefined()
    expect(report.error).toMatch(/CANCEL|client disconnected/)
  })

  // h2conn drops the error of the flush that follows each write.
  test('after abort(), a small write in Go fails one write late', async () => {
    const { id, conn } = await open('/gone')
    conn.abort()
    const { count, error } = await go.report(id)
    expect(count).toBe(1)
    expect(error).toMatch(/CANCEL|client disconnected|stream closed/)
  })

  // Its Accept panics on a status of zero.
  test('an h2conn.Server without a StatusCode: RESET', async () => {
    expect(await support.failure(open('/zero'))).toMatchObject({ code: 'RESET', rstCode: 2 })
  })

  test('Go aborts: RESET, and no clean end', async () => {
    const { conn } = await open('/break')
    await conn.write(encode.encode('{"n":1,"text":"ready"}\n'))
    expect(decode.decode((await conn.read()) ?? undefined)).toBe('{"n":1,"text":"ready"}\n')
    await conn.write(encode.encode('{"n":2,"text":"now"}\n'))
    expect(await support.failure(conn.read())).toMatchObject({ code: 'RESET', rstCode: 2 })
    expect(await support.brokenOff(conn)).toMatchObject({ code: 'RESET', rstCode: 2 })
  })

  test('the Go process dies: CONNECTION_LOST, and no clean end', async () => {
    await using mortal = await GoServer.start(files)
    await using own = new SessionPool()
    const conn = await connect(new URL('/wait', mortal.origin), { tls, sessions: own })
    await conn.write(encode.encode('{"n":1,"text":"ready"}\n'))
    expect(decode.decode((await conn.read()) ?? undefined)).toBe('{"n":1,"text":"ready"}\n')
    const reading = support.failure(conn.read())
    await mortal.kill()
    expect((await reading).code).toBe('CONNECTION_LOST')
    expect((await support.brokenOff(conn)).code).toBe('CONNECTION_LOST')
  })

  test('256 MiB in each direction at once arrive unchanged', { timeout: 90_000 }, async () => {
    const size = 256 * mebibyte
    const begun = performance.now()
    const { id, conn } = await open(`/bulk?bytes=${size}`)
    const ours = await support.bulk(conn, size)
    support.tellSpeed(`our connect, h2conn.Server.Accept, ${transport}`, size, begun)
    const theirs = await go.report(id)
    expect(ours).toEqual({ bytes: size, sent: theirs.received, received: theirs.sent })
    expect(theirs).toMatchObject({ bytes: size })
    expect(theirs.error).toBeUndefined()
    expect(await conn.closed).toEqual({ clean: true })
  })

  test('1,000 conns at once, over several connections', { timeout: 60_000 }, async () => {
    await using own = new SessionPool()
    const numbers = Array.from({ length: 1_000 }, (_, n) => n)
    const conns = await Promise.all(numbers.map((n) => open('/json', { sessions: own, headers: { 'x-number': n } })))
    // Go accepts 250 streams per connection.
    expect(own.size).toBe(4)
    const talk = async ({ id, conn }: { id: string; conn: Http2Conn }): Promise<void> => {
      await using channel = support.jsonLines(conn)
      expect(await channel.receive()).toEqual({ n: 0, text: 'welcome' })
      for (const n of [1, 4, 7]) {
        await channel.send({ n, text: id })
        expect(await channel.receive()).toEqual({ n, text: id })
      }
      await channel.end()
      expect(await channel.receive()).toEqual({ n: 3, text: 'bye' })
      expect(await channel.receive()).toBeUndefined()
      expect(await channel.closed).toEqual({ clean: true })
    }
    await Promise.all(conns.map(talk))
    const reports = await Promise.all(conns.map(({ id }) => go.report(id)))
    expect(reports.filter(({ error }) => error !== undefined)).toEqual([])
  })
})

import { defineRoute } from '@h2channel/channel'
import { createRouter } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import { accept } from '@h2channel/conn'
import type { AcceptOptions, Http2Conn } from '@h2channel/conn'
import type { TestServer } from '@h2channel/conn/testing'
import { listen } from '@h2channel/conn/testing'
import { createSecureServer, createServer } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { Message } from './programs.ts'
import { GoClient } from './programs.ts'
import * as support from './support.ts'
import { mebibyte } from './support.ts'

const decode = new TextDecoder()
const encode = new TextEncoder()

const quotes = defineRoute('/quotes/:market', { client: json<Message>(), server: json<Message>() })

describe.each(support.transports)('h2conn.Client.Connect, accept of h2channel, %s', (transport) => {
  let files: support.CertificateFiles | undefined
  let server: TestServer
  let conversations = 0
  const handlers = new Map<string, { options: AcceptOptions; handle(conn: Http2Conn): void }>()
  const markets: string[] = []

  beforeAll(async () => {
    files = await support.certificateFor(transport)
    const node = files === undefined ? createServer() : createSecureServer({ ...files.pem })
    node.on('request', (request, response) => {
      const handler = handlers.get(request.url)
      if (handler === undefined) {
        response.writeHead(403, { 'x-from-node': 'not today' }).end('this is no place for you')
        return
      }
      void accept(request, response, handler.options).then(handler.handle)
    })
    createRouter()
      .handle(quotes, async (channel, { params }) => {
        markets.push(params.market)
        for await (const message of channel) {
          for (const reply of support.repliesTo([message])) await channel.send(reply)
        }
        await channel.send({ n: 0, text: 'bye' })
      })
      .attach(node)
    server = await listen(node, files?.pem)
  })

  afterAll(() => server.close())

  /** Starts a Go client that talks to `path`. */
  function dial(path: string, talk: string, args: Readonly<Record<string, string | number>> = {}): GoClient {
    const ca = files === undefined ? {} : { ca: files.cert }
    return new GoClient({ url: server.origin + path, talk, ...ca, ...args })
  }

  /** Starts a Go client, and waits for its conn. */
  async function meet(
    talk: string,
    args: Readonly<Record<string, string | number>> = {},
    options: AcceptOptions = {},
  ): Promise<{ go: GoClient; conn: Http2Conn; [Symbol.asyncDispose](): Promise<void> }> {
    conversations += 1
    const path = `/${talk}/${conversations}`
    const accepted = new Promise<Http2Conn>((handle) => handlers.set(path, { options, handle }))
    const go = dial(path, talk, args)
    const conn = await Promise.race([accepted, go.report.then((report) => Promise.reject(new Error(report.error)))])
    return { go, conn, [Symbol.asyncDispose]: () => go[Symbol.asyncDispose]() }
  }

  test('JSON lines, interleaved, in both directions', async () => {
    await using met = await meet('json', { count: 50 })
    const channel = support.jsonLines(met.conn)
    const messages: Message[] = []
    await channel.send({ n: 0, text: support.trickyText })
    for await (const message of channel) {
      messages.push(message)
      for (const reply of support.repliesTo([message])) await channel.send(reply)
    }
    await channel.close()
    expect(messages).toHaveLength(50)
    expect(messages[7]).toEqual({ n: 7, text: '<7> & "größer" \u2028 😀' })
    const expected = [{ n: 0, text: support.trickyText }, ...support.repliesTo(messages)]
    expect(await met.go.report).toEqual({ status: 200, messages: expected, eof: true })
    expect(await channel.closed).toEqual({ clean: true })
  })

  test("JSON lines with a router's route", async () => {
    await using go = dial('/quotes/xetra', 'json', { count: 50, header: 'Content-Type=application/x-ndjson' })
    const { status, messages = [], eof } = await go.report
    expect({ status, eof }).toEqual({ status: 200, eof: true })
    expect(messages).toHaveLength(50)
    expect(messages.at(-1)).toEqual({ n: 0, text: 'bye' })
    expect(markets).toContain('xetra')
  })

  test('415 from a router for a codec that its route does not have', async () => {
    await using go = dial('/quotes/xetra', 'json', { count: 1, header: 'Content-Type=application/x-protobuf' })
    expect(await go.report).toMatchObject({ status: 415 })
  })

  test('buffers of constant size, as io.ReadFull reads them', async () => {
    const size = 5_000
    await using met = await meet('fixed', { size, count: 300 })
    const channel = support.buffers(met.conn, size)
    for await (const buffer of channel) await channel.send(buffer.toReversed())
    await channel.close()
    expect(await met.go.report).toEqual({ status: 200, count: 300, eof: true })
  })

  test('records of constant size, as encoding/binary reads them', async () => {
    await using met = await meet('struct', { count: 500 })
    const channel = support.flights(met.conn)
    for await (const flight of channel) await channel.send({ ...flight, delay: 2 * flight.delay })
    await channel.close()
    expect(await met.go.report).toEqual({ status: 200, count: 500, eof: true })
  })

  test("Go's method and headers reach the server, its status and headers reach Go", async () => {
    const options = { status: 202, headers: { 'x-from-node': 'hello from Node' } }
    await using met = await meet('say', { method: 'PUT', header: 'X-From-Go=hello from Go' }, options)
    expect(met.conn.method).toBe('PUT')
    expect(met.conn.headers['x-from-go']).toBe('hello from Go')
    await met.conn.close()
    expect(await met.go.report).toEqual({ status: 202, header: 'hello from Node' })
  })

  // h2conn documents POST, which only its function Connect uses.
  test('an h2conn.Client without a Method sends GET, which still works in both directions', async () => {
    await using met = await meet('say', { method: '' })
    expect(met.conn.method).toBe('GET')
    expect(await support.readText(met.conn)).toBe('all that Go says')
    await met.conn.write(new Uint8Array(1_000))
    await met.conn.close()
    expect(await met.go.report).toEqual({ status: 200, bytes: 1_000 })
    expect(await met.conn.closed).toEqual({ clean: true })
  })

  test('403 reaches Go with its body', async () => {
    await using go = dial('/nowhere', 'say')
    expect(await go.report).toEqual({ status: 403, text: 'this is no place for you' })
  })

  // A client's Close in h2conn only ends its half.
  test('Go ends its half first: all of the answer still arrives', async () => {
    await using met = await meet('say')
    expect(await support.readText(met.conn)).toBe('all that Go says')
    await met.conn.write(new Uint8Array(4 * mebibyte))
    await met.conn.close()
    expect(await met.go.report).toEqual({ status: 200, bytes: 4 * mebibyte })
    expect(await met.conn.closed).toEqual({ clean: true })
  })

  test('the server ends its half first: what Go sends after that still arrives', async () => {
    await using met = await meet('listen')
    await met.conn.write(new Uint8Array(4 * mebibyte))
    await met.conn.closeWrite()
    expect(await support.readText(met.conn)).toBe('all that Go says')
    expect(await met.go.report).toEqual({ status: 200, bytes: 4 * mebibyte })
    expect(await met.conn.closed).toEqual({ clean: true })
  })

  test.each([
    { how: 'cancels its context and writes', talk: 'cancel-write', error: 'context canceled' },
    { how: "closes the response's body", talk: 'close-response', error: 'http2: response body closed' },
  ])('Go $how: RESET, and no clean end', async ({ talk, error }) => {
    await using met = await meet(talk)
    expect(decode.decode((await met.conn.read()) ?? undefined)).toBe('{"n":0,"text":"ready"}\n')
    await met.conn.write(encode.encode('{"n":1,"text":"now"}\n'))
    expect(await support.failure(met.conn.read())).toMatchObject({ code: 'RESET', rstCode: 8 })
    expect(await support.brokenOff(met.conn)).toMatchObject({ code: 'RESET', rstCode: 8 })
    expect(await met.go.report).toEqual({ status: 200, error })
  })

  // On the wire it is END_STREAM, then RST_STREAM: the half that Go wrote did end, the conn did not.
  test('Go cancels its context and closes: RESET, and the conn has no clean end', async () => {
    await using met = await meet('cancel-close')
    expect(decode.decode((await met.conn.read()) ?? undefined)).toBe('{"n":0,"text":"ready"}\n')
    await met.conn.write(encode.encode('{"n":1,"text":"now"}\n'))
    expect(await support.brokenOff(met.conn)).toMatchObject({ code: 'RESET', rstCode: 8 })
    expect((await support.failure(met.conn.write(new Uint8Array(1)))).code).toBe('RESET')
    expect(await met.go.report).toEqual({ status: 200, error: 'context canceled' })
  })

  test('the Go process dies: CONNECTION_LOST, and no clean end', async () => {
    await using met = await meet('wait')
    expect(decode.decode((await met.conn.read()) ?? undefined)).toBe('{"n":0,"text":"ready"}\n')
    const reading = support.failure(met.conn.read())
    await met.go.kill()
    expect((await reading).code).toBe('CONNECTION_LOST')
    expect((await support.brokenOff(met.conn)).code).toBe('CONNECTION_LOST')
  })

  test('abort() is an error in Go, and not io.EOF', async () => {
    await using met = await meet('wait')
    const channel = support.jsonLines(met.conn)
    expect(await channel.receive()).toEqual({ n: 0, text: 'ready' })
    await channel.send({ n: 1, text: 'ready' })
    channel.abort()
    const report = await met.go.report
    expect(report.eof).toBeUndefined()
    expect(report.error).toMatch(/CANCEL/)
  })

  test('256 MiB in each direction at once arrive unchanged', { timeout: 90_000 }, async () => {
    const size = 256 * mebibyte
    const begun = performance.now()
    await using met = await meet('bulk', { size })
    const ours = await support.bulk(met.conn, size)
    support.tellSpeed(`h2conn.Client.Connect, our accept, ${transport}`, size, begun)
    const theirs = await met.go.report
    expect(ours).toEqual({ bytes: size, sent: theirs.received, received: theirs.sent })
    expect(theirs).toMatchObject({ status: 200, bytes: size })
    expect(theirs.error).toBeUndefined()
    expect(await met.conn.closed).toEqual({ clean: true })
  })

  test('1,000 conns at once', { timeout: 60_000 }, async () => {
    const outcomes: Promise<unknown>[] = []
    let open = 0
    let most = 0
    const handle = (conn: Http2Conn): void => {
      open += 1
      most = Math.max(most, open)
      const talk = async (): Promise<unknown> => {
        const channel = support.jsonLines(conn)
        for await (const message of channel) await channel.send(message)
        await channel.close()
        open -= 1
        return channel.closed
      }
      outcomes.push(talk())
    }
    handlers.set('/many', { options: {}, handle })
    await using go = dial('/many', 'many', { count: 1_000 })
    expect(await go.report).toEqual({ count: 1_000 })
    const ended = await Promise.all(outcomes)
    expect(ended).toEqual(Array.from({ length: 1_000 }, () => ({ clean: true })))
    expect(most).toBe(1_000)
  })
})

/** What is logged, by `console.log` or as JSON, shows no credentials: no headers, no query. */
import { json } from '@h2channel/codecs'
import { accept, connect, Http2Conn } from '@h2channel/conn'
import { listen } from '@h2channel/conn/testing'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer } from 'node:http2'
import { inspect } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'

import { defineRoute } from '../../src/index.ts'
import { Refusal } from '../../src/server.ts'
import { startServer } from '../../src/testing.ts'
import { serve } from '../support/server-support.ts'
import { channels, failure } from '../support/support.ts'

const echo = defineRoute('/echo/:room', { client: json<number>(), server: json<number>() })
const secret = 'SECRET'
const headers = { authorization: `Bearer ${secret}`, cookie: `sid=${secret}` }

afterEach(() => {
  vi.restoreAllMocks()
})

/** All that a log may make of a value. */
function logged(value: unknown): string {
  const inspected = [value, { value }, [value]].map((one) => inspect(one, { depth: 10 }))
  return [...inspected, JSON.stringify(value), JSON.stringify({ value })].join('\n')
}

/** What both ends of a channel know, by name. */
async function seen(): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  const note = (event: unknown, name: string | symbol): void => {
    found[`the event ${String(name)} at the ${(event as { opening?: { side: string } }).opening?.side ?? 'start'}`] =
      event
  }
  const names = ['h2channel:opening', 'h2channel:open', 'h2channel:close']
  for (const name of names) subscribe(name, note)
  const authorize = (request: unknown) => {
    found['the request that authorize is asked about'] = request
    return { token: secret }
  }
  try {
    await using served = await serve(
      (router) =>
        router.handle(echo, async (channel, context) => {
          Object.assign(found, { channel, context, conn: context.conn })
          await channel.send(1)
        }),
      { router: { authorize } },
    )
    const client = served.client({ headers })
    Object.assign(found, { client, router: served.router, sessions: served.at.sessions })
    const channel = await client.open(echo, { params: { room: 'a' } })
    await channel.receive()
    found['the channel of the client'] = channel
    await channel.close()
    return found
  } finally {
    for (const name of names) unsubscribe(name, note)
  }
}

test('nothing of a channel', async () => {
  const found = await seen()
  expect(Object.keys(found).length).toBeGreaterThan(10)
  for (const [name, value] of Object.entries(found)) {
    const text = name === 'router' ? inspect(value) : logged(value)
    expect(`${name}: ${text}`).not.toContain(secret)
  }
})

test('what is useful is shown', async () => {
  const found = await seen()
  expect(JSON.parse(JSON.stringify(found['channel']))).toMatchObject({
    conn: { side: 'server', method: 'POST', path: '/echo/a', status: 200, writing: 'ended' },
    stats: { sent: { messages: 1 } },
    closed: { clean: true },
  })
  expect(JSON.parse(JSON.stringify(found['context']))).toMatchObject({
    params: { room: 'a' },
    conn: { path: '/echo/a' },
  })
  expect(inspect(found['the request that authorize is asked about'])).toContain('/echo/:room')
  const [left] = channels()
  expect(inspect(left)).toContain("reading: 'open'")
  left.abort()
})

test('a copy of the context has all that it had', async () => {
  const { context } = await seen()
  const copy = { ...(context as { headers: Record<string, string> }) }
  expect(copy.headers).toMatchObject(headers)
  expect(copy).not.toHaveProperty('toJSON')
})

describe('a conn', () => {
  test('is shown without headers and query, and its error without the response’s', async () => {
    const server = createServer()
    server.on('stream', (stream, request) => {
      if (request[':path'] === '/no') {
        stream.respond({ ':status': 403, 'set-cookie': [secret] })
        stream.end()
        return
      }
      void accept(stream, request, { headers: { 'set-cookie': [secret] } })
    })
    await using at = await listen(server, undefined)
    const conn = await connect(`${at.origin}/path?token=${secret}`, { sessions: at.sessions, headers })
    expect(conn).toBeInstanceOf(Http2Conn)
    expect(conn.path).toContain(secret)
    expect(conn.headers['set-cookie']).toEqual([secret])
    expect(logged(conn)).not.toContain(secret)
    expect(logged(conn)).toContain('/path')
    conn.abort()
    const error: unknown = await connect(`${at.origin}/no`, { sessions: at.sessions }).catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code: 'UNEXPECTED_STATUS', response: { headers: { 'set-cookie': [secret] } } })
    expect(logged(error)).not.toContain(secret)
  })
})

test('errors of an open, refusals, and the client of startServer', async () => {
  const refusal = new Refusal(401, 'no', { 'set-cookie': secret })
  expect(refusal.headers).toMatchObject({ 'set-cookie': secret })
  expect(logged(refusal)).not.toContain(secret)
  const authorize = () => {
    throw refusal
  }
  await using served = await serve((router) => router.handle(echo, async () => {}), { router: { authorize } })
  const error = await failure(served.client({ headers }).open(echo, { params: { room: 'a' } }), 'UNAUTHENTICATED')
  expect(error.cause).toMatchObject({ response: { headers: { 'set-cookie': [secret] } } })
  expect(logged(error)).not.toContain(secret)
  await using server = await startServer(served.router)
  expect(logged(server.client({ headers }))).not.toContain(secret)
})

test('the router’s own print of a failed handler names the route, and nothing of the request', async () => {
  const print = vi.spyOn(console, 'error').mockImplementation(() => {})
  const fail = async () => {
    throw new Error('mine')
  }
  await using served = await serve((router) => router.handle(echo, fail), { router: { onError: undefined } })
  const type = 'application/x-ndjson'
  const format = { 'content-type': type, accept: type }
  const conn = await connect(`${served.at.origin}/echo/a?token=${secret}`, {
    sessions: served.at.sessions,
    headers: format,
  })
  await conn.closed
  await expect.poll(() => print.mock.calls.length).toBe(1)
  expect(String(print.mock.calls[0]?.[0])).toContain(`the handler of ${echo.path} failed`)
  expect(inspect(print.mock.calls)).not.toContain(secret)
})

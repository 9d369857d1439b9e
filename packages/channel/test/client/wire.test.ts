/** What a client puts on the wire: rules of SPEC.md, at bare servers. */
import { json } from '@h2channel/codecs'
import { once } from 'node:events'
import type { ServerHttp2Session } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'

import { createClient } from '../../src/client.ts'
import { defineRoute } from '../../src/index.ts'
import { bare, serve } from '../support/server-support.ts'
import { failOnUnhandledRejections, failure } from '../support/support.ts'

failOnUnhandledRejections()

const echo = defineRoute('/echo', { client: json<number>(), server: json<number>() })

test.each([
  [true, 'h2'],
  [false, 'h2c'],
])('a connection (TLS: %s) has the protocol %s, and no push (TRANS-1, TRANS-3)', async (tls, protocol) => {
  await using served = await serve((router) => router.handle(echo, () => {}), { tls })
  const connected = once(served.at.server, 'session') as Promise<[ServerHttp2Session]>
  const channel = await served.client().open(echo)
  const [session] = await connected
  expect(session.alpnProtocol).toBe(protocol)
  expect(session.remoteSettings.enablePush).toBe(false)
  await channel.close()
})

test('in cleartext, a connection begins with the preface of HTTP/2, and never with an upgrade (TRANS-1)', async () => {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket.on('error', () => {})))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = createClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    retry: { maxAttempts: 1 },
  })
  const opening = failure(client.open(echo), 'CONNECT_FAILED')
  const [socket] = (await once(server, 'connection')) as [Socket]
  const [first] = (await once(socket, 'data')) as [Buffer]
  expect(first.toString('latin1', 0, 24)).toBe('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  for (const one of sockets) one.destroy()
  await opening
  await client.close()
  server.close()
})

test('a redirect is a refusal, and no credentials reach the other server (ANS-2, HOP-2)', async () => {
  await using other = await bare((stream) => stream.respond({ ':status': 500 }, { endStream: true }))
  await using server = await bare((stream) => {
    stream.respond({ ':status': 307, location: `${other.origin}/echo` }, { endStream: true })
  })
  const client = createClient(server.origin, { sessions: server.sessions, headers: { authorization: 'Bearer secret' } })
  const error = await failure(client.open(echo), 'REFUSED')
  expect(error).toMatchObject({ retryable: false, cause: { response: { status: 307 } } })
  expect([server.asked.length, other.asked.length]).toEqual([1, 0])
})

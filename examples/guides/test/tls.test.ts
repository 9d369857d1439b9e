import type { ChannelError } from '@h2channel/channel'
import { defineRoute } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import type { ConnError } from '@h2channel/conn'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import { once } from 'node:events'
import { createServer as createHttp1 } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttps1 } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { generate } from 'selfsigned'
import { expect, test } from 'vitest'

import { router } from '../src/mutual-tls.ts'

const whoami = defineRoute('/whoami', { client: json<string>(), server: json<string>() })
const day = 24 * 60 * 60 * 1_000
router.handle(whoami, (channel, { auth, expiresAt }) => {
  const left = Number(expiresAt) - Date.now()
  if (left < 0 || left > day) throw new Error(`expires in ${left} ms`)
  return channel.send(auth.service)
})

test('only a certificate of the server’s authority opens a channel with mutual TLS', async () => {
  const [own, ours, madeOnTheSpot] = await Promise.all([makeCertificate(), makeCertificate(), makeCertificate()])
  const server = createSecureServer({ ...own, ca: ours.cert, requestCert: true, rejectUnauthorized: false })
  router.attach(server)
  await using at = await listen(server, own)
  const name = async (certificate: Partial<typeof ours>): Promise<unknown> => {
    await using client = createClient(at.origin, { tls: { ...certificate, ca: own.cert } })
    return await client.open(whoami).then(
      (channel) => channel.receive(),
      ({ code }: ChannelError) => code,
    )
  }
  expect(await name(ours)).toBe('localhost')
  expect(await name(madeOnTheSpot)).toBe('UNAUTHENTICATED')
  expect(await name({})).toBe('UNAUTHENTICATED')
  expect(await name(ours)).toBe('localhost')
})

test('a server presents a new certificate to new connections, and keeps the open ones', async () => {
  const [first, second] = await Promise.all([makeCertificate(), makeCertificate()])
  const server = createSecureServer(first)
  createRouter()
    .handle(whoami, async (channel) => {
      for await (const message of channel) await channel.send(message)
    })
    .attach(server)
  await using at = await listen(server, first)
  await using before = createClient(at.origin, { tls: { ca: first.cert } })
  const channel = await before.open(whoami)
  server.setSecureContext(second)
  await using after = createClient(at.origin, { tls: { ca: second.cert } })
  const next = await after.open(whoami)
  for (const open of [channel, next]) {
    await open.send('still here')
    expect(await open.receive()).toBe('still here')
    await open.close()
  }
})

test('the errors of docs/guides/tls.md', async () => {
  const certificate = await makeCertificate()
  const { ca, expired } = { ca: certificate.cert, expired: await makeExpired() }
  const respond = (_request: unknown, response: { end(): void }): void => response.end()
  await using http1 = await serve(createHttp1(respond))
  await using https1 = await serve(createHttps1(certificate, respond))
  await using https2 = await serve(createSecureServer(certificate))
  await using old = await serve(createSecureServer(expired))
  await using mutual = await serve(createSecureServer({ ...certificate, ca, requestCert: true }))
  const reason = async (origin: string, tls?: ConnectionOptions): Promise<string> => {
    await using client = createClient(origin, { tls, retry: { maxAttempts: 1 } })
    const error = (await client.open(whoami).catch((failure: unknown) => failure)) as Error
    expect(error).toMatchObject({ code: 'CONNECT_FAILED' })
    const { code, message } = error.cause as ConnError
    return `${code}: ${message.replace(/127.0.0.1:\d+/, 'HOST')}`
  }
  expect(await reason(https2.https)).toMatch(/^TLS_FAILED: .*: self-signed certificate/)
  const other = { ca, servername: 'other.example' }
  expect(await reason(https2.https, other)).toMatch(/^TLS_FAILED: .*Hostname\/IP does not match certificate's altnames/)
  expect(await reason(old.https, { ca: expired.cert })).toMatch(/^TLS_FAILED: .*: certificate has expired$/)
  expect(await reason(mutual.https, { ca })).toMatch(/^TLS_FAILED: .*client certificate, which the tls options lack$/)
  expect(await reason(http1.https, { ca })).toMatch(/^TLS_FAILED: .*: that port does not speak TLS$/)
  expect(await reason(https1.https, { ca })).toBe('HTTP2_NOT_SUPPORTED: HOST does not speak HTTP/2')
  expect(await reason(http1.http)).toMatch(/^HTTP2_NOT_SUPPORTED: HOST does not speak HTTP\/2 without TLS\./)
  expect(await reason(https2.http)).toMatch(/^CONNECT_FAILED: .*: it hung up before it accepted a request$/)
})

async function makeExpired(): Promise<{ key: string; cert: string }> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    notBeforeDate: new Date(Date.now() - 2_000_000),
    notAfterDate: new Date(Date.now() - 1_000_000),
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
  return { key, cert }
}

async function serve(server: Server) {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => void sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    https: `https://127.0.0.1:${port}`,
    http: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Channels that are idle behind a proxy, and proxies that hang. */
import { createSecureServer, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

import type { Channel, ChannelClosed } from '@h2channel/channel'
import { defineRoute } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'
import { connect, SessionPool } from '@h2channel/conn'
import type { Certificate, TestServer } from '@h2channel/conn/testing'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { proxies, traefik } from '../src/kinds.ts'
import { readExactly } from '../src/load.ts'
import { requireProxy, startProxy } from '../src/proxy.ts'

const echo = defineRoute('/echo', { client: json<number>(), server: json<number>() })

/** The proxy's idle limit, and the heartbeat's times. Unit: milliseconds. */
const idleLimit = 2_000
const limits = { heartbeatInterval: 500, heartbeatTimeout: 1_500 }
/** How much later the end may come on a busy machine. */
const slack = 5_000

/** The session's own pings must not take part. */
const sessionsOf = (): SessionPool => new SessionPool({ closeTimeout: 100, pingInterval: 60_000, pingTimeout: 60_000 })

/** Whether the echo of a message still comes back. */
async function carries(conn: Conn): Promise<boolean> {
  const frame = Buffer.from('\0\0\0\u00011')
  const echoed = conn.write(frame).then(() => readExactly(conn, frame.length))
  return echoed.then(
    (came) => came.equals(frame),
    () => false,
  )
}

test('Traefik ends a channel when readTimeout has passed since its start', async () => {
  const certificate = await makeCertificate()
  const server = createServer()
  createRouter({ limits })
    .handle(echo, async (channel) => {
      for await (const message of channel) await channel.send(message)
    })
    .attach(server)
  await using service = await listen(server, undefined)
  const edit = (config: string): string => config.replace('readTimeout: 0', 'readTimeout: 2s')
  await using proxy = await startProxy(traefik, Number(new URL(service.origin).port), certificate, { edit })
  const sessions = sessionsOf()
  const channel = await createClient(proxy.origin, { tls: { ca: certificate.cert }, sessions, limits }).open(echo)
  expect(await channel.closed).toMatchObject({ clean: false })
  await sessions.close()
})

describe.each(proxies)('through $name', (kind) => {
  let certificate: Certificate
  let service: TestServer
  /** The ends of the service's channels. */
  const ends: Promise<ChannelClosed>[] = []

  beforeAll(async () => {
    requireProxy(kind)
    certificate = await makeCertificate()
    const server = kind.endsTls ? createServer() : createSecureServer(certificate)
    createRouter({ limits })
      .handle(echo, async (channel: Channel<number, number>) => {
        ends.push(channel.closed)
        for await (const message of channel) await channel.send(message)
      })
      .attach(server)
    service = await listen(server, kind.endsTls ? undefined : certificate)
  })

  afterAll(async () => {
    await service.close()
  })

  test('an idle channel outlives the proxy’s idle limit. A conn does not, where the proxy has one', async () => {
    const port = (service.server.address() as AddressInfo).port
    await using proxy = await startProxy(kind, port, certificate, { idle: `${idleLimit / 1_000}s` })
    const [sessions, tls] = [sessionsOf(), { ca: certificate.cert }]
    const channel = await createClient(proxy.origin, { tls, sessions, limits }).open(echo)
    const alone = sessionsOf()
    const headers = { 'content-type': 'application/vnd.h2channel+json', accept: 'application/vnd.h2channel+json' }
    const conn = await connect(`${proxy.origin}/echo`, { tls, sessions: alone, headers })
    const began = performance.now()
    await delay(3 * idleLimit - (performance.now() - began))
    expect(await carries(conn)).toBe(!kind.endsIdleStreams)
    conn.abort()
    await channel.send(1)
    expect(await channel.receive()).toBe(1)
    await channel.close()
    expect(await channel.closed).toEqual({ clean: true })
    await Promise.all([sessions.close(), alone.close()])
  })

  test('both sides detect a proxy that hangs', async () => {
    await using proxy = await startProxy(kind, (service.server.address() as AddressInfo).port, certificate)
    const sessions = sessionsOf()
    const client = createClient(proxy.origin, { tls: { ca: certificate.cert }, sessions, limits })
    const channel = await client.open(echo)
    await channel.send(1)
    expect(await channel.receive()).toBe(1)
    const began = performance.now()
    proxy.freeze()
    const closed = await Promise.all([channel.closed, ends.at(-1)])
    const silent = expect.objectContaining({ clean: false, error: expect.objectContaining({ code: 'PEER_SILENT' }) })
    expect(closed).toEqual([silent, silent])
    expect(performance.now() - began).toBeLessThan(limits.heartbeatInterval + limits.heartbeatTimeout + slack)
    await sessions.close()
  })
})

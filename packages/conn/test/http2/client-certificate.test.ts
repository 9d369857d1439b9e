/** Mutual TLS: the errors of a client whose certificate the server rejects, and of connections that break later. */
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { beforeAll, describe, expect, it } from 'vitest'

import type { Http2Conn } from '../../src/index.ts'
import { accept, connect, SessionPool } from '../../src/index.ts'
import { listen, startServer } from '../../src/testing.ts'
import type { ClientCertificates } from '../support/client-certificates.ts'
import { makeClientCertificates, wrongCertificates } from '../support/client-certificates.ts'
import { startRelay } from '../support/relay.ts'
import { bytes, deferred, failure, text } from '../support/support.ts'

let certificates: ClientCertificates
beforeAll(async () => {
  certificates = await makeClientCertificates()
})

describe.each(['TLSv1.3', 'TLSv1.2'] as const)(
  'a server of Node that asks for a client certificate, %s',
  (maxVersion) => {
    const start = async (): ReturnType<typeof listen> => {
      const { server, good } = certificates
      const asking = createSecureServer({
        ...server,
        ca: server.cert,
        requestCert: true,
        rejectUnauthorized: true,
        maxVersion,
      })
      asking.on('stream', (stream, headers) => void accept(stream, headers).then((conn) => conn.close()))
      expect(good.cert).toContain('BEGIN CERTIFICATE')
      return listen(asking, server)
    }

    it('accepts a valid certificate', async () => {
      await using running = await start()
      const conn = await running.connect('/', { tls: { ...running.tls, ...certificates.good } })
      expect(await conn.read()).toBeNull()
      await conn.close()
    })

    it.each(wrongCertificates)('fails with TLS_FAILED at once for a certificate that is %s', async (which) => {
      await using running = await start()
      let connections = 0
      running.server.on('connection', () => {
        connections += 1
      })
      const began = performance.now()
      const connecting = running.connect('/', { tls: { ...running.tls, ...certificates.wrong[which] } })
      const { message } = await failure(connecting, 'TLS_FAILED')
      expect(performance.now() - began).toBeLessThan(1_000)
      expect(message).toContain('asks for a client certificate')
      expect(message.includes('which the tls options lack')).toBe(which === 'missing')
      expect(connections).toBe(1)
      await expect.poll(() => running.sessions.size).toBe(0)
    })
  },
)

describe('an alert', () => {
  it('is named in the error', async () => {
    const { server, wrong } = certificates
    await using running = await listen(
      createSecureServer({ ...server, ca: server.cert, requestCert: true, rejectUnauthorized: true }),
      server,
    )
    const connecting = running.connect('/', { tls: { ...running.tls, ...wrong.missing } })
    const { message, cause } = await failure(connecting, 'TLS_FAILED')
    expect(message).toContain('it sent the alert "certificate required" (ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED)')
    expect(cause).toMatchObject({ code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' })
  })
})

describe('a TLS server that hangs up after the handshake', () => {
  /** `end` says goodbye in TLS's own way, which shows that the handshake was to its liking. */
  const hangUp = async (server: Server, tls: object): Promise<string> => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    await using sessions = new SessionPool({ closeTimeout: 50 })
    const { port } = server.address() as AddressInfo
    try {
      const { message } = await failure(connect(`https://127.0.0.1:${port}`, { tls, sessions }), 'CONNECT_FAILED')
      return message
    } finally {
      server.close()
    }
  }
  const end = (socket: Socket): void => {
    socket.on('error', () => {})
    socket.end()
  }

  it.each(['TLSv1.3', 'TLSv1.2'] as const)(
    'is CONNECT_FAILED where it asked for no certificate, %s',
    async (maxVersion) => {
      const { server } = certificates
      const message = await hangUp(createTlsServer({ ...server, maxVersion, ALPNProtocols: ['h2'] }, end), {
        ca: server.cert,
      })
      expect(message).not.toMatch(/without TLS|certificate/)
    },
  )

  // As a proxy does that asks for certificates, and has no server behind it.
  it.each(['TLSv1.3', 'TLSv1.2'] as const)(
    'is CONNECT_FAILED where it took the certificate, %s',
    async (maxVersion) => {
      const { server, good } = certificates
      const options = { ...server, ca: server.cert, requestCert: true, maxVersion, ALPNProtocols: ['h2'] }
      const proxy = createTlsServer(options, (socket) => {
        // Its session ticket leaves first.
        setImmediate(end, socket)
      })
      expect(await hangUp(proxy, { ca: server.cert, ...good })).not.toMatch(/without TLS|certificate/)
    },
  )
})

describe('a connection that breaks', () => {
  /** The header of a TLS record with application data, and what no key decrypts. */
  const corruptRecord = Buffer.concat([Buffer.of(23, 3, 3, 0, 32), Buffer.alloc(32, 1)])

  interface Ways {
    readonly name: string
    readonly tls: boolean
    readonly by: (near: Socket, far: Socket) => void
  }
  const ways: readonly Ways[] = [
    { name: 'a corrupt record at the client', tls: true, by: (near) => near.write(corruptRecord) },
    { name: 'a corrupt record at the server', tls: true, by: (_near, far) => far.write(corruptRecord) },
    { name: 'a reset at the client', tls: true, by: (near) => near.resetAndDestroy() },
    { name: 'a reset at the server', tls: true, by: (_near, far) => far.resetAndDestroy() },
    { name: 'a reset at the client, in cleartext', tls: false, by: (near) => near.resetAndDestroy() },
    {
      name: 'a reset at the server, in cleartext',
      tls: false,

      by: (_near, far) => far.resetAndDestroy(),
    },
  ]

  it.each(ways)('by $name ends the conns of both ends, and is no longer in the pool', async ({ tls, by }) => {
    const accepted = deferred<Http2Conn>()
    await using server = await startServer((conn) => accepted.resolve(conn), { tls })
    const sockets = deferred<[Socket, Socket]>()
    await using relay = await startRelay(Number(new URL(server.origin).port), (near, far) => {
      near.pipe(far)
      far.pipe(near)
      near.on('close', () => far.destroy())
      far.on('close', () => near.destroy())
      sockets.resolve([near, far])
    })
    await using sessions = new SessionPool({ closeTimeout: 50 })
    const url = `${tls ? 'https' : 'http'}://127.0.0.1:${relay.port}`
    const conn = await connect(url, { tls: server.tls, sessions })
    const peer = await accepted.promise
    await conn.write(bytes('hello'))
    expect(text(await peer.read())).toBe('hello')
    by(...(await sockets.promise))
    const lost = { clean: false, error: { code: 'CONNECTION_LOST' } }
    expect(await Promise.all([conn.closed, peer.closed])).toMatchObject([lost, lost])
    await expect.poll(() => sessions.size).toBe(0)
  })
})

import { createSecureServer, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'

import type { ConnectOptions, Http2Conn } from '@h2channel/conn'
import { accept, connect, ConnError, SessionPool } from '@h2channel/conn'
import type { Certificate, TestServer } from '@h2channel/conn/testing'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { describeEnd } from '../src/ends.ts'
import type { ProxyKind } from '../src/kinds.ts'
import { caddy, caddy26, envoy, haproxy, haproxyTcp, nghttpx, nginx, traefik } from '../src/kinds.ts'
import { exchange, readExactly, receiveAll, sendAll } from '../src/load.ts'
import type { RunningProxy } from '../src/proxy.ts'
import { requireProxy, startProxy } from '../src/proxy.ts'

const MiB = 1024 * 1024
/** The codes with which channels and conns reset: SPEC.md has their meanings. */
const codes = [1, 2, 6, 8, 0x6832_0001, 0x6832_0002, 0x6832_0003, 0x6832_0004]
/** What a proxy makes of them that has one answer to all. */
const always = (end: string): readonly string[] => codes.map(() => end)
const asSent = codes.map((code) => `RESET ${code}`)

/** How often the loads are run: `PROXY_RUNS=20 pnpm test:proxies -t 'both'`. */
const repeats = Number(process.env['PROXY_RUNS'] ?? 1) - 1

/** How each proxy passes on the events of the ends. docs/operate/proxies.md has the same in words. */
interface Behaviour {
  /** The end of the client's conn when the server ends its half first and the client continues. */
  readonly serverEndsFirst: string
  /** The server's error after a reset by the client with each of `codes`. */
  readonly clientResets: readonly string[]
  /** The client's error after a reset by the server with each of `codes`. */
  readonly serverResets: readonly string[]
  /** The end of the client's conn when its reader pauses while both sides write. */
  readonly readerRests: string
  /**
   * Whether the server's end waits for the client's next bytes. A conn has no heartbeats, so it might wait for ever:
   * channels.test.ts has this case.
   */
  readonly endsLate?: boolean
}

const proxies: readonly (readonly [ProxyKind, Behaviour])[] = [
  [
    haproxy,
    {
      serverEndsFirst: 'clean',
      clientResets: always('RESET 8'),
      serverResets: always('RESET 8'),
      // HAProxy waits for each of its two sides, and each side for the other. If that ever changes, this must become
      // 'clean'.
      readerRests: 'PEER_SILENT',
    },
  ],
  [
    haproxyTcp,
    {
      serverEndsFirst: 'clean',
      clientResets: asSent,
      serverResets: asSent,
      readerRests: 'clean',
    },
  ],
  [
    nginx,
    {
      serverEndsFirst: 'RESET 0',
      clientResets: always('CONNECTION_LOST'),
      serverResets: always('RESET 2'),
      readerRests: 'clean',
    },
  ],
  [
    nghttpx,
    {
      serverEndsFirst: 'RESET 0',
      clientResets: always('RESET 2'),
      serverResets: always('RESET 2'),
      readerRests: 'clean',
    },
  ],
  [
    caddy26,
    {
      serverEndsFirst: 'RESET 0',
      clientResets: always('RESET 8'),
      serverResets: always('RESET 0'),
      readerRests: 'clean',
    },
  ],
  [
    caddy,
    {
      serverEndsFirst: 'RESET 0',
      clientResets: asSent,
      serverResets: always('RESET 2'),
      readerRests: 'clean',
      endsLate: true,
    },
  ],
  [
    traefik,
    {
      serverEndsFirst: 'RESET 0',
      clientResets: asSent,
      serverResets: always('RESET 2'),
      readerRests: 'clean',
      endsLate: true,
    },
  ],
  [
    envoy,
    {
      serverEndsFirst: 'clean',
      clientResets: always('RESET 2'),
      serverResets: always('RESET 2'),
      readerRests: 'clean',
    },
  ],
]

for (const [kind, behaviour] of proxies) {
  describe(`through ${kind.name}`, () => {
    let certificate: Certificate
    let service: TestServer | undefined
    let proxy: RunningProxy | undefined
    let onConn: (conn: Http2Conn) => void = () => {}
    // Pinged more often than by default: a proxy that stopped reading is detected within seconds.
    const sessions = new SessionPool({ closeTimeout: 100, pingInterval: 1_000, pingTimeout: 3_000 })

    beforeAll(async () => {
      requireProxy(kind)
      certificate = await makeCertificate()
      const server = kind.endsTls ? createServer() : createSecureServer(certificate)
      server.on('stream', (stream, headers) => {
        const status = Number(headers['x-status'] ?? 200)
        if (status >= 300) {
          stream.respond({ ':status': status, 'x-reason': 'not today' })
          stream.end('refused by the service')
          return
        }
        void accept(stream, headers, { status, headers: { 'x-answer': 'served' } }).then((conn) => onConn(conn))
      })
      service = await listen(server, kind.endsTls ? undefined : certificate)
      proxy = await startProxy(kind, (server.address() as AddressInfo).port, certificate)
    })

    afterAll(async () => {
      await sessions.close()
      await proxy?.[Symbol.asyncDispose]()
      await service?.close()
    })

    /** Both ends of one conn through the proxy. */
    async function open(options: ConnectOptions = {}): Promise<[client: Http2Conn, server: Http2Conn]> {
      const accepted = new Promise<Http2Conn>((resolve) => {
        onConn = resolve
      })
      const tls = { ca: certificate.cert }
      const client = await connect(`${proxy?.origin}/some/path?with=query`, { tls, sessions, ...options })
      return [client, await accepted]
    }

    test('ping-pong: 1,000 rounds', async () => {
      const [client, server] = await open()
      const echo = async (): Promise<void> => {
        for await (const chunk of server) await server.write(chunk)
        await server.close()
      }
      const served = echo()
      for (let round = 0; round < 1_000; round++) {
        const ping = Buffer.alloc(64, round)
        await client.write(ping)
        expect(await readExactly(client, ping.length)).toEqual(ping)
      }
      await client.closeWrite()
      expect(await client.read()).toBeNull()
      await served
      expect(await client.closed).toEqual({ clean: true })
      expect(await server.closed).toEqual({ clean: true })
    })

    test('64 MiB in both directions at once', { repeats }, async () => {
      const { up, down } = await exchange(...(await open()), 64 * MiB, 64 * 1024)
      expect(up.received).toEqual(up.sent)
      expect(down.received).toEqual(down.sent)
    })

    test('32 MiB in both directions at once, in writes of 200 bytes', { repeats }, async () => {
      const { up, down } = await exchange(...(await open()), 32 * MiB, 200)
      expect(up.received).toEqual(up.sent)
      expect(down.received).toEqual(down.sent)
    })

    test('a reader that pauses while both sides write', { repeats }, async () => {
      const [client, server] = await open()
      let wake = (): void => {}
      const stuck = new Promise<void>((resolve) => {
        wake = resolve
      })
      const write = async (piece: Uint8Array): Promise<void> => {
        try {
          await client.write(piece, { signal: AbortSignal.timeout(500) })
        } catch (error) {
          if (!(error instanceof ConnError) || error.code !== 'TIMEOUT') throw error
          wake()
          await client.write(piece)
        }
      }
      const clientWrites = async (): Promise<void> => {
        await sendAll(client, 32 * MiB, 16_000, write)
        wake()
        await client.closeWrite()
      }
      const serverWorks = async (): Promise<void> => {
        await Promise.all([sendAll(server, 32 * MiB, 16_000), receiveAll(server)])
        await server.closeWrite()
      }
      // The reader pauses until the client has written everything, or finds no more room for its writes.
      const rest = (bytes: number): void | Promise<void> => (bytes < MiB ? undefined : stuck)
      const work = Promise.allSettled([clientWrites(), serverWorks(), receiveAll(client, rest)])
      expect(describeEnd(await client.closed)).toBe(behaviour.readerRests)
      server.abort() // HAProxy has not noticed that the client left.
      await work
    })

    test('half-close, the client first', async () => {
      const [client, server] = await open()
      await client.write(Buffer.from('question'))
      await client.closeWrite()
      expect((await receiveAll(server)).bytes).toBe(8)
      const received = receiveAll(client)
      const sent = await sendAll(server, MiB, 1_024)
      await server.closeWrite()
      expect(await received).toEqual(sent)
      expect(await client.closed).toEqual({ clean: true })
      expect(await server.closed).toEqual({ clean: true })
    })

    test.runIf(behaviour.endsLate !== true)('half-close, the server first', async () => {
      const [client, server] = await open()
      await server.write(Buffer.from('greeting'))
      await server.closeWrite()
      expect((await receiveAll(client)).bytes).toBe(8)
      const received = receiveAll(server).catch(() => 'cut')
      const sent = await sendAll(client, MiB, 1_024).catch(() => 'cut')
      await client.closeWrite().catch(() => {})
      expect(describeEnd(await client.closed)).toBe(behaviour.serverEndsFirst)
      if (behaviour.serverEndsFirst !== 'clean') server.abort() // nghttpx only informs the client.
      expect(await received).toEqual(behaviour.serverEndsFirst === 'clean' ? sent : 'cut')
    })

    test('a reset by the client', async () => {
      const seen: string[] = []
      for (const rstCode of codes) {
        const [client, server] = await open()
        client.abort({ rstCode })
        seen.push(describeEnd(await server.closed))
      }
      expect(seen).toEqual(behaviour.clientResets)
    })

    test.runIf(behaviour.endsLate !== true)('a reset by the server', async () => {
      const seen: string[] = []
      for (const rstCode of codes) {
        const [client, server] = await open()
        server.abort({ rstCode })
        seen.push(describeEnd(await client.closed))
      }
      expect(seen).toEqual(behaviour.serverResets)
    })

    test('method, path, headers and status', async () => {
      const [client, server] = await open({ method: 'PUT', headers: { 'x-question': 'asked', 'x-status': '201' } })
      expect([server.method, server.path]).toEqual(['PUT', '/some/path?with=query'])
      expect([server.headers['x-question'], client.headers['x-answer']]).toEqual(['asked', 'served'])
      expect(client.status).toBe(201)
      await client.closeWrite()
      await Promise.all([client.close(), server.close()])
    })

    test('a response with headers only', async () => {
      const [client, server] = await open({ sessions: new SessionPool({ closeTimeout: 100 }), connectTimeout: 2_000 })
      await client.closeWrite()
      await Promise.all([client.close(), server.close()])
      expect(client.status).toBe(200)
    })

    test('a refusal', async () => {
      const refused = open({ headers: { 'x-status': '403' } })
      await expect(refused).rejects.toMatchObject({
        code: 'UNEXPECTED_STATUS',
        response: { status: 403, headers: { 'x-reason': 'not today' }, body: Buffer.from('refused by the service') },
      })
    })
  })
}

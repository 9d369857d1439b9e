import { mkdtemp, rm } from 'node:fs/promises'
import type { Http2SecureServer, Http2Server } from 'node:http2'
import { createSecureServer, createServer } from 'node:http2'
import type { Server, Socket } from 'node:net'
import { connect as connectSocket, createServer as createSocketServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { CloseTimeouts, Conn } from '../src/index.ts'
import { accept, fromDuplex, fromWebStreams, pipe, toDuplex, toWebStreams } from '../src/index.ts'
import { listen, makeCertificate } from '../src/testing.ts'
import type { MakePair } from './conformance.ts'
import { conformanceCases, seed } from './conformance.ts'
import { deferred } from './support.ts'

/** A way to carry bytes. Once started, it makes pairs until it is stopped. */
interface Carrier {
  readonly name: string
  /** Whether the peer of an abort can tell it from a clean end. */
  readonly resets: boolean
  start(): Promise<{ readonly makePair: MakePair; stop(): Promise<void> }>
}

const carriers: readonly Carrier[] = [
  inMemory('pipe', (timeouts) => pipe(timeouts)),
  {
    name: 'HTTP/2 over TLS',
    resets: true,
    start: async () => {
      const certificate = await makeCertificate()
      return http2(createSecureServer(certificate), certificate)
    },
  },
  { name: 'HTTP/2 in cleartext', resets: true, start: () => http2(createServer(), undefined) },
  { name: 'TCP', resets: true, start: () => sockets({ port: 0, host: '127.0.0.1' }) },
  {
    name: 'a Unix socket',
    // A Unix socket knows no reset: whoever closes it has ended it.
    resets: false,
    start: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'conn-'))
      const { makePair, stop } = await sockets({ path: join(folder, 'socket') })
      return { makePair, stop: () => stop().then(() => rm(folder, { recursive: true })) }
    },
  },
  inMemory('web streams', (timeouts) => {
    const toRight = new TransformStream<Uint8Array, Uint8Array>()
    const toLeft = new TransformStream<Uint8Array, Uint8Array>()
    return [
      fromWebStreams({ readable: toLeft.readable, writable: toRight.writable }, timeouts),
      fromWebStreams({ readable: toRight.readable, writable: toLeft.writable }, timeouts),
    ]
  }),
  inMemory('a Duplex made of a conn', (timeouts) => {
    const [left, right] = pipe(timeouts)
    return [fromDuplex(toDuplex(left), timeouts), fromDuplex(toDuplex(right), timeouts)]
  }),
  inMemory('web streams made of a conn', (timeouts) => {
    const [left, right] = pipe(timeouts)
    return [fromWebStreams(toWebStreams(left), timeouts), fromWebStreams(toWebStreams(right), timeouts)]
  }),
]

function inMemory(name: string, make: (timeouts?: CloseTimeouts) => readonly [Conn, Conn]): Carrier {
  const makePair: MakePair = (timeouts) => Promise.resolve(make(timeouts))
  return { name, resets: true, start: () => Promise.resolve({ makePair, stop: () => Promise.resolve() }) }
}

async function http2(
  server: Http2Server | Http2SecureServer,
  certificate: Awaited<ReturnType<typeof makeCertificate>> | undefined,
): ReturnType<Carrier['start']> {
  const running = await listen(server, certificate)
  const makePair: MakePair = async (timeouts = {}) => {
    const accepted = deferred<Conn>()
    server.once('stream', (stream, headers) => {
      accepted.resolve(accept(stream, headers, timeouts))
    })
    const connected = await running.connect('/', timeouts)
    return [connected, await accepted.promise]
  }
  return { makePair, stop: () => running.close() }
}

async function sockets(where: { port: number; host: string } | { path: string }): ReturnType<Carrier['start']> {
  const server: Server = createSocketServer({ allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(where, resolve))
  const address = server.address()
  if (address === null) throw new Error('not listening')
  const target = typeof address === 'string' ? { path: address } : { port: address.port, host: address.address }
  const makePair: MakePair = async (timeouts) => {
    const accepted = deferred<Socket>()
    server.once('connection', accepted.resolve)
    const socket = connectSocket({ ...target, allowHalfOpen: true })
    return [fromDuplex(socket, timeouts), fromDuplex(await accepted.promise, timeouts)]
  }
  return { makePair, stop: () => new Promise((resolve) => void server.close(() => resolve())) }
}

describe.each(carriers)('a conn over $name', ({ start, resets }) => {
  let running: Awaited<ReturnType<Carrier['start']>>
  beforeAll(async () => {
    running = await start()
  })
  afterAll(() => running.stop())

  const orders: readonly { readonly order: string; readonly turned: boolean }[] = [
    { order: 'as made', turned: false },
    { order: 'turned round', turned: true },
  ]
  describe.each(orders)(`$order (seed ${seed})`, ({ turned }) => {
    const cases = conformanceCases.filter(({ needs }) => needs === undefined || resets)
    it.each(cases)('$name', async ({ run }) => {
      const makePair: MakePair = async (timeouts) => {
        const [left, right] = await running.makePair(timeouts)
        return turned ? [right, left] : [left, right]
      }
      await expect(run(makePair)).resolves.toBeUndefined()
    })
  })
})

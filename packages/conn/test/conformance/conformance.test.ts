import { mkdtemp, rm } from 'node:fs/promises'
import type { Http2SecureServer, Http2Server } from 'node:http2'
import { createSecureServer, createServer } from 'node:http2'
import type { Server, Socket } from 'node:net'
import { connect as connectSocket, createServer as createSocketServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { CloseTimeouts, Conn } from '../../src/index.ts'
import { accept, fromDuplex, fromWebStreams, pipe, toDuplex, toWebStreams } from '../../src/index.ts'
import type { Certificate, MakePair } from '../../src/testing.ts'
import { conformanceSeed, connConformance, listen, makeCertificate } from '../../src/testing.ts'
import type { Deferred } from '../support/support.ts'
import { deferred } from '../support/support.ts'

/** Another seed may find more: `SEED=1 npx vitest run packages/conn/test/conformance/conformance.test.ts`. */
const seed = Number(process.env['SEED'] ?? conformanceSeed)

/** A way to carry bytes, which makes pairs between `start` and `stop`. */
interface Carrier {
  readonly name: string
  /** Whether the peer can tell an abort from a clean end. */
  readonly resets?: boolean
  /** How many pairs run a case at the same time. Default: 1. */
  readonly atOnce?: number
  start(): Promise<Running>
}

interface Running {
  readonly makePair: MakePair
  /** Number of connections opened so far. */
  connections?(): number
  stop(): Promise<void>
}

const secure = async (): Promise<Running> => {
  const certificate = await makeCertificate()
  return http2(createSecureServer(certificate), certificate)
}

const carriers: readonly Carrier[] = [
  { name: 'HTTP/2 with TLS', start: secure },
  { name: 'cleartext HTTP/2', start: () => http2(createServer()) },
  { name: 'two streams of one session at once', atOnce: 2, start: secure },
  inMemory('a pipe', (timeouts) => pipe(timeouts)),
  { name: 'TCP', start: () => sockets({ port: 0, host: '127.0.0.1' }) },
  {
    name: 'a Unix socket',
    // It has no reset: an abort looks like an end.
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
  return { name, start: () => Promise.resolve({ makePair, stop: () => Promise.resolve() }) }
}

/** Makes pairs that are streams of one session: the pool opens no second one. */
async function http2(server: Http2Server | Http2SecureServer, certificate?: Certificate): Promise<Running> {
  const running = await listen(server, certificate)
  const expected = new Map<string, { readonly timeouts: CloseTimeouts; readonly accepted: Deferred<Conn> }>()
  let pairs = 0
  let sessions = 0
  server.on('session', () => {
    sessions += 1
  })
  server.on('stream', (stream, headers) => {
    const pair = expected.get(headers[':path'] ?? '')
    pair?.accepted.resolve(accept(stream, headers, pair.timeouts))
  })
  const makePair: MakePair = async (timeouts = {}) => {
    const path = `/${pairs}`
    pairs += 1
    const accepted = deferred<Conn>()
    expected.set(path, { timeouts, accepted })
    const connected = await running.connect(path, timeouts)
    return [connected, await accepted.promise]
  }
  return { makePair, connections: () => sessions, stop: () => running.close() }
}

async function sockets(where: { port: number; host: string } | { path: string }): Promise<Running> {
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

const orders: readonly { readonly order: string; readonly turned: boolean }[] = [
  { order: 'as made', turned: false },
  { order: 'turned round', turned: true },
]

// Loops, because `each` truncates long names.
for (const { name: carrier, start, resets, atOnce = 1 } of carriers) {
  describe(`a conn over ${carrier} (seed ${seed})`, () => {
    let running: Running
    beforeAll(async () => {
      running = await start()
    })
    afterAll(() => running.stop())

    for (const { order, turned } of orders) {
      const makePair: MakePair = async (timeouts) => {
        const [left, right] = await running.makePair(timeouts)
        return turned ? [right, left] : [left, right]
      }
      for (const { name, run } of connConformance) {
        it(`${order}: ${name}`, async () => {
          const runs = Array.from({ length: atOnce }, (_, at) =>
            run(makePair, { seed: seed + at, resets, timeout: 15_000 }),
          )
          await expect(Promise.all(runs)).resolves.toHaveLength(atOnce)
          expect(running.connections?.() ?? 1).toBe(1)
        })
      }
    }
  })
}

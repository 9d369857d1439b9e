// oxlint-disable vitest/expect-expect -- the cases assert
/** A link is a conn like any other, whatever carries it, and however often that breaks. */
import type { Conn } from '@h2channel/conn'
import { accept, connect, fromDuplex, SessionPool } from '@h2channel/conn'
import type { MakePair } from '@h2channel/conn/testing'
import { conformanceSeed, connConformance, makeCertificate } from '@h2channel/conn/testing'
import { pipe } from '@h2channel/conn/web'
import { once } from 'node:events'
import type { Http2SecureServer, Http2Server } from 'node:http2'
import { createSecureServer, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { connect as connectSocket, createServer as createSocketServer } from 'node:net'
import { afterAll, beforeAll, describe, test } from 'vitest'

import type { Fault, Faults } from './linked-pair.ts'
import { linkedPairs, noFaults } from './linked-pair.ts'

/** Another seed may find more: `SEED=1 npx vitest run packages/channel/test/link`. */
const seed = Number(process.env['SEED'] ?? conformanceSeed)

interface Carrier {
  readonly name: 'a pipe' | 'TCP' | 'HTTP/2 with TLS' | 'cleartext HTTP/2'
  start(): Promise<{ readonly makePair: MakePair; stop(): Promise<void> }>
}

const carriers: readonly Carrier[] = [
  {
    name: 'a pipe',
    start: () => Promise.resolve({ makePair: () => Promise.resolve(pipe()), stop: () => Promise.resolve() }),
  },
  { name: 'TCP', start: startSockets },
  {
    name: 'HTTP/2 with TLS',
    start: async () => {
      const certificate = await makeCertificate()
      return startHttp2(createSecureServer(certificate), { ca: certificate.cert })
    },
  },
  { name: 'cleartext HTTP/2', start: () => startHttp2(createServer(), undefined) },
]

async function startSockets(): ReturnType<Carrier['start']> {
  const server = createSocketServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    async makePair() {
      const accepted = once(server, 'connection')
      const near = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      const [far] = await accepted
      return [fromDuplex(near), fromDuplex(far)]
    },
    async stop() {
      server.close()
      await once(server, 'close')
    },
  }
}

async function startHttp2(
  server: Http2Server | Http2SecureServer,
  tls: { readonly ca: string } | undefined,
): ReturnType<Carrier['start']> {
  let onConn: (conn: Conn) => void = () => {}
  server.on('stream', (stream, headers) => {
    accept(stream, headers).then(
      (conn) => onConn(conn),
      () => {},
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const sessions = new SessionPool()
  const url = `${tls === undefined ? 'http' : 'https'}://localhost:${port}/`
  return {
    async makePair() {
      const accepted = new Promise<Conn>((resolve) => {
        onConn = resolve
      })
      const near = await connect(url.replace('localhost', tls === undefined ? '127.0.0.1' : 'localhost'), {
        tls,
        sessions,
      })
      return [near, await accepted]
    },
    async stop() {
      await sessions.close()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Carriers of one link break so often, then the network is kind: a case waits 10 s at most. */
const maxFaults = 12

function randomFaults(start: number): Faults {
  let state = Math.imul(start, 2_654_435_761) | 1
  let left = maxFaults
  const below = (most: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % most
  }
  const kinds: readonly Fault['kind'][] = ['cut', 'cut', 'cut', 'cut one direction', 'swallow']
  return {
    next() {
      if (left-- <= 0) return { kind: 'none', end: 0, after: 0 }
      // 0 is right after the handshake, 3 within a prefix, 4 between a prefix and its body.
      const after = [0, 1, 3, 4, 5 + below(100), below(10_000), below(200_000)][below(7)] ?? 0
      return { kind: kinds[below(kinds.length)] ?? 'cut', end: below(2) === 0 ? 0 : 1, after }
    },
    handshake: () =>
      left > 0 ? ((['done', 'done', 'done', 'no request', 'no response'] as const)[below(5)] ?? 'done') : 'done',
  }
}

/** Which carrier a server has accepted is known only while one at a time is opened. */
function oneAtATime(make: MakePair): MakePair {
  let last: Promise<unknown> = Promise.resolve()
  return (timeouts) => {
    const pair = last.then(() => make(timeouts))
    last = pair.catch(() => {})
    return pair
  }
}

/**
 * Tests links over one kind of carriers: a file for each kind, and some cases at once, since they wait more than they
 * work. A link whose reset was lost waits for its `timeout`.
 */
export function testLinks(kind: Carrier['name']): void {
  describe.concurrent.each(carriers.filter(({ name }) => name === kind))('over $name', ({ name, start }) => {
    let running: Awaited<ReturnType<Carrier['start']>>
    beforeAll(async () => {
      running = await start()
    })
    afterAll(() => running.stop())

    const makePair = oneAtATime(() => running.makePair())
    const swapped =
      (make: MakePair): MakePair =>
      async (timeouts) => {
        const [left, right] = await make(timeouts)
        return [right, left]
      }

    for (const { name: what, run } of connConformance) {
      test(`as it is: ${what}`, () => run(linkedPairs(makePair, noFaults), { seed }))
      test(`${what}, swapped`, () => run(swapped(linkedPairs(makePair, noFaults)), { seed }))
      for (const order of [(make: MakePair) => make, swapped]) {
        const which = order === swapped ? ', swapped' : ''
        test(`${what}, with carriers that break${which}`, () => {
          const faults = randomFaults(seed + what.length * 31 + name.length + which.length)
          return run(order(linkedPairs(makePair, faults)), { seed })
        })
      }
    }
  })
}

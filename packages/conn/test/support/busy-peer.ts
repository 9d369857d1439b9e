/**
 * A process whose turns take long: `busy-peer.ts KIND TURN ORIGIN FROZEN`. It serves conns that echo, has some of its
 * own to ORIGIN, and one to FROZEN, which falls silent one day. Each connection is pinged. See `busy.test.ts`.
 */
import { createServer } from 'node:http2'

import type { Http2Conn } from '../../src/index.ts'
import { accept, connect, SessionPool } from '../../src/index.ts'
import { keepServerAlive } from '../../src/http2/keep-alive.ts'
import { listen } from '../../src/testing.ts'

/** What both processes use. Unit: milliseconds. */
export const times = { pingInterval: 1_000, pingTimeout: 3_000 }

/** What this process says. */
export type Told =
  | { readonly origin: string }
  /** The lowest number of pings of a connection, and the errors of connections that ended. */
  | { readonly pings: number; readonly lost: readonly string[] }
  | { readonly frozen: string }

export const kinds: readonly string[] = ['timers', 'promises', 'blocks']

const idle = new Int32Array(new SharedArrayBuffer(4))

/** Stands still, as a busy program does for its event loop, and leaves the processor to other tests. */
function standStill(ms: number): void {
  Atomics.wait(idle, 0, 0, ms)
}

/** Keeps the event loop busy from now on. */
function beBusy(kind: string, turn: number): void {
  if (kind === 'timers') {
    setInterval(() => {
      // The timer brings the loop's time up to date: on Node 20 the interval is due again before anything else has its
      // turn.
      queueMicrotask(() => {
        standStill(turn)
        setTimeout(() => {}, 1_000).unref()
      })
    }, 10)
  } else if (kind === 'promises') {
    void (async () => {
      for (;;) {
        const end = performance.now() + turn
        while (performance.now() < end) {
          await Promise.resolve()
          standStill(1)
        }
        await new Promise((resolve) => setTimeout(resolve))
      }
    })()
  } else {
    const block = (): void => {
      standStill(turn)
      setImmediate(block)
    }
    block()
  }
}

async function run(kind: string, turn: number, origin: string, frozen: string): Promise<void> {
  const say = (told: Told): void => void process.send?.(told)
  const lost: string[] = []
  const note = async (conn: Http2Conn): Promise<void> => {
    const end = await conn.closed
    lost.push(end.clean ? 'clean' : `${end.error.code}: ${end.error.message}`)
  }
  const pings: number[] = []
  const server = createServer()
  server.on('session', (session) => {
    keepServerAlive(session, times)
    const index = pings.push(0) - 1
    session.on('ping', () => {
      pings[index] = (pings[index] ?? 0) + 1
    })
  })
  server.on('stream', (stream, headers) => {
    void (async () => {
      const conn = await accept(stream, headers)
      void note(conn)
      for await (const chunk of conn) await conn.write(chunk)
    })().catch(() => {})
  })
  const at = await listen(server, undefined)
  for (let count = 0; count < 10; count += 1) void note(await connect(origin, { sessions: new SessionPool(times) }))
  const toFrozen = await connect(frozen, { sessions: new SessionPool(times) })
  void toFrozen.closed.then((end) => say({ frozen: end.clean ? 'clean' : end.error.code }))
  say({ origin: at.origin })
  process.on('message', () => say({ pings: Math.min(...pings), lost }))
  process.once('message', () => beBusy(kind, turn))
}

const [, , kind, turn, origin, frozen] = process.argv
if (process.send !== undefined && origin !== undefined && frozen !== undefined) {
  process.once('disconnect', () => process.exit())
  await run(String(kind), Number(turn), origin, frozen)
}

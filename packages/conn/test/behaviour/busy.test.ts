/** A process that is busy loses no connection, and one that is gone is noticed all the same. */
import { fork } from 'node:child_process'
import { on, once } from 'node:events'
import { createServer } from 'node:http2'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

import type { Http2Conn } from '../../src/index.ts'
import { accept, connect, SessionPool } from '../../src/index.ts'
import { keepServerAlive } from '../../src/http2/keep-alive.ts'
import { listen } from '../../src/testing.ts'
import type { Told } from '../support/busy-peer.ts'
import { kinds, times } from '../support/busy-peer.ts'
import { startRelay } from '../support/relay.ts'
import { bytes, text } from '../support/support.ts'

const connections = 50
const pings = 3

async function echoes(conn: Http2Conn): Promise<void> {
  await conn.write(bytes('hello'))
  expect(text(await conn.read())).toBe('hello')
}

const cases = kinds.flatMap((kind) => [15, 60, 300].map((turn) => ({ kind, turn })))

// They stand still rather than compute, so that all can do so at once.
describe.concurrent(`${connections} connections, pinged each second from both sides`, () => {
  it.each(cases)('outlive a process whose $kind take $turn ms a turn', { timeout: 60_000 }, async ({ kind, turn }) => {
    const server = createServer()
    server.on('session', (session) => keepServerAlive(session, times))
    const accepted: Http2Conn[] = []
    server.on('stream', (stream, headers) => {
      accept(stream, headers).then(
        (conn) => accepted.push(conn),
        () => {},
      )
    })
    await using at = await listen(server, undefined)
    const { port } = new URL(at.origin)
    let isFrozen = false
    await using relay = await startRelay(Number(port), (near, far) => {
      near.on('data', (chunk) => isFrozen || far.write(chunk))
      far.on('data', (chunk) => isFrozen || near.write(chunk))
    })
    const frozen = `http://127.0.0.1:${relay.port}`
    const child = fork(join(import.meta.dirname, '../support/busy-peer.ts'), [kind, String(turn), at.origin, frozen], {
      execArgv: ['--conditions=@h2channel/source', '--import', 'tsx'],
    })
    try {
      const told = on(child, 'message') as AsyncIterator<[Told]>
      const next = async (): Promise<Told> => (await told.next()).value[0]
      const first = await next()
      if (!('origin' in first)) throw new Error('it does not listen')
      const conns: Http2Conn[] = []
      while (conns.length < connections) {
        conns.push(await connect(first.origin, { sessions: new SessionPool({ ...times, closeTimeout: 20 }) }))
      }
      await Promise.all(conns.map(echoes))
      for (let count = 0; count < pings;) {
        child.send('how is it?')
        const state = await next()
        if (!('pings' in state)) throw new Error('the peer was taken for dead')
        expect(state.lost).toEqual([])
        count = state.pings
      }
      await Promise.all(conns.map(echoes))
      // Its own connections, too, of which one is to be frozen.
      expect(accepted).toHaveLength(11)
      const frozenAt = performance.now()
      isFrozen = true
      expect(await next()).toEqual({ frozen: 'PEER_SILENT' })
      // A verdict waits for turns of the loop. On Node 20 each may take a second with such timers.
      const turns = 5 * Math.max(turn, 1_000)
      expect(performance.now() - frozenAt).toBeLessThan(times.pingInterval + times.pingTimeout + turns)
      child.send('and now?')
      expect(await next()).toEqual({ pings: expect.any(Number), lost: [] })
      for (const conn of conns) conn.abort()
    } finally {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
  })
})

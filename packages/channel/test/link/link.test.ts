/** The states of a link: how it continues on other carriers, and how it ends. */
import type { Conn, ConnClosed } from '@h2channel/conn/web'
import { ConnError, StreamConn } from '@h2channel/conn/web'
import { describe, expect, test } from 'vitest'

import type { LinkHost } from '../../src/link/link-parts.ts'
import { Link } from '../../src/link/link.ts'
import { bytesOf, concat, utf8 } from '../support/support.ts'
import { ManualClock } from './manual-clock.ts'
import { SimulatedCarrier } from './simulated-carrier.ts'

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Side {
  readonly link: Link
  readonly conn: Conn
  /** Why its carriers were lost. */
  readonly lost: unknown[]
  isOver: boolean
}

/** Two links, and the carrier between them. */
class World {
  readonly clock = new ManualClock()
  readonly client: Side
  readonly server: Side
  carrier = new SimulatedCarrier()

  constructor({ window = 1_000, timeout = 60_000, closeTimeout = 10_000 } = {}) {
    const side = (): Side => {
      const lost: unknown[] = []
      const host: LinkHost = {
        onDetached: (_link, reason) => lost.push(reason),
        onOver() {
          made.isOver = true
        },
      }
      const heartbeat = { heartbeatInterval: 25_000, heartbeatTimeout: 10_000 }
      const link = new Link({ window, peerWindow: window, timeout, heartbeat, clock: this.clock, host })
      const made: Side = { link, conn: new StreamConn(link, { closeTimeout }), lost, isOver: false }
      return made
    }
    this.client = side()
    this.server = side()
    this.attach()
  }

  /** Both continue on a new carrier. */
  attach(): void {
    this.carrier = new SimulatedCarrier()
    this.client.link.detach(new Error('another'))
    const { received } = this.client.link
    this.server.link.detach(new Error('another'))
    const answer = this.server.link.received
    this.server.link.attach(this.carrier.conns[1], received)
    this.client.link.attach(this.carrier.conns[0], answer)
  }

  /** Delivers what is on its way, until nothing is. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 12; turn++) {
      for (const end of this.carrier.ends) {
        end.deliver(Infinity)
        end.handOn()
      }
      await nextTurn()
    }
  }

  /** Breaks the carrier. What was on its way is lost. */
  async cut(): Promise<void> {
    for (const end of this.carrier.ends) end.cut(undefined)
    await nextTurn()
  }
}

async function readAll(conn: Conn): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of conn) chunks.push(chunk.slice())
  return new TextDecoder().decode(concat(chunks))
}

const codeOf = (closed: ConnClosed): string => (closed.clean ? 'clean' : closed.error.code)

describe('a link continues', () => {
  test('on a hundred carriers, each of which breaks in the middle of a record (LINK-9)', async () => {
    const world = new World()
    const { client, server } = world
    const texts = [readAll(server.conn), readAll(client.conn)]
    for (let index = 0; index < 100; index++) {
      await client.conn.write(utf8(`c${index},`))
      await server.conn.write(utf8(`s${index},`))
      await nextTurn()
      for (const end of world.carrier.ends) end.deliver(index % 9)
      await world.cut()
      world.attach()
    }
    await Promise.all([client.conn.closeWrite(), server.conn.closeWrite(), world.settle()])
    const numbers = Array.from({ length: 100 }, (_, index) => index)
    expect(await Promise.all(texts)).toEqual([
      numbers.map((index) => `c${index},`).join(''),
      numbers.map((index) => `s${index},`).join(''),
    ])
    expect([codeOf(await client.conn.closed), codeOf(await server.conn.closed)]).toEqual(['clean', 'clean'])
    expect(client.link.carriers).toBe(101)
  })

  test('when its first carrier breaks before the first byte', async () => {
    const world = new World()
    await world.cut()
    const text = readAll(world.server.conn)
    await world.client.conn.write(utf8('first'))
    void world.client.conn.closeWrite()
    world.attach()
    await world.settle()
    expect(await text).toBe('first')
  })

  test('after an hour in which only pings went to and fro (LINK-12)', async () => {
    const world = new World()
    for (let minute = 0; minute < 60; minute++) {
      for (let second = 0; second < 60; second += 5) {
        world.clock.advance(5_000)
        for (const end of world.carrier.ends) {
          end.deliver(Infinity)
          end.handOn()
        }
        await nextTurn()
      }
    }
    expect([world.client.lost, world.server.lost]).toEqual([[], []])
    expect(world.client.link.roundTrip ?? world.server.link.roundTrip).toBeGreaterThanOrEqual(0)
    await world.cut()
    world.attach()
    const text = readAll(world.server.conn)
    await world.client.conn.write(utf8('still here'))
    void world.client.conn.closeWrite()
    await world.settle()
    expect(await text).toBe('still here')
  })

  test('when its carrier is silent: that is dropped, and the link lives (LINK-12)', async () => {
    const world = new World()
    world.clock.advance(35_000)
    await nextTurn()
    expect(world.client.lost).toEqual([expect.objectContaining({ code: 'PEER_SILENT' })])
    expect(world.client.isOver).toBe(false)
    world.attach()
    const text = readAll(world.server.conn)
    await world.client.conn.write(utf8('after it'))
    void world.client.conn.closeWrite()
    await world.settle()
    expect(await text).toBe('after it')
  })

  test('on the newer of two carriers, and takes nothing from the older one (LINK-4)', async () => {
    const world = new World()
    const { client, server } = world
    const text = readAll(server.conn)
    await client.conn.write(utf8('once,'))
    await nextTurn()
    const older = world.carrier
    // The client believes that it is lost. The server still sees it.
    world.attach()
    older.ends[0].deliver(Infinity)
    await client.conn.write(utf8('twice'))
    void client.conn.closeWrite()
    await world.settle()
    older.ends[0].deliver(Infinity)
    expect(await text).toBe('once,twice')
    expect(server.link.carriers).toBe(2)
  })

  test('without a carrier: writes wait for the window, and reads end by their own deadline', async () => {
    const world = new World({ window: 10 })
    await world.cut()
    await world.client.conn.write(utf8('0123456789'))
    const waiting = world.client.conn.write(utf8('abc'), { signal: AbortSignal.timeout(1) })
    await expect(waiting).rejects.toMatchObject({ code: 'TIMEOUT', fatal: false })
    const reading = world.client.conn.read({ signal: AbortSignal.timeout(1) })
    await expect(reading).rejects.toMatchObject({ code: 'TIMEOUT', fatal: false })
    const text = readAll(world.server.conn)
    world.attach()
    void world.client.conn.closeWrite()
    await world.settle()
    expect(await text).toBe('0123456789')
  })
})

describe('a write is handed on', () => {
  const isHandedOn = async (world: World, act: () => void): Promise<readonly boolean[]> => {
    let isOver = false
    void world.client.conn.write(utf8('abc'), { handedOn: true }).then(() => (isOver = true))
    await nextTurn()
    const before = isOver
    act()
    await nextTurn()
    return [before, isOver]
  }

  test('when the carrier has taken it', async () => {
    const world = new World()
    await world.settle()
    expect(await isHandedOn(world, () => world.carrier.ends[0].handOn())).toEqual([false, true])
  })

  test('when the carrier is lost: the link has a copy', async () => {
    const world = new World()
    expect(await isHandedOn(world, () => world.carrier.ends[0].cut(undefined))).toEqual([false, true])
  })

  test('at once while there is no carrier', async () => {
    const world = new World()
    await world.cut()
    expect(await isHandedOn(world, () => {})).toEqual([true, true])
  })
})

describe('a clean end is learnt afterwards', () => {
  test('when the carrier breaks before the last acknowledgement (LINK-10)', async () => {
    const world = new World()
    const { client, server } = world
    const texts = Promise.all([readAll(server.conn), readAll(client.conn)])
    await world.settle()
    const ended = Promise.all([client.conn.closeWrite(), server.conn.closeWrite()])
    await nextTurn()
    // Each end arrives, and no acknowledgement of it.
    for (const end of world.carrier.ends) end.deliver(end.outBytes)
    await world.cut()
    expect(await texts).toEqual(['', ''])
    world.attach()
    await world.settle()
    await ended
    expect([codeOf(await client.conn.closed), codeOf(await server.conn.closed)]).toEqual(['clean', 'clean'])
    expect([client.isOver, server.isOver]).toEqual([true, true])
  })

  test('during close(), with all that was sent before it (LINK-11)', async () => {
    const world = new World()
    const { client, server } = world
    const text = readAll(server.conn)
    await client.conn.write(utf8('last words'))
    const closing = client.conn.close()
    await world.cut()
    world.attach()
    await world.settle()
    expect(await text).toBe('last words')
    await Promise.all([server.conn.closeWrite(), world.settle()])
    await closing
    expect(codeOf(await client.conn.closed)).toBe('clean')
  })
})

describe('a link is lost', () => {
  test('when no carrier comes in time: each wait, and `closed`, says so at both sides (LINK-5)', async () => {
    const world = new World({ timeout: 5_000 })
    const { client, server } = world
    await client.conn.write(utf8('never acknowledged'))
    const reads = [client.conn.read(), server.conn.read()]
    await world.cut()
    world.clock.advance(4_999)
    expect([client.isOver, server.isOver]).toEqual([false, false])
    world.clock.advance(1)
    for (const read of reads) await expect(read).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect([codeOf(await client.conn.closed), codeOf(await server.conn.closed)]).toEqual([
      'CONNECTION_LOST',
      'CONNECTION_LOST',
    ])
    expect([client.isOver, server.isOver]).toEqual([true, true])
  })

  test('and reports what was handed on and did not arrive, although both halves had ended', async () => {
    const world = new World({ timeout: 5_000 })
    const { client, server } = world
    await Promise.all([server.conn.closeWrite(), world.settle()])
    expect(await readAll(client.conn)).toBe('')
    await client.conn.write(utf8('lost'))
    const ended = client.conn.closeWrite()
    await nextTurn()
    // The text, then the end.
    world.carrier.ends[0].handOn()
    world.carrier.ends[0].handOn()
    world.carrier.ends[0].swallow()
    await ended
    await world.cut()
    const closing = client.conn.close()
    world.clock.advance(5_000)
    await expect(closing).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect(codeOf(await client.conn.closed)).toBe('CONNECTION_LOST')
  })

  test('when its host gives up', async () => {
    const world = new World()
    world.client.link.lose(new ConnError('CONNECTION_LOST', 'unknown to the server'))
    await expect(world.client.conn.read()).rejects.toMatchObject({ message: 'unknown to the server' })
  })
})

describe('a reset', () => {
  test('reaches the peer with its code, and drops what has not left (LINK-11)', async () => {
    const world = new World()
    const { client, server } = world
    const read = server.conn.read()
    client.conn.abort(Object.assign(new Error('enough'), { rstCode: 11 }))
    const failed = read.catch((error: unknown) => error)
    await world.settle()
    expect(await failed).toMatchObject({ code: 'RESET', rstCode: 11 })
    expect(codeOf(await client.conn.closed)).toBe('ABORTED')
    expect([client.isOver, server.isOver]).toEqual([true, true])
  })
})

/** A peer whose bytes the test writes. Its link is the client's. */
async function against(
  hex: string,
  { received = 0 } = {},
): Promise<{ readonly world: World; readonly answer: Uint8Array }> {
  const world = new World({ window: 16 })
  await world.client.conn.write(utf8('abc'))
  const carrier = new SimulatedCarrier()
  const chunks: Uint8Array[] = []
  world.client.link.attach(carrier.conns[0], received)
  const [, peer] = carrier.conns
  await peer.write(bytesOf(hex))
  const reading = (async () => {
    for await (const chunk of peer) chunks.push(chunk.slice())
  })().catch(() => {})
  for (let turn = 0; turn < 6; turn++) {
    for (const end of carrier.ends) {
      end.deliver(Infinity)
      end.handOn()
    }
    await nextTurn()
  }
  peer.abort()
  await reading
  return { world, answer: concat(chunks) }
}

describe('a peer that breaks the rules ends the link with PROTOCOL_ERROR, and receives it', () => {
  test.each([
    ['acknowledges what was never sent (LINK-7)', '80 00 00 09 11 00 00 00 00 00 00 00 04'],
    [
      'acknowledges less than before (LINK-7)',
      '80 00 00 09 11 00 00 00 00 00 00 00 02 80 00 00 09 11 00 00 00 00 00 00 00 01',
    ],
    ['exceeds the window (LINK-7)', `00 00 00 11 ${'61 '.repeat(17)}`],
    ['sends data after its end (LINK-7)', '80 00 00 01 12 00 00 00 01 61'],
    ['ends twice (LINK-7)', '80 00 00 01 12 80 00 00 01 12'],
    ['sets the reserved bit (LINK-7)', '40 00 00 01 61'],
  ])('when it %s', async (_what, hex) => {
    const { world, answer } = await against(hex)
    expect(codeOf(await world.client.conn.closed)).toBe('PROTOCOL_ERROR')
    expect(world.client.isOver).toBe(true)
    expect(Buffer.from(answer).toString('hex')).toContain('800000051300000001')
  })

  test('when it has received what was never sent (LINK-4)', async () => {
    const { world, answer } = await against('', { received: 4 })
    expect(codeOf(await world.client.conn.closed)).toBe('PROTOCOL_ERROR')
    expect(Buffer.from(answer).toString('hex')).toContain('800000051300000001')
  })

  test('and one that floods with pings is answered without piling up', async () => {
    const { world, answer } = await against('80 00 00 02 14 61 '.repeat(5_000))
    expect(world.client.isOver).toBe(false)
    expect(world.client.link.held).toBeLessThan(1_000)
    expect(answer.length).toBeLessThan(6 * 5_000)
  })
})

test('nothing is left of a link that is over', async () => {
  const world = new World()
  const { client, server } = world
  const texts = [readAll(server.conn), readAll(client.conn)]
  await client.conn.write(utf8('hello'))
  await Promise.all([client.conn.closeWrite(), server.conn.closeWrite(), world.settle()])
  await Promise.all(texts)
  await world.settle()
  expect([client.isOver, server.isOver, client.link.held, server.link.held]).toEqual([true, true, 0, 0])
  expect(world.clock.timers).toBe(0)
})

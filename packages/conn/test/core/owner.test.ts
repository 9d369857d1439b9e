/** A channel reads and writes its conn without promises, and notices the same as with them. */
import { expect, test } from 'vitest'

import { ownerCalls } from '../../src/internal.ts'
import type { ConnClosed, Transport, TransportEvents } from '../../src/web.ts'
import { ConnError, pipe, StreamConn } from '../../src/web.ts'
import { bytes, text } from '../support/support.ts'

const lost = new ConnError('CONNECTION_LOST', 'the network is gone')

/** Keeps all calls. */
class Owner {
  readonly told: string[] = []
  onChunk(chunk: Uint8Array | null): void {
    this.told.push(text(chunk) ?? 'end')
  }
  onReadError(error: unknown): void {
    this.told.push(`read ${(error as ConnError).code}`)
  }
  onWritten(isReleased: boolean): void {
    this.told.push(isReleased ? 'released' : 'written')
  }
  onWriteError(error: unknown): void {
    this.told.push(`write ${(error as ConnError).code}`)
  }
}

/** Hands writes on when the test says so, or at once. */
class Scripted implements Transport {
  events: TransportEvents | undefined
  readonly done: ((isReleased: boolean) => void)[] = []
  readonly atOnce: boolean
  constructor(atOnce = false) {
    this.atOnce = atOnce
  }
  start(events: TransportEvents): void {
    this.events = events
  }
  resume(): void {}
  pause(): void {}
  write(_chunk: Uint8Array, done?: (isReleased: boolean) => void): boolean {
    if (this.atOnce) done?.(true)
    else if (done !== undefined) this.done.push(done)
    return true
  }
  end(): void {}
  destroy(): void {}
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('readTo: passes a chunk on as it arrives, one for each call', async () => {
  const [transport, owner] = [new Scripted(), new Owner()]
  const conn = new StreamConn(transport)
  ownerCalls.readTo(owner, conn)
  transport.events?.chunk(bytes('a'))
  expect(owner.told).toEqual(['a'])
  transport.events?.chunk(bytes('b'))
  expect(owner.told).toEqual(['a'])
  ownerCalls.readTo(owner, conn)
  expect(owner.told).toEqual(['a'])
  await settled()
  expect(owner.told).toEqual(['a', 'b'])
})

test.each([
  ['the end', (events: TransportEvents) => events.end(), 'end'],
  ['an error', (events: TransportEvents) => events.close(lost), 'read CONNECTION_LOST'],
])('readTo: learns of %s later, since it may end the conn then', async (_what, happen, told) => {
  const [transport, owner] = [new Scripted(), new Owner()]
  const conn = new StreamConn(transport)
  ownerCalls.readTo(owner, conn)
  if (transport.events !== undefined) happen(transport.events)
  expect(owner.told).toEqual([])
  await settled()
  expect(owner.told).toEqual([told])
  ownerCalls.readTo(owner, conn)
  await settled()
  expect(owner.told).toEqual([told, told])
})

test('readTo: fails when this side closes or aborts the conn', async () => {
  const [left, right] = pipe()
  const [closing, aborting] = [new Owner(), new Owner()]
  ownerCalls.readTo(closing, left)
  ownerCalls.readTo(aborting, right)
  right.abort()
  left.close().catch(() => {})
  await Promise.all([left.closed, right.closed, settled()])
  expect(aborting.told).toEqual(['read ABORTED'])
  expect(closing.told).toEqual(['read CLOSED'])
})

test.each([true, false])(
  'writeFrom: tells when the bytes are handed on, and never before it returns',
  async (atOnce) => {
    const [transport, owner] = [new Scripted(atOnce), new Owner()]
    const conn = new StreamConn(transport)
    ownerCalls.writeFrom(owner, conn, bytes('a'))
    expect(owner.told).toEqual([])
    transport.done.shift()?.(true)
    await settled()
    expect(owner.told).toEqual(['released'])
  },
)

test('writeFrom: two writes at once are both told of, and both fail with the conn', async () => {
  for (const fails of [false, true]) {
    const [transport, owner] = [new Scripted(), new Owner()]
    const conn = new StreamConn(transport)
    for (const piece of ['a', 'b']) ownerCalls.writeFrom(owner, conn, bytes(piece))
    if (fails) transport.events?.close(lost)
    for (const done of transport.done) done(false)
    await settled()
    expect(owner.told).toEqual(Array.from({ length: 2 }, () => (fails ? 'write CONNECTION_LOST' : 'written')))
  }
})

test('ownerCalls: call `read` and `write` of a conn that has its own', async () => {
  class Loud extends StreamConn {
    readonly calls: string[] = []
    override read(): Promise<Uint8Array | null> {
      this.calls.push('read')
      return super.read()
    }
    override write(chunk: Uint8Array): Promise<void> {
      this.calls.push('write')
      return super.write(chunk)
    }
  }
  const [transport, owner] = [new Scripted(), new Owner()]
  const conn = new Loud(transport)
  ownerCalls.readTo(owner, conn)
  ownerCalls.writeFrom(owner, conn, bytes('a'))
  transport.events?.chunk(bytes('b'))
  await settled()
  expect(conn.calls).toEqual(['read', 'write'])
  expect(owner.told.toSorted()).toEqual(['b', 'written'])
  expect(ownerCalls.hidesBytes(conn)).toBe(false)
})

test('hidesBytes: is false where a program may get at what was written', () => {
  expect(ownerCalls.hidesBytes(pipe()[0])).toBe(false)
})

/** Tells how its conn has closed. */
class Told {
  closed: ConnClosed | undefined
  onConnClosed(closed: ConnClosed): void {
    this.closed = closed
  }
}

test.each([
  ['was aborted', (conn: StreamConn) => conn.abort(), false],
  ['has lost its transport', (_conn: StreamConn, { events }: Scripted) => events?.close(lost), false],
  [
    'has ended',
    (conn: StreamConn, { events }: Scripted) => {
      void conn.closeWrite()
      events?.end()
      events?.finish()
      events?.close()
    },
    true,
  ],
])('tellClosed: tells an owner that comes after the conn %s', async (_what, end, clean) => {
  const transport = new Scripted()
  const conn = new StreamConn(transport)
  end(conn, transport)
  transport.events?.close(lost)
  await conn.closed
  const owner = new Told()
  ownerCalls.tellClosed(owner, conn)
  expect(owner.closed).toBeUndefined()
  await settled()
  expect(owner.closed?.clean).toBe(clean)
})

test('tellClosed: tells each of two owners', async () => {
  const transport = new Scripted()
  const conn = new StreamConn(transport)
  const owners = [new Told(), new Told()]
  for (const owner of owners) ownerCalls.tellClosed(owner, conn)
  transport.events?.close(lost)
  await settled()
  expect(owners.map(({ closed }) => closed?.clean)).toEqual([false, false])
})

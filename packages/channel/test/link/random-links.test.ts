/**
 * Two linked conns, with carriers that break at any moment and at any byte: every byte arrives once and in order, every
 * end is clean, and nothing is left behind. H2CHANNEL_OPERATIONS is how many random operations there are in all, and
 * H2CHANNEL_SEED repeats a run.
 */
import type { Conn } from '@h2channel/conn/web'
import { ownerCalls } from '@h2channel/conn/internal'
import { StreamConn } from '@h2channel/conn/web'
import { expect, test } from 'vitest'

import type { LinkHost } from '../../src/link/link-parts.ts'
import { Link } from '../../src/link/link.ts'
import { ManualClock } from './manual-clock.ts'
import { SimulatedCarrier } from './simulated-carrier.ts'

const operations = Number(process.env['H2CHANNEL_OPERATIONS'] ?? 60_000)
const firstSeed = Number(process.env['H2CHANNEL_SEED'] ?? Date.now() % 1_000_000)
const operationsPerPair = 400
/** Of a link without a carrier. Longer than a simulation takes. Unit: milliseconds. */
const timeout = 2 ** 29

/** Numbers from 0 to below `most`, the same for the same seed. */
function randomFrom(seed: number): (most: number) => number {
  let state = Math.imul(seed, 2_654_435_761) | 1
  return (most) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return Math.floor(((state >>> 0) / 2 ** 32) * most)
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const byteAt = (side: number, offset: number): number => (offset * 31 + side * 7 + (offset >>> 8)) & 255

/** One side: what it writes and reads, and how far it has come. */
class Side {
  readonly link: Link
  readonly conn: Conn
  readonly #side: number
  readonly #total: number
  readonly #isOwner: boolean
  written = 0
  read = 0
  hasEnded = false
  hasReadEnd = false
  isOver = false
  #isWriting = false
  #isReading = false
  fault: unknown

  constructor(side: number, total: number, link: Link, isOwner: boolean) {
    this.#isOwner = isOwner
    this.#side = side
    this.#total = total
    this.link = link
    this.conn = new StreamConn(link)
  }

  write(size: number): void {
    if (this.#isWriting || this.hasEnded) return
    const length = Math.min(size, this.#total - this.written)
    if (length === 0) {
      this.hasEnded = true
      this.conn.closeWrite().catch((error: unknown) => this.#fail(error))
      return
    }
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at++) bytes[at] = byteAt(this.#side, this.written + at)
    this.written += length
    this.#isWriting = true
    this.conn.write(bytes).then(
      () => {
        this.#isWriting = false
      },
      (error: unknown) => this.#fail(error),
    )
  }

  readNext(): void {
    if (this.#isReading || this.hasReadEnd) return
    this.#isReading = true
    if (this.#isOwner) this.#readAsOwner()
    else {
      this.conn.read().then(
        (chunk) => this.#onChunk(chunk),
        (error: unknown) => this.#fail(error),
      )
    }
  }

  /** As a channel does. */
  #readAsOwner(): void {
    let hasReturned = false
    const onChunk = (chunk: Uint8Array | null): void => {
      if (!hasReturned) this.#fail(new Error('a chunk came before the call had returned'))
      this.#onChunk(chunk)
    }
    ownerCalls.readTo({ onChunk, onReadError: (error) => this.#fail(error) }, this.conn)
    hasReturned = true
  }

  #onChunk(chunk: Uint8Array | null): void {
    this.#isReading = false
    if (chunk === null) this.hasReadEnd = true
    else this.#check(chunk)
  }

  #check(chunk: Uint8Array): void {
    for (const byte of chunk) {
      if (byte !== byteAt(1 - this.#side, this.read)) this.#fail(new Error(`byte ${this.read} came as ${byte}`))
      this.read += 1
    }
  }

  #fail(error: unknown): void {
    this.fault ??= error
  }
}

interface Told {
  cuts: number
  operations: number
}

// oxlint-disable-next-line max-lines-per-function -- one simulation, whose parts share its state.
async function simulate(seed: number, told: Told): Promise<void> {
  const random = randomFrom(seed)
  const clock = new ManualClock()
  const window = [16, 300, 5_000, 65_536, 1_048_576][random(5)] ?? 16
  const peerWindow = [16, 300, 5_000, 65_536, 1_048_576][random(5)] ?? 16
  // A small window takes a turn for each of its parts.
  const largest = Math.min(10 ** (1 + random(5)), 16 * Math.min(window, peerWindow))
  const totals = [random(20 * largest), random(20 * largest)] as const
  const isOwner = random(2) === 0
  let carrier: SimulatedCarrier | undefined
  const heartbeat = { heartbeatInterval: 2_000, heartbeatTimeout: 1_000 }
  const over = [false, false]
  const host = (side: number): LinkHost => ({
    onDetached() {},
    onOver() {
      over[side] = true
    },
  })
  const common = { timeout, heartbeat, clock }
  const client = new Side(0, totals[0], new Link({ ...common, window, peerWindow, host: host(0) }), isOwner)
  const server = new Side(
    1,
    totals[1],
    new Link({ ...common, window: peerWindow, peerWindow: window, host: host(1) }),
    isOwner,
  )
  const sides = [client, server] as const

  const connect = (isReliable: boolean): void => {
    if (client.link.isOver || client.link.isAttached) return
    const { received } = client.link
    if (!isReliable && random(10) === 0) return
    const next = new SimulatedCarrier()
    // The server has forgotten a link that is over at both ends.
    if (server.link.isOver) {
      client.link.lose(new Error('410') as never)
      return
    }
    server.link.detach(new Error('another carrier'))
    const answer = server.link.received
    server.link.attach(next.conns[1], received)
    if (!isReliable && random(10) === 0) {
      // The response is lost, and the server learns of it or not.
      next.ends[0].cut(undefined)
      if (random(2) === 0) next.ends[1].cut(undefined)
      return
    }
    client.link.attach(next.conns[0], answer)
    carrier = next
  }

  const cut = (): void => {
    if (carrier === undefined) return
    told.cuts += 1
    for (const end of carrier.ends) if (random(2) === 0) end.deliver(random(end.outBytes + 1))
    const how = random(4)
    if (how === 3) {
      // In silence: neither side learns of it but by its heartbeat.
      carrier.ends[0].swallow()
      carrier.ends[1].swallow()
      clock.advance(10_000)
      return
    }
    if (how !== 1) carrier.ends[0].cut(undefined)
    if (how !== 2) carrier.ends[1].cut(undefined)
    if (how === 1) carrier.ends[1].swallow()
    if (how === 2) carrier.ends[0].swallow()
    carrier = undefined
  }

  const step = (): void => {
    const side = sides[random(2)] ?? client
    const end = carrier?.ends[random(2)]
    const what = random(100)
    if (what < 30) side.write(1 + random(largest))
    else if (what < 60) side.readNext()
    else if (what < 85) end?.deliver(1 + random(end.outBytes + 1))
    else if (what < 92) end?.handOn()
    else if (what < 94) clock.advance(random(60))
    else if (what < 95) clock.advance(random(4_000))
    else if (what < 98) connect(false)
    else cut()
  }

  const check = (): void => {
    for (const { fault, link } of sides) {
      if (fault !== undefined) throw fault
      const most = window + peerWindow + 3 * 65_536
      if (link.held > most) throw new Error(`a link holds ${link.held} bytes, over ${most}`)
    }
  }

  connect(true)
  for (let count = 0; count < operationsPerPair; count++) {
    step()
    told.operations += 1
    if (random(4) === 0) await nextTurn()
    check()
  }
  // Then the network is kind, and everything must come to its end.
  const isDone = (): boolean => over[0] === true && sides.every(({ hasReadEnd }) => hasReadEnd)
  for (let turns = 0; !isDone(); turns++) {
    if (turns > 200_000) throw new Error(`it hangs: ${JSON.stringify(sides.map(describeSide))}`)
    if (!client.link.isAttached) connect(true)
    for (const side of sides) {
      side.write(1 + random(largest))
      side.readNext()
    }
    for (const end of carrier?.ends ?? []) {
      end.deliver(Infinity)
      end.handOn()
    }
    clock.advance(50)
    await nextTurn()
    check()
  }
  for (const [index, { read, hasReadEnd, conn }] of sides.entries()) {
    expect(read).toBe(totals[1 - index])
    expect(hasReadEnd).toBe(true)
    expect(await conn.closed).toEqual({ clean: true })
  }
  // A server that does not know whether its client has learnt of the end keeps the link until its timeout.
  for (let turn = 0; turn < 5; turn++) {
    for (const end of carrier?.ends ?? []) {
      end.deliver(Infinity)
      end.handOn()
    }
    await nextTurn()
  }
  clock.advance(10_000)
  clock.advance(timeout)
  expect(over).toEqual([true, true])
  expect(clock.timers, 'timers left').toBe(0)
  expect(sides.map(({ link }) => link.held)).toEqual([0, 0])
}

const describeSide = ({ written, read, hasEnded, hasReadEnd, link }: Side): object => ({
  written,
  read,
  hasEnded,
  hasReadEnd,
  isAttached: link.isAttached,
  isOver: link.isOver,
  received: link.received,
})

test(`${operations} random operations from seed ${firstSeed}`, { timeout: 600_000 }, async () => {
  const told: Told = { cuts: 0, operations: 0 }
  for (let seed = firstSeed; told.operations < operations; seed++) {
    await simulate(seed, told).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
    })
  }
  expect(told.cuts).toBeGreaterThan(operations / 200)
})

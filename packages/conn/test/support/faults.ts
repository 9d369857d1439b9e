/** What goes wrong between two conns, decided by a seed: at which byte, and what. */
import type { Socket } from 'node:net'
import { setImmediate, setTimeout } from 'node:timers/promises'

import type { Conn } from '../../src/index.ts'
import { startReading } from '../../src/node/handle.ts'
import type { Join } from './relay.ts'

/** xorshift32: the same numbers for the same seeds. */
export class Random {
  #state: number

  constructor(...seeds: readonly number[]) {
    let state = 0x9e37_79b9
    for (const seed of seeds) {
      state = Math.imul(state ^ seed, 0x85eb_ca6b)
      state = Math.imul(state ^ (state >>> 13), 0xc2b2_ae35)
      state ^= state >>> 16
    }
    this.#state = state | 1
    for (let turn = 0; turn < 4; turn += 1) this.next()
  }

  /** A whole number of 32 bits. */
  next(): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return this.#state >>> 0
  }

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    return this.next() % bound
  }

  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32
  }

  /** From 1 to `most`, each order of magnitude as likely as the others. */
  scale(most: number): number {
    return Math.floor((most + 1) ** (this.next() / 2 ** 32))
  }

  /** One of these, each as likely as its weight says. */
  weighted<Item>(items: readonly (readonly [weight: number, item: Item])[]): Item {
    let at = this.below(items.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, item] of items) {
      if (at < weight) return item
      at -= weight
    }
    throw new Error('no weights')
  }
}

export type Cut = 'fin' | 'rst'

type Fault =
  | { readonly kind: 'turn' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'cut'; readonly how: Cut }

/** Where and how a connection is cut. */
export interface PlannedCut {
  /** The direction: 0 or 1. */
  readonly direction: number
  /** After how many bytes. */
  readonly at: number
  readonly how: Cut
}

/** Whether a connection is cut, and where. */
export function planCut(random: Random, ways: readonly Cut[]): PlannedCut | undefined {
  const isCut = random.chance(0.4)
  const direction = random.below(2)
  const at = random.scale(1024 * 1024) - 1
  const how = ways[random.below(Math.max(1, ways.length))]
  return isCut && how !== undefined ? { direction, at, how } : undefined
}

/** What goes wrong in one direction. */
export class Faults {
  readonly #random: Random
  readonly #cut: PlannedCut | undefined
  readonly #onCut: (how: Cut) => void
  /** How much passes until the next fault. */
  #left = 0
  #fault: Fault = { kind: 'turn' }
  #toCut: number
  #isCut = false

  constructor(random: Random, cut: PlannedCut | undefined, onCut: (how: Cut) => void) {
    this.#random = random
    this.#cut = cut
    this.#onCut = onCut
    this.#toCut = cut?.at ?? Number.POSITIVE_INFINITY
    this.#plan()
  }

  /** Hands on what comes, in pieces, as late as the plan says. After a cut, nothing. */
  async pass(chunk: Uint8Array, write: (piece: Uint8Array) => Promise<void> | undefined): Promise<void> {
    for (let rest = chunk; !this.#isCut && rest.length > 0;) {
      const piece = rest.subarray(0, this.#left)
      if (piece.length > 0) await write(piece)
      rest = rest.subarray(piece.length)
      this.#left -= piece.length
      if (this.#left === 0) await this.#perform()
    }
  }

  async #perform(): Promise<void> {
    const fault = this.#fault
    if (fault.kind === 'turn') await setImmediate()
    else if (fault.kind === 'wait') await setTimeout(fault.ms)
    else {
      this.#isCut = true
      this.#onCut(fault.how)
      return
    }
    this.#plan()
  }

  #plan(): void {
    const gap = this.#random.scale(256 * 1024) - 1
    const wait = this.#random.weighted([
      [20, 0],
      [6, 1],
      [3, 3],
      [1, 15],
    ])
    this.#fault = wait === 0 ? { kind: 'turn' } : { kind: 'wait', ms: wait }
    if (this.#cut !== undefined && gap >= this.#toCut) this.#fault = { kind: 'cut', how: this.#cut.how }
    this.#left = Math.min(gap, this.#toCut)
    this.#toCut -= this.#left
  }
}

/** Faults on TCP connections. `plan` gives those of both directions of the next connection. */
export function faultyJoin(plan: (cut: (how: Cut) => void) => readonly [Faults, Faults]): Join {
  return (near, far) => {
    const [there, back] = plan((how) => {
      for (const socket of [near, far]) {
        if (how === 'fin') socket.destroy()
        else reset(socket)
      }
    })
    forward(near, far, there)
    forward(far, near, back)
  }
}

/** Libuv refuses a reset while a shutdown is under way, and Node then forgets the socket without closing it. */
function reset(socket: Socket): void {
  if (socket.destroyed) return
  const isShuttingDown = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (isShuttingDown) socket.once('finish', () => reset(socket))
  else socket.resetAndDestroy()
}

/** To libuv, a reset that comes with the last bytes looks like an end (libuv/libuv#4997). A further read reports it. */
function readPastTheEnd(socket: Socket): void {
  const push = socket.push
  let hasReadOn = false
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null && !hasReadOn) {
      hasReadOn = true
      if (startReading(socket)) return true
    }
    return push.call(socket, chunk, encoding)
  }
}

function forward(from: Socket, to: Socket, faults: Faults): void {
  readPastTheEnd(from)
  let passing: Promise<void> = Promise.resolve()
  const write = (piece: Uint8Array): Promise<void> | undefined => {
    if (to.destroyed || to.write(piece)) return undefined
    return new Promise((resolve) => {
      const done = (): void => {
        to.off('drain', done)
        to.off('close', done)
        resolve()
      }
      to.on('drain', done)
      to.on('close', done)
    })
  }
  from.on('data', (chunk: Uint8Array) => {
    from.pause()
    passing = passing.then(() => faults.pass(chunk, write)).then(() => void from.resume())
  })
  from.on('end', () => {
    void passing.then(() => to.end())
  })
  from.on('error', () => reset(to))
}

/** Joins two conns: what one reads, the other writes. An end passes, and so does a failure. */
export async function joinConns(near: Conn, far: Conn, [there, back]: readonly [Faults, Faults]): Promise<void> {
  const carry = async (from: Conn, to: Conn, faults: Faults): Promise<void> => {
    try {
      for await (const chunk of from) await faults.pass(chunk, (piece) => to.write(piece))
      await to.closeWrite()
    } catch {
      from.abort()
      to.abort()
    }
  }
  await Promise.all([carry(near, far, there), carry(far, near, back), near.closed, far.closed])
}

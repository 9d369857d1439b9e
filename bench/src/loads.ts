/** The work of a client for each load, with any peer. Checks that everything that it measures has happened. */
import { Fan } from './fan.ts'
import type { Job, Result } from './job.ts'
import type { Message } from './message.ts'
import { check, messagesOf, piecesOf, Tally, trades } from './message.ts'
import type { Alone, Session } from './peers/peer.ts'

/** The number of different messages, equal for all peers. */
const textLength = 64

export class Client {
  readonly #session: Session
  #fan: Fan | undefined

  constructor(session: Session) {
    this.#session = session
  }

  run(job: Job): Promise<Result> {
    switch (job.do) {
      case 'collect':
        return this.#collect(job)
      case 'echo':
        return this.#echo(job.count)
      case 'ping':
        return this.#ping(job.count)
      case 'fan':
        return this.#fanOf().run(job)
      case 'hold':
        return this.#hold(job.channels)
      case 'alone':
        throw new Error('a peer of two processes does nothing alone')
    }
  }

  #collect({ what, size, count }: Job & { do: 'collect' }): Promise<Result> {
    const session = this.#session
    switch (what) {
      case 'messages':
        return collected(able(session.collect), poolOf(size), count, (tally, message) => tally.add(message))
      case 'bytes':
        return collected(able(session.collectBytes), piecesOf(size), count, (tally, piece) => tally.addBytes(piece))
      case 'trades':
        return collected(able(session.collectTrades), allTrades, count, (tally, trade) => tally.addTrade(trade))
    }
  }

  async #echo(count: number): Promise<Result> {
    const channel = await able(this.#session.echo)()
    const [there, back] = [new Tally(), new Tally()]
    const supply = new Supply(poolOf(textLength), count)
    const sending = async (): Promise<void> => {
      await channel.send(supply)
      await channel.end()
    }
    await Promise.all([sending(), channel.receive((message) => back.add(message))])
    const result = supply.result()
    for (const message of supply) there.add(message)
    check(back.answer(), there)
    return result
  }

  async #ping(count: number): Promise<Result> {
    const channel = await able(this.#session.echo)()
    const times = new Float64Array(count)
    const begin = performance.now()
    let index = 0
    for (const message of new Supply(poolOf(textLength), count)) {
      const asked = performance.now()
      const answer = await channel.ask(message)
      times[index] = performance.now() - asked
      if (answer.id !== message.id) throw new Error(`asked ${message.id}, but ${answer.id} came back`)
      index += 1
    }
    const milliseconds = performance.now() - begin
    await channel.end()
    times.sort()
    const share = (part: number): number => (times[Math.min(count - 1, Math.floor(count * part))] ?? 0) * 1_000
    return { milliseconds, figures: [share(0.5), share(0.99)] }
  }

  async #hold(channels: number): Promise<Result> {
    const begin = performance.now()
    await this.#fanOf().open(channels)
    return { milliseconds: performance.now() - begin, figures: [channels] }
  }

  /** Its channels stay open from one run to the next. */
  #fanOf(): Fan {
    this.#fan ??= new Fan(able(this.#session.echo), poolOf(textLength))
    return this.#fan
  }
}

/** Lets the server collect `count` messages of a pool, and checks its answer. */
async function collected<T>(
  collect: (all: Iterable<T>) => Promise<Message>,
  pool: readonly T[],
  count: number,
  add: (tally: Tally, one: T) => void,
): Promise<Result> {
  const supply = new Supply(pool, count)
  const answer = await collect(supply)
  const result = supply.result()
  const tally = new Tally()
  for (const one of supply) add(tally, one)
  check(answer, tally)
  return result
}

export function runAlone(alone: Alone, job: Job): Result {
  if (job.do !== 'alone') throw new Error(`a peer of one process cannot do ${job.do}`)
  const pool = poolOf(textLength)
  alone.prepare?.(pool)
  const begin = performance.now()
  const answer = alone.run(pool, job.count)
  const milliseconds = performance.now() - begin
  const tally = new Tally()
  for (const message of new Supply(pool, job.count)) tally.add(message)
  check(answer, tally)
  return { milliseconds, figures: [(job.count / milliseconds) * 1_000] }
}

const pools = new Map<number, readonly Message[]>()
const allTrades = trades()

function poolOf(size: number): readonly Message[] {
  const pool = pools.get(size) ?? messagesOf(size)
  pools.set(size, pool)
  return pool
}

/** Returns `count` messages of the pool, in turn. The clock starts with the first: the channel is open by then. */
class Supply<T> implements Iterable<T> {
  readonly #pool: readonly T[]
  readonly #count: number
  #begin = 0

  constructor(pool: readonly T[], count: number) {
    this.#pool = pool
    this.#count = count
  }

  [Symbol.iterator](): Iterator<T, undefined> {
    this.#begin = performance.now()
    return new Turns(this.#pool, this.#count)
  }

  /** Returns the duration. Call it as soon as all has arrived. */
  result(): Result {
    const milliseconds = performance.now() - this.#begin
    return { milliseconds, figures: [(this.#count / milliseconds) * 1_000] }
  }
}

/** Written by hand: a generator takes as long per message as the fastest peer needs to send it. */
class Turns<T> implements Iterator<T, undefined> {
  readonly #pool: readonly T[]
  #left: number
  #index = 0

  constructor(pool: readonly T[], count: number) {
    this.#pool = pool
    this.#left = count
  }

  next(): IteratorResult<T, undefined> {
    const value = this.#pool[this.#index]
    if (this.#left === 0 || value === undefined) return { done: true, value: undefined }
    this.#left -= 1
    this.#index = this.#index + 1 === this.#pool.length ? 0 : this.#index + 1
    return { done: false, value }
  }
}

function able<T>(call: T | undefined): T {
  if (call === undefined) throw new Error('the peer has no such call')
  return call
}

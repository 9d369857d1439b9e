/** The work of a client for each load, with any peer. Checks that everything that it measures has happened. */
import { Receivers } from './broadcast.ts'
import { Fan } from './fan.ts'
import type { Job, Result } from './job.ts'
import type { Message } from './message.ts'
import { check, messagesOf, piecesOf, Tally, trades } from './message.ts'
import type { Alone, Codecs, Session } from './peers/peer.ts'

/** The number of different messages, equal for all peers. */
const textLength = 64

export class Client {
  readonly #session: Session
  #fan: Fan | undefined
  #receivers: Receivers | undefined

  constructor(session: Session) {
    this.#session = session
  }

  /** `publisher` is the port of the server's publisher, for jobs that need it. */
  async run(job: Job, publisher: number): Promise<Result> {
    switch (job.do) {
      case 'broadcast':
        this.#receivers ??= await Receivers.start(able(this.#session.subscribe), publisher)
        return this.#receivers.run(job)
      case 'ask':
        return this.#ask(job)
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
      case 'codec':
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
    return { milliseconds, figures: [share(times, 0.5), share(times, 0.99)] }
  }

  /** Returns how many a second, and the median of their durations. Unit: microseconds. */
  async #ask({ how, count, atOnce }: Job & { do: 'ask' }): Promise<Result> {
    const ask = able(how === 'call' ? this.#session.call : this.#session.exchange)
    const times = new Float64Array(count)
    const messages = new Supply(poolOf(textLength), count)[Symbol.iterator]()
    let index = 0
    const begin = performance.now()
    const lane = async (): Promise<void> => {
      for (let next = messages.next(); next.done !== true; next = messages.next()) {
        const asked = performance.now()
        const answer = await ask(next.value)
        times[index++] = performance.now() - asked
        if (answer.id !== next.value.id) throw new Error(`asked ${next.value.id}, but ${answer.id} came back`)
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane))
    const milliseconds = performance.now() - begin
    return { milliseconds, figures: [(count / milliseconds) * 1_000, share(times, 0.5)] }
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

/** The time that a part of the times do not exceed. Unit: microseconds, of milliseconds. */
function share(times: Float64Array, part: number): number {
  return (times.toSorted()[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0) * 1_000
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

/** Encodes or decodes, in chunks that a channel could hold, and checks the sum. */
export function runCodec(codecs: Codecs, job: Job): Result {
  if (job.do !== 'codec') throw new Error(`a codec alone cannot do ${job.do}`)
  const pool = poolOf(textLength)
  const texts = pool.map((message) => Buffer.from(JSON.stringify(message)))
  const [chunk, lengths] = [Buffer.concat(texts), texts.map(({ length }) => length)]
  const rounds = Math.max(1, Math.round(job.count / pool.length))
  const begin = performance.now()
  let sum = 0
  for (let round = 0; round < rounds; round++) {
    sum += job.way === 'encode' ? codecs.encode(pool, pool.length) : codecs.decode(chunk, lengths)
  }
  const milliseconds = performance.now() - begin
  const expected = job.way === 'encode' ? chunk.length : pool.reduce((all, { id }) => all + id, 0)
  if (sum !== rounds * expected) throw new Error(`the sum is ${sum}, not ${rounds * expected}`)
  return { milliseconds, figures: [((rounds * pool.length) / milliseconds) * 1_000] }
}

/** The messages that a server publishes. */
export function published(): readonly Message[] {
  return poolOf(textLength)
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

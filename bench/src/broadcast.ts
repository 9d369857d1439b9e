/**
 * One message to many receivers. The client asks for each message over a connection of its own, equal for all peers, as
 * soon as an earlier one has reached every receiver. So a few messages are under way at any time, and none can be lost
 * without notice.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'

import type { Job, Result } from './job.ts'
import type { Message } from './message.ts'
import { listen } from './peers/listen.ts'

/** How many messages are under way at once. */
const underWay = 4

/** How many receivers subscribe at once. */
const atOnce = 100

/** The longest run, however slow a peer is. Unit: milliseconds. */
const maxDuration = 10_000

const [next, usage] = [Buffer.from('n'), Buffer.from('u')]

/** The server's side. Returns the port on which it is asked for messages, and for the CPU time of its process. */
export function startPublisher(pool: readonly Message[], publish: (message: Message) => void): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    let [wanted, index] = [0, 0]
    // Each message has a turn of its own, as when it is published by an event.
    const turn = (): void => {
      const message = pool[index++ % pool.length]
      if (message !== undefined) publish(message)
      wanted -= 1
      if (wanted > 0) setImmediate(turn)
    }
    socket.on('data', (chunk: Buffer) => {
      for (const byte of chunk) {
        if (byte === usage[0]) {
          const { user, system } = process.cpuUsage()
          socket.write(`${user + system}\n`)
        } else {
          wanted += 1
          if (wanted === 1) setImmediate(turn)
        }
      }
    })
  })
  return listen(server)
}

type Subscribe = (group: number, take: (message: Message) => void) => Promise<void>

/** The client's side. */
export class Receivers {
  readonly #subscribe: Subscribe
  readonly #publisher: Socket
  /** For each message under way, by its id: how many have received it. */
  readonly #received = new Map<number, number>()
  #count = 0
  #onComplete: () => void = () => {}

  private constructor(subscribe: Subscribe, publisher: Socket) {
    this.#subscribe = subscribe
    this.#publisher = publisher
  }

  static async start(subscribe: Subscribe, port: number): Promise<Receivers> {
    const publisher = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(publisher, 'connect')
    return new Receivers(subscribe, publisher)
  }

  /** Returns the deliveries a second, and the CPU time of the server for each. Unit: microseconds. */
  async run({ receivers, connections, milliseconds, least }: Job & { do: 'broadcast' }): Promise<Result> {
    await this.#open(receivers, connections)
    const before = await this.#usage()
    const begin = performance.now()
    let [asked, complete, passed] = [0, 0, 0]
    const ask = (): void => {
      asked += 1
      this.#publisher.write(next)
    }
    let rate = 0
    await new Promise<void>((resolve) => {
      this.#onComplete = () => {
        complete += 1
        passed = performance.now() - begin
        if (rate === 0 && ((passed >= milliseconds && complete >= least) || passed >= maxDuration)) {
          rate = (complete * receivers * 1_000) / passed
        }
        if (rate === 0) ask()
        else if (complete === asked) resolve()
      }
      for (let index = 0; index < underWay; index++) ask()
    })
    const used = (await this.#usage()) - before
    return { milliseconds: passed, figures: [rate, used / (complete * receivers)] }
  }

  /** Adds the missing receivers. */
  async #open(receivers: number, connections: number): Promise<void> {
    while (this.#count < receivers) {
      const begin = this.#count
      const missing = Math.min(atOnce, receivers - begin)
      const opening = Array.from({ length: missing }, (_, index) => {
        const group = connections === 0 ? begin + index : (begin + index) % connections
        return this.#subscribe(group, ({ id }) => this.#take(id))
      })
      await Promise.all(opening)
      this.#count += missing
    }
  }

  #take(id: number): void {
    const received = (this.#received.get(id) ?? 0) + 1
    if (received < this.#count) {
      this.#received.set(id, received)
      return
    }
    this.#received.delete(id)
    this.#onComplete()
  }

  async #usage(): Promise<number> {
    this.#publisher.write(usage)
    const [answer] = (await once(this.#publisher, 'data')) as [Buffer]
    return Number(answer.toString())
  }
}

/** Many channels at once, each of which always has some messages under way. */
import type { Job, Result } from './job.ts'
import type { Message } from './message.ts'
import type { Echo } from './peers/peer.ts'

/**
 * How many messages of a channel are under way at once; when all are back, the next leave. Very many channels have
 * fewer, so that the messages under way do not become the load.
 */
export function burstOf(channels: number): number {
  if (channels > 1_000) return 1
  return channels > 100 ? 4 : 8
}

/** How many messages each channel has in a run at least, so that its share of all says something. */
export const leastOf = (channels: number): number => Math.max(4, burstOf(channels))

/** How many channels are opened at once. */
const atOnce = 100

/** The longest run, however slow a peer is. Unit: milliseconds. */
const maxDuration = 10_000

export class Fan {
  readonly #echo: () => Promise<Echo>
  readonly #pool: readonly Message[]
  readonly #lanes: Lane[] = []

  constructor(echo: () => Promise<Echo>, pool: readonly Message[]) {
    this.#echo = echo
    this.#pool = pool
  }

  /** Opens the missing channels. One message on each makes sure that it is open at the server too. */
  async open(channels: number): Promise<void> {
    while (this.#lanes.length < channels) {
      const missing = Math.min(atOnce, channels - this.#lanes.length)
      const opening = Array.from({ length: missing }, async () => {
        const lane = new Lane(await this.#echo())
        await lane.exchange(this.#pool.slice(0, 1))
        return lane
      })
      this.#lanes.push(...(await Promise.all(opening)))
    }
  }

  /** Returns the messages a second of all channels, and the share of the slowest channel. */
  async run({ channels, milliseconds, least }: Job & { do: 'fan' }): Promise<Result> {
    await this.open(channels)
    const lanes = this.#lanes.slice(0, channels)
    for (const lane of lanes) lane.count = 0
    const messages = this.#pool.slice(0, burstOf(channels))
    const begin = performance.now()
    let result: Result | undefined
    const look = (): void => {
      const passed = performance.now() - begin
      const counts = lanes.map(({ count }) => count)
      const total = counts.reduce((sum, count) => sum + count, 0)
      if (total < channels * least && passed < maxDuration) {
        setTimeout(look, milliseconds / 2)
        return
      }
      const slowest = counts.reduce((one, other) => Math.min(one, other))
      result = { milliseconds: passed, figures: [(total / passed) * 1_000, (100 * slowest * channels) / total] }
    }
    setTimeout(look, milliseconds)
    const work = async (lane: Lane): Promise<void> => {
      for (;;) {
        await lane.exchange(messages)
        if (result !== undefined) return
      }
    }
    await Promise.all(lanes.map(work))
    if (result === undefined) throw new Error('the channels ended before the time had passed')
    return result
  }
}

/** One of the channels. */
class Lane {
  /** How many messages came back. */
  count = 0
  readonly #echo: Echo
  #missing = 0
  #onAll: () => void = () => {}
  #onEnd: (error: unknown) => void = () => {}

  constructor(echo: Echo) {
    this.#echo = echo
    const receiving = echo.receive(() => {
      this.count += 1
      this.#missing -= 1
      if (this.#missing === 0) this.#onAll()
    })
    receiving.then(
      () => this.#onEnd(new Error('the channel ended')),
      (error: unknown) => this.#onEnd(error),
    )
  }

  /** Sends all and waits until they are back. */
  async exchange(messages: readonly Message[]): Promise<void> {
    this.#missing = messages.length
    const back = new Promise<void>((resolve, reject) => {
      this.#onAll = resolve
      this.#onEnd = reject
    })
    await Promise.all([this.#echo.send(messages), back])
  }
}

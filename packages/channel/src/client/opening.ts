import type { Address, Addresses } from './address-pool.ts'
import type { OnClientEvent } from './events.ts'
import type { Clock } from '../runtime/clock.ts'
import { waitFor } from './delays.ts'
import { ChannelError } from '../errors.ts'
import { availability, retryAfter } from './open-errors.ts'
import type { RetryLimits, RetryPolicy } from './retry.ts'
import { Backoff, retryPolicy } from './retry.ts'

/** Opens for a client: tries until an attempt succeeds, fails for good, or was the last. */
export class Opener {
  readonly #addresses: Addresses
  readonly #limits: RetryLimits
  readonly #policy: RetryPolicy
  readonly #clock: Clock
  readonly #tell: OnClientEvent

  constructor(addresses: Addresses, limits: RetryLimits, clock: Clock, tell: OnClientEvent) {
    this.#addresses = addresses
    this.#limits = limits
    this.#policy = retryPolicy(limits)
    this.#clock = clock
    this.#tell = tell
  }

  /**
   * @param path - the route's, for the events.
   * @param signal - ends the delays in between.
   * @throws what the last attempt threw, or the signal's reason.
   */
  async open<T>(path: string, signal: AbortSignal, attempt: (at: Address) => Promise<T>): Promise<T> {
    const backoff = new Backoff(this.#limits)
    let turn = this.#addresses.take()
    let attempts = 0
    let failure: ChannelError | undefined
    try {
      const opened = await this.#policy.execute(async () => {
        if (failure !== undefined) {
          const delay = this.#delayAfter(failure, turn.address, backoff)
          const origin = turn.address.name
          this.#tell({ type: 'retrying', origin, path, attempt: attempts, delay, error: failure })
          await waitFor(this.#clock, delay, signal)
          turn = this.#addresses.take()
        }
        attempts += 1
        try {
          const channel = await attempt(turn.address)
          turn.succeeded()
          return channel
        } catch (error) {
          turn.failed(error)
          if (error instanceof ChannelError) failure = error
          throw error
        }
      })
      this.#tell({ type: 'opened', origin: turn.address.name, path, attempts })
      return opened
    } catch (error) {
      this.#tell({ type: 'failed', origin: turn.address.name, path, attempts, error })
      throw error
    }
  }

  /** Where the address is the trouble, another may be tried as soon as there is one. */
  #delayAfter(failure: ChannelError, address: Address, backoff: Backoff): number {
    const wait = availability(failure) === false ? this.#addresses.untilAnother(address) : Infinity
    return wait === 0 ? 0 : Math.min(Math.ceil(wait), backoff.next(retryAfter(failure)))
  }
}

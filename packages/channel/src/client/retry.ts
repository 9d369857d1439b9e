/** How often an `open` is tried, and how long it waits in between. */
import type { IBackoffFactory } from 'cockatiel'
import { ExponentialBackoff, fullJitterGenerator } from 'cockatiel'

import { checkDelay } from '../options.ts'
import { ChannelError } from '../errors.ts'

export interface RetryOptions {
  /** How often one `open` is tried in all: 4 times unless said otherwise. 1 means that nothing is tried again. */
  readonly maxAttempts?: number | undefined
  /**
   * The bound of the first delay, which doubles with each further one: 100 unless said otherwise. A delay is a random time
   * below its bound, so that clients that failed together don't come back together. Unit: milliseconds.
   */
  readonly initialDelay?: number | undefined
  /** No delay is longer, whatever a server asks for: 5,000 unless said otherwise. Unit: milliseconds. */
  readonly maxDelay?: number | undefined
}

/** {@link RetryOptions}, complete. */
export interface RetryLimits {
  readonly maxAttempts: number
  readonly initialDelay: number
  readonly maxDelay: number
}

/** The defaults, with what `options` says instead. Throws `INVALID_ARGUMENT` for what can't be. */
export function retryLimits(options: RetryOptions = {}): RetryLimits {
  const { maxAttempts = 4, initialDelay = 100, maxDelay = 5_000 } = options
  if (!Number.isSafeInteger(maxAttempts) || maxAttempts < 1) {
    throw new ChannelError('INVALID_ARGUMENT', `maxAttempts must be a whole number above 0, not ${String(maxAttempts)}`)
  }
  checkDelay('initialDelay', initialDelay)
  checkDelay('maxDelay', maxDelay)
  return { maxAttempts, initialDelay, maxDelay }
}

/** What tries. */
export interface RetryPolicy {
  execute<T>(attempt: () => Promise<T>): Promise<T>
}

/**
 * Tries again after each error that is retryable, up to `maxAttempts`; then throws the last one. Waits for nothing: who tries does.
 * cockatiel's own policy waits for a timer even so, which keeps to no signal and may be a test runner's.
 */
export function retryPolicy({ maxAttempts }: RetryLimits): RetryPolicy {
  return {
    async execute(attempt) {
      for (let attempts = 1; ; attempts += 1) {
        try {
          return await attempt()
        } catch (error) {
          if (attempts >= maxAttempts || !isRetryable(error)) throw error
        }
      }
    },
  }
}

function isRetryable(error: unknown): boolean {
  return error instanceof ChannelError && error.retryable
}

/** Delays that grow exponentially, each with full jitter. */
export class Backoff {
  readonly #maxDelay: number
  #next: IBackoffFactory<undefined>

  constructor({ initialDelay, maxDelay }: RetryLimits) {
    this.#maxDelay = maxDelay
    this.#next = new ExponentialBackoff({ generator: fullJitterGenerator, initialDelay, maxDelay })
  }

  /** @returns `atLeast` and a random time more, but never over `maxDelay`. Unit: milliseconds. */
  next(atLeast: number): number {
    const backoff = this.#next.next(undefined)
    this.#next = backoff
    return Math.min(this.#maxDelay, atLeast + backoff.duration)
  }
}

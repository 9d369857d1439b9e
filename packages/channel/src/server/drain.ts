import type { Http2Session } from 'node:http2'

import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import { ChannelError } from '../errors.ts'
import { diagnostics } from '../observe/diagnostics.ts'
import { checkDelay } from '../options.ts'
import type { Clock } from '../runtime/clock.ts'
import { platform } from '../runtime/clock.ts'
import type { Admission } from './admission.ts'

/** Options of `router.drain`. */
export interface DrainOptions {
  /** How long channels may take to end. Default: 20 s. Unit: milliseconds. */
  readonly timeout?: number | undefined
}

/** How long a channel may live. */
export interface AgeOptions {
  /**
   * The age at which a channel drains: for each channel, a random age from 80% to 100% of this. Its connection gets
   * GOAWAY, so that the client opens its next channel on another connection. Long-lived channels so spread over servers
   * that were added since. Default: no limit. Unit: milliseconds.
   */
  readonly maxAge?: number | undefined
  /** How long the channel may take to end then, before it ends with `GOING_AWAY`. Default: 20 s. Unit: milliseconds. */
  readonly maxAgeGrace?: number | undefined
  /**
   * How long before `context.expiresAt` a channel drains, so that its client can open another one with new credentials:
   * at most a tenth of the time that is left when `expiresAt` is set. Default: 20 s. Unit: milliseconds.
   */
  readonly expiryGrace?: number | undefined
}

/** How long channels may take to end when they drain. Unit: milliseconds. */
const defaultGrace = 20_000

/** How long clients that do not read may take to end after the deadline of a drain. Unit: milliseconds. */
const forceCloseDelay = 1_000

/** The message of a 503 while the router drains. */
export const stopping = 'the server is about to stop'

/** The checked {@link AgeOptions} of a route, with defaults. */
export type Ages = AgeOptions & { readonly maxAgeGrace: number; readonly expiryGrace: number }

/** Fills in defaults. Throws `INVALID_ARGUMENT` for an invalid delay. */
export function resolveAges(options: AgeOptions): Ages {
  const { maxAge, maxAgeGrace = defaultGrace, expiryGrace = defaultGrace } = options
  if (maxAge !== undefined) checkDelay('maxAge', maxAge)
  checkDelay('maxAgeGrace', maxAgeGrace)
  checkDelay('expiryGrace', expiryGrace)
  return { maxAge, maxAgeGrace, expiryGrace }
}

/** Ends the channels of a router: all of them when it drains, and each when it is too old. */
export class Drain {
  /** Aborts the authorizations that are in flight. */
  readonly authorizing: Set<AbortController> = new Set()
  readonly #admission: Admission
  readonly #clock: Clock
  /** Requests that were admitted and are not answered yet. */
  #requests = 0
  #draining: Promise<void> | undefined
  #onIdle: (() => void) | undefined
  /** Whether all has ended. A new connection is then closed as soon as its first request is answered. */
  isDone = false

  constructor(admission: Admission, clock: Clock) {
    this.#admission = admission
    this.#clock = clock
  }

  get hasBegun(): boolean {
    return this.#draining !== undefined
  }

  /** Counts a request that was admitted. */
  addRequest(): void {
    this.#requests += 1
  }

  /** Stops counting a request, which was answered. */
  removeRequest(): void {
    this.#requests -= 1
    this.checkIdle()
  }

  /** Called when a channel or a request has ended. */
  checkIdle(): void {
    if (!this.#isBusy) this.#onIdle?.()
  }

  get #isBusy(): boolean {
    return this.#requests > 0 || this.#admission.usages.size > 0
  }

  /** Drains the router: see `router.drain`. A second call waits for the end of the first. */
  async run({ timeout = defaultGrace }: DrainOptions = {}): Promise<void> {
    checkDelay('timeout', timeout)
    this.#draining ??= this.#run(timeout)
    await this.#draining
  }

  async #run(timeout: number): Promise<void> {
    const { usages } = this.#admission
    if (diagnostics.drain.hasSubscribers) diagnostics.drain.publish({ channels: usages.size, timeout })
    for (const { channel } of usages) coreOf(channel).startDraining()
    this.#admission.goAwayAll()
    for (const controller of this.authorizing) controller.abort(goingAway(stopping))
    const late = goingAway('the channel was still open at the deadline of the drain')
    const close = (): void => {
      for (const { channel } of usages) coreOf(channel).closeWithError(late)
      // A client that does not read does not learn of that either.
      timer = platform.setTimeout(reset, forceCloseDelay, undefined)
    }
    const reset = (): void => {
      for (const { channel } of usages) coreOf(channel).reset(late)
      // Handlers that continue without their channels get no more time.
      void Promise.all(Array.from(usages, async ({ channel }) => channel.closed)).then(() => this.#onIdle?.())
    }
    let timer = platform.setTimeout(close, timeout, undefined)
    if (this.#isBusy) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    platform.clearTimeout(timer)
    this.isDone = true
    // Idle connections would stay open, and with them a server that is being closed.
    this.#admission.closeAll()
  }

  /** Drains a channel at its maximum age, if it has one, and ends it when it is still open after the grace period. */
  limitAge(channel: Channel<unknown, unknown>, session: Http2Session, { maxAge, maxAgeGrace }: Ages): void {
    if (maxAge === undefined) return
    const close = (): void => coreOf(channel).closeWithError(goingAway('the channel reached its maximum age'))
    const drain = (): void => {
      this.#admission.goAway(session)
      coreOf(channel).startDraining()
      timer = this.#clock.setTimer(close, maxAgeGrace, undefined)
    }
    // A random age, so that channels that were opened together do not leave together.
    let timer = this.#clock.setTimer(drain, Math.ceil(maxAge * (0.8 + 0.2 * Math.random())), undefined)
    void channel.closed.then(() => this.#clock.clearTimer(timer))
  }
}

function goingAway(message: string): ChannelError {
  return new ChannelError('GOING_AWAY', message, { side: 'local' })
}

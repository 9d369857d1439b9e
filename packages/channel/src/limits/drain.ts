import type { Http2Session } from 'node:http2'

import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import { drainChannels } from '../core/drain-channels.ts'
import { ChannelError } from '../errors.ts'
import { diagnostics } from '../observe/diagnostics.ts'
import { checkDelay } from '../options.ts'
import type { Clock } from '../runtime/clock.ts'
import { refClock } from '../runtime/clock.ts'
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

/** What knows the connection of a channel, which may change. */
export interface HasSession {
  readonly session: Http2Session | undefined
}

/** How long channels may take to end when they drain. Unit: milliseconds. */
const defaultGrace = 20_000

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
  /** The number of requests that were admitted and are not answered yet. */
  requests = 0
  hasBegun = false
  /** Whether all has ended. A new connection is then closed as soon as its first request is answered. */
  isDone = false
  #draining: Promise<void> | undefined
  #onIdle: (() => void) | undefined

  constructor(admission: Admission, clock: Clock) {
    this.#admission = admission
    this.#clock = clock
  }

  /** Called when a channel or a request has ended. */
  checkIdle(): void {
    if (this.requests === 0 && this.#admission.usages.size === 0) this.#onIdle?.()
  }

  /** Drains the router: see `router.drain`. A second call waits for the end of the first. */
  async run({ timeout = defaultGrace }: DrainOptions = {}): Promise<void> {
    checkDelay('timeout', timeout)
    this.hasBegun = true
    this.#draining ??= this.#run(timeout)
    await this.#draining
  }

  async #run(timeout: number): Promise<void> {
    const { usages } = this.#admission
    if (diagnostics.drain.hasSubscribers) diagnostics.drain.publish({ channels: usages.size, timeout })
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
    const late = goingAway('the channel was still open at the deadline of the drain')
    // Handlers that continue after their channels were reset get no more time.
    const drained = drainChannels(
      () => Array.from(usages, ({ channel }) => coreOf(channel)),
      idle,
      late,
      timeout,
      refClock,
    )
    this.#admission.goAwayAll()
    for (const controller of this.authorizing) controller.abort(goingAway(stopping))
    this.checkIdle()
    await drained
    this.isDone = true
    // Idle connections would stay open, and with them a server that is being closed.
    this.#admission.closeAll()
  }

  /** Drains a channel at its maximum age, if it has one, and ends it when it is still open after the grace period. */
  limitAge(channel: Channel<unknown, unknown>, place: HasSession, { maxAge, maxAgeGrace }: Ages): void {
    if (maxAge === undefined) return
    const close = (): void => coreOf(channel).closeWithError(goingAway('the channel reached its maximum age'))
    const drain = (): void => {
      if (place.session !== undefined) this.#admission.goAway(place.session)
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

/** One channel at a time, for as long as the program wants it. */
import { addAbortListener, removeAbortListener } from '@h2channel/conn'

import type { Channel } from '../core/channel.ts'
import { ChannelError } from '../errors.ts'
import type { RetryLimits } from '../options.ts'
import type { Clock } from '../runtime/clock.ts'
import { retryDelay } from './open-errors.ts'
import { sleep } from '../runtime/sleep.ts'

/** What the function of `client.keepOpen` learns besides its channel. */
export interface KeepOpenContext {
  /** How many channels there have been, this one included. */
  readonly attempt: number
  /** Why the channel before ended. `undefined` for the first channel, and after one that was draining. */
  readonly previous: ChannelError | undefined
}

/** A channel that has lived so long was worth opening, even if nothing came. Unit: milliseconds. */
const livedWell = 1_000

/** How one run of the function came out. */
type Outcome<Result> =
  | { readonly at: 'returned'; readonly value: Result }
  /** `error` is why. Without one, the channel was draining. */
  | { readonly at: 'lost'; readonly error: ChannelError | undefined; readonly lived: boolean }

/** What `client.keepOpen` does. `open` opens one channel, with the attempts and delays of `retry`. */
export async function keepOpen<C, S, Result>(
  open: () => Promise<Channel<C, S>>,
  use: (channel: Channel<C, S>, context: KeepOpenContext) => Result | Promise<Result>,
  retry: RetryLimits,
  clock: Clock,
  signal: AbortSignal,
  isClosing: () => boolean,
): Promise<Result> {
  let previous: ChannelError | undefined
  let failures = 0
  for (let attempt = 1; ; attempt++) {
    const outcome = await openAndUse(open, use, { attempt, previous }, clock, signal, isClosing)
    if (outcome.at === 'returned') return outcome.value
    previous = outcome.error
    failures = outcome.lived ? 0 : failures + 1
    if (previous === undefined) continue
    if (failures >= retry.maxAttempts) throw previous
    await sleep(clock, retryDelay(retry, Math.max(0, failures - 1), previous), signal)
  }
}

async function openAndUse<C, S, Result>(
  open: () => Promise<Channel<C, S>>,
  use: (channel: Channel<C, S>, context: KeepOpenContext) => Result | Promise<Result>,
  context: KeepOpenContext,
  clock: Clock,
  signal: AbortSignal,
  isClosing: () => boolean,
): Promise<Outcome<Result>> {
  let channel: Channel<C, S>
  try {
    channel = await open()
  } catch (error) {
    // It has made its attempts, but for a request that a server may have begun to handle.
    if (!(error instanceof ChannelError) || !error.reopen || error.retryable) throw error
    return { at: 'lost', error, lived: false }
  }
  const openedAt = clock.now()
  const onAbort = (): void => channel.abort(signal.reason)
  if (signal.aborted) onAbort()
  addAbortListener(signal, onAbort)
  try {
    const value = await use(channel, context)
    const wasDraining = channel.draining.aborted
    // What the function has sent may be lost until this says otherwise.
    await channel.close()
    if (!wasDraining || isClosing()) return { at: 'returned', value }
    return { at: 'lost', error: undefined, lived: true }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    const why = reasonToReopen(error)
    if (why === undefined) {
      channel.abort(error)
      throw error
    }
    const lived = channel.stats.received.messages > 0 || clock.now() - openedAt >= livedWell
    await channel[Symbol.asyncDispose]().catch(() => {})
    const wasAsked = why.code === 'GOING_AWAY' && channel.draining.aborted
    return { at: 'lost', error: wasAsked ? undefined : why, lived: lived || wasAsked }
  } finally {
    removeAbortListener(signal, onAbort)
  }
}

/** The error that opening again answers. Node wraps the reason of a signal as the cause of its own error. */
function reasonToReopen(error: unknown): ChannelError | undefined {
  const { cause } = (error ?? {}) as { readonly cause?: unknown }
  return [error, cause].find((one) => one instanceof ChannelError && one.reopen) as ChannelError | undefined
}

/** One channel at a time, for as long as the program wants it. */
import { addAbortListener, removeAbortListener } from '@h2channel/conn'
import { abortable } from '@h2channel/conn/internal'

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
  | {
      readonly at: 'lost'
      /** Why. Without an error, the channel was draining. */
      readonly error: ChannelError | undefined
      /** Whether something came of the channel: such an end is no failed attempt. */
      readonly wasGood: boolean
      /** How long the channel lived. Unit: milliseconds. */
      readonly age: number
    }

/** What `client.keepOpen` does. `open` opens one channel, with the attempts and delays of `retry`. */
export async function keepOpen<C, S, Result>(
  open: () => Promise<Channel<C, S>>,
  use: (channel: Channel<C, S>, context: KeepOpenContext) => Result | Promise<Result>,
  retry: RetryLimits,
  clock: Clock,
  signal: AbortSignal,
  closing: AbortSignal,
): Promise<Result> {
  let previous: ChannelError | undefined
  let failures = 0
  // Channels in a row that lived for less than the longest delay. A server that sends one message and then fails is
  // asked again ever later, although each of its channels was good.
  let shortLived = 0
  for (let attempt = 1; ; attempt++) {
    const outcome = await openAndUse(open, use, { attempt, previous }, clock, signal, closing)
    if (outcome.at === 'returned') return outcome.value
    previous = outcome.error
    failures = outcome.wasGood ? 0 : failures + 1
    if (previous !== undefined && failures >= retry.maxAttempts) throw previous
    shortLived = outcome.age >= retry.maxDelay ? 0 : shortLived + 1
    // After one deploy the next channel opens at once. Where channels drain as soon as they are open, it does not.
    if (previous === undefined && shortLived <= 1) continue
    await sleep(clock, retryDelay(retry, Math.max(0, shortLived - 1), previous), signal, closing)
  }
}

async function openAndUse<C, S, Result>(
  open: () => Promise<Channel<C, S>>,
  use: (channel: Channel<C, S>, context: KeepOpenContext) => Result | Promise<Result>,
  context: KeepOpenContext,
  clock: Clock,
  signal: AbortSignal,
  closing: AbortSignal,
): Promise<Outcome<Result>> {
  let channel: Channel<C, S>
  try {
    channel = await open()
  } catch (error) {
    // It has made its attempts, but for a request that a server may have begun to handle.
    if (!(error instanceof ChannelError) || !error.reopen || error.retryable) throw error
    return { at: 'lost', error, wasGood: false, age: 0 }
  }
  const openedAt = clock.now()
  const onAbort = (): void => channel.abort(signal.reason)
  if (signal.aborted) onAbort()
  addAbortListener(signal, onAbort)
  try {
    // A function that never settles must not keep the signal from ending this.
    const value = await abortable((async () => use(channel, context))(), signal)
    const wasDraining = channel.draining.aborted
    // What the function has sent may be lost until this says otherwise.
    await channel.close()
    signal.throwIfAborted()
    if (!wasDraining || closing.aborted) return { at: 'returned', value }
    return { at: 'lost', error: undefined, wasGood: true, age: clock.now() - openedAt }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    const wasDraining = channel.draining.aborted
    const why = reasonToReopen(error, wasDraining)
    if (why === undefined) {
      channel.abort(error)
      throw error
    }
    const age = clock.now() - openedAt
    const hasReceived = channel.stats.received.messages > 0
    await channel[Symbol.asyncDispose]().catch(() => {})
    const wasAsked = wasDraining && (why.code === 'GOING_AWAY' || why.code === 'PEER_STOPPED')
    return { at: 'lost', error: wasAsked ? undefined : why, wasGood: wasAsked || hasReceived || age >= livedWell, age }
  } finally {
    removeAbortListener(signal, onAbort)
  }
}

/**
 * The error that opening again answers. Node wraps the reason of a signal as the cause of its own error. A peer that
 * drains may take nothing more, which is no error of the program that still sends.
 */
function reasonToReopen(error: unknown, wasDraining: boolean): ChannelError | undefined {
  const { cause } = (error ?? {}) as { readonly cause?: unknown }
  const isReason = (one: unknown): one is ChannelError =>
    one instanceof ChannelError && (one.reopen || (wasDraining && one.code === 'PEER_STOPPED'))
  return [error, cause].find(isReason)
}

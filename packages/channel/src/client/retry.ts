/** The retry loop of `open`. */
import { abortable } from '@h2channel/conn/internal'

import type { Address, AddressPool } from './address-pool.ts'
import type { Clock } from '../runtime/clock.ts'
import { ChannelError } from '../errors.ts'
import { availability, retryDelay } from './open-errors.ts'

/**
 * Calls `open` until it resolves, throws an error that is not retryable, or has used its last attempt.
 *
 * @param path - the route's path, for the events.
 * @param signal - ends a delay with its reason.
 * @throws what the last attempt threw, or the signal's reason.
 */
export async function openWithRetry<T>(
  addresses: AddressPool,
  path: string,
  signal: AbortSignal,
  open: (address: Address) => Promise<T>,
): Promise<T> {
  const { limits, clock, report } = addresses
  let attempt = addresses.next()
  let attempts = 0
  let delays = 0
  try {
    for (;;) {
      const { address } = attempt
      const origin = address.name
      attempts += 1
      try {
        const opened = await open(address)
        attempt.succeeded()
        report({ type: 'open', origin, path, attempts })
        return opened
      } catch (error) {
        attempt.failed(error)
        if (!(error instanceof ChannelError) || !error.retryable || attempts >= limits.maxAttempts) throw error
        // Another address may be tried at once where this one is the trouble.
        const wait = availability(error) === false ? addresses.delayUntilOther(address) : Infinity
        const delay = wait === 0 ? 0 : Math.min(Math.ceil(wait), retryDelay(limits, delays++, error))
        report({ type: 'retry', origin, path, attempt: attempts, delay, error })
        await sleep(clock, delay, signal)
      }
      attempt = addresses.next()
    }
  } catch (error) {
    report({ type: 'fail', origin: attempt.address.name, path, attempts, error })
    throw error
  }
}

async function sleep(clock: Clock, delay: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (delay === 0) return
  let timer: unknown
  const timeUp = new Promise<void>((resolve) => {
    timer = clock.setTimer(resolve, delay, undefined)
  })
  await abortable(timeUp, signal).finally(() => clock.clearTimer(timer))
}

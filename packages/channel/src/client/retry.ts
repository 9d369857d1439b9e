/** The retry loop of `open`. */
import type { AddressPool } from './address-pool.ts'
import { connectChannel } from './connect-channel.ts'
import type { Channel } from '../core/channel.ts'
import { ChannelError } from '../errors.ts'
import type { RetryLimits } from '../options.ts'
import { availability, retryDelay } from './open-errors.ts'
import type { ClientSettings, OpenCall } from './open-call.ts'
import { sleep } from '../runtime/sleep.ts'

/**
 * Makes attempts until one opens a channel, throws an error that is not retryable, or was the last.
 *
 * @throws what the last attempt threw, or the reason of the call's signal, which also ends a delay.
 */
export async function openWithRetry<C, S>(
  addresses: AddressPool,
  call: OpenCall<C, S>,
  settings: ClientSettings,
  limits: RetryLimits = addresses.limits,
): Promise<Channel<C, S>> {
  const { clock, report } = addresses
  const path = call.route.name
  let attempt = addresses.next()
  let attempts = 0
  let delays = 0
  try {
    for (;;) {
      const { address } = attempt
      const origin = address.name
      attempts += 1
      try {
        const opened = await connectChannel(address, call, settings)
        attempt.succeeded()
        report?.({ type: 'open', origin, path, attempts })
        return opened
      } catch (error) {
        attempt.failed(error)
        if (!(error instanceof ChannelError) || !error.retryable || attempts >= limits.maxAttempts) throw error
        // Another address may be tried at once where this one is the trouble.
        const wait = availability(error) === false ? addresses.delayUntilOther(address) : Infinity
        const delay = wait === 0 ? 0 : Math.min(Math.ceil(wait), retryDelay(limits, delays++, error))
        report?.({ type: 'retry', origin, path, attempt: attempts, delay, error })
        await sleep(clock, delay, call.signal)
      }
      attempt = addresses.next()
    }
  } catch (error) {
    report?.({ type: 'fail', origin: attempt.address.name, path, attempts, error })
    throw error
  }
}

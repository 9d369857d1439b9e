import { checkDelay, checkLimit, maxFrameBytes } from '../options.ts'
import { ChannelError } from '../errors.ts'

/** How the channels of a route outlive their connections. */
export interface RouteResumeOptions {
  /**
   * How long a channel waits for its client to return after their connection was lost. Then it ends with `CONN_LOST` at
   * both ends. Default: 60 s. Unit: milliseconds.
   */
  readonly timeout?: number | undefined
  /**
   * How many bytes of each direction are kept for a client that has not acknowledged them, or wait to be read.
   * `send` waits while a client is away, once so many wait. Default: 1 MiB. Unit: bytes.
   */
  readonly window?: number | undefined
}

/** How the channels of a router outlive their connections. */
export interface ResumeOptions extends RouteResumeOptions {
  /** Maximum number of channels that wait for their clients. Beyond it, the first of them ends. Default: 10,000. */
  readonly maxDetached?: number | undefined
  /** Maximum of bytes that those channels keep. Beyond it, the ones that wait longest end. Default: 256 MiB. */
  readonly maxBufferedBytes?: number | undefined
}

/** The default of each of the {@link ResumeOptions}. */
export const resumeDefaults: { readonly [Name in keyof ResumeOptions]-?: number } = {
  timeout: 60_000,
  window: 1024 * 1024,
  maxDetached: 10_000,
  maxBufferedBytes: 256 * 1024 * 1024,
}

/** The options of a route, complete. `undefined`: its channels end with their connections. */
export type RouteResume = Readonly<Record<keyof RouteResumeOptions, number>> | undefined

/** Completes and checks the options of a route. Throws `INVALID_ARGUMENT` for an invalid one. */
export function resolveResume(
  given: RouteResumeOptions | boolean | undefined,
  base: RouteResumeOptions | boolean | undefined,
): RouteResume {
  const options = given ?? base ?? false
  if (options === false) return undefined
  const common = typeof base === 'object' ? base : {}
  const own = typeof options === 'object' ? options : {}
  const timeout = own.timeout ?? common.timeout ?? resumeDefaults.timeout
  const window = own.window ?? common.window ?? resumeDefaults.window
  checkDelay('resume.timeout', timeout)
  checkLimit('resume.window', window)
  if (window > maxFrameBytes) throw new ChannelError('INVALID_ARGUMENT', `resume.window is at most ${maxFrameBytes}`)
  return { timeout, window }
}

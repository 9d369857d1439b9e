/** Named cases that every conn must pass, for authors of transports. They need no particular test runner. */
import type { Conn } from '../core/conn.ts'
import { abortCases } from './abort.ts'
import { cancelCases } from './cancel.ts'
import { closeCases } from './close.ts'
import { halfCases } from './halves.ts'
import type { Scope } from './kit.ts'
import { nettest } from './nettest.ts'
import { waiterCases } from './waiters.ts'
import type { CloseTimeouts } from '../limits.ts'
import { checkDelay } from '../limits.ts'
import { ConnError } from '../errors.ts'
import { clearTimeout, setImmediate, setTimeout } from '../runtime/timers.ts'

/**
 * Makes two new conns, each of which reads what the other writes. Both must use the timeouts. A case may call it
 * several times. The case ends both conns; release what else the pair needs when both have `closed`.
 */
export type MakePair = (timeouts?: CloseTimeouts) => Promise<readonly [Conn, Conn]>

/** The options of a {@link ConformanceCase}. */
export interface ConformanceOptions {
  /** Determines all random bytes, sizes and moments. Default: {@link conformanceSeed}. */
  readonly seed?: number | undefined
  /**
   * Whether the peer can tell an abort from a clean end, because the carrier has a reset as TCP has. Default: true. Set
   * it to false for a carrier such as a Unix socket: then the peer of an abort may see either an end or a
   * `CONNECTION_LOST`.
   */
  readonly resets?: boolean | undefined
  /**
   * How long a case may run before it fails. Cleaning up may take 2,000 ms more. Give the test runner a longer timeout,
   * or its message hides what the case was waiting for. Unit: milliseconds. Default: 10,000.
   */
  readonly timeout?: number | undefined
}

/** One thing that every conn must do, as a test. */
export interface ConformanceCase {
  /** Unique in the suite. A name of Go's `nettest.TestConn` means what it means there. */
  readonly name: string
  /**
   * Runs the case over new pairs. Cases share nothing, so they may run at the same time. Before it settles, it aborts
   * both conns of each pair and waits until they have closed. It needs no `this`.
   *
   * @throws Error that names the case, the seed and the fault. Its cause is the failed assertion, or the error of the
   *   conn or of `makePair`. When the case takes too long, the message names what it was waiting for.
   * @throws ConnError `INVALID_ARGUMENT` for an invalid timeout.
   */
  run(makePair: MakePair, options?: ConformanceOptions): Promise<void>
}

/** The default seed. */
export const conformanceSeed: number = 0x68_32_63_68

const cases = [...nettest, ...halfCases, ...cancelCases, ...closeCases, ...abortCases, ...waiterCases]

/**
 * The cases of the suite: first those of Go's `nettest.TestConn` by their names, with `AbortSignal`s for deadlines,
 * then the further promises of a conn. Each case should pass with either end as the first of the pair.
 *
 * @example
 * ```ts
 * import { connConformance } from '@h2channel/conn/testing'
 * import { test } from 'node:test'
 *
 * for (const { name, run } of connConformance) {
 *   test(name, () => run((timeouts) => makeMyPair(timeouts)))
 * }
 * ```
 */
export const connConformance: readonly ConformanceCase[] = cases.map(([name, body]) => ({
  name,
  run: (makePair, options) => runCase(name, body, makePair, options),
}))

/** How long aborted conns may take to close. Unit: milliseconds. */
const maxCleanUp = 2_000

async function runCase(
  name: string,
  body: (scope: Scope) => Promise<void>,
  makePair: MakePair,
  { seed = conformanceSeed, resets = true, timeout = 10_000 }: ConformanceOptions = {},
): Promise<void> {
  const delay = checkDelay('timeout', timeout)
  const made: Conn[] = []
  const waiting = new Set<string>()
  let hasEnded = false

  const scope: Scope = {
    seed,
    resets,
    pair: async (timeouts) => {
      const pair = await scope.wait('makePair', makePair(timeouts))
      made.push(...pair)
      if (hasEnded) await endAll(pair)
      return pair
    },
    wait: (what, promise) => {
      waiting.add(what)
      const done = (): void => {
        waiting.delete(what)
      }
      promise.then(done, done)
      return promise
    },
    turn: async () => {
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
      if (hasEnded) throw new Error('the case has ended')
    },
  }

  const failures: unknown[] = []
  const attempt = (within: number, run: () => Promise<unknown>, message: () => string): Promise<void> =>
    endsWithin(within, run, message).catch((error: unknown) => {
      failures.push(error)
    })
  await attempt(
    delay,
    () => body(scope),
    () => `it did not end within ${delay} ms, waiting for ${[...waiting].join(', ') || 'something unnamed'}`,
  )
  hasEnded = true
  await attempt(
    maxCleanUp,
    () => endAll(made),
    () => `\`closed\` did not settle within ${maxCleanUp} ms of abort()`,
  )
  if (failures.length === 0) return
  // A conn that then fails to close as well is reported for the fault that the case found first.
  const [cause] = failures
  const code = cause instanceof ConnError ? `${cause.code}, ` : ''
  const said = cause instanceof Error ? cause.message : String(cause)
  throw new Error(`${name}: ${code}${said} (seed ${seed})`, { cause })
}

/** Ends every conn, even if the `abort()` of one throws. */
async function endAll(conns: readonly Conn[]): Promise<void> {
  const end = async (conn: Conn): Promise<void> => {
    conn.abort()
    await conn.closed
  }
  await Promise.all(conns.map(end))
}

async function endsWithin(delay: number, run: () => Promise<unknown>, message: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(message())), delay)
  })
  try {
    await Promise.race([run(), tooLate])
  } finally {
    clearTimeout(timer)
  }
}

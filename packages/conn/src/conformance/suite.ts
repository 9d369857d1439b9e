/**
 * What every conn must do, whatever carries its bytes: named cases for whoever writes a transport, bound to no test
 * runner.
 */
import type { Conn } from '../core/conn.ts'
import { abortCases } from './abort.ts'
import { cancelCases } from './cancel.ts'
import { closeCases } from './close.ts'
import { halfCases } from './halves.ts'
import type { Scope } from './kit.ts'
import { nettest } from './nettest.ts'
import { waiterCases } from './waiters.ts'
import { checkedDelay } from '../limits.ts'
import { ConnError } from '../errors.ts'
import type { CloseTimeouts } from '../core/stream-conn.ts'
import { clearTimeout, setImmediate, setTimeout } from '../runtime/timers.ts'

/**
 * Makes two new conns, of which each reads what the other writes. Both must keep to the timeouts. A case may ask for
 * several pairs. It ends each conn that it was given; what else a pair needs can go when both have `closed`.
 */
export type MakePair = (timeouts?: CloseTimeouts) => Promise<readonly [Conn, Conn]>

export interface ConformanceOptions {
  /** Where all random bytes, sizes and moments come from: {@link conformanceSeed} unless said otherwise. */
  readonly seed?: number | undefined
  /**
   * Whether the carrier has a reset, by which the peer tells an abort from a clean end: yes unless said otherwise. TCP has,
   * a Unix socket hasn't: there the cases ask that the peer sees an end or a `CONNECTION_LOST`, rather than nothing.
   */
  readonly resets?: boolean | undefined
  /**
   * After how long a case gives up by itself, to which up to 2,000 ms are added for cleaning up: 10,000 unless said
   * otherwise. Give the test runner more than that, or its own message hides what was waited for. Unit: milliseconds.
   */
  readonly timeout?: number | undefined
}

/** One thing that every conn must do. */
export interface ConformanceCase {
  /** Unique. The names of Go's `nettest.TestConn` mean what they mean there. */
  readonly name: string
  /**
   * Runs the case over new pairs. Cases share nothing, so they may run at once. When it is done, however it went, it has
   * aborted both conns of each pair and waited until they are closed. It needs no `this`.
   *
   * @throws Error that names the case, the seed and what is wrong, with the failed assertion, or the conn's own error, as
   *   its cause; also when it didn't end in time, naming what was waited for; and when `makePair` fails.
   *   `ConnError` `INVALID_ARGUMENT` for a timeout that can't be.
   */
  run(makePair: MakePair, options?: ConformanceOptions): Promise<void>
}

/** The seed of a run that is given none. */
export const conformanceSeed: number = 0x68_32_63_68

const cases = [...nettest, ...halfCases, ...cancelCases, ...closeCases, ...abortCases, ...waiterCases]

/**
 * Every case there is: first those of Go's `nettest.TestConn` by their names, with `AbortSignal`s for deadlines, then what
 * a conn promises beyond them. Each should pass with either end as the first of the pair.
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

/** How long conns that were aborted may take to close. */
const cleanUpTime = 2_000

async function runCase(
  name: string,
  body: (scope: Scope) => Promise<void>,
  makePair: MakePair,
  { seed = conformanceSeed, resets = true, timeout = 10_000 }: ConformanceOptions = {},
): Promise<void> {
  const delay = checkedDelay('timeout', timeout)
  const made: Conn[] = []
  const waiting = new Set<string>()
  let over = false

  const scope: Scope = {
    seed,
    resets,
    pair: async (timeouts) => {
      const pair = await scope.wait('makePair', makePair(timeouts))
      made.push(...pair)
      if (over) await endAll(pair)
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
      if (over) throw new Error('the case is over')
    },
  }

  const failures: unknown[] = []
  const attempt = (within: number, run: () => Promise<unknown>, late: () => string): Promise<void> =>
    endsWithin(within, run, late).catch((error: unknown) => {
      failures.push(error)
    })
  await attempt(
    delay,
    () => body(scope),
    () => `it did not end within ${delay} ms, waiting for ${[...waiting].join(', ') || 'what has no name'}`,
  )
  over = true
  await attempt(
    cleanUpTime,
    () => endAll(made),
    () => `\`closed\` did not settle within ${cleanUpTime} ms of abort()`,
  )
  if (failures.length === 0) return
  // A conn that can't be cleaned up either is broken in the way that the case found first.
  const [cause] = failures
  const code = cause instanceof ConnError ? `${cause.code}, ` : ''
  const said = cause instanceof Error ? cause.message : String(cause)
  throw new Error(`${name}: ${code}${said} (seed ${seed})`, { cause })
}

/** Each by itself: one that throws keeps none of the others. */
async function endAll(conns: readonly Conn[]): Promise<void> {
  const end = async (conn: Conn): Promise<void> => {
    conn.abort()
    await conn.closed
  }
  await Promise.all(conns.map(end))
}

async function endsWithin(delay: number, run: () => Promise<unknown>, late: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(late())), delay)
  })
  try {
    await Promise.race([run(), tooLate])
  } finally {
    clearTimeout(timer)
  }
}

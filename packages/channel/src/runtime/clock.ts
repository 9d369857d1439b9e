import { setDeadline as setSystemDeadline } from '@h2channel/conn/internal'

type Task<Subject> = (subject: Subject) => void

/** The globals that the core uses, of any platform: it is compiled without the types of one. */
interface Platform {
  readonly process?: { readonly nextTick?: (task: () => void) => void }
  readonly setImmediate?: <Subject>(task: Task<Subject>, subject: Subject) => void
  readonly setTimeout: <Subject>(task: Task<Subject>, delay: number, subject: Subject) => unknown
  readonly clearTimeout: (timer: unknown) => void
  readonly performance: { readonly now: () => number }
}

const { process, setImmediate, setTimeout, clearTimeout, performance } = globalThis as unknown as Platform
const realNow = performance.now

/**
 * The platform as it was when this module was loaded. A test runner replaces timers by fake ones later, for the program
 * under test: what channels do among themselves follows the real time.
 */
export const platform: Platform = {
  ...(process === undefined ? {} : { process }),
  ...(setImmediate === undefined ? {} : { setImmediate }),
  setTimeout,
  clearTimeout,
  performance: { now: realNow.bind(performance) },
}

/**
 * The source of a channel's times: of its heartbeat, and of how long an end may take. A test gives a channel a clock
 * that the test moves (see `testClock`).
 */
export interface Clock {
  /** The time since any fixed moment; never decreases. Unit: milliseconds. */
  now(): number
  /**
   * Calls `task` with `subject` once, after `delay` milliseconds. The timer must not keep the process alive, where that
   * exists.
   */
  setTimer<Subject>(task: (subject: Subject) => void, delay: number, subject: Subject): unknown
  /** Cancels a timer, which may have fired long ago. */
  clearTimer(timer: unknown): void
  /**
   * Calls `task` when what has arrived by now was read. A clock without this method states that its timers fire after
   * that, as in browsers. In Node they fire before, and Node 20 may fire them again and again first.
   */
  afterTurn?(task: () => void): void
}

const resolved = Promise.resolve()

/** Calls `task` after the calls that are under way. */
export function later(task: () => void): void {
  void resolved.then(task)
}

/** The clock of the platform. */
export const systemClock: Clock = {
  now: platform.performance.now,
  setTimer(task, delay, subject) {
    const timer = setTimeout(task, delay, subject)
    // Browsers return a number.
    if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function')
      timer.unref()
    return timer
  },
  clearTimer: (timer) => clearTimeout(timer),
  // Two turns: a peer in this very process reads in the first, and its answer is read in the second.
  ...(setImmediate && { afterTurn: (task) => setImmediate(() => setImmediate(task, undefined), undefined) }),
}

/** Calls `task` after `delay`, unless the wait ends before, as it nearly always does. Returns what cancels it. */
export function setDeadline<Subject>(
  clock: Clock,
  task: (subject: Subject) => void,
  delay: number,
  subject: Subject,
): { cancel(): void } {
  if (clock === systemClock) return setSystemDeadline(() => task(subject), delay, false)
  const timer = clock.setTimer(task, delay, subject)
  return { cancel: () => clock.clearTimer(timer) }
}

/**
 * The platform's clock with timers that keep the process alive, as Node's do by default: for delays that a caller
 * awaits.
 */
export const refClock: Clock = { ...systemClock, setTimer: setTimeout }

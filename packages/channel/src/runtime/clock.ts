import { platform } from './platform.ts'

/**
 * Where a channel's times come from: the heartbeat, and how long an end may take. Tests give a channel one that they move
 * by themselves (see `testClock`).
 */
export interface Clock {
  /** Unit: milliseconds, since whenever. Never goes back. */
  now(): number
  /** Calls `task` with `subject` once, after `delay` milliseconds. It must not keep the process alive where that can be said. */
  setTimer<Subject>(task: (subject: Subject) => void, delay: number, subject: Subject): unknown
  /** Takes a timer back, which may have fired long ago. */
  clearTimer(timer: unknown): void
  /**
   * Calls `task` when what has arrived by now was read. A clock without it says that its timers come after that, as in browsers. In
   * Node they come before, and Node 20 may run them again and again first.
   */
  afterTurn?(task: () => void): void
}

const { setImmediate } = platform

/** The platform's own. */
export const systemClock: Clock = {
  now: platform.performance.now,
  setTimer(task, delay, subject) {
    const timer = platform.setTimeout(task, delay, subject)
    // Browsers give a number.
    if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function')
      timer.unref()
    return timer
  },
  clearTimer: (timer) => platform.clearTimeout(timer),
  // Two turns: a peer in this very process reads in the first, and its answer is read in the second.
  ...(setImmediate && { afterTurn: (task) => setImmediate(() => setImmediate(task, undefined), undefined) }),
}

/** The platform's clock with timers that keep the process alive, as Node's do by default: for delays that a caller waits for. */
export const refClock: Clock = { ...systemClock, setTimer: platform.setTimeout }

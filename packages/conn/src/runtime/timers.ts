/**
 * The timers of this package. They are those from when this module was loaded: a test runner that puts fake ones in their place
 * does so later, for the program under test, and what keeps a connection alive goes by the real time. And they belong to no
 * caller: see {@link runInRootContext}.
 */
import { runInRootContext } from './root-context.ts'

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
}

type Task<Subjects extends unknown[]> = (...subjects: Subjects) => void

export function setTimeout<Subjects extends unknown[]>(
  task: Task<Subjects>,
  delay: number,
  ...subjects: Subjects
): NodeJS.Timeout {
  return runInRootContext(() => real.setTimeout(task, delay, ...subjects))
}

export function setInterval<Subjects extends unknown[]>(
  task: Task<Subjects>,
  delay: number,
  ...subjects: Subjects
): NodeJS.Timeout {
  return runInRootContext(() => real.setInterval(task, delay, ...subjects))
}

/** Only where the platform has it. */
export function setImmediate<Subjects extends unknown[]>(
  task: Task<Subjects>,
  ...subjects: Subjects
): NodeJS.Immediate {
  return runInRootContext(() => real.setImmediate(task, ...subjects))
}

/**
 * Calls `task` when the event loop has turned: what had been given to sessions has been given to their sockets, and what lay in the
 * sockets has been read. Timers alone tell neither. They come before both when the process stood still, and Node 20 may run them
 * again and again for a second and more before it does anything else.
 *
 * Two turns, since the other end may be in this very process: it reads in the first, and its answer is read in the second.
 */
export function afterTurn(task: () => void): void {
  setImmediate(() => void setImmediate(task))
}

/** Also for what fired long ago, and for nothing. */
export const clearTimeout: (timer: NodeJS.Timeout | undefined) => void = real.clearTimeout
export const clearInterval: (timer: NodeJS.Timeout | undefined) => void = real.clearInterval

export const queueMicrotask: (task: () => void) => void = globalThis.queueMicrotask

const { performance } = globalThis
const realNow = performance.now

/** `performance.now()`. Unit: milliseconds. */
export function now(): number {
  return realNow.call(performance)
}

/**
 * The timers of this package, as they were when this module was loaded: a test runner installs its fake timers later,
 * and connections are kept alive by real time. The timers belong to no caller: see {@link runInRootContext}.
 */
import { runInRootContext } from './root-context.ts'

const real = {
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
  setImmediate: globalThis.setImmediate,
}

type Task<Subjects extends unknown[]> = (...subjects: Subjects) => void

/** The platform's `setTimeout`, outside of any caller's asynchronous context. */
export function setTimeout<Subjects extends unknown[]>(
  task: Task<Subjects>,
  delay: number,
  ...subjects: Subjects
): NodeJS.Timeout {
  return runInRootContext(() => real.setTimeout(task, delay, ...subjects))
}

/** The platform's `setInterval`, outside of any caller's asynchronous context. */
export function setInterval<Subjects extends unknown[]>(
  task: Task<Subjects>,
  delay: number,
  ...subjects: Subjects
): NodeJS.Timeout {
  return runInRootContext(() => real.setInterval(task, delay, ...subjects))
}

/** The platform's `setImmediate`, outside of any caller's asynchronous context. Throws where the platform has none. */
export function setImmediate<Subjects extends unknown[]>(
  task: Task<Subjects>,
  ...subjects: Subjects
): NodeJS.Immediate {
  return runInRootContext(() => real.setImmediate(task, ...subjects))
}

/**
 * Calls `task` after two turns of the event loop. By then sessions have given their bytes to their sockets, and what
 * lay in the sockets has been read. A timer alone ensures neither: it fires before both if the process stood still, and
 * Node 20 may run timers repeatedly for a second or more before anything else.
 *
 * Two turns, since the other end may be in the same process: it reads in the first, and its answer is read in the
 * second.
 */
export function afterTurn(task: () => void): void {
  setImmediate(() => void setImmediate(task))
}

export const clearTimeout: (timer: NodeJS.Timeout | undefined) => void = globalThis.clearTimeout

export const clearInterval: (timer: NodeJS.Timeout | undefined) => void = globalThis.clearInterval

export const queueMicrotask: (task: () => void) => void = globalThis.queueMicrotask

const { performance } = globalThis
const realNow = performance.now

/** `performance.now()`. Unit: milliseconds. */
export function now(): number {
  return realNow.call(performance)
}

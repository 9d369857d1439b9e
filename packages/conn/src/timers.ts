/**
 * The timers of this package. They are those from when this module was loaded: a test runner that puts fake ones in their place
 * does so later, for the program under test, and what keeps a connection alive goes by the real time. And they belong to no
 * caller: see {@link outside}.
 */
import { outside } from './outside.ts'

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
  return outside(() => real.setTimeout(task, delay, ...subjects))
}

export function setInterval<Subjects extends unknown[]>(
  task: Task<Subjects>,
  delay: number,
  ...subjects: Subjects
): NodeJS.Timeout {
  return outside(() => real.setInterval(task, delay, ...subjects))
}

/** Only where the platform has it. */
export function setImmediate<Subjects extends unknown[]>(
  task: Task<Subjects>,
  ...subjects: Subjects
): NodeJS.Immediate {
  return outside(() => real.setImmediate(task, ...subjects))
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

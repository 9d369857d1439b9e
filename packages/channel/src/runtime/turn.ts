import { platform } from './platform.ts'

const done = Promise.resolve()

/** Runs `task` with `subject` when the current turn is over: after the promises that are ready now, before the next I/O. */
export type AtTurnEnd = <Subject>(task: (subject: Subject) => void, subject: Subject) => void

export const atTurnEnd: AtTurnEnd = choose()

function choose(): AtTurnEnd {
  const nextTick = platform.process?.nextTick
  // A tick comes before the promises when the turn began with a callback, and after them when it began with a promise.
  // `queueMicrotask` would take half as long again: Node makes a resource for the hooks of each.
  if (nextTick !== undefined) return (task, subject) => void done.then(() => nextTick(() => task(subject)))
  const { setImmediate } = platform
  if (setImmediate !== undefined) return (task, subject) => setImmediate(task, subject)
  return (task, subject) => void platform.setTimeout(task, 0, subject)
}

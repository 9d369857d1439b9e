const done = Promise.resolve()

/** Runs `task` when the current turn is over: after the promises that are ready now, before the next I/O. */
export const atTurnEnd: (task: () => void) => void = choose()

interface Platform {
  readonly process?: { readonly nextTick?: (task: () => void) => void }
  readonly setImmediate?: (task: () => void) => unknown
  readonly setTimeout: (task: () => void, delay: number) => unknown
}

function choose(): (task: () => void) => void {
  const platform = globalThis as unknown as Platform
  const nextTick = platform.process?.nextTick
  // A tick comes before the promises when the turn began with a callback, and after them when it began with a promise.
  // `queueMicrotask` would take half as long again: Node makes a resource for the hooks of each.
  if (nextTick !== undefined) return (task) => void done.then(() => nextTick(task))
  const { setImmediate } = platform
  if (setImmediate !== undefined) return (task) => void setImmediate(task)
  return (task) => void platform.setTimeout(task, 0)
}

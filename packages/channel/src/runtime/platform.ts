type Task<Subject> = (subject: Subject) => void

/** What the core uses of the platforms it runs on. It is compiled without the types of any, since it runs on all of them. */
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
 * As it was when this module was loaded. A test runner that puts fake timers in place of these does so later, for the program under
 * test: what channels do among themselves goes by the real time.
 */
export const platform: Platform = {
  ...(process === undefined ? {} : { process }),
  ...(setImmediate === undefined ? {} : { setImmediate }),
  setTimeout,
  clearTimeout,
  performance: { now: () => realNow.call(performance) },
}

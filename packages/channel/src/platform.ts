type Task<Subject> = (subject: Subject) => void

/** What the core uses of the platforms it runs on. It is compiled without the types of any, since it runs on all of them. */
interface Platform {
  readonly process?: { readonly nextTick?: (task: () => void) => void }
  readonly setImmediate?: <Subject>(task: Task<Subject>, subject: Subject) => void
  readonly setTimeout: <Subject>(task: Task<Subject>, delay: number, subject: Subject) => unknown
  readonly clearTimeout: (timer: unknown) => void
}

export const platform: Platform = globalThis as unknown as Platform

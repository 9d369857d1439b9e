/** What a load, its cases and their figures are. */
import type { Job, Result } from '../job.ts'
import type { Ability, Entry } from '../peers/index.ts'

export interface Metric {
  readonly name: string
  readonly unit: string
  /** Whether a higher or a lower figure is better. */
  readonly better: 'more' | 'less'
  /** Digits behind the decimal point. */
  readonly digits: number
  /** Whether the tables show its ratio to h2channel. */
  readonly isCompared: boolean
}

/** How much of a job one run does. */
export type Amount =
  /** As many as fill the time of a run, found by trial; `first` is tried first, and `warmUp` is the least before it. */
  | { readonly by: 'count'; readonly first: number; readonly smoke: number; readonly warmUp?: number }
  /** It ends when its time has passed. */
  | { readonly by: 'time' }
  /** Once, with a fresh server: its memory is measured. */
  | { readonly by: 'memory' }
  /** So many, in fresh processes that have done nothing before. */
  | { readonly by: 'cold'; readonly count: number; readonly smoke: number }
  /** Nothing but the import of a library, in a fresh process. */
  | { readonly by: 'import' }

export interface Case {
  readonly name: string
  readonly title: string
  readonly needs: readonly Ability[]
  readonly metrics: readonly Metric[]
  readonly amount: Amount
  /** `amount` is a count, or a number of milliseconds. */
  job(amount: number, entry: Entry): Job
  /** The figures of a result. */
  figures(result: Result): readonly number[]
  /** The entry of h2channel that the others are compared with, where there is room for one. */
  readonly baseline: string
  /** The round trip to the server. Unit: milliseconds. */
  readonly roundTrip: number
  /** Whether a run takes so long that the case has fewer rounds. */
  readonly isLong?: boolean
  /** Whether client and server use TLS. */
  readonly isSecure?: boolean
  /** How long a run takes before its measurement begins, for the estimate of the whole. Unit: seconds. */
  readonly preparation?: number
  /** Whether every run has its own processes, because those of all peers together would take too much memory. */
  readonly isAlone?: boolean
}

export interface Load {
  readonly name: string
  readonly title: string
  /** What is measured, and how. */
  readonly about: string
  /** The duration of its runs, as a part of the usual one. */
  readonly part: number
  /** The least warm-up before anything counts, in runs: the compiler needs time with code that it sees first. */
  readonly warmUp: number
  readonly cases: readonly Case[]
  /** The cases that its charts show. Default: all. */
  readonly charted?: readonly string[]
  /** Whether its channels stay open, so that the same processes must not run another load. */
  readonly leavesMuch?: boolean
  /**
   * Entries that the short version leaves out, and the long one too where each run has its own processes: variants of
   * others that hardly differ from them here.
   */
  readonly spared?: readonly string[]
}

export const rate: Metric = { name: 'messages a second', unit: '/s', better: 'more', digits: 0, isCompared: true }
export const megabytes: Metric = { name: 'MB a second', unit: 'MB/s', better: 'more', digits: 0, isCompared: true }

export function figuresOf({ figures }: Result): readonly number[] {
  return figures
}

/** Figures of which less is better. */
export const microseconds = { unit: 'µs', better: 'less', digits: 0, isCompared: true } as const

/** The CPU time of client and server together for each message. */
export const processorTime: Metric = {
  name: 'CPU of both processes',
  unit: 'µs of CPU',
  better: 'less',
  digits: 0,
  isCompared: false,
}

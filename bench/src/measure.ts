/** Shared by all benchmarks: figures, each with the method and the machine that produced it. */
import { cpus } from 'node:os'

/** Node's version and the machine, printed with every figure. */
export function machine(version = process.version): string {
  const [cpu] = cpus()
  const model = cpu?.model ?? 'unknown'
  return `Node ${version}, ${cpus().length} × ${model}, ${process.platform} ${process.arch}`
}

/** The median: for an odd number of figures the middle one, for an even one the upper of the two. 0 for none. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/**
 * The rounds whose first figure is closest to the median of all, in their order: as many as are wanted. So a round that
 * something else on the machine disturbed does not count, on whichever side it lies.
 */
export function steadiest(rounds: readonly (readonly number[])[], wanted: number): readonly (readonly number[])[] {
  const middle = median(rounds.map(first))
  const distance = (round: readonly number[]): number => Math.abs(first(round) - middle)
  const kept = new Set(rounds.toSorted((a, b) => distance(a) - distance(b)).slice(0, wanted))
  return rounds.filter((round) => kept.has(round))
}

/** Whether the first figures differ by more than a third of their median. */
export function isUnsteady(rounds: readonly (readonly number[])[]): boolean {
  const figures = rounds.map(first)
  return Math.max(...figures) - Math.min(...figures) > median(figures) / 3
}

function first([figure = 0]: readonly number[]): number {
  return figure
}

/** Work that is repeated. Returns how often it was done. */
export type Work = () => number

export interface RoundsOptions {
  readonly rounds: number
  /** How long each is repeated in a round. Unit: milliseconds. */
  readonly slice: number
}

/**
 * How often a second each of `works` is done: medians of rounds, in which each takes its turn in a changing order. One
 * more round before the others warms up.
 */
export function speeds(works: readonly Work[], { rounds, slice }: RoundsOptions): number[] {
  const figures = works.map((): number[] => [])
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < works.length; turn++) {
      const index = (turn + round + works.length) % works.length
      const figure = speed(works[index] ?? nothing, slice)
      if (round >= 0) figures[index]?.push(figure)
    }
  }
  return figures.map(median)
}

const nothing: Work = () => 0

function speed(work: Work, slice: number): number {
  const begin = performance.now()
  let done = 0
  let passed = 0
  while (passed < slice) {
    done += work()
    passed = performance.now() - begin
  }
  return (done / passed) * 1_000
}

/** Millions, with two decimal digits. */
export function millions(figure: number): string {
  return (figure / 1e6).toFixed(2)
}

/** What every benchmark here needs: figures of which one can say how and where they came about. */
import { cpus } from 'node:os'

/** Node's version and the machine, to be printed with every figure. */
export function machine(version = process.version): string {
  const [cpu] = cpus()
  const model = cpu?.model ?? 'unknown'
  return `Node ${version}, ${cpus().length} × ${model}, ${process.platform} ${process.arch}`
}

/** Of an odd number of figures, the one in the middle; of an even one, the upper of both. 0 of none. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** Something that is done over and over. Returns how often it did it. */
export type Work = () => number

export interface RoundsOptions {
  readonly rounds: number
  /** How long each is done in a round. Unit: milliseconds. */
  readonly slice: number
}

/**
 * How often a second each of `works` is done: medians of rounds in which all have their turn, in an order that changes.
 * One more round before the others warms up.
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

/** Millions, with two digits behind the point. */
export function millions(figure: number): string {
  return (figure / 1e6).toFixed(2)
}

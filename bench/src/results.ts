/** The evaluation of the figures. */
import type { Case, Load, Metric } from './cases.ts'
import { median } from './measure.ts'
import type { Entry } from './peers/index.ts'
import { entries } from './peers/index.ts'
import type { Cell } from './run.ts'

/** A case in which a peer did better than h2channel. */
export interface Defeat {
  readonly load: Load
  readonly case: Case
  readonly metric: Metric
  readonly peer: Entry
  readonly ours: Entry
  /** The figure of h2channel divided by the peer's. */
  readonly ratio: number
}

export class Results {
  readonly cells: readonly Cell[]

  constructor(cells: readonly Cell[]) {
    this.cells = cells
  }

  cell({ name }: Case, entry: Entry): Cell | undefined {
    return this.cells.find((cell) => cell.case.name === name && cell.entry.name === entry.name)
  }

  /** The median of all rounds. */
  figure(cell: Cell, metric: Metric): number {
    return median(column(cell, metric))
  }

  /** The figure of h2channel divided by the peer's: the median of the ratios of all rounds. */
  ratio(one: Case, metric: Metric, ours: Entry, peer: Entry): number | undefined {
    const [our, their] = [this.cell(one, ours), this.cell(one, peer)]
    if (our === undefined || their === undefined || our.rounds.length === 0 || their.rounds.length === 0)
      return undefined
    const theirs = column(their, metric)
    return median(column(our, metric).map((figure, round) => figure / (theirs[round] ?? Number.NaN)))
  }

  /** The peers that ran a case or all the cases of a load, in their order. */
  entries(cases: readonly Case[]): Entry[] {
    const names = new Set(cases.map(({ name }) => name))
    const there = new Set(this.cells.filter((cell) => names.has(cell.case.name)).map(({ entry }) => entry))
    return entries.filter((entry) => there.has(entry))
  }

  failures(): Cell[] {
    return this.cells.filter(({ error }) => error !== undefined)
  }

  defeats(): Defeat[] {
    return this.cells.flatMap((cell) => {
      const { load, entry: peer } = cell
      if (peer.kind === 'ours') return []
      return cell.case.metrics
        .filter(({ isCompared }) => isCompared)
        .flatMap((metric) =>
          this.entries([cell.case])
            .filter(({ kind }) => kind === 'ours')
            .flatMap((ours): Defeat[] => {
              const ratio = this.ratio(cell.case, metric, ours, peer)
              const isDefeat = ratio !== undefined && (metric.better === 'more' ? ratio < 1 : ratio > 1)
              return isDefeat ? [{ load, case: cell.case, metric, peer, ours, ratio }] : []
            }),
        )
    })
  }
}

function column({ case: one, rounds }: Cell, metric: Metric): number[] {
  const index = one.metrics.indexOf(metric)
  return rounds.map((figures) => figures[index] ?? Number.NaN)
}

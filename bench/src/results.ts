/** The evaluation of the figures. */
import type { Case, Metric } from './cases/case.ts'
import { median } from './measure.ts'
import type { Entry } from './peers/index.ts'
import { entries } from './peers/index.ts'
import type { Cell } from './run.ts'

/** The results on one version of Node. */
export interface Measured {
  /** For example `Node 24`. */
  readonly version: string
  /** Node's whole version, and the machine. */
  readonly machine: string
  readonly results: Results
}

export class Results {
  readonly cells: readonly Cell[]

  constructor(cells: readonly Cell[]) {
    this.cells = cells
  }

  cell({ name }: Case, entry: Entry): Cell | undefined {
    return this.cells.find((cell) => cell.case.name === name && cell.entry.name === entry.name)
  }

  /** A figure by the names of its case and its peer. */
  named(one: string, peer: string, metric: number): number | undefined {
    const cell = this.cells.find((there) => there.case.name === one && there.entry.name === peer)
    const wanted = cell?.case.metrics[metric]
    if (cell === undefined || wanted === undefined || cell.rounds.length === 0) return undefined
    return this.figure(cell, wanted)
  }

  /** The median of all rounds. */
  figure(cell: Cell, metric: Metric): number {
    return median(column(cell, metric))
  }

  /** The figure of h2channel divided by the peer's. */
  ratio(one: Case, metric: Metric, ours: Entry, peer: Entry): number | undefined {
    const [our, their] = [this.cell(one, ours), this.cell(one, peer)]
    if (our === undefined || their === undefined || our.rounds.length === 0 || their.rounds.length === 0)
      return undefined
    return this.figure(our, metric) / this.figure(their, metric)
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

  /** The peers that did better than an entry of h2channel, limits excepted, with the ratios h2channel ÷ peer. */
  faster(one: Case, metric: Metric, ours: Entry): { readonly peer: Entry; readonly ratio: number }[] {
    return this.entries([one]).flatMap((peer) => {
      const ratio = peer.kind === 'other' ? this.ratio(one, metric, ours, peer) : undefined
      if (ratio === undefined || (metric.better === 'more' ? ratio >= 1 : ratio <= 1)) return []
      return [{ peer, ratio }]
    })
  }
}

function column({ case: one, rounds }: Cell, metric: Metric): number[] {
  const index = one.metrics.findIndex(({ name }) => name === metric.name)
  return rounds.map((figures) => figures[index] ?? Number.NaN)
}

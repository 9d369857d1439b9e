/** Tables for the terminal and the document. */
import CliTable from 'cli-table3'

import type { Case, Load, Metric } from './cases/case.ts'
import type { Entry } from './peers/index.ts'
import { isUnsteady } from './measure.ts'
import type { Measured, Results } from './results.ts'
import type { Cell } from './run.ts'

export interface Table {
  /** A caption, if the load's title is not enough. */
  readonly caption?: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Whether it contains text rather than figures. */
  readonly isText?: boolean
}

/** One row for each peer. With one case, each usual entry of h2channel is a baseline; with several, only the first. */
export function tablesOf(load: Load, results: Results): Table[] {
  const cases = load.cases.filter((one) => results.entries([one]).length > 0)
  const entries = results.entries(cases)
  const compared = cases.flatMap((one) => {
    const [usual = 'messages'] = one.needs
    const ours = results.entries([one]).filter(({ kind, does }) => kind === 'ours' && does.includes(usual))
    const baselines = cases.length === 1 ? ours : ours.filter(({ name }) => name === one.baseline)
    return one.metrics
      .filter(({ isCompared }) => isCompared)
      .flatMap((metric) => columnsOf(one, metric, baselines, results, cases.length > 1))
  })
  const others = cases.flatMap((one) =>
    one.metrics
      .filter(({ isCompared }) => !isCompared)
      .flatMap((metric) => columnsOf(one, metric, [], results, cases.length > 1)),
  )
  const tableOf = (columns: readonly Column[]): Table => {
    return {
      head: ['', ...columns.map(({ head }) => head)],
      rows: entries.map((entry) => [entry.title, ...columns.map(({ text }) => text(entry))]),
    }
  }
  if (others.length === 0) return [tableOf(compared)]
  const names = cases.flatMap(({ metrics }) => metrics.filter(({ isCompared }) => !isCompared).map(({ name }) => name))
  return [tableOf(compared), { ...tableOf(others), caption: `${[...new Set(names)].join(', ')}:` }]
}

interface Column {
  readonly head: string
  readonly text: (entry: Entry) => string
}

function columnsOf(
  one: Case,
  metric: Metric,
  baselines: readonly Entry[],
  results: Results,
  isOneOfMany: boolean,
): Column[] {
  const isOneOfTwo = metric.isCompared && one.metrics.filter(({ isCompared }) => isCompared).length > 1
  const title = isOneOfTwo ? `${one.title}, ${metric.name}` : one.title
  const isTime = metric.unit === 'µs' || metric.unit === 'ms'
  const name = isOneOfMany || isTime ? `${isOneOfMany ? title : metric.name}, ${metric.unit}` : metric.name
  const figure: Column = {
    head: `${name} ${metric.better === 'more' ? '↑' : '↓'}`,
    text: (entry) => {
      const cell = results.cell(one, entry)
      if (cell === undefined) return '–'
      if (cell.error !== undefined) return 'failed'
      return `${formatted(results.figure(cell, metric), metric)}${isUnsteady(cell.rounds) ? ' †' : ''}`
    },
  }
  const ratios = baselines.map((ours): Column => {
    return {
      head: `${shortOf(ours)} ÷`,
      text: (entry) => results.ratio(one, metric, ours, entry)?.toFixed(2) ?? '–',
    }
  })
  return [figure, ...ratios]
}

/** `json` of `h2channel, json`. */
export function shortOf({ title }: Entry): string {
  return title.replace(/^h2channel, /, '').replace(/^limit: /, '')
}

export function formatted(figure: number, { digits }: Metric): string {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits }
  return figure.toLocaleString('en', options)
}

export function inTerminal({ caption, head, rows }: Table): string {
  const colAligns = head.map((_, index) => (index === 0 ? 'left' : 'right'))
  const table = new CliTable({ head: [...head], colAligns, style: { head: [], border: [] } })
  table.push(...rows.map((row) => [...row]))
  return caption === undefined ? table.toString() : `${caption}\n${table.toString()}`
}

export function inMarkdown({ caption, head, rows, isText }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    ...(caption === undefined ? [] : [caption.charAt(0).toUpperCase() + caption.slice(1), '']),
    line(head),
    line(head.map((_, index) => (index === 0 || isText === true ? '---' : '---:'))),
    ...rows.map(line),
  ].join('\n')
}

/** Every figure in which another peer did better than h2channel, in one table. */
export function slowerOf(all: readonly Measured[]): Table {
  const cells = all.flatMap(({ results }) => results.cells)
  const cases = new Map(cells.map(({ load, case: one }) => [one.name, { load, one }]))
  const rows = [...cases.values()].flatMap(({ load, one }) =>
    one.metrics
      .filter(({ isCompared }) => isCompared)
      .flatMap((metric) => {
        const texts = all.map(({ results }) => fasterIn(results, one, metric))
        if (texts.every((text) => text === '')) return []
        const what = [load.title, load.cases.length > 1 ? one.title : metric.name].join(', ')
        const more = load.cases.length > 1 && one.metrics.filter(({ isCompared }) => isCompared).length > 1
        const name = `${what}${more ? `, ${metric.name}` : ''} ${metric.better === 'more' ? '↑' : '↓'}`
        return [[name, ...texts.map((text) => (text === '' ? '–' : text))]]
      }),
  )
  return { head: ['h2channel ÷ peer', ...all.map(({ version }) => version)], rows, isText: true }
}

/** The largest difference first. */
function fasterIn(results: Results, one: Case, metric: Metric): string {
  const ours = results.entries([one]).find(({ name }) => name === one.baseline)
  if (ours === undefined) return ''
  const sign = metric.better === 'more' ? 1 : -1
  const peers = results.faster(one, metric, ours).toSorted((a, b) => sign * (a.ratio - b.ratio))
  return peers.map(({ peer, ratio }) => `${peer.title} ${ratio.toFixed(2)}`).join('; ')
}

/** The number of rounds: long cases have fewer, and a busy machine has fewer of all. */
export function roundsIn({ cells }: Results): string {
  const right = cells.filter(({ error }) => error === undefined)
  const long = right.filter((cell) => cell.case.isLong === true)
  const usual = right.filter((cell) => !long.includes(cell))
  if (long.length === 0) return `${rangeOf(usual)} rounds`
  const what = [...new Set(long.map(({ load }) => load.title.toLowerCase()))].join(', ')
  return `${usual.length === 0 ? '' : `${rangeOf(usual)} rounds, `}${rangeOf(long)} for ${what}`
}

function rangeOf(cells: readonly Cell[]): string {
  const counts = cells.map(({ rounds }) => rounds.length)
  return [...new Set([Math.min(...counts), Math.max(...counts)])].join(' to ')
}

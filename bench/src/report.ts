/** Tables for the terminal and the document. */
import CliTable from 'cli-table3'

import type { Case, Load, Metric } from './cases.ts'
import type { Entry } from './peers/index.ts'
import type { Results } from './results.ts'

export interface Table {
  /** A caption, if the load's title is not enough. */
  readonly caption?: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Whether it contains text rather than figures. */
  readonly isText?: boolean
}

/** One row for each peer. With one case, each entry of h2channel is a baseline; with several, only the first. */
export function tablesOf(load: Load, results: Results): Table[] {
  const cases = load.cases.filter((one) => results.entries([one]).length > 0)
  const entries = results.entries(cases)
  const compared = cases.flatMap((one) => {
    const ours = results.entries([one]).filter(({ kind }) => kind === 'ours')
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
  const name = isOneOfMany ? `${one.title}, ${metric.unit}` : metric.name
  const figure: Column = {
    head: `${name} ${metric.better === 'more' ? '↑' : '↓'}`,
    text: (entry) => {
      const cell = results.cell(one, entry)
      if (cell === undefined) return '–'
      return cell.error === undefined ? formatted(results.figure(cell, metric), metric) : 'failed'
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

/** The cases in which another peer was faster, one line for each. */
export function defeatsOf(results: Results): string[] {
  const lines = new Map<string, Map<string, string[]>>()
  for (const { load, case: one, metric, peer, ours, ratio } of results.defeats()) {
    const what = [
      load.title,
      load.cases.length > 1 ? one.title : '',
      one.metrics.filter(({ isCompared }) => isCompared).length > 1 ? metric.name : '',
    ]
    const name = what.filter((part) => part !== '').join(', ')
    const peers = lines.get(name) ?? new Map<string, string[]>()
    lines.set(name, peers)
    peers.set(peer.title, [...(peers.get(peer.title) ?? []), `${shortOf(ours)} ${ratio.toFixed(2)}`])
  }
  return [...lines].map(([name, peers]) => {
    const said = [...peers].map(([peer, ratios]) => `${peer} (${ratios.join(', ')})`)
    return `**${name}**: ${said.join('; ')}`
  })
}

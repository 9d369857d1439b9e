/** Charts of the tables, legible on light and dark pages. */
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

import type { Case, Load, Metric } from './cases/case.ts'
import type { Entry } from './peers/index.ts'
import type { Results } from './results.ts'

export interface Chart {
  readonly name: string
  readonly title: string
  readonly svg: string
}

/** One panel of a chart. */
interface Panel {
  readonly title: string
  readonly case: Case
  readonly metric: Metric
}

export interface Bar {
  readonly peer: string
  readonly panel: string
  readonly kind: Entry['kind']
  readonly value: number
}

/** Colours of h2channel, the others and the limits, visible on white and on black. */
const colors = { ours: '#1f8a5b', other: '#7d8794', limit: '#b08a3c' }

/** One chart for all panels with the same measure. */
export function chartsOf(load: Load, results: Results): Chart[] {
  const charted = load.cases.filter(({ name }) => load.charted?.includes(name) !== false)
  const panels = charted.flatMap((one) =>
    one.metrics
      .filter(({ isCompared }) => isCompared && results.entries([one]).length > 0)
      .map((metric): Panel => ({ title: one.title, case: one, metric })),
  )
  const measures = [...new Set(panels.map(({ metric }) => metric.name))]
  return measures.map((measure) => {
    const group = panels.filter(({ metric }) => metric.name === measure)
    const name = measures.length === 1 ? load.name : `${load.name}-${measure.replaceAll(/\W+/g, '-').toLowerCase()}`
    return { name, title: `${load.title}: ${measure}`, svg: draw(group, results) }
  })
}

function draw(panels: readonly Panel[], results: Results): string {
  const isOne = panels.length === 1
  const bars = panels.flatMap((panel) => barsOf(panel, results))
  // A limit that is ten times as fast would leave no room for the others.
  const shown = isOne ? bars : bars.filter(({ kind }) => kind !== 'limit')
  const [first] = panels
  const sign = first?.metric.better === 'less' ? 1 : -1
  const peers = [...new Set(shown.map(({ peer }) => peer))]
  const figureOf = (peer: string): number => shown.find((bar) => bar.peer === peer)?.value ?? 0
  const order = peers.toSorted((a, b) => sign * (figureOf(a) - figureOf(b)))
  return plot(
    shown,
    panels.map(({ title }) => title),
    order,
  )
}

/** Bars of peers in their order, in one panel or in several next to each other. */
export function plot(bars: readonly Bar[], panels: readonly string[], order: readonly string[]): string {
  const isOne = panels.length === 1
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const shared = { x: 'value', y: 'peer', ...(isOne ? {} : { fx: 'panel' }) } as const
  const made = Plot.plot({
    document,
    width: 860,
    height: 40 + order.length * 22 + (isOne ? 0 : 20),
    marginLeft: 210,
    marginRight: isOne ? 70 : 44,
    marginTop: isOne ? 8 : 28,
    style: { fontSize: '12px', background: 'none' },
    x: { label: null, ticks: isOne ? 6 : 2, tickFormat: compact, grid: true, insetRight: isOne ? 0 : 20 },
    y: { label: null, domain: order, tickSize: 0 },
    ...(isOne ? {} : { fx: { label: null, domain: panels, padding: 0.22 } }),
    color: { domain: Object.keys(colors), range: Object.values(colors) },
    marks: [
      Plot.barX(bars, { ...shared, fill: 'kind', insetTop: 2, insetBottom: 2 }),
      Plot.text(bars, { ...shared, text: ({ value }: Bar) => compact(value), textAnchor: 'start', dx: 4 }),
      Plot.ruleX([0]),
    ],
  }) as unknown as { setAttribute(name: string, value: string): void; outerHTML: string }
  made.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  // The page's own scheme decides: GitHub passes it to pictures.
  const style = 'svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}'
  return `${made.outerHTML.replace('<style>', `<style>${style}`)}\n`
}

function barsOf({ title, case: one, metric }: Panel, results: Results): Bar[] {
  return results.entries([one]).flatMap((entry): Bar[] => {
    const cell = results.cell(one, entry)
    if (cell === undefined || cell.error !== undefined) return []
    const value = results.figure(cell, metric)
    return [{ peer: entry.title.replace(/^limit: /, ''), panel: title, kind: entry.kind, value }]
  })
}

function compact(figure: number): string {
  return figure.toLocaleString('en', { notation: 'compact', maximumSignificantDigits: 3 })
}

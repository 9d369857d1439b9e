/** The five lines in which the benchmarks are summed up, and their chart. */
import type { Bar } from './charts.ts'
import { plot } from './charts.ts'
import type { Metric } from './cases/case.ts'
import { loadsOf } from './cases/index.ts'
import { entryOf } from './peers/index.ts'
import { given } from './peers/peer.ts'
import type { Table } from './report.ts'
import { formatted } from './report.ts'
import type { Measured } from './results.ts'

interface Line {
  readonly what: string
  /** A shorter name for the chart. */
  readonly title: string
  readonly case: string
  /** The load that measures it. */
  readonly load: string
}

const lines: readonly Line[] = [
  { what: 'small messages one way, per second', title: 'one way', case: 'stream', load: 'stream' },
  { what: 'calls, 64 at once, per second', title: 'calls', case: 'call-64', load: 'call' },
  { what: 'one message there and back, p50, µs', title: 'there and back', case: 'ping', load: 'ping' },
  { what: '10,000 busy channels, messages per second', title: 'busy channels', case: 'fan-10000', load: 'fan' },
  {
    what: 'memory of the server for one of 10,000 idle channels, KiB',
    title: 'idle channels',
    case: 'idle-10000',
    load: 'idle',
  },
]

const columns: readonly (readonly [peer: string, head: string])[] = [
  ['ours-json', 'h2channel, json'],
  ['ours-zod', 'with a schema'],
  ['grpc', 'gRPC'],
  ['connect-protobuf', 'Connect'],
  ['ws', 'ws'],
  ['socket.io', 'socket.io'],
  ['http2', 'bare node:http2'],
]

/** The best of each line is bold. A line whose load was not measured is left out. */
export function summaryOf({ results }: Measured): Table {
  const measured = lines.filter((line) => results.named(line.case, 'ours-json', 0) !== undefined)
  const rows = measured.map((line) => {
    const figures = columns.map(([peer]) => results.named(line.case, peer, 0))
    const metric = metricOf(line)
    const best = bestOf(figures, metric)
    const texts = figures.map((figure) => {
      if (figure === undefined) return '–'
      return figure === best ? `**${formatted(figure, metric)}**` : formatted(figure, metric)
    })
    return [`${line.what} ${metric.better === 'more' ? '↑' : '↓'}`, ...texts, `\`--full ${line.load}\``]
  })
  const head = ['', ...columns.map(([, title]) => title), 'measure it yourself: `npx -y pnpm@12 bench …`']
  return { head, rows }
}

/** Each line as a part of its best figure, since the lines have different units. */
export function summaryChart({ results }: Measured): string {
  const bars = lines.flatMap((line): Bar[] => {
    const metric = metricOf(line)
    const shown = columns.flatMap(([peer]) => {
      const figure = results.named(line.case, peer, 0)
      return figure === undefined ? [] : [{ entry: entryOf(peer), figure }]
    })
    const best = bestOf(
      shown.map(({ figure }) => figure),
      metric,
    )
    return shown.map(({ entry, figure }) => ({
      peer: entry.title,
      panel: line.title,
      kind: entry.kind,
      value: metric.better === 'more' ? (100 * figure) / best : (100 * best) / figure,
    }))
  })
  const panels = lines.map(({ title }) => title)
  const peers = columns.map(([peer]) => entryOf(peer).title)
  return plot(bars, panels, peers)
}

function metricOf(line: Line): Metric {
  const cases = loadsOf('full').flatMap((load) => load.cases)
  return given(cases.find(({ name }) => name === line.case)?.metrics[0])
}

function bestOf(figures: readonly (number | undefined)[], { better }: Metric): number {
  const there = figures.filter((figure) => figure !== undefined)
  return better === 'more' ? Math.max(...there) : Math.min(...there)
}

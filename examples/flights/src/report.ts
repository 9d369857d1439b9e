import Table from 'cli-table3'
import { cpus } from 'node:os'

import type { CodecName, Summary } from './routes.ts'

/** The results of one codec. */
export interface Run {
  readonly codec: CodecName
  readonly summary: Summary | undefined
  readonly seconds: number
  readonly bytesSent: number
  readonly bytesReceived: number
}

export function table(runs: readonly Run[]): string {
  const head = ['codec', 'flights', 'bytes sent', 'per flight', 'bytes received', 'seconds', 'flights per second']
  const colAligns = head.map((_, column) => (column === 0 ? 'left' : 'right'))
  const rows = new Table({ head, colAligns, style: { head: [], border: [] } })
  for (const { codec, summary, seconds, bytesSent, bytesReceived } of runs) {
    const flights = summary?.count ?? 0
    rows.push([
      codec,
      whole(flights),
      whole(bytesSent),
      (bytesSent / flights).toFixed(1),
      whole(bytesReceived),
      seconds.toFixed(2),
      whole(flights / seconds),
    ])
  }
  return rows.toString()
}

/** A bar for each hour's flights, with their mean delay next to it. */
export function chart({ hours }: Summary): string {
  const most = Math.max(...hours.map(({ flights }) => flights))
  const lines = hours.map(({ flights, meanDelay }, hour) => {
    const time = `${String(hour).padStart(2, '0')}:00`
    const delay = meanDelay === null ? '' : `${meanDelay.toFixed(1)} min`
    return `${time}  ${bar(flights / most)}  ${whole(flights).padStart(7)}  ${delay.padStart(10)}`.trimEnd()
  })
  return ['', `hour   ${'departures'.padEnd(width)}  flights  mean delay`, ...lines, ''].join('\n')
}

export function machine(): string {
  const processors = cpus()
  return `Node ${process.version} on ${processors.length} × ${processors[0]?.model ?? 'an unknown processor'}`
}

const width = 40
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

function bar(share: number): string {
  const length = Math.round(share * width * 8)
  return ('█'.repeat(Math.floor(length / 8)) + (eighths[length % 8] ?? '')).padEnd(width)
}

function whole(count: number): string {
  return Math.round(count).toLocaleString('en')
}

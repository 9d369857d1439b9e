/** What the library aims at, as ratios to its alternatives, and what it has reached. */
import { loadsOf } from './cases/index.ts'
import { entryOf } from './peers/index.ts'
import { given } from './peers/peer.ts'
import type { Table } from './report.ts'
import type { Measured } from './results.ts'

/** Figures of one or more cases of this library, divided by those of peers. */
interface Aim {
  readonly what: string
  readonly cases: readonly string[]
  readonly ours: string
  /** Which metric of the case. */
  readonly metric: number
  readonly is: 'at least' | 'at most'
  /** The wanted ratio to each peer; `itself` is a figure that is not compared. */
  readonly wanted: Readonly<Record<string, number>>
  /** The peers' case, where it is another one. */
  readonly against?: string
}

const usual = { ours: 'ours-json', metric: 0, is: 'at least' } as const
const [calls, opens] = [
  { grpc: 1.6, 'connect-protobuf': 2, fetch: 1.6, http2: 0.65 },
  { grpc: 1.5, http2: 0.5 },
]

const aims: readonly Aim[] = [
  { ...usual, what: 'calls', cases: ['call-1', 'call-64'], wanted: calls },
  { ...usual, what: 'a call from far away, p50', cases: ['call-far'], is: 'at most', wanted: { tcp: 1.05 } },
  { ...usual, what: 'opening channels', cases: ['open-1', 'open-64'], wanted: opens },
  {
    ...usual,
    what: 'small messages one way, with a schema',
    cases: ['stream'],
    ours: 'ours-zod',
    wanted: { tcp: 1, http2: 2, grpc: 16, ws: 5 },
  },
  { ...usual, what: 'small messages one way', cases: ['stream'], wanted: { http2: 1.5, tcp: 0.65 } },
  {
    ...usual,
    what: 'small messages there and back, with a schema',
    cases: ['echo'],
    ours: 'ours-zod',
    wanted: { tcp: 1 },
  },
  {
    ...usual,
    what: 'JSON alone, with a schema: encode',
    cases: ['codec-encode'],
    ours: 'ours-codec-zod',
    wanted: { 'bare-codec-zod': 2 },
  },
  {
    ...usual,
    what: 'JSON alone, with a schema: decode',
    cases: ['codec-decode'],
    ours: 'ours-codec-zod',
    wanted: { 'bare-codec-zod': 1.6 },
  },
  {
    ...usual,
    what: 'in a fresh process',
    cases: ['cold-ping', 'cold-stream'],
    is: 'at most',
    wanted: { http2: 1.25 },
  },
  { ...usual, what: 'many busy channels', cases: ['fan-10000'], wanted: { http2: 0.8, ws: 1, grpc: 1 } },
  {
    ...usual,
    what: 'many busy channels: the slowest, % of its share',
    cases: ['fan-10000'],
    metric: 1,
    wanted: { itself: 50 },
  },
  {
    ...usual,
    what: 'one message to many receivers',
    cases: ['broadcast-1000', 'broadcast-1000-few'],
    wanted: { ws: 2 },
    against: 'broadcast-1000',
  },
  {
    ...usual,
    what: "one message to many receivers: the server's CPU",
    cases: ['broadcast-1000', 'broadcast-1000-few'],
    metric: 1,
    is: 'at most',
    wanted: { ws: 0.5 },
    against: 'broadcast-1000',
  },
  { ...usual, what: 'memory of idle channels', cases: ['idle-10000'], is: 'at most', wanted: { http2: 1.3 } },
  {
    ...usual,
    what: 'one message there and back, p50',
    cases: ['ping'],
    is: 'at most',
    wanted: { http2: 1.1, grpc: 1, ws: 1 },
  },
]

/** A row for each aim and peer, with a column for each version of Node. */
export function targetsOf(all: readonly Measured[]): Table {
  const rows = aims.flatMap((aim) =>
    aim.cases.flatMap((name) =>
      Object.entries(aim.wanted).map(([peer, wanted]) => [
        ...titlesOf(aim, name, peer),
        `${aim.is} ${wanted}`,
        ...all.map(({ results }) => {
          const ours = results.named(name, aim.ours, aim.metric)
          const theirs = peer === 'itself' ? 1 : results.named(aim.against ?? name, peer, aim.metric)
          if (ours === undefined || theirs === undefined) return '–'
          const reached = ours / theirs
          const isReached = aim.is === 'at least' ? reached >= wanted : reached <= wanted
          return `${reached.toFixed(peer === 'itself' ? 0 : 2)} ${isReached ? '✓' : '✗'}`
        }),
      ]),
    ),
  )
  return { head: ['what', 'compared with', 'wanted', ...all.map(({ version }) => version)], rows }
}

/** What is compared, with the title of its case if there is more than one, and with which peer. */
function titlesOf({ what, cases }: Aim, name: string, peer: string): readonly string[] {
  const one = given(loadsOf('full').flatMap((load) => load.cases.filter((there) => there.name === name))[0])
  return [cases.length === 1 ? what : `${what}, ${one.title}`, peer === 'itself' ? '' : entryOf(peer).title]
}

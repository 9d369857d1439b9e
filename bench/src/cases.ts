/** What is measured: the loads, and the cases of each. */
import { burstOf } from './fan.ts'
import type { Job, Result } from './job.ts'
import type { Ability, Entry } from './peers/index.ts'
import { entries } from './peers/index.ts'

export interface Metric {
  readonly name: string
  readonly unit: string
  /** Whether a higher or a lower figure is better. */
  readonly better: 'more' | 'less'
  /** Digits behind the decimal point. */
  readonly digits: number
  /** Whether the tables show its ratio to h2channel. */
  readonly isCompared: boolean
}

/** How much of a job one run does. */
export type Amount =
  /** As many as fill the time of a run, found by trial; `first` is tried first. */
  | { readonly by: 'count'; readonly first: number; readonly smoke: number }
  /** It ends when its time has passed. */
  | { readonly by: 'time' }
  /** Once, with a fresh server: its memory is measured. */
  | { readonly by: 'memory' }

export interface Case {
  readonly name: string
  readonly title: string
  readonly needs: readonly Ability[]
  readonly metrics: readonly Metric[]
  readonly amount: Amount
  /** `amount` is a count, or a number of milliseconds. */
  job(amount: number, entry: Entry): Job
  /** The figures of a result. */
  figures(result: Result): readonly number[]
  /** The entry of h2channel that the others are compared with, where there is room for one. */
  readonly baseline: string
  /** The round trip to the server. Unit: milliseconds. */
  readonly roundTrip: number
  /** Whether a run takes so long that the case has fewer rounds. */
  readonly isLong?: boolean
  /** Whether every run has its own processes, because those of all peers together would take too much memory. */
  readonly isAlone?: boolean
}

export interface Load {
  readonly name: string
  readonly title: string
  /** What is measured, and how. */
  readonly about: string
  /** The duration of its runs, as a part of the usual one. */
  readonly part: number
  /** The least warm-up before anything counts, in runs: the compiler needs time with code that it sees first. */
  readonly warmUp: number
  readonly cases: readonly Case[]
  /** Whether its channels stay open, so that the same processes must not run another load. */
  readonly leavesMuch?: boolean
  /** Entries that the short version leaves out: variants of others that hardly differ from them here. */
  readonly spared?: readonly string[]
}

const rate: Metric = { name: 'messages a second', unit: '/s', better: 'more', digits: 0, isCompared: true }
const megabytes: Metric = { name: 'MB a second', unit: 'MB/s', better: 'more', digits: 0, isCompared: true }

function figuresOf({ figures }: Result): readonly number[] {
  return figures
}

const stream: Load = {
  name: 'stream',
  title: 'One-way throughput',
  about:
    'The client sends on one channel as fast as it can. The server adds up all ids and lengths, and answers at the end with count and sum, which must be correct. Messages a second, from the first `send` to the answer.',
  part: 1,
  warmUp: 4,
  cases: [
    {
      name: 'stream',
      title: 'one way',
      needs: ['messages', 'alone'],
      baseline: 'ours-json',
      metrics: [rate],
      amount: { by: 'count', first: 2_000, smoke: 2_000 },
      job: (count, { does }) =>
        does.includes('alone') ? { do: 'alone', count } : { do: 'collect', what: 'messages', size: 64, count },
      figures: figuresOf,
      roundTrip: 0,
    },
  ],
}

const echo: Load = {
  name: 'echo',
  title: 'Echo throughput',
  about:
    'The client sends as fast as it can, and receives at the same time. The server sends every message back. Messages a second that came back; their count and sum must be correct.',
  part: 1,
  warmUp: 2,
  cases: [
    {
      name: 'echo',
      title: 'there and back',
      needs: ['messages'],
      baseline: 'ours-json',
      metrics: [rate],
      amount: { by: 'count', first: 1_000, smoke: 1_000 },
      job: (count) => ({ do: 'echo', count }),
      figures: figuresOf,
      roundTrip: 0,
    },
  ],
}

const microseconds = { unit: 'µs', better: 'less', digits: 0, isCompared: true } as const

const ping: Load = {
  name: 'ping',
  title: 'Latency',
  about:
    'One message at a time, from `send` until it is back. Half of the messages took no longer than p50, and 99 of 100 no longer than p99. Microseconds, so less is better.',
  part: 0.7,
  warmUp: 1,
  spared: ['ours-batches'],
  cases: [
    {
      name: 'ping',
      title: 'round trip',
      needs: ['messages'],
      baseline: 'ours-json',
      metrics: [
        { name: 'p50', ...microseconds },
        { name: 'p99', ...microseconds },
      ],
      amount: { by: 'count', first: 100, smoke: 50 },
      job: (count) => ({ do: 'ping', count }),
      figures: figuresOf,
      roundTrip: 0,
    },
  ],
}

/** Payloads in one direction, as a text field of the message or as bytes. */
function bulkOf(what: 'messages' | 'bytes', size: number, roundTrip = 0): Case {
  const kib = size / 1024
  const large = kib < 1024 ? `${kib} KiB` : `${kib / 1024} MiB`
  return {
    name: `${roundTrip === 0 ? 'bulk' : 'distance-bulk'}-${what === 'bytes' ? 'bytes' : 'text'}-${kib}`,
    title: `${large} of ${what === 'bytes' ? 'bytes' : 'text'}`,
    needs: [what],
    baseline: what === 'bytes' ? 'ours-bytes' : 'ours-json',
    metrics: [megabytes],
    amount: { by: 'count', first: Math.max(2, Math.floor(1024 / kib)), smoke: Math.floor(2_048 / kib) },
    job: (count) => ({ do: 'collect', what, size, count }),
    figures: ({ figures: [perSecond = 0] }) => [(perSecond * size) / 1e6],
    roundTrip,
  }
}

const bulk: Load = {
  name: 'bulk',
  title: 'Large messages',
  about:
    'One way, as above. Each message has a text of 64 KiB or 1 MiB, or as many bytes if the peer supports bytes. MB of payload a second. Bare HTTP/2 and bare TCP do not separate pieces of bytes.',
  part: 0.5,
  warmUp: 0,
  spared: ['ours-batches'],
  cases: [
    bulkOf('messages', 64 * 1024),
    bulkOf('bytes', 64 * 1024),
    bulkOf('messages', 1024 * 1024),
    bulkOf('bytes', 1024 * 1024),
  ],
}

function fanOf(channels: number): Case {
  const share = {
    name: 'slowest channel, % of a fair share',
    unit: '%',
    better: 'more',
    digits: 0,
    isCompared: false,
  } as const
  return {
    name: `fan-${channels}`,
    title: channels === 1 ? '1 channel' : `${channels.toLocaleString('en')} channels`,
    needs: ['messages'],
    baseline: 'ours-json',
    metrics: [rate, share],
    amount: { by: 'time' },
    job: (milliseconds) => ({ do: 'fan', channels, milliseconds, least: burstOf(channels) }),
    figures: figuresOf,
    roundTrip: 0,
    isLong: channels > 1_000,
    isAlone: channels > 1_000,
  }
}

function idleOf(channels: number): Case {
  return {
    name: `idle-${channels}`,
    title: `${channels.toLocaleString('en')} channels`,
    needs: ['messages'],
    baseline: 'ours-json',
    metrics: [{ name: 'KiB a channel', unit: 'KiB', better: 'less', digits: 1, isCompared: true }],
    amount: { by: 'memory' },
    isLong: true,
    job: () => ({ do: 'hold', channels }),
    figures: ({ figures: [bytes = 0] }) => [bytes / 1024],
    roundTrip: 0,
    // The few channels of a smoke run only show that it works.
    isAlone: channels >= 1_000,
  }
}

const struct: Load = {
  name: 'struct',
  title: 'Records',
  about:
    'The client sends records of 16 bytes, and the server receives each in a `for await` as an object of named fields. For comparison: a hand-written `DataView` loop over bare HTTP/2, which batches to 64 KiB and checks nothing. Records a second, from the first to the answer with count and sum.',
  part: 1,
  warmUp: 4,
  cases: [
    {
      name: 'struct',
      title: 'records',
      needs: ['trades'],
      baseline: 'ours-struct',
      metrics: [{ ...rate, name: 'records a second' }],
      amount: { by: 'count', first: 10_000, smoke: 5_000 },
      job: (count) => ({ do: 'collect', what: 'trades', size: 16, count }),
      figures: figuresOf,
      roundTrip: 0,
    },
  ],
}

/** Unit: milliseconds. */
const far = 20

const distance: Load = {
  name: 'distance',
  title: 'High-latency link',
  about: `One way, as above, through a TCP relay that delivers everything ${far / 2} ms later, so a round trip takes ${far} ms. The relay does not limit the amount. Messages of the usual size, and texts of 64 KiB. The result depends on how many bytes a peer allows to be under way: bare HTTP/2 has Node's default, 64 KiB.`,
  part: 1,
  warmUp: 0,
  cases: [
    {
      name: 'distance-stream',
      title: 'small messages',
      needs: ['messages'],
      baseline: 'ours-json',
      metrics: [rate],
      amount: { by: 'count', first: 2_000, smoke: 500 },
      job: (count) => ({ do: 'collect', what: 'messages', size: 64, count }),
      figures: figuresOf,
      roundTrip: far,
    },
    bulkOf('messages', 64 * 1024, far),
  ],
  spared: ['ours-batches', 'ours-zod', 'connect-json', 'ws-corked'],
}

/** The loads, in the order in which they run. */
export function loadsOf(mode: 'short' | 'full' | 'smoke'): readonly Load[] {
  const channels = { short: [1, 10, 100, 1_000], full: [1, 10, 100, 1_000, 10_000], smoke: [10] }[mode]
  const idle = { short: [1_000], full: [1_000, 10_000], smoke: [20] }[mode]
  const loads: readonly Load[] = [
    stream,
    echo,
    ping,
    bulk,
    {
      name: 'fan',
      title: 'Many channels',
      about:
        'One client has this many channels at once. Each channel has 8 messages under way at a time (4 with 1,000 channels, 1 with 10,000), and the server sends them back. Messages a second of all channels together, and the share of the slowest channel: 100% is as much as the average. A channel is a stream of one connection with h2channel, gRPC, Connect and bare HTTP/2, an object of one connection with capnweb, and a connection with the others.',
      part: 0.6,
      warmUp: 0,
      cases: channels.map(fanOf),
      leavesMuch: true,
      spared: ['ours-batches', 'ours-zod', 'connect-json'],
    },
    {
      name: 'idle',
      title: 'Idle channels',
      about:
        "The server's resident memory per open channel that has carried one message and now does nothing. It is the memory with this many channels minus that with ten, after garbage collection, divided by the number of opened channels. KiB, so less is better. The row of `node:http2` shows bare HTTP/2 streams.",
      part: 1,
      warmUp: 0,
      cases: idle.map(idleOf),
      spared: ['ours-batches', 'ours-zod', 'ours-msgpack', 'connect-json', 'ws-corked'],
    },
    struct,
    distance,
  ]
  return mode === 'short' ? loads : loads.map((load) => ({ ...load, spared: [] }))
}

export function entriesOf({ needs }: Case, { spared = [] }: Load): readonly Entry[] {
  return entries.filter(({ name, does }) => !spared.includes(name) && needs.some((ability) => does.includes(ability)))
}

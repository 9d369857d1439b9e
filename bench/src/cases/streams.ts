/** Messages on one channel. */
import type { Case, Load } from './case.ts'
import { figuresOf, megabytes, microseconds, rate } from './case.ts'

export const stream: Load = {
  name: 'stream',
  title: 'Small messages one way',
  about:
    'The client sends on one channel as fast as it can. The server adds up all ids and lengths, and answers at the end with count and sum, which must be correct. Messages a second, from the first `send` to the answer.',
  part: 1,
  warmUp: 3,
  cases: [
    {
      name: 'stream',
      title: 'one way',
      needs: ['messages', 'uncompiled', 'alone'],
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

export const echo: Load = {
  name: 'echo',
  title: 'Small messages there and back',
  about:
    'The client sends as fast as it can, and receives at the same time. The server sends every message back. Messages a second that came back; their count and sum must be correct.',
  part: 1,
  warmUp: 2,
  cases: [
    {
      name: 'echo',
      title: 'there and back',
      needs: ['messages', 'uncompiled'],
      baseline: 'ours-json',
      metrics: [rate],
      amount: { by: 'count', first: 1_000, smoke: 1_000 },
      job: (count) => ({ do: 'echo', count }),
      figures: figuresOf,
      roundTrip: 0,
    },
  ],
}

export const ping: Load = {
  name: 'ping',
  title: 'One message there and back',
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
export function bulkOf(what: 'messages' | 'bytes', size: number, roundTrip = 0): Case {
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

export const bulk: Load = {
  name: 'bulk',
  title: 'Large messages one way',
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

export const struct: Load = {
  name: 'struct',
  title: 'Records',
  about:
    'The client sends records of 16 bytes, and the server receives each in a `for await` as an object of named fields. For comparison: a hand-written `DataView` loop over bare HTTP/2, which batches to 64 KiB and checks nothing. Records a second, from the first to the answer with count and sum.',
  part: 1,
  warmUp: 3,
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

/** A round trip to a server that is far away. Unit: milliseconds. */
export const far = 20

export const distance: Load = {
  name: 'distance',
  title: 'Far away',
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

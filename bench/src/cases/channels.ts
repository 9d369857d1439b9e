/** Many channels at once: busy, idle, or receivers of what the server publishes. */
import { leastOf } from '../fan.ts'
import type { Case, Load } from './case.ts'
import { figuresOf, rate } from './case.ts'

export function fan(counts: readonly number[]): Load {
  return {
    name: 'fan',
    title: 'Many busy channels',
    about:
      'One client has this many channels at once. Each channel has 8 messages under way at a time (4 with 1,000 channels, 1 with 10,000), and the server sends them back. Messages a second of all channels together, and the share of the slowest channel: 100% is as much as the average. A channel is a stream of one connection with h2channel, gRPC, Connect and bare HTTP/2, an object of one connection with capnweb, and a connection with the others.',
    part: 0.6,
    warmUp: 0,
    cases: counts.map(fanOf),
    leavesMuch: true,
    spared: ['ours-batches', 'ours-zod', 'connect-json'],
  }
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
    job: (milliseconds) => ({ do: 'fan', channels, milliseconds, least: leastOf(channels) }),
    figures: figuresOf,
    roundTrip: 0,
    isLong: channels > 1_000,
    isAlone: channels > 1_000,
    preparation: channels / 2_500,
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
    preparation: channels / 2_500,
  }
}

export function idle(counts: readonly number[]): Load {
  return {
    name: 'idle',
    title: 'Memory of idle channels',
    about:
      "The server's resident memory per open channel that has carried one message and now does nothing. It is the memory with this many channels minus that with ten, after garbage collection, divided by the number of opened channels. KiB, so less is better. The row of `node:http2` shows bare HTTP/2 streams.",
    part: 1,
    warmUp: 0,
    cases: counts.map(idleOf),
    spared: ['ours-batches', 'ours-zod', 'ours-msgpack', 'connect-json', 'ws-corked'],
  }
}

/** How many connections many receivers share. */
const few = 10

function broadcastOf(receivers: number, connections: number): Case {
  const many = receivers.toLocaleString('en')
  const way = connections === 0 ? 'a connection each' : `on ${connections} connections`
  return {
    name: `broadcast-${receivers}${connections === 0 ? '' : '-few'}`,
    title: receivers === 1 ? '1 receiver' : `${many} receivers, ${way}`,
    needs: connections === 0 ? ['broadcast'] : ['shared'],
    baseline: 'ours-json',
    metrics: [
      { ...rate, name: 'deliveries a second' },
      {
        name: "the server's CPU for each delivery",
        unit: 'µs of CPU',
        better: 'less',
        digits: 1,
        isCompared: false,
      },
    ],
    amount: { by: 'time' },
    isLong: true,
    isAlone: true,
    job: (milliseconds) => ({ do: 'broadcast', receivers, connections, milliseconds, least: 4 }),
    figures: figuresOf,
    roundTrip: 0,
    preparation: receivers / 1_000,
  }
}

export function broadcast(counts: readonly number[]): Load {
  return {
    name: 'broadcast',
    title: 'One message to many receivers',
    about: `The server sends each message to all receivers, which are in one process. It encodes a message once. It sends the next one when an earlier one has reached every receiver; 4 are under way at any time. Deliveries a second, and the CPU time of the server's process for each. With h2channel and bare HTTP/2, many receivers can share ${few} connections, as those of other services do; each browser or device has its own.`,
    part: 1,
    warmUp: 1,
    cases: counts.flatMap((count) => [broadcastOf(count, 0), ...(count > few ? [broadcastOf(count, few)] : [])]),
    charted: ['broadcast-1000', 'broadcast-1000-few', 'broadcast-10000', 'broadcast-10000-few'],
  }
}

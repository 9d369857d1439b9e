/** What does not begin with a warm process over cleartext: fresh processes, TLS, and codecs without a network. */
import type { Case, Load } from './case.ts'
import { figuresOf, rate } from './case.ts'
import { bulkOf, ping, stream } from './streams.ts'

const milliseconds = { unit: 'ms', better: 'less', isCompared: true } as const

export const cold: Load = {
  name: 'cold',
  title: 'In a fresh process',
  about:
    'Each run has a new client and a new server, which have done nothing before. A channel is open, and then: half of the first 2,000 round trips, one at a time, took no longer than p50; and the first 20,000 messages one way took so long. The time to import the library is that of a third process: all that a program imports which is client and server, without its own code.',
  part: 1,
  warmUp: 0,
  cases: [
    {
      name: 'cold-ping',
      title: 'first 2,000 round trips, p50',
      needs: ['cold'],
      baseline: 'ours-json',
      metrics: [
        { name: 'p50 of the first 2,000 round trips', unit: 'µs', better: 'less', digits: 0, isCompared: true },
      ],
      amount: { by: 'cold', count: 2_000, smoke: 100 },
      job: (count) => ({ do: 'ping', count }),
      figures: ({ figures: [p50 = 0] }) => [p50],
      roundTrip: 0,
      isAlone: true,
    },
    {
      name: 'cold-stream',
      title: 'first 20,000 messages',
      needs: ['cold'],
      baseline: 'ours-json',
      metrics: [{ ...milliseconds, name: 'the first 20,000 messages', digits: 0 }],
      amount: { by: 'cold', count: 20_000, smoke: 1_000 },
      job: (count) => ({ do: 'collect', what: 'messages', size: 64, count }),
      figures: (result) => [result.milliseconds],
      roundTrip: 0,
      isAlone: true,
    },
    {
      name: 'cold-import',
      title: 'import',
      needs: ['cold'],
      baseline: 'ours-json',
      metrics: [{ ...milliseconds, name: 'import', digits: 1 }],
      amount: { by: 'import' },
      job: () => {
        throw new Error('an import is no job of a client')
      },
      figures: (result) => [result.milliseconds],
      roundTrip: 0,
      isAlone: true,
    },
  ],
}

function secured(one: Case): Case {
  return {
    ...one,
    name: `tls-${one.name}`,
    needs: one.needs.filter((need) => need !== 'alone' && need !== 'uncompiled'),
    isSecure: true,
  }
}

export const tls: Load = {
  name: 'tls',
  title: 'Over TLS',
  about:
    'The same as in the first sections, over TLS 1.3 with a certificate that is made for the run: small messages one way, one message there and back, and large messages.',
  part: 0.5,
  warmUp: 1,
  cases: [...stream.cases, ...ping.cases, bulkOf('messages', 64 * 1024), bulkOf('bytes', 64 * 1024)].map(secured),
}

function codecOf(way: 'encode' | 'decode'): Case {
  return {
    name: `codec-${way}`,
    title: way,
    needs: ['codec'],
    baseline: 'ours-codec-zod',
    metrics: [rate],
    amount: { by: 'count', first: 20_000, smoke: 2_000 },
    job: (count) => ({ do: 'codec', way, count }),
    figures: figuresOf,
    roundTrip: 0,
  }
}

export const codec: Load = {
  name: 'codec',
  title: 'JSON alone',
  about:
    'Nothing is sent: one process turns messages into bytes, and bytes that lie in one chunk into messages, as a channel does. With a schema, h2channel compiles it; a message is checked when it is read. `pnpm bench:codecs` compares the other codecs.',
  part: 0.5,
  warmUp: 2,
  cases: [codecOf('encode'), codecOf('decode')],
}

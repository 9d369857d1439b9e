/** One message there and one back: by a call, or on a channel that is opened for it. */
import type { Case, Load } from './case.ts'
import { processorTime, rate } from './case.ts'
import { far } from './streams.ts'

function askOf(how: 'call' | 'exchange', atOnce: number): Case {
  const name = how === 'call' ? 'call' : 'open'
  return {
    name: `${name}-${atOnce}`,
    title: atOnce === 1 ? 'one at a time' : `${atOnce} at once`,
    needs: [how === 'call' ? 'calls' : 'exchanges'],
    baseline: 'ours-json',
    metrics: [{ ...rate, name: how === 'call' ? 'calls a second' : 'channels a second' }, processorTime],
    // Code that runs once for each exchange is compiled late: 700 calls a second became 3,600.
    amount: { by: 'count', first: 200, smoke: 100, warmUp: 10_000 },
    job: (count) => ({ do: 'ask', how, count, atOnce }),
    figures: ({ milliseconds, figures: [perSecond = 0], cpu = Number.NaN }) => {
      return [perSecond, cpu / ((perSecond * milliseconds) / 1_000)]
    },
    roundTrip: 0,
  }
}

const farCall: Case = {
  name: 'call-far',
  title: `one at a time, ${far} ms away`,
  needs: ['calls'],
  baseline: 'ours-json',
  metrics: [{ name: 'p50', unit: 'ms', better: 'less', digits: 1, isCompared: true }],
  amount: { by: 'count', first: 10, smoke: 5 },
  job: (count) => ({ do: 'ask', how: 'call', count, atOnce: 1 }),
  figures: ({ figures: [, p50 = 0] }) => [p50 / 1_000],
  roundTrip: far,
}

export const call: Load = {
  name: 'call',
  title: 'Calls',
  about: `One message there and one back, each by a call of its own: \`client.call\` and \`router.answer\`, a unary method, a request with \`fetch\`. One after the other, and 64 at once; then one after the other with a round trip of ${far} ms, through the relay that the last section describes. Calls a second, and the CPU time of both processes for each. Half of the calls from far away took no longer than p50; bare TCP, which sends a line and reads a line on an open connection, shows what the relay takes.`,
  part: 1,
  warmUp: 2,
  cases: [askOf('call', 1), askOf('call', 64), farCall],
}

export const open: Load = {
  name: 'open',
  title: 'Opening channels',
  about:
    'Each exchange opens a channel, sends one message, waits for its echo, and ends the channel at both sides. Channels a second, and the CPU time of both processes for each. A channel is a stream of one connection with h2channel, gRPC, Connect and bare HTTP/2, and a connection with ws.',
  part: 1,
  warmUp: 2,
  cases: [askOf('exchange', 1), askOf('exchange', 64)],
}

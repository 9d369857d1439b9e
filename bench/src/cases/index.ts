/** What is measured: the loads, in the order in which they run. */
import type { Entry } from '../peers/index.ts'
import { entries } from '../peers/index.ts'
import type { Case, Load } from './case.ts'
import { broadcast, fan, idle } from './channels.ts'
import { call, open } from './exchanges.ts'
import { codec, cold, tls } from './processes.ts'
import { bulk, distance, echo, ping, stream, struct } from './streams.ts'

export type Mode = 'short' | 'full' | 'smoke'

export function loadsOf(mode: Mode): readonly Load[] {
  const busy = { short: [1, 10, 100, 1_000], full: [1, 10, 100, 1_000, 10_000], smoke: [10] }[mode]
  const held = { short: [1_000], full: [1_000, 10_000], smoke: [20] }[mode]
  const receivers = { short: [100], full: [1, 10, 100, 1_000, 10_000], smoke: [20] }[mode]
  const loads = [
    stream,
    echo,
    ping,
    call,
    open,
    bulk,
    fan(busy),
    broadcast(receivers),
    idle(held),
    cold,
    tls,
    struct,
    codec,
    distance,
  ]
  // Every cell of a smoke run counts.
  return mode === 'smoke' ? loads.map((load) => ({ ...load, spared: [] })) : loads
}

export function entriesOf(one: Case, { spared = [] }: Load, mode: Mode): readonly Entry[] {
  const isSpared = ({ name }: Entry): boolean =>
    spared.includes(name) && (mode === 'short' || (mode === 'full' && one.isAlone === true))
  const can = ({ does }: Entry): boolean =>
    one.needs.some((ability) => does.includes(ability)) && (one.isSecure !== true || does.includes('tls'))
  return entries.filter((entry) => can(entry) && !isSpared(entry))
}

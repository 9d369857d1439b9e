/** Runs every peer in turn, round after round. Each cell has processes in which it cannot disturb others. */
import type { Certificate } from '@h2channel/conn/testing'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

import type { Case, Load } from './cases/case.ts'
import type { Mode } from './cases/index.ts'
import { entriesOf } from './cases/index.ts'
import type { Result } from './job.ts'
import { isUnsteady, steadiest } from './measure.ts'
import { Pace } from './pace.ts'
import type { Entry } from './peers/index.ts'
import type { FarAway } from './processes.ts'
import { importer, Pair, Worker } from './processes.ts'

export interface Plan {
  readonly mode: Mode
  readonly loads: readonly Load[]
  readonly isWanted: (entry: Entry) => boolean
  readonly rounds: number
  /** The duration of one run. Unit: milliseconds. */
  readonly slice: number
  /** How many more rounds an unsteady cell may have. */
  readonly repeats: number
  /** For the cases with TLS. */
  readonly certificate: Certificate
  /** The binary that runs the processes. */
  readonly node: string
  /** The time budget of everything: a busy machine has fewer rounds. Unit: milliseconds. */
  readonly budget: number
  /** Called before each run, with the number of steps that are done or left out. */
  readonly onStep: (load: Load, entry: Entry, done: number) => void
  /** Called after each case, with its duration. Unit: seconds. */
  readonly onCase?: (cells: readonly Cell[], seconds: number) => Promise<void>
}

/** The results of one peer in one case. */
export interface Cell {
  readonly load: Load
  readonly case: Case
  readonly entry: Entry
  /** The figures of each round, in the order of the case's metrics. Empty after a failure. */
  readonly rounds: readonly (readonly number[])[]
  readonly error?: string
}

/** The number of steps; each is a run. */
export function stepsOf({ loads, isWanted, rounds, mode }: Plan): number {
  const cells = loads.flatMap((load) =>
    load.cases.flatMap((one) =>
      entriesOf(one, load, mode)
        .filter(isWanted)
        .map(() => one),
    ),
  )
  return cells.reduce((sum, one) => sum + roundsOf(one, rounds) + (mode === 'smoke' || one.isAlone === true ? 0 : 1), 0)
}

/** About how long a case takes, without repeated rounds. Unit: seconds. */
export function estimate(load: Load, one: Case, { isWanted, rounds, mode, slice }: Plan): number {
  const peers = entriesOf(one, load, mode).filter(isWanted).length
  const length = (slice * load.part) / 1_000
  if (one.isAlone !== true) {
    const warmUp = one.amount.by === 'count' ? (one.amount.warmUp ?? 0) / 2_500 : 0
    return peers * (length * (roundsOf(one, rounds) + Math.max(1, load.warmUp)) + warmUp + 0.5)
  }
  const measured = one.amount.by === 'time' ? length * (1 + Math.max(0.25, load.warmUp)) : 0.3
  return peers * roundsOf(one, rounds) * (0.5 + (one.preparation ?? 0) + measured)
}

/** Long cases have fewer rounds. */
export function roundsOf({ isLong }: Case, rounds: number): number {
  return isLong === true ? Math.max(1, rounds - 2) : rounds
}

/** Runs everything. A failure is stored in its cell, and the others continue. */
export async function run(plan: Plan): Promise<Cell[]> {
  const cells: Cell[] = []
  const crew = new Crew(plan)
  const pace = new Pace(stepsOf(plan), plan.budget)
  for (const load of plan.loads) {
    for (const one of load.cases) {
      const begin = performance.now()
      const done = await runCase(plan, crew, pace, load, one)
      cells.push(...done)
      await plan.onCase?.(done, (performance.now() - begin) / 1_000)
    }
    // Code and memory that one load left in a process must not affect the next.
    if (plan.mode === 'full' || (load.leavesMuch === true && plan.mode !== 'smoke')) crew.stop()
  }
  crew.stop()
  return cells
}

async function runCase(plan: Plan, crew: Crew, pace: Pace, load: Load, one: Case): Promise<Cell[]> {
  const entrants = entriesOf(one, load, plan.mode)
    .filter(plan.isWanted)
    .map((entry) => new Entrant(entry))
  const attempt = async ({ entry, fail }: Entrant, done: number, act: () => Promise<void>): Promise<void> => {
    plan.onStep(load, entry, done)
    try {
      await act()
    } catch (error) {
      crew.drop(one, entry)
      fail(error)
    }
  }
  const isSmoke = plan.mode === 'smoke'
  const isMeasuredAlone = one.isAlone === true
  if (!isMeasuredAlone) await crew.gather(one, entrants)
  if (!isMeasuredAlone && !isSmoke) {
    for (const entrant of entrants.filter(isFit)) {
      await attempt(entrant, pace.advance(1), async () => {
        entrant.amount = await calibrate(await crew.pair(one, entrant.entry), load, one, entrant.entry, plan)
      })
    }
  }
  const measure = async (entrant: Entrant): Promise<void> => {
    entrant.rounds.push(await once(plan, crew, load, one, entrant))
  }
  const rounds = isSmoke ? 1 : roundsOf(one, plan.rounds)
  for (let round = 0; round < rounds; round++) {
    if (round > 0 && pace.isBehind) {
      pace.advance((rounds - round) * entrants.length)
      break
    }
    // Each round begins with another peer.
    const turn = [...entrants.slice(round % entrants.length), ...entrants.slice(0, round % entrants.length)]
    for (const entrant of turn.filter(isFit)) await attempt(entrant, pace.advance(1), () => measure(entrant))
  }
  for (let repeat = 0; repeat < plan.repeats; repeat++) {
    const unsteady = entrants.filter((entrant) => isFit(entrant) && isUnsteady(steadiest(entrant.rounds, rounds)))
    for (const entrant of unsteady) await attempt(entrant, pace.done, () => measure(entrant))
  }
  return entrants.map(({ entry, rounds: figures, error }) => {
    const kept = error === undefined ? steadiest(figures, rounds) : []
    return { load, case: one, entry, rounds: kept, ...(error !== undefined && { error }) }
  })
}

/** Runs a cell once. Returns its figures. */
async function once(plan: Plan, crew: Crew, load: Load, one: Case, { entry, amount }: Entrant): Promise<Figures> {
  if (one.amount.by === 'import') return one.figures(await importOf(entry, plan))
  const isMeasuredAlone = one.isAlone === true
  const pair = await crew.pair(one, entry)
  if (isMeasuredAlone && one.amount.by === 'time') await calibrate(pair, load, one, entry, plan)
  const result =
    one.amount.by === 'memory'
      ? await memoryOf(pair, one, entry, plan)
      : await pair.run(one.job(amountOf(load, one, plan, amount), entry), one.roundTrip, patienceOf(one, plan))
  if (isMeasuredAlone) crew.drop(one, entry)
  return one.figures(result)
}

type Figures = readonly number[]

/** A peer in one case. */
class Entrant {
  readonly entry: Entry
  readonly rounds: (readonly number[])[] = []
  amount = 0
  error: string | undefined

  constructor(entry: Entry) {
    this.entry = entry
  }

  readonly fail = (error: unknown): void => {
    this.error = error instanceof Error ? error.message : String(error)
  }
}

function isFit({ error }: Entrant): boolean {
  return error === undefined
}

/** The longest start of a process. Unit: milliseconds. */
const startPatience = 30_000

/** The running processes, which one case after the other uses. */
class Crew {
  readonly #plan: Plan
  readonly #pairs = new Map<string, Pair>()
  #relay: Worker | undefined

  constructor(plan: Plan) {
    this.#plan = plan
  }

  /** Starts the missing processes, all at once. */
  async gather(one: Case, entrants: readonly Entrant[]): Promise<void> {
    const starting = entrants.map(async ({ entry, fail }) => {
      await this.pair(one, entry).catch(fail)
    })
    await Promise.all(starting)
  }

  async pair(one: Case, entry: Entry): Promise<Pair> {
    const key = keyOf(one, entry)
    let pair = this.#pairs.get(key)
    if (pair === undefined) {
      const certificate = one.isSecure === true ? this.#plan.certificate : undefined
      const how = { node: this.#plan.node, isAlone: one.isAlone === true, certificate }
      pair = await Pair.start(entry, how, startPatience)
      this.#pairs.set(key, pair)
    }
    await pair.connect(one.roundTrip, this.#farAway, startPatience)
    return pair
  }

  /** One process is the network of all. */
  readonly #farAway: FarAway = async (target, roundTrip) => {
    this.#relay ??= new Worker(this.#plan.node)
    return (await this.#relay.ask({ do: 'relay', target, roundTrip }, startPatience)) as number
  }

  drop(one: Case, entry: Entry): void {
    this.#pairs.get(keyOf(one, entry))?.stop()
    this.#pairs.delete(keyOf(one, entry))
  }

  stop(): void {
    for (const pair of this.#pairs.values()) pair.stop()
    this.#pairs.clear()
    this.#relay?.stop()
    this.#relay = undefined
  }
}

function keyOf({ isAlone, isSecure }: Case, { name }: Entry): string {
  return `${name} ${isAlone === true} ${isSecure === true}`
}

function amountOf({ part }: Load, { amount }: Case, { mode, slice }: Plan, calibrated: number): number {
  const isSmoke = mode === 'smoke'
  if (amount.by === 'cold') return isSmoke ? amount.smoke : amount.count
  if (amount.by === 'count') return isSmoke ? amount.smoke : calibrated
  return isSmoke ? 100 : slice * part
}

/** A longer wait for an answer is pointless. */
function patienceOf({ isAlone }: Case, { slice }: Plan): number {
  return (isAlone === true ? 120_000 : 20_000) + 10 * slice
}

/** Finds out how many messages fill the time of a run, which also warms up. */
async function calibrate(pair: Pair, { part, warmUp }: Load, one: Case, entry: Entry, plan: Plan): Promise<number> {
  const slice = plan.slice * part
  if (one.amount.by !== 'count') {
    const job = one.job(slice * Math.max(0.25, warmUp), entry)
    await pair.run('least' in job ? { ...job, least: 0 } : job, one.roundTrip, patienceOf(one, plan))
    return slice
  }
  const { first, warmUp: least = 0 } = one.amount
  let count = first
  let [done, spent] = [0, 0]
  for (;;) {
    const { milliseconds } = await pair.run(one.job(count, entry), one.roundTrip, patienceOf(one, plan))
    done += count
    spent += milliseconds
    const factor = slice / Math.max(milliseconds, 0.1)
    count = Math.max(1, Math.round(count * Math.min(8, factor)))
    if (factor < 3 && spent >= slice * warmUp && done >= least) return count
  }
}

/** Channels that are opened before the measurement, because one-time costs do not belong to the channels. */
const before = 10

async function memoryOf(pair: Pair, one: Case, entry: Entry, plan: Plan): Promise<Result> {
  const patience = patienceOf(one, plan)
  const job = one.job(0, entry)
  if (job.do !== 'hold') throw new Error('memory is measured only for open channels')
  const begin = performance.now()
  await pair.run({ do: 'hold', channels: before }, one.roundTrip, patience)
  const none = await pair.memory(patience)
  await pair.run({ do: 'hold', channels: job.channels }, one.roundTrip, patience)
  const all = await pair.memory(patience)
  return { milliseconds: performance.now() - begin, figures: [(all - none) / (job.channels - before)] }
}

/** The duration of an import in a new process. */
async function importOf({ imports = [], elsewhere }: Entry, { node }: Plan): Promise<Result> {
  const modules =
    elsewhere === undefined
      ? imports
      : imports.map((name) => pathToFileURL(createRequire(elsewhere.program).resolve(name)).href)
  const worker = new Worker(node, importer)
  try {
    return { milliseconds: (await worker.ask({ do: 'import', modules }, startPatience)) as number, figures: [] }
  } finally {
    worker.stop()
  }
}

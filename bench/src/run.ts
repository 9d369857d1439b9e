/** Runs every peer in turn, round after round. Each cell has processes in which it cannot disturb others. */
import type { Case, Load } from './cases.ts'
import { entriesOf } from './cases.ts'
import type { Result } from './job.ts'
import { Pace } from './pace.ts'
import type { Entry } from './peers/index.ts'
import type { FarAway } from './processes.ts'
import { Pair, Worker } from './processes.ts'

export interface Plan {
  readonly loads: readonly Load[]
  readonly isWanted: (entry: Entry) => boolean
  readonly rounds: number
  /** The duration of one run. Unit: milliseconds. */
  readonly slice: number
  /** Whether each load begins with new processes. */
  readonly isFresh: boolean
  /** Whether to run once, with few messages, only to check the results. */
  readonly isSmoke: boolean
  /** The binary that runs the processes. */
  readonly node: string
  /** The time budget of everything: a busy machine has fewer rounds. Unit: milliseconds. */
  readonly budget: number
  /** Called before each run, with the number of steps that are done or left out. */
  readonly onStep: (load: Load, entry: Entry, done: number) => void
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
export function stepsOf({ loads, isWanted, rounds, isSmoke }: Plan): number {
  const cells = loads.flatMap((load) =>
    load.cases.flatMap((one) =>
      entriesOf(one, load)
        .filter(isWanted)
        .map(() => one),
    ),
  )
  return cells.reduce((sum, one) => sum + roundsOf(one, rounds) + (isSmoke || one.isAlone === true ? 0 : 1), 0)
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
    for (const one of load.cases) cells.push(...(await runCase(plan, crew, pace, load, one)))
    // Code and memory that one load left in a process must not affect the next.
    if (plan.isFresh || (load.leavesMuch === true && !plan.isSmoke)) crew.stop()
  }
  crew.stop()
  return cells
}

async function runCase(plan: Plan, crew: Crew, pace: Pace, load: Load, one: Case): Promise<Cell[]> {
  const entrants = entriesOf(one, load)
    .filter(plan.isWanted)
    .map((entry) => new Entrant(entry))
  const attempt = async ({ entry, fail }: Entrant, act: () => Promise<void>): Promise<void> => {
    plan.onStep(load, entry, pace.advance(1))
    try {
      await act()
    } catch (error) {
      crew.drop(one, entry)
      fail(error)
    }
  }
  const isMeasuredAlone = one.isAlone === true
  if (!isMeasuredAlone) await crew.gather(one, entrants)
  if (!isMeasuredAlone && !plan.isSmoke) {
    for (const entrant of entrants.filter(isFit)) {
      await attempt(entrant, async () => {
        entrant.amount = await calibrate(await crew.pair(one, entrant.entry), load, one, entrant.entry, plan)
      })
    }
  }
  const rounds = plan.isSmoke ? 1 : roundsOf(one, plan.rounds)
  for (let round = 0; round < rounds; round++) {
    if (round > 0 && pace.isBehind) {
      pace.advance((rounds - round) * entrants.length)
      break
    }
    // Each round begins with another peer.
    const turn = [...entrants.slice(round % entrants.length), ...entrants.slice(0, round % entrants.length)]
    for (const entrant of turn.filter(isFit)) {
      await attempt(entrant, async () => {
        const pair = await crew.pair(one, entrant.entry)
        if (isMeasuredAlone && one.amount.by === 'time') await calibrate(pair, load, one, entrant.entry, plan)
        const amount = amountOf(load, one, plan, entrant.amount)
        const result =
          one.amount.by === 'memory'
            ? await memoryOf(pair, one, entrant.entry, plan)
            : await pair.run(one.job(amount, entrant.entry), one.roundTrip, patienceOf(one, plan))
        entrant.rounds.push(one.figures(result))
        if (isMeasuredAlone) crew.drop(one, entrant.entry)
      })
    }
  }
  return entrants.map(({ entry, rounds: figures, error }) => {
    return { load, case: one, entry, rounds: error === undefined ? figures : [], ...(error !== undefined && { error }) }
  })
}

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
      pair = await Pair.start(entry, entry.does.includes('alone'), this.#plan.node, startPatience)
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

function keyOf({ isAlone }: Case, { name }: Entry): string {
  return `${name} ${isAlone === true}`
}

function amountOf({ part }: Load, { amount }: Case, { isSmoke, slice }: Plan, calibrated: number): number {
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
    const job = one.job(slice / 4, entry)
    await pair.run(job.do === 'fan' ? { ...job, least: 0 } : job, one.roundTrip, patienceOf(one, plan))
    return slice
  }
  let count = one.amount.first
  let spent = 0
  for (;;) {
    const { milliseconds } = await pair.run(one.job(count, entry), one.roundTrip, patienceOf(one, plan))
    spent += milliseconds
    const factor = slice / Math.max(milliseconds, 0.1)
    count = Math.max(1, Math.round(count * Math.min(8, factor)))
    if (factor < 3 && spent >= slice * warmUp) return count
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
  await pair.run({ do: 'hold', channels: before + job.channels }, one.roundTrip, patience)
  const all = await pair.memory(patience)
  return { milliseconds: performance.now() - begin, figures: [(all - none) / job.channels] }
}

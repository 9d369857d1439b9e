/**
 * Compares h2channel with its alternatives: each peer as two processes on this machine, in turn, round after round.
 *
 *     node dist/main.js --help
 */
import { makeCertificate } from '@h2channel/conn/testing'
import { execFileSync } from 'node:child_process'

import { loadsOf } from './cases/index.ts'
import { writeDocuments } from './document.ts'
import { machine } from './measure.ts'
import type { Options } from './options.ts'
import { optionsFrom, usage } from './options.ts'
import { stopAll } from './processes.ts'
import { showProgress } from './progress.ts'
import { inTerminal, roundsIn, slowerOf, tablesOf } from './report.ts'
import type { Measured } from './results.ts'
import { Results } from './results.ts'
import type { Plan } from './run.ts'
import { estimate, run, stepsOf } from './run.ts'
import { Store } from './store.ts'
import { targetsOf } from './targets.ts'

/** The time budget of the short version, which must be short on a busy machine too. Unit: milliseconds. */
const shortBudget = 180_000

/** How many more rounds an unsteady cell has. */
const repeats = 3

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stopAll()
    process.exit(130)
  })
}
process.once('exit', stopAll)

try {
  const options = optionsFrom(process.argv.slice(2))
  if (options.instead === 'help') console.log(usage())
  else if (options.instead === 'targets') console.log(inTerminal(targetsOf(await stored())))
  else if (options.instead === 'documents') await writeDocuments(await stored(), loadsOf('full'))
  else await bench(options)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function bench(options: Options): Promise<void> {
  const { mode, loads, isWanted, rounds, seconds, node, isKept } = options
  const begin = performance.now()
  // Asked first, so that a binary that does not run is reported as such.
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
  const store = await Store.of(majorOf(version))
  const plan: Plan = {
    mode,
    loads,
    isWanted,
    rounds,
    slice: seconds * 1_000,
    repeats: mode === 'full' ? repeats : 0,
    certificate: await makeCertificate(),
    node,
    budget: options.isUsual && mode === 'short' ? shortBudget : Infinity,
    onStep: (load, entry, done) => progress.step(load.title, entry.title, done),
    onCase: async (cells, took) => {
      if (isKept) await store.put(machine(version), seconds, took, cells)
    },
  }
  if (mode === 'full') console.log(`This takes about ${minutesOf(plan, store)} minutes.`)
  const progress = showProgress(stepsOf(plan))
  const results = new Results(await run(plan))
  progress.stop()

  const failures = results.failures()
  const measured: Measured = { version: `Node ${majorOf(version)}`, machine: machine(version), results }
  if (mode !== 'smoke') printTables(options, measured)
  const took = ((performance.now() - begin) / 1_000).toFixed(0)
  const howOften = mode === 'smoke' ? 'Once each' : `${roundsIn(results)}, each run about ${seconds} s`
  console.log(`${machine(version)}. ${howOften}. ${took} s in all.`)
  if (mode === 'smoke')
    console.log(`${results.cells.length - failures.length} of ${results.cells.length} cells are right`)
  for (const { case: one, entry, error } of failures) console.error(`failed: ${one.name}, ${entry.title}: ${error}`)
  if (failures.length > 0) process.exitCode = 1
  if (isKept) await writeDocuments(await stored(), loadsOf('full'))
}

/** The kept results of each version of Node. */
async function stored(): Promise<Measured[]> {
  const all = await Store.all()
  return all.map((store) => ({ version: `Node ${store.major}`, machine: store.machine, results: store.results() }))
}

/** What the last run took, and otherwise an estimate. */
function minutesOf(plan: Plan, store: Store): number {
  const seconds = plan.loads.flatMap((load) =>
    load.cases.map((one) => store.took(one.name, plan.slice / 1_000) ?? estimate(load, one, plan)),
  )
  return Math.ceil(seconds.reduce((sum, one) => sum + one, 0) / 60)
}

function majorOf(version: string): number {
  return Number(/^v(\d+)/.exec(version)?.[1])
}

function printTables({ loads }: Options, measured: Measured): void {
  for (const load of loads) {
    console.log(`\n${load.title}`)
    for (const table of tablesOf(load, measured.results)) console.log(inTerminal(table))
  }
  const slower = slowerOf([measured])
  if (slower.rows.length > 0) console.log(`\nWhat is slower\n${inTerminal(slower)}`)
  console.log('')
}

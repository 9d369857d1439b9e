/**
 * Compares h2channel with its alternatives: each peer as two processes on this machine, in turn, round after round.
 *
 *     node dist/main.js                       the short version; writes docs/why/benchmarks.md
 *     node dist/main.js --full                the long one
 *     node dist/main.js stream,echo ws,ours   some loads or cases, some peers or the beginnings of their names
 *     node dist/main.js --smoke               everything once, to see whether it works
 *
 * Also --rounds, --seconds for each run, and --node for the binary that runs client and server.
 */
import { execFileSync } from 'node:child_process'

import { writeDocument } from './document.ts'
import { machine } from './measure.ts'
import type { Options } from './options.ts'
import { optionsFrom } from './options.ts'
import { stopAll } from './processes.ts'
import { showProgress } from './progress.ts'
import { defeatsOf, inTerminal, tablesOf } from './report.ts'
import { Results } from './results.ts'
import type { Cell, Plan } from './run.ts'
import { run, stepsOf } from './run.ts'

/** The time budget of the short version, which must be short on a busy machine too. Unit: milliseconds. */
const shortBudget = 140_000

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stopAll()
    process.exit(130)
  })
}
process.once('exit', stopAll)

try {
  await bench(optionsFrom(process.argv.slice(2)))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function bench(options: Options): Promise<void> {
  const { mode, loads, isWanted, rounds, seconds, node } = options
  const begin = performance.now()
  // Asked first, so that a binary that does not run is reported as such.
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
  const isSmoke = mode === 'smoke'
  const plan: Plan = {
    loads,
    isWanted,
    rounds,
    slice: seconds * 1_000,
    isFresh: mode === 'full',
    isSmoke,
    node,
    budget: options.isUsual && mode === 'short' ? shortBudget : Infinity,
    onStep: (load, entry, done) => progress.step(load.title, entry.title, done),
  }
  const progress = showProgress(stepsOf(plan))
  const results = new Results(await run(plan))
  progress.stop()

  const failures = results.failures()
  const howOften = `${roundsIn(results, seconds)}.`
  if (!isSmoke) printTables(options, results)
  const took = ((performance.now() - begin) / 1_000).toFixed(0)
  console.log(`${machine(version)}. ${isSmoke ? 'Once each.' : howOften} ${took} s in all.`)
  if (isSmoke) console.log(`${results.cells.length - failures.length} of ${results.cells.length} cells are right`)
  for (const { case: one, entry, error } of failures) console.error(`failed: ${one.name}, ${entry.title}: ${error}`)
  if (failures.length > 0) process.exitCode = 1
  if (isSmoke || options.isPartial) return
  const command = `npx -y pnpm@12 bench${mode === 'full' ? ' --full' : ''}`
  await writeDocument(results, { machine: machine(version), rounds: howOften, command, loads })
}

function printTables({ loads }: Options, results: Results): void {
  for (const load of loads) {
    console.log(`\n${load.title}`)
    for (const table of tablesOf(load, results)) console.log(inTerminal(table))
  }
  const slower = defeatsOf(results).map((line) => `- ${line.replaceAll('**', '')}`)
  if (slower.length > 0) console.log(`\nh2channel is slower (h2channel ÷ peer):\n${slower.join('\n')}`)
  console.log('')
}

/** The number of rounds: long cases have fewer, and a busy machine has fewer of all. */
function roundsIn(results: Results, seconds: number): string {
  const cells = results.cells.filter(({ error }) => error === undefined)
  const long = cells.filter((cell) => cell.case.isLong === true)
  const usual = cells.filter((cell) => !long.includes(cell))
  const rounds = `${rangeOf(usual)} rounds of about ${seconds} s each`
  if (long.length === 0) return rounds
  const what = [...new Set(long.map(({ load }) => load.title.toLowerCase()))].join(' and ')
  return `${usual.length === 0 ? '' : `${rounds}, `}${rangeOf(long)} for ${what}`
}

function rangeOf(cells: readonly Cell[]): string {
  const counts = cells.map(({ rounds }) => rounds.length)
  return [...new Set([Math.min(...counts), Math.max(...counts)])].join(' to ')
}

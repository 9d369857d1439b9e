/**
 * h2channel beside what else there is: each peer as two processes on this machine, in turn, round after round.
 *
 *     node dist/main.js                       the short version; writes docs/performance.md
 *     node dist/main.js --full                the long one
 *     node dist/main.js stream,echo ws,ours   some loads or cases, some peers or the beginnings of their names
 *     node dist/main.js --smoke               everything once, for whether it works
 *
 * and --rounds, --seconds for each run, --node for the binary that runs the processes.
 */
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'

import type { Load } from './cases.ts'
import { loadsOf } from './cases.ts'
import { writeDocument } from './document.ts'
import { machine } from './measure.ts'
import type { Entry } from './peers/index.ts'
import { entries } from './peers/index.ts'
import { stopAll } from './processes.ts'
import { showProgress } from './progress.ts'
import { defeatsOf, inTerminal, tablesOf } from './report.ts'
import { Results } from './results.ts'
import type { Plan } from './run.ts'
import { run, stepsOf } from './run.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    node: { type: 'string', default: process.execPath },
  },
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stopAll()
    process.exit(130)
  })
}
process.once('exit', stopAll)

const mode = values.smoke ? 'smoke' : values.full ? 'full' : 'short'
const [wantedLoads, wantedPeers] = positionals.map((list) => list.split(','))
const rounds = numberFrom('rounds', values.rounds, { smoke: 1, full: 7, short: 3 }[mode])
const seconds = numberFrom('seconds', values.seconds, { smoke: 0.1, full: 2, short: 0.3 }[mode])

const begin = performance.now()
const plan: Plan = {
  loads: chosenLoads(),
  isWanted: chosenPeers(),
  rounds,
  slice: seconds * 1_000,
  isFresh: values.full,
  isSmoke: values.smoke,
  node: values.node,
  onStep: (load, entry) => progress.step(load.title, entry.title),
}
const progress = showProgress(stepsOf(plan))
const results = new Results(await run(plan))
progress.stop()

const version = execFileSync(values.node, ['--version'], { encoding: 'utf8' }).trim()
const rest = values.smoke ? 'once each' : `${rounds} rounds of ${seconds} s each, in turn, medians`
const circumstances = `${machine(version)}; ${rest}`
if (!values.smoke) printTables()
console.log(`${circumstances}; ${((performance.now() - begin) / 1_000).toFixed(0)} s in all`)
const failures = results.failures()
for (const { case: one, entry, error } of failures) console.error(`failed: ${one.name}, ${entry.title}: ${error}`)
if (failures.length > 0) process.exitCode = 1
if (values.smoke) console.log(`${results.cells.length - failures.length} of ${results.cells.length} cells are right`)
else if (positionals.length === 0) {
  const command = `npx -y pnpm@12 bench${values.full ? ' --full' : ''}`
  await writeDocument(results, plan.loads, { circumstances, command })
}

function printTables(): void {
  for (const load of plan.loads) {
    console.log(`\n${load.title}`)
    for (const table of tablesOf(load, results)) console.log(inTerminal(table))
  }
  const slower = defeatsOf(results).map((line) => `- ${line.replaceAll('**', '')}`)
  if (slower.length > 0) console.log(`\nOurs is behind (ours ÷ peer):\n${slower.join('\n')}`)
  console.log('')
}

function chosenLoads(): readonly Load[] {
  // Cases that only the long version has can be asked for by name.
  const all = loadsOf(mode === 'short' && wantedLoads !== undefined ? 'full' : mode)
  if (wantedLoads === undefined) return all
  const known = all.flatMap(({ name, cases }) => [name, ...cases.map((one) => one.name)])
  const unknown = wantedLoads.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new Error(`there is no load ${unknown.join(', ')}, only ${known.join(', ')}`)
  return all
    .map((load) => {
      if (wantedLoads.includes(load.name)) return load
      return { ...load, cases: load.cases.filter(({ name }) => wantedLoads.includes(name)) }
    })
    .filter(({ cases }) => cases.length > 0)
}

function chosenPeers(): (entry: Entry) => boolean {
  if (wantedPeers === undefined) return () => true
  const matches = ({ name }: Entry, wanted: string): boolean => name === wanted || name.startsWith(`${wanted}-`)
  const unknown = wantedPeers.filter((wanted) => !entries.some((entry) => matches(entry, wanted)))
  const known = entries.map(({ name }) => name).join(', ')
  if (unknown.length > 0) throw new Error(`there is no peer ${unknown.join(', ')}, only ${known}`)
  return (entry) => wantedPeers.some((wanted) => matches(entry, wanted))
}

function numberFrom(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const number = Number(text)
  if (!(number > 0)) throw new Error(`--${name} must be a number above 0, not ${text}`)
  return number
}

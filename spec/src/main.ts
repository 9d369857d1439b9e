/**
 * Runs the vectors of SPEC.md against a server, whatever its language.
 *
 *     pnpm conformance http://localhost:8080 [--level minimal|full] [--ca ca.pem] [--only name] [--quick]
 *
 * Exits with 1 if the server breaks a rule.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

import type { Case, Level } from './cases.ts'
import { readCases } from './cases.ts'
import { runCase } from './run-case.ts'

/** Cases that run at once: more would make a slow server late. */
const atOnce = 16

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    level: { type: 'string', default: 'full' },
    /** A PEM file. */
    ca: { type: 'string' },
    /** Runs the cases whose name or rule contains this text. */
    only: { type: 'string', default: '' },
    /** Leaves out the cases that wait for heartbeats, half a minute. */
    quick: { type: 'boolean', default: false },
  },
})

const [address] = positionals
const { level } = values
if (address === undefined || positionals.length > 1 || !URL.canParse(address) || !isLevel(level)) {
  console.error('usage: pnpm conformance URL [--level minimal|full] [--ca ca.pem] [--only text] [--quick]')
  process.exit(2)
}

const target = { url: new URL(address), ca: values.ca && readFileSync(values.ca, 'utf8'), level }
const wanted = readCases().filter(
  (one) =>
    (one.level === 'minimal' || level === 'full') &&
    !(values.quick && one.slow === true) &&
    [one.name, ...one.rules].some((text) => text.includes(values.only)),
)
// Slow ones first, so that they wait while the others run.
const waiting = [...wanted.filter((one) => one.slow), ...wanted.filter((one) => !one.slow)]
const failures: { readonly one: Case; readonly error: unknown }[] = []
await Promise.all(Array.from({ length: atOnce }, runWaiting))
for (const { one, error } of failures) {
  console.log(
    `FAILED  ${one.name} (${one.rules.join(', ')})\n        ${error instanceof Error ? error.message : String(error)}`,
  )
}
console.log(`${wanted.length - failures.length} passed, ${failures.length} failed: ${level} level of version 1`)
process.exit(failures.length > 0 || wanted.length === 0 ? 1 : 0)

async function runWaiting(): Promise<void> {
  for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
    const current = one
    await runCase(target, current).catch((error: unknown) => failures.push({ one: current, error }))
  }
}

function isLevel(text: string): text is Level {
  return text === 'minimal' || text === 'full'
}

/**
 * Runs the vectors of SPEC.md against a server, whatever its language.
 *
 *     pnpm conformance http://localhost:8080 [--level minimal|full] [--links] [--ca ca.pem] [--only name] [--quick]
 *
 * Exits with 1 if the server breaks a rule, and with 2 if the server could not be tested.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

import type { Case, Level, LinkCase } from './cases.ts'
import { readCases, readLinkCases } from './cases.ts'
import { Http2Client } from './http2-client.ts'
import { runCase } from './run-case.ts'
import { runLinkCase } from './run-link-case.ts'

/** Cases that run at once: more would make a slow server late. */
const atOnce = 16

const args = readArguments()
const target = { url: new URL(args.address), ca: args.ca, level: args.level }
const isNamed = ({ name, rules }: Case | LinkCase): boolean => [name, ...rules].some((text) => text.includes(args.only))
const wanted: readonly Run[] = [
  ...readCases()
    .filter((one) => one.level === 'minimal' || args.level === 'full')
    .filter((one) => !(args.quick && one.slow === true) && isNamed(one))
    .map((one) => ({ one, isSlow: one.slow === true, run: async () => runCase(target, one) })),
  ...(args.links ? readLinkCases() : [])
    .filter(isNamed)
    .map((one) => ({ one, isSlow: false, run: async () => runLinkCase(target, one) })),
]
if (wanted.length === 0) fail(`no case of the ${args.level} level has "${args.only}" in its name or rules`)
// One error for a server that cannot be reached, not one for each case.
await Http2Client.connect(target.url, target.ca).then(
  (client) => client.close(),
  (error: unknown) => fail(`cannot connect to ${target.url.origin}: ${messageOf(error)}`),
)
// Slow ones first, so that they wait while the others run.
const waiting = [...wanted.filter(({ isSlow }) => isSlow), ...wanted.filter(({ isSlow }) => !isSlow)]
const failures: { readonly one: Case | LinkCase; readonly error: unknown }[] = []
await Promise.all(Array.from({ length: atOnce }, runWaiting))
for (const { one, error } of failures) {
  console.log(`FAILED  ${one.name} (${one.rules.join(', ')})\n        ${messageOf(error)}`)
}
const tested = `${args.level} level${args.links ? ' and links' : ''} of version 1`
console.log(`${wanted.length - failures.length} passed, ${failures.length} failed: ${tested}`)
process.exit(failures.length > 0 ? 1 : 0)

async function runWaiting(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { one, run } = next
    await run().catch((error: unknown) => failures.push({ one, error }))
  }
}

interface Run {
  readonly one: Case | LinkCase
  readonly isSlow: boolean
  readonly run: () => Promise<void>
}

interface Arguments {
  readonly address: string
  readonly level: Level
  readonly links: boolean
  readonly only: string
  readonly quick: boolean
  readonly ca: string | undefined
}

function readArguments(): Arguments {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        level: { type: 'string', default: 'full' },
        /** Runs the cases of links, too. */
        links: { type: 'boolean', default: false },
        /** A PEM file. */
        ca: { type: 'string' },
        /** Runs the cases whose name or rule contains this text. */
        only: { type: 'string', default: '' },
        /** Leaves out the cases that wait for heartbeats, half a minute. */
        quick: { type: 'boolean', default: false },
      },
    })
    const { level, links, only, quick } = values
    const [address = ''] = positionals
    if (positionals.length !== 1) throw new Error('one URL is needed')
    if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
      throw new Error(`${address} is no http: or https: URL`)
    }
    if (!isLevel(level)) throw new Error(`there is no level ${level}`)
    return {
      address,
      level,
      links,
      only,
      quick,
      ca: values.ca === undefined ? undefined : readFileSync(values.ca, 'utf8'),
    }
  } catch (error) {
    const usage = 'usage: pnpm conformance URL [--level minimal|full] [--links] [--ca ca.pem] [--only text] [--quick]'
    return fail(`${messageOf(error)}\n${usage}`)
  }
}

function fail(text: string): never {
  console.error(text)
  process.exit(2)
}

/** An error of several addresses, such as those of localhost, has a code alone. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message || (error as NodeJS.ErrnoException).code || error.name
}

function isLevel(text: string): text is Level {
  return text === 'minimal' || text === 'full'
}

/** The options of the command line. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import type { Load } from './cases/case.ts'
import type { Mode } from './cases/index.ts'
import { loadsOf } from './cases/index.ts'
import type { Entry } from './peers/index.ts'
import { addBuild, entries } from './peers/index.ts'

export interface Options {
  readonly mode: Mode
  /** What to do without a measurement: print the aims or the usage, or write the documents again. */
  readonly instead: 'targets' | 'documents' | 'help' | undefined
  /** Whether the results are kept: those of the long version, with all peers. */
  readonly isKept: boolean
  /** Whether the options choose only the mode. */
  readonly isUsual: boolean
  readonly loads: readonly Load[]
  readonly isWanted: (entry: Entry) => boolean
  readonly rounds: number
  readonly seconds: number
  /** The binary that runs client and server. */
  readonly node: string
}

/** What `--help` prints. */
export function usage(): string {
  const loads = loadsOf('full').map(({ name, cases }) => {
    const own = cases.map((one) => one.name).filter((one) => one !== name)
    return `  ${name.padEnd(10)} ${own.join(' ')}`.trimEnd()
  })
  const peers = entries.map(({ name, title }) => `  ${name.padEnd(22)} ${title}`)
  return `Usage: bench [options] [load or case …] [peer, or the beginning of its name …]

Compares h2channel with its alternatives: each peer as two processes on this machine, in turn, round after round.

  bench                       the short version of every load, about three minutes
  bench call open             calls, and channels that are opened for one exchange
  bench stream ws ours        some loads or cases, some peers
  bench --full                the long version: keeps the figures, and writes docs/why/benchmarks.md
  bench --full call open      some loads of it; the other figures stay
  bench --smoke               everything once, to see whether it works: no figures
  bench --targets             what the library aims at, and what the figures of --full say
  bench --documents           writes the documents again

  --rounds 9                  how often each cell is measured
  --seconds 5                 how long each run of a cell takes
  --node 24                   the binary that runs client and server, or a version, which is fetched
  --against ../checkout       compares with the build of another checkout

Loads, and their cases where they have several:
${loads.join('\n')}

Peers:
${peers.join('\n')}`
}

/** Throws an error with a message for the user. */
export function optionsFrom(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      full: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      node: { type: 'string', default: process.execPath },
      against: { type: 'string' },
      targets: { type: 'boolean', default: false },
      documents: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.against !== undefined) addBuild(values.against)
  const mode = values.smoke ? 'smoke' : values.full ? 'full' : 'short'
  const names = positionals.flatMap((list) => list.split(','))
  const [loads, peers] = sorted(names)
  return {
    mode,
    instead: values.help ? 'help' : values.targets ? 'targets' : values.documents ? 'documents' : undefined,
    isKept: mode === 'full' && peers.length === 0 && values.against === undefined,
    isUsual: positionals.length === 0 && values.rounds === undefined && values.seconds === undefined,
    loads: chosenLoads(mode, loads),
    isWanted: chosenPeers(peers),
    rounds: Math.ceil(numberFrom('rounds', values.rounds, { smoke: 1, full: 5, short: 3 }[mode])),
    seconds: numberFrom('seconds', values.seconds, { smoke: 0.1, full: 1, short: 0.25 }[mode]),
    node: binaryOf(values.node),
  }
}

/** Tells loads and their cases from peers and the beginnings of their names, such as `ours` and `connect`. */
function sorted(names: readonly string[]): readonly [loads: readonly string[], peers: readonly string[]] {
  const loads = loadsOf('full').flatMap(({ name, cases }) => [name, ...cases.map((one) => one.name)])
  const isPeer = (start: string): boolean => entries.some((entry) => matches(entry, start))
  const unknown = names.filter((name) => !loads.includes(name) && !isPeer(name))
  if (unknown.length > 0) {
    const known = [...new Set([...loads, ...entries.map(({ name }) => name)])].join(', ')
    throw new Error(`there is no load or peer ${unknown.join(', ')}; there are ${known}`)
  }
  return [names.filter((name) => loads.includes(name)), names.filter((name) => !loads.includes(name))]
}

/** A version such as `24` stands for the binary that scripts/node-matrix.ts fetches. */
function binaryOf(node: string): string {
  if (!/^\d+$/.test(node)) return node
  const root = new URL('../../', import.meta.url)
  const binary = fileURLToPath(new URL(`node_modules/.cache/node-${node}/node_modules/node/bin/node`, root))
  if (!existsSync(binary)) {
    const script = ['-y', 'tsx', 'scripts/node-matrix.ts', '--install', node]
    execFileSync('npx', script, { cwd: fileURLToPath(root), stdio: 'inherit' })
  }
  return binary
}

/** Finds loads, or cases of them, by their names. */
function chosenLoads(mode: Mode, wanted: readonly string[]): readonly Load[] {
  if (wanted.length === 0) return loadsOf(mode)
  // Loads that only the long version has can be chosen by name.
  const all = loadsOf(mode === 'smoke' ? 'smoke' : 'full')
  const usual = new Set(loadsOf(mode).flatMap(({ cases }) => cases.map(({ name }) => name)))
  return all
    .map((load): Load => {
      const isWhole = wanted.includes(load.name)
      const cases = load.cases.filter(({ name }) => wanted.includes(name) || (isWhole && usual.has(name)))
      const [one] = cases
      const isOneOfMany = one !== undefined && cases.length === 1 && load.cases.length > 1
      return { ...load, title: isOneOfMany ? `${load.title}, ${one.title}` : load.title, cases }
    })
    .filter(({ cases }) => cases.length > 0)
}

function chosenPeers(wanted: readonly string[]): (entry: Entry) => boolean {
  if (wanted.length === 0) return () => true
  return (entry) => wanted.some((start) => matches(entry, start))
}

function matches({ name }: Entry, start: string): boolean {
  return name === start || name.startsWith(`${start}-`)
}

function numberFrom(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const number = Number(text)
  if (!(number > 0)) throw new Error(`--${name} must be a number above 0, not ${text}`)
  return number
}

/** The options of the command line. */
import { parseArgs } from 'node:util'

import type { Load } from './cases.ts'
import { loadsOf } from './cases.ts'
import type { Entry } from './peers/index.ts'
import { addBuild, entries } from './peers/index.ts'

export interface Options {
  readonly mode: 'short' | 'full' | 'smoke'
  /** Whether only some loads or peers were chosen. */
  readonly isPartial: boolean
  /** Whether the options choose only the mode. */
  readonly isUsual: boolean
  readonly loads: readonly Load[]
  readonly isWanted: (entry: Entry) => boolean
  readonly rounds: number
  readonly seconds: number
  /** The binary that runs client and server. */
  readonly node: string
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
    },
  })
  if (values.against !== undefined) addBuild(values.against)
  const mode = values.smoke ? 'smoke' : values.full ? 'full' : 'short'
  const [loads, peers] = positionals.map((list) => list.split(','))
  return {
    mode,
    isPartial: positionals.length > 0,
    isUsual: positionals.length === 0 && values.rounds === undefined && values.seconds === undefined,
    loads: chosenLoads(mode, loads),
    isWanted: chosenPeers(peers),
    rounds: Math.ceil(numberFrom('rounds', values.rounds, { smoke: 1, full: 5, short: 3 }[mode])),
    seconds: numberFrom('seconds', values.seconds, { smoke: 0.1, full: 2, short: 0.25 }[mode]),
    node: values.node,
  }
}

/** Finds loads, or cases of them, by their names. */
function chosenLoads(mode: Options['mode'], wanted: readonly string[] | undefined): readonly Load[] {
  if (wanted === undefined) return loadsOf(mode)
  // Loads that only the long version has can be chosen by name.
  const all = loadsOf(mode === 'smoke' ? 'smoke' : 'full')
  const known = all.flatMap(({ name, cases }) => [name, ...cases.map((one) => one.name)])
  refuse('load', wanted, (name) => known.includes(name), known)
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

/** Finds peers by their names or the beginnings of those: `ours`, `connect`. */
function chosenPeers(wanted: readonly string[] | undefined): (entry: Entry) => boolean {
  if (wanted === undefined) return () => true
  const matches = ({ name }: Entry, start: string): boolean => name === start || name.startsWith(`${start}-`)
  const known = entries.map(({ name }) => name)
  refuse('peer', wanted, (start) => entries.some((entry) => matches(entry, start)), known)
  return (entry) => wanted.some((start) => matches(entry, start))
}

function refuse(what: string, wanted: readonly string[], isKnown: (name: string) => boolean, known: string[]): void {
  const unknown = wanted.filter((name) => !isKnown(name))
  const names = [...new Set(known)].join(', ')
  if (unknown.length > 0) throw new Error(`there is no ${what} ${unknown.join(', ')}; there are ${names}`)
}

function numberFrom(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const number = Number(text)
  if (!(number > 0)) throw new Error(`--${name} must be a number above 0, not ${text}`)
  return number
}

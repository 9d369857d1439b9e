/** The figures of `--full`, kept in bench/results: one file for each major version of Node. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { format } from 'prettier'

import { loadsOf } from './cases/index.ts'
import { entries } from './peers/index.ts'
import { Results } from './results.ts'
import type { Cell } from './run.ts'

const folder = new URL('../results/', import.meta.url)

/** What a file holds. */
interface Stored {
  /** Node's version and the machine. */
  machine: string
  /** By the names of cases. */
  readonly cases: Record<string, StoredCase>
}

interface StoredCase {
  /** The wanted duration of a run, and how long the whole case took. Unit: seconds. */
  readonly run: number
  readonly took: number
  /** The rounds of each peer, by its name. */
  readonly rounds: Readonly<Record<string, readonly (readonly number[])[]>>
  readonly errors?: Readonly<Record<string, string>>
}

/** The results on one version of Node. */
export class Store {
  /** Node's major version. */
  readonly major: number
  readonly #stored: Stored

  private constructor(major: number, stored: Stored) {
    this.major = major
    this.#stored = stored
  }

  static async of(major: number): Promise<Store> {
    const text = await readFile(fileOf(major), 'utf8').catch(() => undefined)
    return new Store(major, text === undefined ? { machine: '', cases: {} } : (JSON.parse(text) as Stored))
  }

  /** All that are there, the oldest version first. */
  static async all(): Promise<Store[]> {
    const names = await readdir(folder).catch(() => [])
    const majors = names.flatMap((name) => /^node-(\d+)\.json$/.exec(name)?.[1] ?? []).map(Number)
    return Promise.all(majors.toSorted((one, other) => one - other).map((major) => Store.of(major)))
  }

  get machine(): string {
    return this.#stored.machine
  }

  /** The seconds that a case took when it was last measured in such runs. */
  took(name: string, run: number): number | undefined {
    const there = this.#stored.cases[name]
    return there?.run === run ? there.took : undefined
  }

  /** Replaces the results of a case, and writes the file, so that nothing is lost when the rest is interrupted. */
  async put(machine: string, run: number, took: number, cells: readonly Cell[]): Promise<void> {
    const [first] = cells
    if (first === undefined) return
    const failed = cells.filter(({ error }) => error !== undefined)
    this.#stored.machine = machine
    this.#stored.cases[first.case.name] = {
      run,
      took: Math.round(took),
      rounds: Object.fromEntries(cells.map(({ entry, rounds }) => [entry.name, rounds.map((all) => all.map(short))])),
      ...(failed.length > 0 && {
        errors: Object.fromEntries(failed.map((cell) => [cell.entry.name, cell.error ?? ''])),
      }),
    }
    await mkdir(folder, { recursive: true })
    await writeFile(fileOf(this.major), await format(JSON.stringify(this.#stored), { parser: 'json', printWidth: 120 }))
  }

  /** Of the cases and peers that there are today. */
  results(): Results {
    const cells = loadsOf('full').flatMap((load) =>
      load.cases.flatMap((one) => {
        const stored = this.#stored.cases[one.name]
        return entries.flatMap((entry): Cell[] => {
          const rounds = stored?.rounds[entry.name]
          const error = stored?.errors?.[entry.name]
          return rounds === undefined ? [] : [{ load, case: one, entry, rounds, ...(error !== undefined && { error }) }]
        })
      }),
    )
    return new Results(cells)
  }
}

function fileOf(major: number): URL {
  return new URL(`node-${major}.json`, folder)
}

/** Five digits are more than a measurement has. */
function short(figure: number): number {
  return Number(figure.toPrecision(5))
}

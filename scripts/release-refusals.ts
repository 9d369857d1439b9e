/** Why a checkout cannot be released. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { faultsOf, manifestOf, packages } from './packages.ts'

export interface ReleaseState {
  readonly version: string
  /** One sentence for each reason. Empty: the checkout can be released. */
  readonly refusals: readonly string[]
}

type Git = (...parameters: string[]) => string

/** Each step refuses what the one before refuses. */
export type ReleaseStep = 'check' | 'pack' | 'publish'

/** Reads the state of a checkout. */
export function releaseState(root: string, step: ReleaseStep, env: NodeJS.ProcessEnv = process.env): ReleaseState {
  const git: Git = (...parameters) =>
    execFileSync('git', parameters, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  const refusals: string[] = []
  const versions = packages.map((name) => `${name} ${manifestOf(root, name).version}`)
  const [version = ''] = new Set(packages.map((name) => manifestOf(root, name).version))
  const changed = git('status', '--porcelain')
  if (changed !== '') refusals.push(`The working tree has changes that are not committed:\n${changed}`)
  if (new Set(versions.map((text) => text.split(' ')[1])).size > 1) {
    refusals.push(`The packages have different versions: ${versions.join(', ')}.`)
  }
  const tag = `v${version}`
  const tagged = git('tag', '--list', tag) !== '' && git('rev-list', '-n', '1', tag)
  if (tagged !== false && tagged !== git('rev-parse', 'HEAD')) {
    refusals.push(`The tag ${tag} exists, and is not this commit. Raise the version of all three packages.`)
  }
  const heading = new RegExp(`^## ${version.replaceAll('.', String.raw`\.`)}(?![\\w.+-])(?:, )?(.*)$`, 'm').exec(
    readFileSync(join(root, 'CHANGELOG.md'), 'utf8'),
  )
  if (heading === null) refusals.push(`CHANGELOG.md has no heading "## ${version}".`)
  else if (!isDate(heading[1])) {
    refusals.push(`CHANGELOG.md says of ${version}: "${heading[1]}". Write a date instead, such as 2026-01-31.`)
  }
  refusals.push(...packages.flatMap((name) => faultsOf(root, name)))
  if (step === 'check') return { version, refusals }
  if (tagged === false) refusals.push(`This commit has no tag ${tag}.`)
  if (!isOnMain(git)) refusals.push('This commit is not on main.')
  if (step === 'publish' && env['ACTIONS_ID_TOKEN_REQUEST_URL'] === undefined) {
    refusals.push(
      'Only CI publishes: the provenance of a package is signed with the identity of a workflow that may write an ' +
        `id-token. Push the tag ${tag}, and .github/workflows/release.yml does the rest.`,
    )
  }
  return { version, refusals }
}

/** Whether this commit is on the branch main: of the repository that was cloned, if it is a clone. */
function isOnMain(git: Git): boolean {
  const branches = ['refs/remotes/origin/main', 'refs/heads/main']
  const main = branches.find((branch) => git('for-each-ref', branch) !== '')
  return main !== undefined && git('rev-list', '-n', '1', 'HEAD', `^${main}`) === ''
}

function isDate(text: string | undefined): boolean {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text ?? '') ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text ?? '')
}

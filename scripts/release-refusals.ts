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

/** Reads the state of a checkout. `publish` adds what only matters when the packages are sent to npm. */
export function releaseState(root: string, publish: boolean, env: NodeJS.ProcessEnv = process.env): ReleaseState {
  const git = (...parameters: string[]): string =>
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
  const heading = new RegExp(`^## ${version.replaceAll('.', String.raw`\.`)}(?![\\d.-])(.*)$`, 'm').exec(
    readFileSync(join(root, 'CHANGELOG.md'), 'utf8'),
  )
  if (heading === null) refusals.push(`CHANGELOG.md has no heading "## ${version}".`)
  refusals.push(...packages.flatMap((name) => faultsOf(root, name)))
  if (!publish) return { version, refusals }
  if (tagged === false) refusals.push(`This commit has no tag ${tag}.`)
  if (heading?.[1]?.includes('not published') === true) {
    refusals.push(`CHANGELOG.md says of ${version}: "${heading[1].replace(/^, /, '')}". Write the date instead.`)
  }
  if (env['ACTIONS_ID_TOKEN_REQUEST_URL'] === undefined) {
    refusals.push(
      'Only CI publishes: the provenance of a package is signed with the identity of a workflow that may write an ' +
        `id-token. Push the tag ${tag}, and .github/workflows/release.yml does the rest.`,
    )
  }
  return { version, refusals }
}

/**
 * Releases the three packages. Refuses a checkout that is not ready, builds and packs them, and checks the tarballs.
 *
 *     pnpm release                             tells what is missing
 *     pnpm release --pack <folder>             keeps the tarballs, for the tag of the version
 *     node scripts/release.ts --publish <folder>   in CI: sends these tarballs to npm, and runs no dependency
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'

import { integrityOf, pack, packages, removeBuilds } from './packages.ts'
import { npm, publishAll } from './release-publish.ts'
import { releaseState } from './release-refusals.ts'

const root = process.cwd()
const [option, folder] = process.argv.slice(2)

if (option === undefined) check()
else if (option === '--pack' && folder !== undefined) packInto(resolve(folder))
else if (option === '--publish' && folder !== undefined) publish(resolve(folder))
else throw new Error('release: no options, --pack <folder>, or --publish <folder>')

function check(): void {
  const version = readyVersion('check')
  if (version === undefined) return
  const temporary = mkdtempSync(join(tmpdir(), 'h2channel-release-'))
  try {
    buildAndPack(temporary)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  console.log(`${version} can be released. Nothing was published. Push the tag v${version} to publish it from CI.`)
}

function packInto(destination: string): void {
  if (readyVersion('pack') === undefined) return
  mkdirSync(destination, { recursive: true })
  buildAndPack(destination)
}

function publish(source: string): void {
  const version = readyVersion('publish')
  if (version !== undefined) publishAll(source, version, npm)
}

/** The version of a checkout that is ready. Otherwise says why it is not, and makes the command fail. */
function readyVersion(step: 'check' | 'pack' | 'publish'): string | undefined {
  const { version, refusals } = releaseState(root, step)
  if (refusals.length === 0) return version
  console.error(`${version} cannot be released:`)
  for (const refusal of refusals) console.error(`- ${refusal}`)
  process.exitCode = 1
  return undefined
}

function buildAndPack(destination: string): void {
  removeBuilds(root)
  execFileSync('npx', ['-y', 'pnpm@12', 'build'], { cwd: root, stdio: 'inherit' })
  const tarballs = packages.map((name) => pack(root, name, destination))
  for (const tarball of tarballs) console.log(`${basename(tarball)} ${integrityOf(tarball)}`)
}

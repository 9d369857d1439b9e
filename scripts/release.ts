/**
 * Releases the three packages: refuses a checkout that is not ready, builds and packs them, checks the tarballs, and
 * publishes them.
 *
 *     pnpm release             everything but publishing
 *     pnpm release --publish   in CI, on the tag of the version
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

import { pack, packages } from './packages.ts'
import { releaseState } from './release-refusals.ts'

const root = process.cwd()
const publish = process.argv.includes('--publish')
const { version, refusals } = releaseState(root, publish)

if (refusals.length > 0) {
  console.error(`${version} cannot be released:`)
  for (const refusal of refusals) console.error(`- ${refusal}`)
  process.exitCode = 1
} else {
  release()
}

function release(): void {
  const folder = mkdtempSync(join(tmpdir(), 'h2channel-release-'))
  try {
    run('npx', ['-y', 'pnpm@12', 'build'])
    const tarballs = packages.map((name) => pack(root, name, folder))
    for (const tarball of tarballs) {
      const sum = createHash('sha512').update(readFileSync(tarball)).digest('base64')
      console.log(`${basename(tarball)} sha512-${sum}`)
    }
    if (!publish) {
      console.log(`${version} can be released. Nothing was published. Push the tag v${version} to publish it from CI.`)
      return
    }
    for (const tarball of tarballs)
      run('npx', ['-y', 'npm@11', 'publish', tarball, '--provenance', '--access', 'public'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function run(command: string, parameters: readonly string[]): void {
  execFileSync(command, parameters, { cwd: root, stdio: 'inherit' })
}

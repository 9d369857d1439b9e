/** Sends tarballs to npm. A run that failed in the middle can be repeated. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { integrityOf, packages } from './packages.ts'

/** What a release needs of npm. */
export interface Npm {
  /** The integrity of a published version, such as `sha512-…`. Undefined if npm does not have the version. */
  published(name: string, version: string): string | undefined
  publish(tarball: string, tag: string): void
}

/**
 * Publishes the tarballs of `folder` that npm does not have yet, in the order of their dependencies. Publishes none if
 * npm has other bytes under one of these names and versions.
 */
export function publishAll(folder: string, version: string, registry: Npm): void {
  // npm would make a prerelease the version that `npm install` chooses.
  const tag = version.includes('-') ? 'next' : 'latest'
  const missing: string[] = []
  for (const name of packages) {
    const tarball = join(folder, `h2channel-${name}-${version}.tgz`)
    if (!existsSync(tarball)) throw new Error(`There is no ${tarball}.`)
    const own = integrityOf(tarball)
    const published = registry.published(`@h2channel/${name}`, version)
    if (published === undefined) missing.push(tarball)
    else if (published === own) console.log(`npm has @h2channel/${name}@${version} already`)
    else throw new Error(`npm has another @h2channel/${name}@${version}: ${published}, not ${own}.`)
  }
  for (const tarball of missing) registry.publish(tarball, tag)
}

export const npm: Npm = {
  published(name, version) {
    try {
      const answer = execFileSync('npm', ['view', `${name}@${version}`, 'dist.integrity', '--json'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      return publishedIntegrity(answer)
    } catch (error) {
      // npm fails where it knows no such package or version, and writes why.
      if (error instanceof Error && 'stdout' in error) return publishedIntegrity(String(error.stdout))
      throw error
    }
  },
  publish(tarball, tag) {
    execFileSync('npm', ['publish', tarball, '--provenance', '--access', 'public', '--tag', tag], { stdio: 'inherit' })
  },
}

/** Reads what `npm view … dist.integrity --json` wrote. */
export function publishedIntegrity(answer: string): string | undefined {
  if (answer.trim() === '') throw new Error('npm did not answer')
  const value: unknown = JSON.parse(answer)
  if (typeof value === 'string') return value
  const { error } = value as { readonly error?: { readonly code?: string; readonly summary?: string } }
  if (error?.code === 'E404') return undefined
  throw new Error(`npm does not say what it has: ${error?.code ?? answer} ${error?.summary ?? ''}`)
}

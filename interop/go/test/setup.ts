/** Builds the Go programs once for all tests, into a folder that is deleted afterwards. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder with the programs of cmd. */
    goPrograms: string
    /** Why there is no such folder. Empty if there is one. */
    goProblem: string
  }
}

const needed = 'The interop tests with Go need Go 1.26 or later on the PATH (https://go.dev/dl)'

export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'h2channel-interop-go-'))
  project.provide('goPrograms', folder)
  // A setup that throws would also fail the projects that need no Go.
  project.provide('goProblem', build(folder))
  return () => rmSync(folder, { recursive: true, force: true })
}

/** Returns the problem, if there is one. */
function build(folder: string): string {
  try {
    const version = go(['env', 'GOVERSION']).trim()
    if (!isNewEnough(version)) return `${needed}; there is ${version}.`
    go(['build', '-o', folder, './cmd/...'])
    return ''
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if ('code' in error && error.code === 'ENOENT') return `${needed}; it is not installed.`
    return 'stderr' in error && error.stderr !== '' ? `Go failed: ${String(error.stderr)}` : error.message
  }
}

function go(args: readonly string[]): string {
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  return execFileSync('go', args, { cwd, encoding: 'utf8', timeout: 300_000, stdio: ['ignore', 'pipe', 'pipe'] })
}

function isNewEnough(version: string): boolean {
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? []
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 26)
}

/** Builds the Rust peer into node_modules/.cache, where the next run finds the compiled files. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The program. */
    rustPeer: string
    /** Why there is no such program. Empty if there is one. */
    rustProblem: string
  }
}

const needed = 'The interop tests with Rust need cargo 1.85 or later on the PATH (https://rustup.rs)'
const target = fileURLToPath(new URL('../../../node_modules/.cache/interop-rust', import.meta.url))

export default function setup(project: TestProject): void {
  project.provide('rustPeer', `${target}/debug/peer`)
  // A setup that throws would also fail the projects that need no Rust.
  project.provide('rustProblem', build())
}

/** Returns the problem, if there is one. */
function build(): string {
  try {
    const version = cargo(['--version']).trim()
    if (!isNewEnough(version)) return `${needed}; there is ${version}.`
    cargo(['build', '--quiet', '--locked', '--target-dir', target])
    return ''
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if ('code' in error && error.code === 'ENOENT') return `${needed}; it is not installed.`
    return 'stderr' in error && error.stderr !== '' ? `cargo failed: ${String(error.stderr)}` : error.message
  }
}

function cargo(args: readonly string[]): string {
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  return execFileSync('cargo', args, { cwd, encoding: 'utf8', timeout: 480_000, stdio: ['ignore', 'pipe', 'pipe'] })
}

function isNewEnough(version: string): boolean {
  const [, major, minor] = /^cargo (\d+)\.(\d+)/.exec(version) ?? []
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 85)
}

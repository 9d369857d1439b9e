/** Finds a Python with the packages of requirements.txt. Installs them once, into node_modules/.cache. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The interpreter. */
    python: string
    /** The PYTHONPATH of the interpreter. */
    pythonPath: string
    /** Why there is no such interpreter. Empty if there is one. */
    pythonProblem: string
  }
}

const needed = 'The interop tests with Python need Python 3.11 or later as python3 on the PATH'
const requirements = fileURLToPath(new URL('../requirements.txt', import.meta.url))
const cache = fileURLToPath(new URL('../../../node_modules/.cache/interop-python', import.meta.url))

interface Python {
  readonly python: string
  readonly pythonPath: string
  readonly pythonProblem: string
}

export default function setup(project: TestProject): void {
  const { python, pythonPath, pythonProblem } = prepare()
  project.provide('python', python)
  project.provide('pythonPath', pythonPath)
  project.provide('pythonProblem', pythonProblem)
}

function prepare(): Python {
  try {
    const version = run('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])']).trim()
    const [major = 0, minor = 0] = version.split('.').map(Number)
    if (major !== 3 || minor < 11) return problem(`${needed}; there is ${version}.`)
    const folder = join(cache, version)
    return readyIn(folder) ?? install(folder)
  } catch (error) {
    if (isError(error, 'ENOENT')) return problem(`${needed}; it is not installed.`)
    return problem(`Python failed: ${complaintOf(error)}`)
  }
}

/** The environment of an earlier run, if it still matches. */
function readyIn(folder: string): Python | undefined {
  const stamp = join(folder, 'requirements.txt')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== readFileSync(requirements, 'utf8')) return undefined
  const ready = pythonOf(folder)
  try {
    run(ready.python, ['-c', 'import h2, httpx, msgpack'], ready.pythonPath)
    return ready
  } catch {
    // The interpreter that made it no longer exists.
    return undefined
  }
}

function pythonOf(folder: string): Python {
  const own = join(folder, 'venv', 'bin', 'python')
  const packages = join(folder, 'packages')
  return existsSync(own)
    ? { python: own, pythonPath: '', pythonProblem: '' }
    : { python: 'python3', pythonPath: packages, pythonProblem: '' }
}

function install(folder: string): Python {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements]
  const venv = join(folder, 'venv')
  try {
    run('python3', ['-m', 'venv', venv])
  } catch (error) {
    // Debian has venv's ensurepip, and pip, in separate packages.
    rmSync(venv, { recursive: true, force: true })
    if (!canRun('python3', ['-m', 'pip', '--version'])) {
      return problem(`${needed}, with venv or pip (Debian: python3-venv). ${complaintOf(error)}`)
    }
  }
  const { python } = pythonOf(folder)
  try {
    run(python, python === 'python3' ? [...pip, '--target', join(folder, 'packages')] : pip)
  } catch (error) {
    return problem(`The interop tests with Python need the packages of requirements.txt, once. ${complaintOf(error)}`)
  }
  writeFileSync(join(folder, 'requirements.txt'), readFileSync(requirements))
  return pythonOf(folder)
}

function problem(pythonProblem: string): Python {
  return { python: '', pythonPath: '', pythonProblem }
}

function run(command: string, args: readonly string[], pythonPath = ''): string {
  return execFileSync(command, args, {
    encoding: 'utf8',
    timeout: 240_000,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONPATH: pythonPath },
  })
}

function canRun(command: string, args: readonly string[]): boolean {
  try {
    run(command, args)
    return true
  } catch {
    return false
  }
}

function isError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** The error output of the program, or the reason why it did not start. */
function complaintOf(error: unknown): string {
  if (!(error instanceof Error)) throw error
  return 'stderr' in error && error.stderr !== '' ? String(error.stderr) : error.message
}

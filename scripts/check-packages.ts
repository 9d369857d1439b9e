/**
 * Packs the three packages as they would be published, lets publint and attw look at them, installs the tarballs into an
 * empty project and runs README's example there with plain Node. To be run after `pnpm build`.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { blocksOf } from '../test/documents.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const packages = ['conn', 'codecs', 'channel']
const project = mkdtempSync(join(tmpdir(), 'h2channel-packages-'))
let passed = 0

try {
  const tarballs = packages.map(check)
  console.log('installing the tarballs into an empty project')
  const zod = `zod@${installedVersion('zod')}`
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs, zod], project)
  await runReadme()
  console.log(`${passed} package checks passed`)
} finally {
  rmSync(project, { recursive: true, force: true })
}

/** Packs one package and checks the tarball. Returns where it is. */
function check(name: string): string {
  const folder = join(root, 'packages', name)
  for (const file of ['LICENSE', 'NOTICE']) {
    if (readFileSync(join(root, file), 'utf8') === readFileSync(join(folder, file), 'utf8')) continue
    throw new Error(`packages/${name}/${file} differs from the root's`)
  }
  const pack = ['-y', 'pnpm@12', 'pack', '--pack-destination', project]
  run('npx', pack, folder)
  const tarball = readdirSync(project).find((file) => file.startsWith(`h2channel-${name}-`))
  if (tarball === undefined) throw new Error(`no tarball of ${name}`)
  const path = join(project, tarball)
  const listing = execFileSync('tar', ['-tzf', path], { encoding: 'utf8' })
  for (const file of ['LICENSE', 'NOTICE', 'README.md', 'dist/index.js', 'dist/index.d.ts', 'dist/index.js.map']) {
    if (!listing.includes(`package/${file}\n`)) throw new Error(`${tarball} lacks ${file}`)
  }
  if (/package\/(test|dist\/\.tsbuildinfo)/.test(listing)) throw new Error(`${tarball} has files that nobody needs`)
  console.log(`publint ${name}`)
  run(join(root, 'node_modules', '.bin', 'publint'), ['run', '--strict', path])
  console.log(`attw ${name}`)
  run(join(root, 'node_modules', '.bin', 'attw'), ['--profile', 'esm-only', path])
  passed += 3
  return path
}

/** Runs README's server and client from plain JavaScript, which their code is but for the file names. */
async function runReadme(): Promise<void> {
  const port = await freePort()
  for (const { file, text } of blocksOf('README.md')) {
    if (file === undefined) continue
    const script = text.replaceAll("routes.ts'", "routes.js'").replaceAll('8080', port)
    writeFileSync(join(project, file.replace(/\.ts$/, '.js')), script)
  }
  const server = spawn(process.execPath, ['server.js'], { cwd: project, stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await once(createInterface(server.stdout), 'line')
    const said = execFileSync(process.execPath, ['client.js'], { cwd: project, encoding: 'utf8' })
    if (said !== 'SAP 251.3\nALV 347.9\n') throw new Error(`README's client said ${JSON.stringify(said)}`)
    console.log(`README's example runs with Node ${process.version}:\n${said}`)
    passed += 1
  } finally {
    server.kill()
    await once(server, 'close')
  }
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return String(typeof address === 'object' ? address?.port : '')
}

function installedVersion(name: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'))
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) return String(manifest.version)
  throw new Error(`${name} is not installed`)
}

function run(command: string, parameters: readonly string[], cwd: string = root): void {
  execFileSync(command, parameters, { cwd, stdio: 'inherit' })
}

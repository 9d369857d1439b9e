/**
 * Checks the three packages as they would be published. Packs them, runs publint and attw on them, installs the
 * tarballs into an empty project, and runs README's example there with plain Node. Then it loads them with `require`,
 * compiles a consumer with the oldest and the newest TypeScript, and runs a test with Jest. Run it after `pnpm build`.
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
import type { PackageName } from './packages.ts'
import { faultsOf, pack, packages } from './packages.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const project = mkdtempSync(join(tmpdir(), 'h2channel-packages-'))
let passed = 0

try {
  const tarballs = packages.map(check)
  console.log('installing the tarballs into an empty project')
  const zod = `zod@${installedVersion('zod')}`
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs, zod], project)
  await runReadme()
  requireThem()
  for (const version of ['5.7', 'latest']) checkTypes(version)
  testWithJest()
  console.log(`${passed} package checks passed`)
} finally {
  rmSync(project, { recursive: true, force: true })
}

/** Packs one package and checks it, with what npm shows of it. Returns the tarball. */
function check(name: PackageName): string {
  const faults = faultsOf(root, name)
  if (faults.length > 0) throw new Error(faults.join('\n'))
  const path = pack(root, name, project)
  passed += 4
  return path
}

/** Runs README's server and client as plain JavaScript, which their code is except for the file names. */
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
    if (said !== 'SAP 251.3\nALV 347.9\n') throw new Error(`README's client printed ${JSON.stringify(said)}`)
    console.log(`README's example runs with Node ${process.version}:\n${said}`)
    passed += 1
  } finally {
    server.kill()
    await once(server, 'close')
  }
}

/** Loads every entry from CommonJS. */
function requireThem(): void {
  const entries = [
    'conn',
    'conn/web',
    'conn/internal',
    'codecs/internal',
    'codecs',
    'channel',
    'channel/server',
    'channel/client',
    'channel/testing',
  ]
  const lines = entries.map((entry) => `if (Object.keys(require('@h2channel/${entry}')).length === 0) process.exit(1)`)
  writeFileSync(join(project, 'all.cjs'), lines.join('\n'))
  run(process.execPath, ['all.cjs'], project)
  console.log('all of it loads by require')
  const program = readFileSync(join(root, 'examples', 'guides', 'src', 'commonjs.cjs'), 'utf8')
  writeFileSync(join(project, 'client.cjs'), program)
  writeFileSync(
    join(project, 'client-and-server.cjs'),
    `const { defineRoute } = require('@h2channel/channel')
const { createRouter } = require('@h2channel/channel/server')
const { json } = require('@h2channel/codecs')
const { createServer } = require('node:http2')

const echo = defineRoute('/echo', { client: json(), server: json() })
const server = createServer()
createRouter()
  .handle(echo, async (channel) => {
    for await (const message of channel) await channel.send(message)
    server.close()
  })
  .attach(server)
server.listen(0, () => {
  process.argv[2] = 'http://localhost:' + server.address().port
  require('./client.cjs')
})
`,
  )
  const said = execFileSync(process.execPath, ['client-and-server.cjs'], { cwd: project, encoding: 'utf8' })
  if (said !== 'hello\n') throw new Error(`the client of docs/guides/commonjs.md printed ${JSON.stringify(said)}`)
  console.log('the client of docs/guides/commonjs.md runs')
  passed += 2
}

/** Compiles a consumer without `skipLibCheck` and without the types of the DOM. */
function checkTypes(version: string): void {
  const install = ['install', '--no-audit', '--no-fund', '--loglevel=error', '--no-save', `typescript@${version}`]
  run('npm', [...install, `@types/node@${installedVersion('@types/node')}`, ...packedFiles()], project)
  writeFileSync(
    join(project, 'consumer.ts'),
    `import { defineRoute } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import { channelPair, testClock } from '@h2channel/channel/testing'
import { bytes, json, msgpack, struct, u32 } from '@h2channel/codecs'
import { connect } from '@h2channel/conn'
import { pipe } from '@h2channel/conn/web'
import { z } from 'zod'

const route = defineRoute('/orders/:id', { client: msgpack(z.object({ id: z.bigint() })), server: json<number>() })
const [client] = channelPair(route, { clock: testClock() })
await client.send({ id: 5n }, { signal: null })
// @ts-expect-error -- a number is not a bigint
await client.send({ id: 5 })
for await (const answer of client) console.log(answer.toFixed(2))
export const others = [createClient, createRouter, bytes, struct({ a: u32 }), connect, pipe]
`,
  )
  const options = '--noEmit --strict --skipLibCheck false --target ES2022 --module nodenext --lib ES2022 --types node'
  run(join(project, 'node_modules', '.bin', 'tsc'), [...options.split(' '), 'consumer.ts'], project)
  console.log(`a consumer compiles with TypeScript ${version}`)
  passed += 1
}

/** Runs a test with Jest, as described in docs/guides/commonjs.md. */
function testWithJest(): void {
  run(
    'npm',
    ['install', '--no-audit', '--no-fund', '--loglevel=error', '--no-save', 'jest@30', ...packedFiles()],
    project,
  )
  writeFileSync(
    join(project, 'channel.test.mjs'),
    `import { jest } from '@jest/globals'
import { defineRoute } from '@h2channel/channel'
import { channelPair } from '@h2channel/channel/testing'
import { json } from '@h2channel/codecs'

test('both ends talk, with fake timers', async () => {
  jest.useFakeTimers()
  const [client, server] = channelPair(defineRoute('/a', { client: json(), server: json() }))
  await client.send(1)
  jest.advanceTimersByTime(600_000)
  expect(await server.receive()).toBe(1)
  await Promise.all([client.close(), server.close()])
  await expect(client.closed).resolves.toEqual({ clean: true })
})
`,
  )
  const env = { ...process.env, NODE_OPTIONS: '--experimental-vm-modules' }
  const jest = join(project, 'node_modules', '.bin', 'jest')
  execFileSync(jest, ['--testMatch', '**/*.test.mjs'], { cwd: project, stdio: 'inherit', env })
  passed += 1
}

/** npm removes packages that were installed without being saved, so each call names all of them. */
function packedFiles(): string[] {
  return readdirSync(project)
    .filter((file) => file.endsWith('.tgz'))
    .map((file) => join(project, file))
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

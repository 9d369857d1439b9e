/** The vectors of SPEC.md against peers of this repository, as `pnpm conformance` runs them, heartbeats included. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import type { Level } from '../../../spec/src/cases.ts'
import { readCases } from '../../../spec/src/cases.ts'
import { runCase } from '../../../spec/src/run-case.ts'
import { createConformanceRouter } from '../../../spec/src/server.ts'
import { needs } from '../../needs.ts'

const pythonPeer = fileURLToPath(new URL('../../python/conformance.py', import.meta.url))
const cases = readCases()

describe('Go, with net/http alone (CONF-1)', () => {
  let program: ChildProcess
  let url: URL

  beforeAll(async () => {
    needs(inject('goProblem'))
    program = spawn(join(inject('goPrograms'), 'conformance'), { stdio: ['pipe', 'pipe', 'inherit'] })
    url = await addressOf(program)
  })

  afterAll(() => stop(program))

  runAll('minimal', () => url)
})

describe('Python, with h2 (CONF-2)', () => {
  let program: ChildProcess
  let url: URL

  beforeAll(async () => {
    needs(inject('pythonProblem'))
    const env = { ...process.env, PYTHONPATH: inject('pythonPath'), PYTHONDONTWRITEBYTECODE: '1' }
    program = spawn(inject('python'), [pythonPeer], { stdio: ['pipe', 'pipe', 'inherit'], env })
    url = await addressOf(program)
  })

  afterAll(() => stop(program))

  runAll('full', () => url)
})

describe('h2channel (CONF-1, CONF-2)', () => {
  const server = createServer()
  let url: URL

  beforeAll(async () => {
    createConformanceRouter().attach(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  })

  afterAll(() => new Promise((resolve) => server.close(resolve)))

  runAll('full', () => url)
})

/** The cases of a level, side by side: some of them wait for half a minute. */
function runAll(level: Level, url: () => URL): void {
  for (const one of cases.filter((any) => any.level === 'minimal' || level === 'full')) {
    test.concurrent(`${one.name} (${one.rules.join(', ')})`, { timeout: 90_000 }, async () => {
      await expect(runCase({ url: url(), level }, one)).resolves.toBeUndefined()
    })
  }
}

async function addressOf({ stdout }: ChildProcess): Promise<URL> {
  if (stdout === null) throw new Error('the program has no output')
  const [line] = (await once(createInterface(stdout), 'line')) as [string]
  return new URL(`http://${(JSON.parse(line) as { readonly address: string }).address}`)
}

async function stop(program: ChildProcess): Promise<void> {
  program.stdin?.end()
  if (program.exitCode === null) await once(program, 'close')
}

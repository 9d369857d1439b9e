import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createConformanceRouter } from '../src/server.ts'

const exec = promisify(execFile)
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const good = createServer()
/** Answers everything with 200, whatever the route. */
const careless = createServer((_request, response) => response.end())

beforeAll(async () => {
  createConformanceRouter().attach(good)
  for (const server of [good, careless]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
})

afterAll(async () => {
  for (const server of [good, careless]) await new Promise((resolve) => server.close(resolve))
})

/** Runs `pnpm conformance` from its source. */
async function conformance(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const all = ['--conditions=@h2channel/source', '--import', 'tsx', main, ...args]
  return exec(process.execPath, all).then(
    (output) => ({ code: 0, ...output }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
}

function addressOf(server: typeof good): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a server that follows the rules passes', async () => {
  const { code, stdout } = await conformance(addressOf(good), '--level', 'minimal', '--only', 'FRAME-4')
  expect(stdout).toMatch(/^\d+ passed, 0 failed: minimal level of version 1\n$/)
  expect(code).toBe(0)
})

test('a server that breaks a rule fails, with the rule and the reason', async () => {
  const { code, stdout } = await conformance(addressOf(careless), '--level', 'minimal', '--only', 'OPEN-3')
  expect(stdout).toContain('FAILED  no content-type (OPEN-3)\n        the status is 200, not 415\n')
  expect(code).toBe(1)
})

test('cases that do not exist are no success', async () => {
  expect((await conformance(addressOf(good), '--only', 'nothing of that name')).code).toBe(1)
})

test('a wrong call explains the right one', async () => {
  const { code, stderr } = await conformance('localhost', '--level', 'most')
  expect(stderr).toContain('usage: pnpm conformance URL')
  expect(code).toBe(2)
})

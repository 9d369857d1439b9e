import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttp1Server } from 'node:http'
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
  const { code, stderr } = await conformance(addressOf(good), '--only', 'nothing of that name')
  expect(stderr).toBe('no case of the full level has "nothing of that name" in its name or rules\n')
  expect(code).toBe(2)
})

test.each([
  ['no URL', [], 'one URL is needed'],
  ['two URLs', ['http://localhost', 'http://localhost'], 'one URL is needed'],
  ['an address without a scheme', ['localhost:8080'], 'localhost:8080 is no http: or https: URL'],
  ['another level', ['http://localhost', '--level', 'most'], 'there is no level most'],
  ['a flag that does not exist', ['http://localhost', '--fast'], "Unknown option '--fast'"],
  ['an authority that cannot be read', ['http://localhost', '--ca', 'no-such.pem'], 'no such file'],
] as const)('a call with %s explains the right one', async (_what, args, reason) => {
  const { code, stdout, stderr } = await conformance(...args)
  expect(stderr).toContain(reason)
  expect(stderr).toContain('\nusage: pnpm conformance URL')
  expect(stderr).not.toContain('    at ')
  expect(stdout).toBe('')
  expect(code).toBe(2)
})

test('a server that does not run is one error', async () => {
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const address = addressOf(gone)
  await new Promise((resolve) => gone.close(resolve))
  const { code, stdout, stderr } = await conformance(address)
  expect(stderr).toMatch(/^cannot connect to http:\/\/127\.0\.0\.1:\d+: connect ECONNREFUSED .*\n$/)
  expect(stdout).toBe('')
  expect(code).toBe(2)
})

test('a server of HTTP/1 is one error', async () => {
  const old = createHttp1Server().listen(0, '127.0.0.1')
  await once(old, 'listening')
  const { code, stderr } = await conformance(`http://127.0.0.1:${(old.address() as AddressInfo).port}`)
  expect(stderr).toMatch(/^cannot connect to .*: it does not speak HTTP\/2\n$/)
  expect(code).toBe(2)
  old.closeAllConnections()
  await new Promise((resolve) => old.close(resolve))
})

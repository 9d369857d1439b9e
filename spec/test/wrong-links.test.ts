/** A server without links: each case that needs one must notice. */
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { readLinkCases } from '../src/cases.ts'
import { runLinkCase } from '../src/run-link-case.ts'
import { createConformanceRouter } from '../src/server.ts'

const server = createServer()
beforeAll(async () => {
  createConformanceRouter({ resume: false }).attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

// It still refuses what is malformed, or unknown.
const needLinks = readLinkCases().filter(({ steps: [first] }) => first && 'open' in first && first.status === undefined)

test.each(needLinks.map((one) => [one.name, one] as const))('a server without links fails: %s', async (_name, one) => {
  const { port } = server.address() as AddressInfo
  const playing = runLinkCase({ url: new URL(`http://127.0.0.1:${port}`), level: 'full' }, one)
  await expect(playing).rejects.toThrow('the header h2channel-link is undefined')
})

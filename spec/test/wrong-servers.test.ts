/** Servers that break a rule in a way that no step looks for, by bytes: every case must notice. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'

import type { Case } from '../src/cases.ts'
import { runCase } from '../src/run-case.ts'

const settings = '000000 04 00 00000000'
const open = '000001 01 04 00000001 88'
const end = '000000 00 01 00000001'
const one: Case = {
  name: 'an end',
  rules: [],
  level: 'minimal',
  request: { ':path': '/' },
  steps: [{ receiveEnd: true }],
}

/** Plays the case against a server that sends these frames, whatever the client does. */
async function play(...frames: readonly string[]): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {}).resume()
    socket.write(Buffer.from([settings, ...frames].join('').replaceAll(' ', ''), 'hex'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    await runCase({ url: new URL(`http://127.0.0.1:${port}`), level: 'full' }, one)
  } finally {
    server.close()
  }
}

test.each([
  ['an end', [open, end]],
  ['an end, and a reset with NO_ERROR', [open, end, '000004 03 00 00000001 00000000']],
])('%s is right', async (_what, frames) => {
  await expect(play(...frames)).resolves.toBeUndefined()
})

test.each([
  [
    'a reset with INTERNAL_ERROR after the end',
    [open, end, '000004 03 00 00000001 00000002'],
    'after its end it reset with code 2',
  ],
  ['two fields content-type', ['000007 01 04 00000001 88 5f0161 5f0162', end], 'it sent the header content-type twice'],
  ['a push', ['000005 05 04 00000001 00000002 82', open, end], 'it sent PUSH_PROMISE'],
])('%s is wrong', async (_what, frames, violation) => {
  await expect(play(...frames)).rejects.toThrow(violation)
})

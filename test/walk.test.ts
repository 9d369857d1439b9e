/** Holds ARCHITECTURE.md's walk of a message equal to the files that a message really passes. */
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { read, root } from './documents.ts'

type Report = { readonly origin?: string; readonly files?: string[]; readonly received?: number }

const peers: ChildProcess[] = []
const passed = { sending: [] as string[], receiving: [] as string[] }

function start(...args: string[]): ChildProcess {
  const execArgv = ['--conditions=@h2channel/source', '--import', 'tsx']
  const peer = fork(join(root, 'test/walk/peer.ts'), args, { cwd: root, execArgv })
  peers.push(peer)
  return peer
}

beforeAll(async () => {
  const receiver = start('receive')
  const [{ origin }] = (await once(receiver, 'message')) as [Report]
  const sender = start('send', origin ?? '')
  const reports = Promise.all([reportOf(sender), reportOf(receiver)])
  receiver.on('message', ({ received }: Report) => {
    if (received !== undefined) sender.send({ received })
  })
  const [sending, receiving] = await reports
  passed.sending = sending
  passed.receiving = receiving
}, 60_000)

afterAll(async () => {
  for (const peer of peers.filter(({ exitCode }) => exitCode === null)) {
    peer.kill()
    await once(peer, 'close')
  }
})

function reportOf(peer: ChildProcess): Promise<string[]> {
  return new Promise((resolve, reject) => {
    peer.on('message', ({ files }: Report) => {
      if (files !== undefined) resolve(files)
    })
    peer.once('close', (code) => reject(new Error(`the peer ended with ${code}`)))
  })
}

/** The files that a column of the walk's table names. */
function namedIn(heading: string): { readonly stations: string[]; readonly helpers: string[] } {
  const [, section = ''] = read('ARCHITECTURE.md').split('\n## How a message travels\n')
  const [walk = ''] = section.split(`\n**${heading}**`).slice(1)
  const [table = ''] = walk.split(/\n\n(?!\|)(?!Helpers)/)
  const [, helpers = ''] = table.split('Helpers:')
  const stations = [...table.matchAll(/^\| \d+ +\| `([\w/.-]+)`/gm)].map((found) => found[1] ?? '')
  return { stations, helpers: [...helpers.matchAll(/`([\w/.-]+\.ts)`/g)].map((found) => found[1] ?? '') }
}

test.each(['sending', 'receiving'] as const)('a message passes the files that the walk names: %s', (side) => {
  const { stations, helpers } = namedIn(side === 'sending' ? 'Sending' : 'Receiving')
  expect([...stations, ...helpers].toSorted()).toEqual(passed[side])
  expect(stations.length).toBeLessThanOrEqual(8)
})

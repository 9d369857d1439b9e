import { createClient } from '@h2channel/channel/client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { Program } from '../../test/program.ts'
import { chat } from '../src/routes.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let server: Program
let url: string

beforeEach(async () => {
  server = Program.run('chat/src/server.ts', ['--port', '0'])
  url = await server.url()
})

afterEach(() => server[Symbol.asyncDispose]())

/** Waits until the member has joined. */
async function join(name: string): Promise<Program> {
  const member = Program.run('chat/src/client.ts', ['--url', url, '--name', name])
  await member.line(/^here: |^no other/)
  return member
}

test('all members receive all messages, and see who joins and leaves', async () => {
  await using ada = await join('ada')
  await using grace = await join('grace')
  await using edsger = await join('edsger')
  expect(ada.lines[0]).toBe('no other member is here')
  expect(grace.lines[0]).toBe('here: ada')
  expect(edsger.lines[0]).toBe('here: ada, grace')
  const members = [ada, grace, edsger]

  ada.write('good morning\n')
  await Promise.all(members.map((member) => member.line(/^ada: good morning$/)))
  grace.write('\tschönen Tag\n')
  await Promise.all(members.map((member) => member.line(/^grace: schönen Tag$/)))

  edsger.kill('SIGKILL')
  await Promise.all([ada, grace].map((member) => member.line(/^\* edsger left$/)))

  // Lines that were typed before the end of the input are still sent.
  ada.end('goodbye\n')
  await ada.exitsWith(0)
  await grace.line(/^\* ada left$/)
  expect(grace.lines.slice(1)).toEqual([
    '* edsger joined',
    'ada: good morning',
    'grace: schönen Tag',
    '* edsger left',
    'ada: goodbye',
    '* ada left',
  ])
})

test('a name belongs to one member at a time', async () => {
  await using ada = await join('ada')
  await using impostor = Program.run('chat/src/client.ts', ['--url', url, '--name', 'ada'])
  await impostor.exitsWith(1)
  expect(impostor.lines).toEqual(['refused: ada is here already'])

  ada.end()
  await ada.exitsWith(0)
  await using next = await join('ada')
  expect(next.lines).toEqual(['no other member is here'])
  next.write('hello\n')
  await next.line(/^ada: hello$/)
})

test('a member without a name is refused', async () => {
  await using client = createClient(url)
  await using channel = await client.open(chat)
  await channel.send({ type: 'say', text: 'hello' })
  expect(await channel.receive()).toEqual({ type: 'refused', reason: 'log in first' })
  expect(await channel.receive()).toBeUndefined()
})

test('an invalid message ends its own channel, and no other', async () => {
  await using ada = await join('ada')
  await using client = createClient(url)
  await using channel = await client.open(chat)
  await channel.send({ type: 'login', name: 'mallory' })
  await channel.send({ type: 'say', text: '\u001B[2J' })
  const receiveAll = async (): Promise<void> => {
    for await (const message of channel) expect(message.type).toBe('welcome')
  }
  await expect(receiveAll()).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
  await ada.line(/^\* mallory left$/)
  ada.write('still here\n')
  await ada.line(/^ada: still here$/)
})

test('a member who reads nothing is dropped, and delays no other member', async () => {
  await using client = createClient(url)
  await using sleeper = await client.open(chat)
  await sleeper.send({ type: 'login', name: 'sleeper' })
  await server.line(/^sleeper joined$/)
  await using talker = await client.open(chat)
  await talker.send({ type: 'login', name: 'talker' })
  expect(await talker.receive()).toEqual({ type: 'welcome', members: ['sleeper'] })

  // Sends a message for each one that it receives, until the sleeper is dropped. The windows and buffers between cannot
  // hold that much.
  const text = 'x'.repeat(2_000)
  let count = 0
  for (;;) {
    await talker.send({ type: 'say', text })
    const heard = await talker.receive()
    if (heard?.type === 'left') break
    expect(heard).toEqual({ type: 'said', name: 'talker', text })
    count += 1
    expect(count).toBeLessThan(10_000)
  }
  expect(count * text.length).toBeGreaterThan(256 * 1024)
  expect(await sleeper.closed).toMatchObject({ clean: false, error: { code: 'PEER_ABORTED' } })
})

test('a client prints why it cannot join, and notices when the server stops', async () => {
  await using ada = await join('ada')
  server.kill()
  await ada.exitsWith(1)
  expect(ada.output).toMatch(/^CONN_LOST: /m)
  await using grace = Program.run('chat/src/client.ts', ['--url', url, '--name', 'grace'])
  await grace.exitsWith(1)
  expect(grace.output).toMatch(/^CONNECT_FAILED: /m)
})

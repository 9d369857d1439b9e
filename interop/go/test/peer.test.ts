import type { ServerChannel } from '@h2channel/channel'
import { createRouter } from '@h2channel/channel/server'
import type { TestServer } from '@h2channel/conn/testing'
import { listen } from '@h2channel/conn/testing'
import { createSecureServer, createServer } from 'node:http2'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { Chatter } from '../../chat/src/chatter.ts'
import { chat } from '../../chat/src/routes.ts'
import { needs } from '../../needs.ts'
import * as support from './support.ts'
import { mebibyte } from './support.ts'

needs(inject('goProblem'))

type Channel = ServerChannel<typeof chat>

const numbers = Array.from({ length: 500 }, (_, n) => n)
const worlds = support.transports.flatMap((transport) => ['json', 'msgpack'].map((codec) => ({ transport, codec })))

describe.each(worlds)('a peer in Go without h2conn, $codec, $transport', ({ transport, codec }) => {
  let files: support.CertificateFiles | undefined
  let server: TestServer
  let handle: (channel: Channel) => Promise<void>

  beforeAll(async () => {
    files = await support.certificateFor(transport)
    const node = files === undefined ? createServer() : createSecureServer({ ...files.pem })
    createRouter({ limits: { maxMessageBytes: 8 * mebibyte }, onError: () => {} })
      .handle(chat, (channel) => handle(channel))
      .attach(node)
    server = await listen(node, files?.pem)
  })

  afterAll(() => server.close())

  /** Starts the program. `handler` gets its channel. */
  function start(handler: (channel: Channel) => Promise<void>, format = codec): Chatter {
    handle = handler
    const args = [`${server.origin}/chat`, `application/vnd.h2channel+${format}`]
    // Go trusts the certificates in this file instead of the system's.
    const trust = files === undefined ? {} : { SSL_CERT_FILE: files.cert }
    return new Chatter(join(inject('goPrograms'), 'peer'), args, trust)
  }

  test('both send at once; then the peer ends its half, and receives what is sent after that', async () => {
    const received: string[] = []
    let channel: Channel | undefined
    await using peer = start(async (opened) => {
      channel = opened
      const say = async (): Promise<void> => {
        for (const n of numbers) await opened.send({ from: 'node', text: `${support.trickyText} ${n}` })
      }
      const hear = async (): Promise<void> => {
        for await (const { text } of opened) received.push(text)
      }
      await Promise.all([say(), hear()])
      await opened.send({ from: 'node', text: `${received.length} messages` })
    })
    const say = async (): Promise<void> => {
      for (const n of numbers) await peer.say(`${support.trickyText} ${n}`)
      peer.end()
    }
    const [heard] = await Promise.all([peer.hearAll(), say()])
    const expected = numbers.map((n) => `${support.trickyText} ${n}`)
    expect(received).toEqual(expected)
    expect(heard).toEqual([...expected, '500 messages'].map((text) => `node: ${text}`))
    expect(await peer.over()).toEqual({ code: 0, complaint: '' })
    expect(await channel?.closed).toEqual({ clean: true })
  })

  test('each waits for the other, a hundred times', async () => {
    await using peer = start(async (channel) => {
      for await (const { text } of channel) await channel.send({ from: 'echo', text })
    })
    for (const n of numbers.slice(0, 100)) {
      await peer.say(`round ${n}`)
      expect(await peer.hear()).toBe(`echo: round ${n}`)
    }
    peer.end()
    expect(await peer.hear()).toBeUndefined()
    expect(await peer.over()).toEqual({ code: 0, complaint: '' })
  })

  test('the peer sends nothing and ends its half: it still receives', async () => {
    await using peer = start(async (channel) => {
      expect(await channel.receive()).toBeUndefined()
      for (const text of ['a', '', 'c']) await channel.send({ from: 'node', text })
    })
    peer.end()
    expect(await peer.hearAll()).toEqual(['node: a', 'node: ', 'node: c'])
    expect(await peer.over()).toEqual({ code: 0, complaint: '' })
  })

  test('the server ends first: the peer receives everything, and the end', async () => {
    await using peer = start(async (channel) => {
      for (const text of ['a', 'b']) await channel.send({ from: 'node', text })
    })
    expect(await peer.hearAll()).toEqual(['node: a', 'node: b'])
    expect(await peer.over()).toEqual({ code: 0, complaint: '' })
  })

  test('large messages', async () => {
    const large = 'größer '.repeat(6_000)
    const larger = 'größer '.repeat(400_000)
    const received: string[] = []
    await using peer = start(async (channel) => {
      await channel.send({ from: 'node', text: larger })
      for await (const { text } of channel) received.push(text)
    })
    await peer.say(large)
    peer.end()
    expect(await peer.hear()).toBe(`node: ${larger}`)
    expect(await peer.over()).toEqual({ code: 0, complaint: '' })
    expect(received).toEqual([large])
  })

  test('the peer refuses a message over its limit', async () => {
    await using peer = start((channel) => channel.send({ from: 'node', text: 'x'.repeat(5 * mebibyte) }))
    const { code, complaint } = await peer.over()
    expect(code).toBe(1)
    expect(complaint).toMatch(/aborted: .* length 52429\d\d/)
  })

  test('a failure of the handler is not a clean end for the peer', async () => {
    await using peer = start(async (channel) => {
      await channel.send({ from: 'node', text: 'a' })
      await channel.receive()
      throw new Error('a secret')
    })
    // Without control frames only a reset reports it, and that overtakes messages that are still under way.
    expect(await peer.hear()).toBe('node: a')
    await peer.say('now')
    const { code, complaint } = await peer.over()
    expect(code).toBe(1)
    expect(complaint).toMatch(/aborted: .*INTERNAL_ERROR/)
  })

  test('a format that the route does not have', async () => {
    await using peer = start(() => Promise.resolve(), 'struct')
    const { code, complaint } = await peer.over()
    expect(code).toBe(1)
    expect(complaint).toMatch(/refused: 415/)
  })
})

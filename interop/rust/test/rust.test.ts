import { Channel } from '@h2channel/channel'
import type { Codec } from '@h2channel/codecs'
import { json, msgpack } from '@h2channel/codecs'
import { fromDuplex } from '@h2channel/conn'
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { Chatter } from '../../chat/src/chatter.ts'
import { ChatServer } from '../../chat/src/start.ts'
import { needs } from '../../needs.ts'

needs(inject('rustProblem'))

interface Said {
  readonly text: string
}

interface Heard {
  readonly from: string
  readonly text: string
}

const mebibyte = 1024 * 1024
const tricky = '<b> & "größer" \\ \u2028 😀'
const numbers = Array.from({ length: 500 }, (_, n) => n)

const codecs: readonly { readonly codec: string; make<T>(): Codec<T> }[] = [
  { codec: 'json', make: json },
  { codec: 'msgpack', make: msgpack },
]

test('the peer and the server of docs/guides/other-languages.md', async () => {
  await using own = await ChatServer.start('tcp.ts')
  await using peer = new Chatter(inject('rustPeer'), [`127.0.0.1:${own.port}`, 'json'])
  await peer.say(tricky)
  expect(await peer.hear()).toBe(`echo: ${tricky}`)
  peer.end()
  expect(await peer.hear()).toBeUndefined()
  expect(await peer.over()).toEqual({ code: 0, complaint: '' })
})

describe.each(codecs)("a peer in Rust with tokio-util's LengthDelimitedCodec, $codec", ({ codec, make }) => {
  let server: Server

  beforeAll(async () => {
    server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })

  afterAll(async () => {
    server.close()
    await once(server, 'close')
  })

  /** Starts the program, and makes a channel of its connection. */
  async function meet(): Promise<{
    peer: Chatter
    channel: Channel<Heard, Said>
    [Symbol.asyncDispose](): Promise<void>
  }> {
    const { port } = server.address() as AddressInfo
    const connected = once(server, 'connection') as Promise<[Socket]>
    const peer = new Chatter(inject('rustPeer'), [`127.0.0.1:${port}`, codec])
    const [socket] = await connected
    const limits = { maxMessageBytes: 8 * mebibyte }
    const channel = new Channel(fromDuplex(socket), { send: make<Heard>(), receive: make<Said>(), limits })
    const dispose = async (): Promise<void> => {
      channel.abort()
      await peer[Symbol.asyncDispose]()
    }
    return { peer, channel, [Symbol.asyncDispose]: dispose }
  }

  test('both send at once; then the peer ends its half, and receives what is sent after that', async () => {
    await using met = await meet()
    const { peer, channel } = met
    const expected = numbers.map((n) => `${tricky} ${n}`)
    const received: string[] = []
    const say = async (): Promise<void> => {
      for (const text of expected) await channel.send({ from: 'node', text })
    }
    const hear = async (): Promise<void> => {
      for await (const { text } of channel) received.push(text)
    }
    const talk = async (): Promise<void> => {
      await Promise.all([say(), hear()])
      await channel.send({ from: 'node', text: `${received.length} messages` })
      await channel.close()
    }
    const feed = async (): Promise<void> => {
      for (const text of expected) await peer.say(text)
      peer.end()
    }
    const [heard] = await Promise.all([peer.hearAll(), feed(), talk()])
    expect(received).toEqual(expected)
    expect(heard).toEqual([...expected, '500 messages'].map((text) => `node: ${text}`))
    expect(await peer.over()).toEqual({ code: 0, complaint: '' })
    expect(await channel.closed).toEqual({ clean: true })
  })

  test('each waits for the other, a hundred times', async () => {
    await using met = await meet()
    for (const n of numbers.slice(0, 100)) {
      await met.peer.say(`round ${n}`)
      expect(await met.channel.receive()).toEqual({ text: `round ${n}` })
      await met.channel.send({ from: 'node', text: `answer ${n}` })
      expect(await met.peer.hear()).toBe(`node: answer ${n}`)
    }
  })

  test('the server ends its half first: what the peer sends after that still arrives', async () => {
    await using met = await meet()
    await met.channel.send({ from: 'node', text: 'a' })
    await met.channel.end()
    expect(await met.peer.hear()).toBe('node: a')
    for (const text of ['b', 'c']) {
      await met.peer.say(text)
      expect(await met.channel.receive()).toEqual({ text })
    }
    met.peer.end()
    expect(await met.channel.receive()).toBeUndefined()
    expect(await met.peer.over()).toEqual({ code: 0, complaint: '' })
    expect(await met.channel.closed).toEqual({ clean: true })
  })

  test('messages of 3 MiB, one after the other', async () => {
    await using met = await meet()
    for (const piece of ['größer ', '😀']) {
      const text = piece.repeat(Math.floor((3 * mebibyte) / Buffer.byteLength(piece)))
      const [heard, received] = await Promise.all([
        met.peer.hear(),
        met.channel.receive(),
        met.peer.say(text),
        met.channel.send({ from: 'node', text }),
      ])
      expect(heard === `node: ${text}`).toBe(true)
      expect(received?.text === text).toBe(true)
    }
  })

  test('an empty text is a message too', async () => {
    await using met = await meet()
    await met.peer.say('')
    expect(await met.channel.receive()).toEqual({ text: '' })
    await met.channel.send({ from: '', text: '' })
    expect(await met.peer.hear()).toBe(': ')
  })

  test('the peer refuses a frame over its limit', async () => {
    await using met = await meet()
    await met.channel.send({ from: 'node', text: 'x'.repeat(5 * mebibyte) }).catch(() => {})
    const { code, complaint } = await met.peer.over()
    expect(code).toBe(1)
    expect(complaint).toMatch(/aborted: .*frame size too big/)
  })

  test('abort() is not a clean end for the peer', async () => {
    await using met = await meet()
    await met.channel.send({ from: 'node', text: 'a' })
    expect(await met.peer.hear()).toBe('node: a')
    met.channel.abort()
    const { code, complaint } = await met.peer.over()
    expect(code).toBe(1)
    expect(complaint).toMatch(/aborted: .*reset/i)
  })
})

import { defineRoute } from '@h2channel/channel'
import { createRouter } from '@h2channel/channel/server'
import type { RunningServer } from '@h2channel/channel/testing'
import { startServer } from '@h2channel/channel/testing'
import { json } from '@h2channel/codecs'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { z } from 'zod'

import { serveFeeds, Topic } from '../src/fan-out.ts'
import { sendFeed } from '../src/server-sent-events.ts'
import { bridge } from '../src/websocket-bridge.ts'

const Line = z.object({ text: z.string() })
const chat = defineRoute('/chat', { client: json(Line), server: json(Line) })
const page = 'https://shop.example'

/** An HTTP/1 server, as a gateway has it. */
async function startGateway(listener?: RequestListener) {
  const http = createServer(listener).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  return {
    http,
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(http, 'close')
      http.close()
      http.closeAllConnections()
      await closed
    },
  }
}

async function startChat() {
  const ends: unknown[] = []
  const cookies: unknown[] = []
  const router = createRouter({ onError: () => {} }).handle(chat, async (channel, { headers }) => {
    cookies.push(headers.cookie)
    void channel.closed.then((closed) => ends.push(closed))
    for await (const message of channel) {
      if (message.text === 'end') return
      await channel.send({ text: message.text.toUpperCase() })
    }
  })
  const server: RunningServer = await startServer(router)
  const gateway = await startGateway()
  const sockets = bridge(gateway.http, '/chat', new Set([page]), server.client())
  const connect = (origin = page): WebSocket =>
    new WebSocket(`ws://${gateway.host}/chat`, { origin, headers: { cookie: 'user=ada' } })
  return {
    connect,
    ends,
    cookies,
    router,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate()
      await gateway[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

const textOf = async (socket: WebSocket): Promise<unknown> => JSON.parse(String((await once(socket, 'message'))[0]))
const endOf = async (socket: WebSocket): Promise<[number, string]> => {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
  return [code, String(reason)]
}

test('a WebSocket carries messages both ways, with the cookie', async () => {
  await using at = await startChat()
  const socket = at.connect()
  await once(socket, 'open')
  for (const text of ['one', 'two']) {
    const answer = textOf(socket)
    socket.send(JSON.stringify({ text }))
    expect(await answer).toEqual({ text: text.toUpperCase() })
  }
  expect(at.cookies).toEqual(['user=ada'])
  socket.send(JSON.stringify({ text: 'end' }))
  expect(await endOf(socket)).toEqual([1000, ''])
  await expect.poll(() => at.ends).toEqual([{ clean: true }])
})

test('a browser that leaves ends its channel', async () => {
  await using at = await startChat()
  const socket = at.connect()
  await once(socket, 'open')
  const answer = textOf(socket)
  socket.send(JSON.stringify({ text: 'one' }))
  await answer
  socket.close()
  await expect.poll(() => at.ends).toEqual([{ clean: true }])
})

test('the close frame of the WebSocket says why the channel ended', async () => {
  await using at = await startChat()
  const send = async (text: string): Promise<[number, string]> => {
    const socket = at.connect()
    await once(socket, 'open')
    socket.send(text)
    return endOf(socket)
  }
  expect(await send('{')).toEqual([1007, 'not JSON'])
  expect(await send('{"text":5}')).toEqual([1011, 'INVALID_MESSAGE'])
  await at.router.drain()
  expect(await send('{"text":"late"}')).toEqual([1011, 'REFUSED'])
}, 30_000)

test('a page of another origin gets no WebSocket', async () => {
  await using at = await startChat()
  const [error] = (await once(at.connect('https://evil.example'), 'error')) as [Error]
  expect(error.message).toContain('401')
  expect(at.cookies).toEqual([])
})

test('server-sent events carry a feed, and resume behind the last event', async () => {
  const topic = new Topic()
  const router = createRouter()
  serveFeeds(router, new Map([['news', topic]]))
  await using server = await startServer(router)
  const client = server.client()
  await using gateway = await startGateway((request, response) => {
    sendFeed(client, 'news', request, response).catch(() => response.destroy())
  })
  const read = async (count: number, headers: Record<string, string> = {}): Promise<string> => {
    const controller = new AbortController()
    const response = await fetch(`http://${gateway.host}/`, { headers, signal: controller.signal })
    let text = ''
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString()
      if (text.split('\n\n').length > count) break
    }
    controller.abort()
    return text
  }
  topic.publish('one')
  topic.publish('two')
  const id = (seq: number): string => `${topic.epoch}:${seq}`
  expect(await read(2)).toBe(`id: ${id(1)}\ndata: "one"\n\nid: ${id(2)}\ndata: "two"\n\n`)
  const next = read(1, { 'last-event-id': id(2) })
  topic.publish('three')
  expect(await next).toBe(`id: ${id(3)}\ndata: "three"\n\n`)
  await expect.poll(() => router.channels).toBe(0)
})

/** h2channel as its README shows it: a route, a router attached to a server, a client, `send` and `for await`. */
import type { Channel, Framing } from '@h2channel/channel'
import { defineRoute, fixedLength } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import type { Codec } from '@h2channel/codecs'
import { bool, bytes, choice, f64, json, msgpack, struct, u16, u32 } from '@h2channel/codecs'
import { createServer } from 'node:http2'
import { z } from 'zod'

import type { Message, Trade } from '../message.ts'
import { Tally } from '../message.ts'
import { listen } from './listen.ts'
import type { Echo, Peer } from './peer.ts'
import { given } from './peer.ts'

const Checked = z.object({ id: z.number(), user: z.string(), text: z.string(), ts: z.number() })

const chunks = defineRoute('/chunks', { client: bytes(), server: json<Message>() })

/** A message that carries bytes, for the codec that has them. */
interface Piece {
  readonly data: Uint8Array
}

export const oursJson: Peer = ours(json<Message>())
export const oursZod: Peer = ours(json(Checked))
export const oursMsgpack: Peer = ours(msgpack<Message>())

function ours(codec: Codec<Message>): Peer {
  const collect = defineRoute('/collect', { client: codec, server: codec })
  const echo = defineRoute('/echo', { client: codec, server: codec })
  const pieces = defineRoute('/pieces', { client: msgpack<Piece>(), server: codec })
  return {
    async serve() {
      const server = createServer()
      createRouter()
        .handle(collect, async (channel) => {
          const tally = new Tally()
          for await (const message of channel) tally.add(message)
          await channel.send(tally.answer())
        })
        .handle(pieces, async (channel) => {
          const tally = new Tally()
          for await (const { data } of channel) tally.addBytes(data)
          await channel.send(tally.answer())
        })
        .handle(echo, async (channel) => {
          for await (const message of channel) await channel.send(message)
        })
        .attach(server)
      return listen(server)
    },
    async connect(port) {
      const client = createClient(`http://127.0.0.1:${port}`)
      return {
        collect: async (messages) => sendAll(await client.open(collect), messages),
        collectBytes: async (all) => {
          const channel = await client.open(pieces)
          for (const data of all) await channel.send({ data })
          return answerOf(channel)
        },
        echo: async () => echoOf(await client.open(echo)),
      }
    },
  }
}

async function sendAll<T, A>(channel: Channel<T, A>, messages: Iterable<T>): Promise<A> {
  for (const message of messages) await channel.send(message)
  return answerOf(channel)
}

async function answerOf<T, A>(channel: Channel<T, A>): Promise<A> {
  await channel.end()
  const answer = await channel.receive()
  await channel.close()
  return given(answer)
}

function echoOf(channel: Channel<Message, Message>): Echo {
  return {
    async send(messages) {
      for (const message of messages) await channel.send(message)
    },
    async receive(take) {
      for await (const message of channel) take(message)
    },
    async ask(message) {
      await channel.send(message)
      return given(await channel.receive())
    },
    end: () => channel.end(),
  }
}

/** Messages that are bytes and nothing else. */
export const oursBytes: Peer = {
  async serve() {
    const server = createServer()
    createRouter()
      .handle(chunks, async (channel) => {
        const tally = new Tally()
        for await (const chunk of channel) tally.addBytes(chunk)
        await channel.send(tally.answer())
      })
      .attach(server)
    return listen(server)
  },
  async connect(port) {
    const client = createClient(`http://127.0.0.1:${port}`)
    return { collectBytes: async (pieces) => sendAll(await client.open(chunks), pieces) }
  },
}

export const oursStruct: Peer = oursTrades()
/** Without the prefix that says how long each is. */
export const oursFixed: Peer = oursTrades(fixedLength(16))

function oursTrades(framing?: Framing): Peer {
  const trade = struct({ id: u32, price: f64, quantity: u16, side: choice('buy', 'sell'), last: bool })
  const route = defineRoute('/trades', { client: trade, server: trade, ...(framing && { framing }) })
  return {
    async serve() {
      const server = createServer()
      createRouter()
        .handle(route, async (channel) => {
          const tally = new Tally()
          for await (const one of channel) tally.addTrade(one)
          const { id, ts } = tally.answer()
          await channel.send({ id, price: ts, quantity: 0, side: 'buy', last: true })
        })
        .attach(server)
      return listen(server)
    },
    async connect(port) {
      const client = createClient(`http://127.0.0.1:${port}`)
      return {
        async collectTrades(trades: Iterable<Trade>) {
          const channel = await client.open(route)
          for (const one of trades) await channel.send(one)
          const { id, price } = await answerOf(channel)
          return { id, user: 'sum', text: '', ts: price }
        },
      }
    },
  }
}

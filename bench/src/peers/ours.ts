/** h2channel as its README shows it: a route, a router attached to a server, a client, `send` and `for await`. */
import type { Channel, Framing, ServerChannel } from '@h2channel/channel'
import { defineRoute, fixedLength } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import type { Client } from '@h2channel/channel/client'
import { createRouter } from '@h2channel/channel/server'
import type { Codec } from '@h2channel/codecs'
import { bool, bytes, ByteWriter, choice, f64, json, msgpack, struct, u16, u32 } from '@h2channel/codecs'
import { connLimits } from '@h2channel/conn'
import type { Certificate } from '@h2channel/conn/testing'
import type { Http2SecureServer, Http2Server } from 'node:http2'
import { createSecureServer, createServer } from 'node:http2'

import type { Message, Trade } from '../message.ts'
import { greeting, Tally } from '../message.ts'
import { Checked } from './checked.ts'
import { listen } from './listen.ts'
import type { Echo, Peer } from './peer.ts'
import { given, shared } from './peer.ts'

/** As conn's README recommends: by default, Node 24 does not allow 10,000 streams on one connection. */
const roomy = { maxSessionMemory: connLimits.sessionMemory }

function serverOf(certificate?: Certificate): Http2Server | Http2SecureServer {
  return certificate === undefined ? createServer(roomy) : createSecureServer({ ...roomy, ...certificate })
}

function clientOf(port: number, ca?: string, resume = false): Client {
  if (ca === undefined) return createClient(`http://127.0.0.1:${port}`, { resume })
  return createClient(`https://127.0.0.1:${port}`, { tls: { ca }, resume })
}

const chunks = defineRoute('/chunks', { client: bytes(), server: json<Message>() })

/** A message that carries bytes, for codecs that support them. */
interface Piece {
  readonly data: Uint8Array
}

/** How many messages are sent and received. */
interface Style {
  send<S, R>(channel: Channel<S, R>, messages: Iterable<S>): Promise<void>
  receive<S, R>(channel: Channel<S, R>, take: (message: R) => void): Promise<void>
  echo<M>(channel: Channel<M, M>): Promise<void>
}

const eachByItself: Style = {
  async send(channel, messages) {
    for (const message of messages) await channel.send(message)
  },
  async receive(channel, take) {
    for await (const message of channel) take(message)
  },
  async echo(channel) {
    for await (const message of channel) await channel.send(message)
  },
}

const manyAtATime: Style = {
  send: (channel, messages) => channel.sendAll(messages),
  async receive(channel, take) {
    for await (const batch of channel.batches()) for (const message of batch) take(message)
  },
  async echo(channel) {
    for await (const batch of channel.batches()) await channel.sendAll(batch)
  },
}

export const oursJson: Peer = ours(json<Message>())
export const oursBatches: Peer = ours(json<Message>(), manyAtATime)
export const oursZod: Peer = ours(json(Checked))
export const oursUncompiled: Peer = ours(json(Checked, { compile: false }))
export const oursMsgpack: Peer = ours(msgpack<Message>())
/** Channels that would outlive their connections. */
export const oursResume: Peer = ours(json<Message>(), eachByItself, true)

function ours(codec: Codec<Message>, style = eachByItself, resume = false): Peer {
  const collect = defineRoute('/collect', { client: codec, server: codec })
  const echo = defineRoute('/echo', { client: codec, server: codec })
  const ask = defineRoute('/ask', { client: codec, server: codec })
  const pieces = defineRoute('/pieces', { client: msgpack<Piece>(), server: codec })
  const feed = defineRoute('/feed', { client: codec, server: codec })
  // As docs/guides/fan-out.md shows: what is encoded once is sent to all.
  const encoded: Codec<Uint8Array> = { ...bytes(), name: codec.name, contentType: codec.contentType, line: true }
  const encodedFeed = defineRoute('/feed', { client: codec, server: encoded })
  const receivers = new Set<ServerChannel<typeof encodedFeed>>()
  return {
    async serve(certificate) {
      const server = serverOf(certificate)
      createRouter({ resume })
        .handle(encodedFeed, async (channel) => {
          receivers.add(channel)
          await channel.send(encode(codec, greeting))
          // Until the client ends.
          await channel.receive()
          receivers.delete(channel)
        })
        .handle(collect, async (channel) => {
          const tally = new Tally()
          await style.receive(channel, (message) => tally.add(message))
          await channel.send(tally.answer())
        })
        .handle(pieces, async (channel) => {
          const tally = new Tally()
          for await (const { data } of channel) tally.addBytes(data)
          await channel.send(tally.answer())
        })
        .handle(echo, (channel) => style.echo(channel))
        .answer(ask, async (message) => message)
        .attach(server)
      return listen(server)
    },
    publish(message) {
      const update = encode(codec, message)
      for (const channel of receivers) channel.send(update).catch((error: unknown) => channel.abort(error))
    },
    async connect(port, ca) {
      const client = clientOf(port, ca, resume)
      const groups = new Map<number, Client>()
      return {
        collect: async (messages) => collectOver(await client.open(collect), messages, style),
        collectBytes: async (all) => {
          const channel = await client.open(pieces)
          for (const data of all) await channel.send({ data })
          return answerOf(channel)
        },
        echo: async () => echoOf(await client.open(echo), style),
        call: (message) => client.call(ask, message),
        async exchange(message) {
          const channel = await client.open(echo)
          await channel.send(message)
          const answer = await channel.receive()
          await channel.close()
          return given(answer)
        },
        async subscribe(group, take) {
          const channel = await shared(groups, group, () => clientOf(port, ca)).open(feed)
          await channel.receive()
          void (async () => {
            for await (const message of channel) take(message)
          })()
        },
      }
    },
  }
}

function encode(codec: Codec<Message>, message: Message): Uint8Array {
  const out = new ByteWriter()
  codec.encode(message, out)
  return out.written().slice()
}

async function collectOver<T, A>(channel: Channel<T, A>, messages: Iterable<T>, style = eachByItself): Promise<A> {
  await style.send(channel, messages)
  return answerOf(channel)
}

async function answerOf<T, A>(channel: Channel<T, A>): Promise<A> {
  await channel.end()
  const answer = await channel.receive()
  await channel.close()
  return given(answer)
}

function echoOf(channel: Channel<Message, Message>, style: Style): Echo {
  return {
    send: (messages) => style.send(channel, messages),
    receive: (take) => style.receive(channel, take),
    async ask(message) {
      await channel.send(message)
      return given(await channel.receive())
    },
    end: () => channel.end(),
  }
}

export const oursBytes: Peer = oursOfBytes(false)
export const oursBytesResume: Peer = oursOfBytes(true)

/** Messages that consist of bytes alone. */
function oursOfBytes(resume: boolean): Peer {
  return {
    async serve(certificate) {
      const server = serverOf(certificate)
      createRouter({ resume })
        .handle(chunks, async (channel) => {
          const tally = new Tally()
          for await (const chunk of channel) tally.addBytes(chunk)
          await channel.send(tally.answer())
        })
        .attach(server)
      return listen(server)
    },
    async connect(port, ca) {
      const client = clientOf(port, ca, resume)
      return { collectBytes: async (pieces) => collectOver(await client.open(chunks), pieces) }
    },
  }
}

export const oursStruct: Peer = oursTrades()
/** Without the length prefix of each message. */
export const oursFixed: Peer = oursTrades(fixedLength(16))
export const oursFixedBatches: Peer = oursTrades(fixedLength(16), manyAtATime)

function oursTrades(framing?: Framing, style = eachByItself): Peer {
  const trade = struct({ id: u32, price: f64, quantity: u16, side: choice('buy', 'sell'), last: bool })
  const route = defineRoute('/trades', { client: trade, server: trade, ...(framing && { framing }) })
  return {
    async serve() {
      const server = serverOf()
      createRouter()
        .handle(route, async (channel) => {
          const tally = new Tally()
          await style.receive(channel, (one) => tally.addTrade(one))
          const { id, ts } = tally.answer()
          await channel.send({ id, price: ts, quantity: 0, side: 'buy', last: true })
        })
        .attach(server)
      return listen(server)
    },
    async connect(port) {
      const client = clientOf(port)
      return {
        async collectTrades(trades: Iterable<Trade>) {
          const { id, price } = await collectOver(await client.open(route), trades, style)
          return { id, user: 'sum', text: '', ts: price }
        },
      }
    },
  }
}

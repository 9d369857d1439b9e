/** Connect for Node over HTTP/2, with generated code, async iterables, and either of its two encodings. */
import type { ServiceImpl } from '@connectrpc/connect'
import { createClient } from '@connectrpc/connect'
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node'
import { createSecureServer, createServer } from 'node:http2'

import type { Message } from '../message.ts'
import { Tally } from '../message.ts'
import { listen } from './listen.ts'
import { Bench } from './message_pb.ts'
import type { Peer } from './peer.ts'
import { given } from './peer.ts'

export const connectProtobuf: Peer = connect(true)
export const connectJson: Peer = connect(false)

const service: ServiceImpl<typeof Bench> = {
  async collect(messages) {
    const tally = new Tally()
    for await (const message of messages) tally.add(message)
    return tally.answer()
  },
  async collectBytes(pieces) {
    const tally = new Tally()
    for await (const { data } of pieces) tally.addBytes(data)
    return tally.answer()
  },
  async *echo(messages) {
    yield* messages
  },
  ask: (message) => message,
}

function connect(useBinaryFormat: boolean): Peer {
  return {
    serve(certificate) {
      // Many channels need this option: Node 24 would refuse 10,000 of them.
      const options = { maxSessionMemory: 1_024 }
      const adapter = connectNodeAdapter({ routes: (router) => router.service(Bench, service) })
      if (certificate === undefined) return listen(createServer(options, adapter))
      return listen(createSecureServer({ ...options, ...certificate }, adapter))
    },
    async connect(port, ca) {
      const baseUrl = `${ca === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
      const nodeOptions = ca === undefined ? {} : { ca }
      const transport = createConnectTransport({ baseUrl, httpVersion: '2', useBinaryFormat, nodeOptions })
      const client = createClient(Bench, transport)
      return {
        async collect(messages) {
          return client.collect(eachOf(messages))
        },
        async collectBytes(pieces) {
          return client.collectBytes(eachPiece(pieces))
        },
        async echo() {
          const outgoing = new Outgoing()
          const incoming = client.echo(outgoing.all())[Symbol.asyncIterator]()
          return {
            send: (messages) => outgoing.send(messages),
            async receive(take) {
              for (let next = await incoming.next(); next.done !== true; next = await incoming.next()) take(next.value)
            },
            async ask(message) {
              const [next] = await Promise.all([incoming.next(), outgoing.send([message])])
              return given(next.done === true ? undefined : next.value)
            },
            end: () => outgoing.end(),
          }
        },
        call: (message) => client.ask(message),
        async exchange(message) {
          const outgoing = new Outgoing()
          const incoming = client.echo(outgoing.all())[Symbol.asyncIterator]()
          const [first] = await Promise.all([incoming.next(), outgoing.send([message])])
          await Promise.all([incoming.next(), outgoing.end()])
          return given(first.done === true ? undefined : first.value)
        },
      }
    },
  }
}

async function* eachOf(messages: Iterable<Message>): AsyncIterable<Message> {
  yield* messages
}

async function* eachPiece(pieces: Iterable<Uint8Array>): AsyncIterable<{ data: Uint8Array<ArrayBuffer> }> {
  for (const data of pieces) yield { data: data as Uint8Array<ArrayBuffer> }
}

/** The messages that a call sends over time, as one iterable. */
class Outgoing {
  #hand: (messages: Iterable<Message> | undefined) => void = () => {}
  #handed: Promise<Iterable<Message> | undefined> = this.#next()
  #sent: () => void = () => {}

  send(messages: Iterable<Message>): Promise<void> {
    return new Promise((resolve) => {
      this.#sent = resolve
      this.#hand(messages)
    })
  }

  async end(): Promise<void> {
    this.#hand(undefined)
  }

  async *all(): AsyncIterable<Message> {
    for (let messages = await this.#handed; messages !== undefined; messages = await this.#handed) {
      yield* messages
      this.#handed = this.#next()
      this.#sent()
    }
  }

  #next(): Promise<Iterable<Message> | undefined> {
    return new Promise((resolve) => {
      this.#hand = resolve
    })
  }
}

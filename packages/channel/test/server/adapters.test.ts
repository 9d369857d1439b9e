/** Conns that keep or transfer the memory that a channel writes, without an effect on other channels. */
import { json } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn'
import { fromDuplex, toDuplex } from '@h2channel/conn'
import { fromWebStreams, pipe, toWebStreams } from '@h2channel/conn/web'
import { startServer } from '@h2channel/conn/testing'
import type { AddressInfo } from 'node:net'
import { connect as connectSocket, createServer } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'

import { Channel, lengthPrefixed } from '../../src/index.ts'
import { deferred, failOnUnhandledRejections, nextBody, settled } from '../support/support.ts'

failOnUnhandledRejections()

/** A destination of written bytes: `take` gets each chunk, and may keep or transfer it when `later` resolves. */
interface Place {
  readonly conn: Conn
  /** What arrived there, in order. */
  readonly chunks: Uint8Array[]
}

/** Copies a chunk, and detaches its memory. */
function transferred(chunk: Uint8Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = chunk
  const moved = structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
  return new Uint8Array(moved, byteOffset, byteLength)
}

const places: Record<string, (later: Promise<void>) => Place> = {
  'a web stream whose sink transfers its chunks later': (later) => {
    const chunks: Uint8Array[] = []
    const writable = new WritableStream<Uint8Array>(
      {
        async write(chunk) {
          await later
          chunks.push(transferred(chunk))
        },
      },
      { highWaterMark: 16 },
    )
    return { chunks, conn: fromWebStreams({ readable: new ReadableStream(), writable }) }
  },
  'a web stream that has taken its chunks before it transfers them': (later) => {
    const chunks: Uint8Array[] = []
    const writable = new WritableStream<Uint8Array>({
      write(chunk) {
        const index = chunks.push(chunk) - 1
        void later.then(() => {
          chunks[index] = transferred(chunk)
        })
      },
    })
    return { chunks, conn: fromWebStreams({ readable: new ReadableStream(), writable }) }
  },
  'a Node stream that has taken its chunks before it transfers them': (later) => {
    const chunks: Uint8Array[] = []
    const stream = new Duplex({
      read() {},
      write(chunk: Uint8Array, _encoding, done) {
        const index = chunks.push(chunk) - 1
        void later.then(() => {
          chunks[index] = transferred(chunk)
        })
        done()
      },
    })
    return { chunks, conn: fromDuplex(stream) }
  },
}

function messagesOf(chunks: readonly Uint8Array[]): unknown[] {
  const decoder = lengthPrefixed().decoder(1_000_000)
  const messages: unknown[] = []
  for (const chunk of chunks) {
    decoder.push(chunk)
    for (let body = nextBody(decoder); body !== null; body = nextBody(decoder)) {
      messages.push(JSON.parse(new TextDecoder().decode(body)))
    }
  }
  return messages
}

const sizes = [3, 900, 20_000, 66_000, 300_000]

/** The text of one channel in one turn. All texts differ. */
function textOf(name: string, turn: number): string {
  return `${name} ${turn} `.repeat(Math.ceil((sizes[turn % sizes.length] ?? 1) / 8))
}

describe.each(Object.keys(places))('%s', (name) => {
  test('does not affect channels that write in the same turns', async () => {
    const ready = deferred()
    const place = places[name]?.(ready.promise)
    if (place === undefined) throw new Error('there is one')
    const keeping = new Channel<string, string>(place.conn, { send: json(), receive: json() })
    const pairs = Array.from({ length: 3 }, () => {
      const [near, far] = pipe()
      const options = { send: json<string>(), receive: json<string>() }
      return { near: new Channel(near, options), far: new Channel(far, options) }
    })
    const turns = 25
    for (let turn = 0; turn < turns; turn++) {
      void keeping.send(textOf('k', turn))
      for (const [index, { near }] of pairs.entries()) void near.send(textOf(`n${index}`, turn))
      if (turn === 12) ready.resolve(undefined)
      await settled()
      for (const [index, { far }] of pairs.entries()) {
        const message = await far.receive()
        // Not `toBe`, which would compute the difference of long texts for minutes.
        expect(message === textOf(`n${index}`, turn)).toBe(true)
      }
    }
    await keeping.end()
    await settled()
    const all = Array.from({ length: turns }, (_, turn) => textOf('k', turn))
    const arrived = messagesOf(place.chunks)
    expect(arrived.map((message, index) => message === all[index])).toEqual(all.map(() => true))
    for (const { near, far } of pairs) for (const channel of [near, far]) channel.abort()
    keeping.abort()
  })
})

function ignore(): void {}

/** Two conns whose bytes arrive in the same packets, if the transport allows it. */
const carriers: Record<string, () => Promise<{ near: Conn[]; far: Conn[] } & AsyncDisposable>> = {
  'one HTTP/2 connection': async () => {
    const far: Conn[] = []
    const over = deferred()
    const server = await startServer(
      async (conn) => {
        far[Number(conn.path.slice(1))] = conn
        await over.promise
      },
      { tls: false },
    )
    const near = [await server.connect('/0'), await server.connect('/1')]
    return {
      near,
      far,
      async [Symbol.asyncDispose]() {
        over.resolve(undefined)
        for (const conn of near) conn.abort()
        await server.close()
      },
    }
  },
  sockets: async () => {
    const far: Conn[] = []
    const server = createServer({ allowHalfOpen: true }, (socket) => far.push(fromDuplex(socket)))
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const { port } = server.address() as AddressInfo
    const near: Conn[] = []
    for (let count = 1; count <= 2; count++) {
      near.push(fromDuplex(connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })))
      await expect.poll(() => far.length).toBe(count)
    }
    return {
      near,
      far,
      async [Symbol.asyncDispose]() {
        for (const conn of [...near, ...far]) conn.abort()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  },
}

describe.each(Object.keys(carriers))('what is read over %s', (name) => {
  test.each(['toWebStreams', 'toDuplex'])(
    '%s: a reader that transfers its chunks affects no other reader',
    async (adapter) => {
      await using carrier = await carriers[name]?.()
      if (carrier === undefined) throw new Error('there is one')
      const [keeper, other] = carrier.near
      const [source, neighbour] = carrier.far
      if (!keeper || !other || !source || !neighbour) throw new Error('there are two')
      const rounds = 50
      const letter = (round: number): number => 65 + (round % 26)
      for (let round = 0; round < rounds; round++) {
        await Promise.all([
          source.write(new Uint8Array(20).fill(letter(round))),
          neighbour.write(new Uint8Array(40).fill(letter(round))),
        ])
      }
      await Promise.all([source.closeWrite(), neighbour.closeWrite()])
      // The first bytes of the other conn have arrived and are not read yet.
      const first = await other.read()
      const reader =
        adapter === 'toWebStreams'
          ? toWebStreams(keeper).readable[Symbol.asyncIterator]()
          : // The conn is aborted at the end, which a stream tells its listeners.
            toDuplex(keeper).on('error', ignore)[Symbol.asyncIterator]()
      const kept: number[] = []
      for (let next = await reader.next(); next.done !== true; next = await reader.next()) {
        // A pooled buffer of Node can't be transferred, since other buffers use its memory.
        const chunk = next.value as Uint8Array
        if (adapter === 'toWebStreams') kept.push(...transferred(chunk))
        else kept.push(...chunk)
      }
      const rest: number[] = [...(first ?? [])]
      for await (const chunk of other) rest.push(...chunk)
      const expected = (size: number): number[] =>
        Array.from({ length: rounds * size }, (_, index) => letter(Math.floor(index / size)))
      expect(kept).toEqual(expected(20))
      expect(rest).toEqual(expected(40))
    },
  )
})

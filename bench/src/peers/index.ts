/** The compared peers. Their libraries are loaded only in the processes that use them. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

import type { Alone, Codecs, Peer } from './peer.ts'

/** What a peer can do. `alone` and `codec` are work in one process. */
export type Ability =
  | 'messages'
  | 'bytes'
  /** Messages again, where the code that is compiled for a schema makes a difference. */
  | 'uncompiled'
  | 'trades'
  | 'calls'
  | 'exchanges'
  | 'broadcast'
  /** A broadcast to receivers that share connections. */
  | 'shared'
  | 'tls'
  | 'cold'
  | 'alone'
  | 'codec'

export interface Entry {
  readonly name: string
  readonly title: string
  /** How it is used. */
  readonly about: string
  /** This library, another one, or a limit that shows how fast anything could be. */
  readonly kind: 'ours' | 'other' | 'limit'
  readonly does: readonly Ability[]
  /** The library whose version is shown; h2channel has this one, and Node has Node's. */
  readonly library?: string
  readonly load: () => Promise<Peer | Alone | Codecs>
  /** What a program imports that uses it as client and server, if that is measured. */
  readonly imports?: readonly string[]
  /** The program of another build of this library, and the name of this peer there. */
  readonly elsewhere?: { readonly program: string; readonly name: string }
}

export const entries: Entry[] = [
  {
    name: 'ours-json',
    title: 'h2channel, json',
    about: '`json<Message>()`: nothing is validated, as with the other peers. Each `send` is awaited',
    kind: 'ours',
    does: ['messages', 'calls', 'exchanges', 'broadcast', 'shared', 'tls', 'cold'],
    imports: [
      '@h2channel/channel',
      '@h2channel/channel/client',
      '@h2channel/channel/server',
      '@h2channel/codecs',
      '@h2channel/conn',
    ],
    load: async () => (await import('./ours.ts')).oursJson,
  },
  {
    name: 'ours-batches',
    title: 'h2channel, json, many at a time',
    about: 'the same codec with `channel.sendAll(messages)` and `for await (const batch of channel.batches())`',
    kind: 'ours',
    does: ['messages'],
    load: async () => (await import('./ours.ts')).oursBatches,
  },
  {
    name: 'ours-zod',
    title: 'h2channel, json with a schema',
    about: '`json(z.object(…))`: received messages are validated',
    kind: 'ours',
    does: ['messages', 'calls', 'tls'],
    load: async () => (await import('./ours.ts')).oursZod,
  },
  {
    name: 'ours-uncompiled',
    title: 'h2channel, json with a schema, not compiled',
    about: '`json(z.object(…), { compile: false })`',
    kind: 'ours',
    does: ['uncompiled'],
    load: async () => (await import('./ours.ts')).oursUncompiled,
  },
  {
    name: 'ours-msgpack',
    title: 'h2channel, msgpack',
    about: '`msgpack<Message>()`; bytes are a field of a message',
    kind: 'ours',
    does: ['messages', 'bytes'],
    load: async () => (await import('./ours.ts')).oursMsgpack,
  },
  {
    name: 'ours-resume',
    title: 'h2channel, json, resume',
    about: '`json<Message>()` with `resume: true` at both ends: the channel would outlive its connection',
    kind: 'ours',
    does: ['messages'],
    load: async () => (await import('./ours.ts')).oursResume,
  },
  {
    name: 'ours-bytes-resume',
    title: 'h2channel, bytes, resume',
    about: '`bytes()` with `resume: true` at both ends',
    kind: 'ours',
    does: ['bytes'],
    load: async () => (await import('./ours.ts')).oursBytesResume,
  },
  {
    name: 'ours-bytes',
    title: 'h2channel, bytes',
    about: '`bytes()`: the message is the bytes',
    kind: 'ours',
    does: ['bytes', 'tls'],
    load: async () => (await import('./ours.ts')).oursBytes,
  },
  {
    name: 'ours-struct',
    title: 'h2channel, struct',
    about: '`struct({ id: u32, price: f64, … })`, each with 4 bytes of length',
    kind: 'ours',
    does: ['trades'],
    load: async () => (await import('./ours.ts')).oursStruct,
  },
  {
    name: 'ours-fixed',
    title: 'h2channel, struct, fixed length',
    about: 'the same codec with `framing: fixedLength(16)`: the records and nothing between them',
    kind: 'ours',
    does: ['trades'],
    load: async () => (await import('./ours.ts')).oursFixed,
  },
  {
    name: 'ours-fixed-batches',
    title: 'h2channel, struct, fixed length, many at a time',
    about: 'the same framing with `channel.sendAll(records)` and `for await (const batch of channel.batches())`',
    kind: 'ours',
    does: ['trades'],
    load: async () => (await import('./ours.ts')).oursFixedBatches,
  },
  {
    name: 'grpc',
    title: '@grpc/grpc-js',
    about:
      'unary, client streaming and bidirectional streaming; code from `@grpc/proto-loader`; `write` and `drain` honoured',
    kind: 'other',
    does: ['messages', 'bytes', 'calls', 'exchanges', 'tls', 'cold'],
    imports: ['@grpc/grpc-js'],
    library: '@grpc/grpc-js',
    load: async () => (await import('./grpc.ts')).grpc,
  },
  {
    name: 'connect-protobuf',
    title: 'connect-node, protobuf',
    about: '`@connectrpc/connect-node` over HTTP/2 with the Connect protocol; generated code; async iterables',
    kind: 'other',
    does: ['messages', 'bytes', 'calls', 'exchanges', 'tls', 'cold'],
    imports: ['@connectrpc/connect', '@connectrpc/connect-node'],
    library: '@connectrpc/connect-node',
    load: async () => (await import('./connect.ts')).connectProtobuf,
  },
  {
    name: 'connect-json',
    title: 'connect-node, JSON',
    about: 'the same library with `useBinaryFormat: false`; bytes are base64',
    kind: 'other',
    does: ['messages', 'bytes', 'calls'],
    library: '@connectrpc/connect-node',
    load: async () => (await import('./connect.ts')).connectJson,
  },
  {
    name: 'ws',
    title: 'ws',
    about: 'JSON in text messages, bytes in binary ones; no compression; waits while more than 1 MiB is buffered',
    kind: 'other',
    does: ['messages', 'bytes', 'exchanges', 'broadcast', 'tls', 'cold'],
    imports: ['ws'],
    library: 'ws',
    load: async () => (await import('./ws.ts')).ws,
  },
  {
    name: 'ws-corked',
    title: 'ws, corked by hand',
    about:
      'the same, and the TCP socket below is corked for each turn of the event loop; its documentation does not mention that',
    kind: 'other',
    does: ['messages', 'bytes'],
    library: 'ws',
    load: async () => (await import('./ws.ts')).wsCorked,
  },
  {
    name: 'socket.io',
    title: 'socket.io',
    about: 'WebSocket from the start; awaits an acknowledgement after each MiB, because there is no backpressure',
    kind: 'other',
    does: ['messages', 'bytes', 'broadcast'],
    library: 'socket.io',
    load: async () => (await import('./socket-io.ts')).socketIo,
  },
  {
    name: 'capnweb',
    title: 'capnweb',
    about:
      'over one `ws` connection; one way with a `WritableStream` and its flow control, echo with calls, 1,000 at once',
    kind: 'other',
    does: ['messages', 'bytes'],
    library: 'capnweb',
    load: async () => (await import('./capnweb.ts')).capnweb,
  },
  {
    name: 'http2',
    title: 'bare node:http2',
    about:
      "one stream with Node's defaults, one JSON line per message, `drain` honoured; bytes are not separated; a call is one JSON text in DATA each way",
    kind: 'other',
    does: ['messages', 'bytes', 'trades', 'calls', 'exchanges', 'broadcast', 'shared', 'tls', 'cold'],
    imports: ['node:http2'],
    load: async () => (await import('./http2.ts')).http2,
  },
  {
    name: 'fetch',
    title: 'fetch over HTTP/1.1',
    about: "Node's own `fetch`, which is undici, and a plain `node:http` server; connections are kept alive",
    kind: 'other',
    does: ['calls'],
    load: async () => (await import('./fetch.ts')).fetched,
  },
  {
    name: 'tcp',
    title: 'limit: bare TCP, batched by hand',
    about: 'JSON lines, collected to 64 KiB per write; bytes are not separated. No HTTP, no streams, no limits',
    kind: 'limit',
    does: ['messages', 'bytes', 'calls'],
    load: async () => (await import('./tcp.ts')).tcp,
  },
  {
    name: 'ours-codec',
    title: 'h2channel, the codec json',
    about: '`json<Message>()` as a channel uses it, in one process; nothing is sent',
    kind: 'ours',
    does: ['codec'],
    load: async () => (await import('./codecs.ts')).oursCodec,
  },
  {
    name: 'ours-codec-zod',
    title: 'h2channel, the codec json with a schema',
    about: '`json(z.object(…))` as a channel uses it, in one process',
    kind: 'ours',
    does: ['codec'],
    load: async () => (await import('./codecs.ts')).oursCodecZod,
  },
  {
    name: 'ours-codec-uncompiled',
    title: 'h2channel, the codec json with a schema, not compiled',
    about: '`json(z.object(…), { compile: false })` as a channel uses it, in one process',
    kind: 'ours',
    does: ['codec'],
    load: async () => (await import('./codecs.ts')).oursCodecUncompiled,
  },
  {
    name: 'bare-codec',
    title: 'bare JSON and UTF-8',
    about: '`buffer.write(JSON.stringify(message))` and `JSON.parse(buffer.toString())`, in one process',
    kind: 'other',
    does: ['codec'],
    load: async () => (await import('./codecs.ts')).bareCodec,
  },
  {
    name: 'bare-codec-zod',
    title: 'bare JSON, UTF-8 and schema.parse',
    about: 'the same, and zod checks what was read',
    kind: 'other',
    does: ['codec'],
    library: 'zod',
    load: async () => (await import('./codecs.ts')).bareCodecZod,
  },
  {
    name: 'codec-json',
    title: 'limit: JSON alone',
    about: '`JSON.stringify` and `JSON.parse` of lines in chunks of 64 KiB, in one process; nothing is sent',
    kind: 'limit',
    does: ['alone'],
    load: async () => (await import('./codecs.ts')).codecJson,
  },
  {
    name: 'codec-msgpack',
    title: 'limit: a MessagePack Decoder alone',
    about: 'one reused `Decoder` of `@msgpack/msgpack`, in one process; nothing is encoded or sent',
    kind: 'limit',
    does: ['alone'],
    library: '@msgpack/msgpack',
    load: async () => (await import('./codecs.ts')).codecMsgpack,
  },
]

/**
 * Adds the peers of this library again, as another checkout has built them. Old and new in turn show the cost of a
 * change.
 */
export function addBuild(checkout: string): void {
  const program = resolve(checkout, 'bench/dist/worker.js')
  if (!existsSync(program)) throw new Error(`${program} does not exist: build that checkout first`)
  for (const entry of entries.filter(({ kind }) => kind === 'ours')) {
    const name = entry.name.replace('ours', 'against')
    const about = 'as built by the checkout that `--against` names'
    entries.push({
      ...entry,
      name,
      about,
      kind: 'other',
      title: `${entry.title}: the other build`,
      elsewhere: { program, name: entry.name },
    })
  }
}

export function entryOf(name: string): Entry {
  const entry = entries.find((one) => one.name === name)
  if (entry === undefined) throw new Error(`there is no peer ${name}`)
  return entry
}

/** gRPC in Node, with the code that proto-loader generates from the .proto at run time. */
import type { ClientDuplexStream, ClientWritableStream, requestCallback, ServiceError } from '@grpc/grpc-js'
import type { GrpcObject, handleBidiStreamingCall, handleClientStreamingCall, handleUnaryCall } from '@grpc/grpc-js'
import type { Client, ServiceClientConstructor } from '@grpc/grpc-js'
import { credentials, loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import type { Message } from '../message.ts'
import { Tally } from '../message.ts'
import type { Peer } from './peer.ts'
import { given } from './peer.ts'

interface Piece {
  readonly data: Uint8Array
}

interface BenchClient extends Client {
  collect(answer: requestCallback<Message>): ClientWritableStream<Message>
  collectBytes(answer: requestCallback<Message>): ClientWritableStream<Piece>
  echo(): ClientDuplexStream<Message, Message>
  ask(message: Message, answer: requestCallback<Message>): void
}

const definition = loadSync(fileURLToPath(new URL('../../message.proto', import.meta.url)))
const { bench } = loadPackageDefinition(definition)['h2channel'] as { bench: GrpcObject }
const Bench = given(bench)['Bench'] as ServiceClientConstructor

const collect: handleClientStreamingCall<Message, Message> = (call, answer) => {
  const tally = new Tally()
  call.on('data', (message: Message) => tally.add(message))
  call.on('end', () => answer(null, tally.answer()))
}

const collectBytes: handleClientStreamingCall<Piece, Message> = (call, answer) => {
  const tally = new Tally()
  call.on('data', ({ data }: Piece) => tally.addBytes(data))
  call.on('end', () => answer(null, tally.answer()))
}

const echo: handleBidiStreamingCall<Message, Message> = (call) => {
  call.on('data', (message: Message) => {
    if (!call.write(message)) call.pause()
  })
  call.on('drain', () => call.resume())
  call.on('end', () => call.end())
}

const ask: handleUnaryCall<Message, Message> = (call, answer) => answer(null, call.request)

export const grpc: Peer = {
  async serve(certificate) {
    const server = new Server()
    server.addService(Bench.service, { collect, collectBytes, echo, ask })
    const bind = promisify(server.bindAsync.bind(server))
    if (certificate === undefined) return bind('127.0.0.1:0', ServerCredentials.createInsecure())
    const pair = { private_key: Buffer.from(certificate.key), cert_chain: Buffer.from(certificate.cert) }
    return bind('127.0.0.1:0', ServerCredentials.createSsl(null, [pair]))
  },
  async connect(port, ca) {
    const trust = ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca))
    const client = new Bench(`127.0.0.1:${port}`, trust) as unknown as BenchClient
    await promisify(client.waitForReady.bind(client))(Date.now() + 10_000)
    return {
      collect: (messages) => sendAll((answer) => client.collect(answer), messages),
      collectBytes: (pieces) => sendAll((answer) => client.collectBytes(answer), wrapped(pieces)),
      async echo() {
        const call = client.echo()
        let take: (message: Message) => void = () => {}
        call.on('data', (message: Message) => take(message))
        const ended = once(call, 'end')
        return {
          send: (messages) => writeAll(call, messages),
          async receive(each) {
            take = each
            await ended
          },
          ask: (message) =>
            new Promise((resolve) => {
              take = resolve
              call.write(message)
            }),
          async end() {
            call.end()
          },
        }
      },
      call: (message) =>
        new Promise((resolve, reject) => {
          client.ask(message, (error, answer) => (error === null ? resolve(given(answer)) : reject(error)))
        }),
      async exchange(message) {
        const call = client.echo()
        const ended = once(call, 'end')
        const answered = new Promise<Message>((resolve) => {
          call.on('data', resolve)
        })
        call.write(message)
        const answer = await answered
        call.end()
        await ended
        return answer
      },
    }
  },
}

async function sendAll<T>(
  start: (answer: requestCallback<Message>) => ClientWritableStream<T>,
  messages: Iterable<T>,
): Promise<Message> {
  let settle: requestCallback<Message> = () => {}
  const answered = new Promise<Message>((resolve, reject) => {
    settle = (error: ServiceError | null, answer) => (error === null ? resolve(given(answer)) : reject(error))
  })
  const call = start((error, answer) => settle(error, answer))
  await writeAll(call, messages)
  call.end()
  return answered
}

async function writeAll<T>(call: Writable, messages: Iterable<T>): Promise<void> {
  for (const message of messages) {
    if (!call.write(message)) {
      await new Promise<void>((resolve) => {
        call.once('drain', resolve)
      })
    }
  }
}

function* wrapped(pieces: Iterable<Uint8Array>): Iterable<Piece> {
  for (const data of pieces) yield { data }
}

/** Socket.IO over WebSocket from the start. It has no backpressure; acknowledgements of some messages replace it. */
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import type { Socket as ClientSocket } from 'socket.io-client'
import { io } from 'socket.io-client'

import type { Message } from '../message.ts'
import { greeting, Tally } from '../message.ts'
import { listen } from './listen.ts'
import type { Peer } from './peer.ts'

interface ToServer {
  collect(message: Message): void
  bytes(data: Uint8Array): void
  echo(message: Message): void
  /** Answers when all earlier messages have been handled. */
  sync(done: () => void): void
  answer(done: (answer: Message) => void): void
  /** Joins the room that receives what is published. */
  subscribe(done: (greeting: Message) => void): void
}

interface ToClient {
  echo(message: Message): void
  published(message: Message): void
}

/** At most twice this much is sent before the server must have acknowledged it. Unit: bytes, about. */
const maxPending = 1024 * 1024

const room = 'receivers'
const sockets = new Server<ToServer, ToClient>({
  transports: ['websocket'],
  perMessageDeflate: false,
  maxHttpBufferSize: 4 * 1024 * 1024,
})

export const socketIo: Peer = {
  serve() {
    const server = createServer()
    sockets.attach(server)
    sockets.on('connection', (socket) => {
      const tally = new Tally()
      socket.on('collect', (message) => tally.add(message))
      socket.on('bytes', (data) => tally.addBytes(data))
      socket.on('echo', (message) => socket.emit('echo', message))
      socket.on('sync', (done) => done())
      socket.on('answer', (done) => done(tally.answer()))
      socket.on('subscribe', (done) => {
        void socket.join(room)
        done(greeting)
      })
    })
    return listen(server)
  },
  publish(message) {
    sockets.to(room).emit('published', message)
  },
  async connect(port) {
    const open = async (): Promise<ClientSocket<ToClient, ToServer>> => {
      const options = { transports: ['websocket'], forceNew: true, reconnection: false }
      const socket: ClientSocket<ToClient, ToServer> = io(`http://127.0.0.1:${port}`, options)
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve)
        socket.once('connect_error', reject)
      })
      return socket
    }
    return {
      async collect(messages) {
        const socket = await open()
        await sendAll(socket, messages, (message) => {
          socket.emit('collect', message)
          return message.text.length + 64
        })
        return answerOf(socket)
      },
      async collectBytes(pieces) {
        const socket = await open()
        await sendAll(socket, pieces, (piece) => {
          socket.emit('bytes', piece)
          return piece.length
        })
        return answerOf(socket)
      },
      async echo() {
        const socket = await open()
        let take: (message: Message) => void = () => {}
        socket.on('echo', (message) => take(message))
        const closed = new Promise<void>((resolve) => {
          socket.once('disconnect', () => resolve())
        })
        return {
          send: (messages) =>
            sendAll(socket, messages, (message) => {
              socket.emit('echo', message)
              return message.text.length + 64
            }),
          async receive(each) {
            take = each
            await closed
          },
          ask: (message) =>
            new Promise((resolve) => {
              take = resolve
              socket.emit('echo', message)
            }),
          async end() {
            await socket.emitWithAck('sync')
            socket.close()
          },
        }
      },
      async subscribe(_, take) {
        const socket = await open()
        socket.on('published', take)
        await socket.emitWithAck('subscribe')
      },
    }
  },
}

async function sendAll<T>(
  socket: ClientSocket<ToClient, ToServer>,
  all: Iterable<T>,
  send: (one: T) => number,
): Promise<void> {
  let arrived: Promise<unknown> | undefined
  let size = 0
  for (const one of all) {
    size += send(one)
    if (size < maxPending) continue
    await arrived
    arrived = socket.emitWithAck('sync')
    size = 0
  }
}

async function answerOf(socket: ClientSocket<ToClient, ToServer>): Promise<Message> {
  const answer = await socket.emitWithAck('answer')
  socket.close()
  return answer
}

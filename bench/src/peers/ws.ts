/**
 * `ws` with JSON: a connection for each channel, without compression. `wsCorked` collects the messages of one turn of
 * the event loop with the socket below. The documentation of `ws` does not ask for that, but users who need speed do
 * it.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'

import type { Message } from '../message.ts'
import { Tally } from '../message.ts'
import { listen } from './listen.ts'
import type { Peer } from './peer.ts'
import { createServer } from 'node:http'

export const ws: Peer = peer(false)
export const wsCorked: Peer = peer(true)

/** How much may wait to be sent before the sender waits. Unit: bytes. */
const maxBuffered = 1024 * 1024
const end = ''

function peer(isCorked: boolean): Peer {
  return {
    serve() {
      const server = createServer()
      const sockets = new WebSocketServer({ server, perMessageDeflate: false })
      sockets.on('connection', (socket, request) => {
        const cork = isCorked ? corker(request.socket) : () => {}
        if (request.url === '/echo') echo(socket, cork)
        else collect(socket, request.url === '/bytes')
      })
      return listen(server)
    },
    async connect(port) {
      const open = async (path: string): Promise<[WebSocket, cork: () => void]> => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false })
        const below = new Promise<Socket>((resolve) => {
          socket.once('upgrade', (response) => resolve(response.socket))
        })
        await once(socket, 'open')
        return [socket, isCorked ? corker(await below) : () => {}]
      }
      return {
        async collect(messages) {
          const [socket, cork] = await open('/collect')
          await sendAll(socket, cork, jsonOf(messages))
          return answerOf(socket)
        },
        async collectBytes(pieces) {
          const [socket, cork] = await open('/bytes')
          await sendAll(socket, cork, pieces)
          return answerOf(socket)
        },
        async echo() {
          const [socket, cork] = await open('/echo')
          let take: (message: Message) => void = () => {}
          const ended = new Promise<void>((resolve) => {
            socket.on('message', (data: Buffer) => {
              if (data.length > 0) take(parse(data))
              else resolve()
            })
          })
          return {
            send: (messages) => sendAll(socket, cork, jsonOf(messages)),
            async receive(each) {
              take = each
              await ended
              socket.close()
            },
            ask: (message) =>
              new Promise((resolve) => {
                take = resolve
                socket.send(JSON.stringify(message))
              }),
            async end() {
              socket.send(end)
            },
          }
        },
      }
    },
  }
}

/** Holds written bytes back until the end of the turn, so that they leave together. */
function corker(socket: Socket): () => void {
  let isCorked = false
  return () => {
    if (isCorked) return
    isCorked = true
    socket.cork()
    process.nextTick(() => {
      isCorked = false
      socket.uncork()
    })
  }
}

function parse(data: Buffer): Message {
  return JSON.parse(data.toString()) as Message
}

function* jsonOf(messages: Iterable<Message>): Iterable<string> {
  for (const message of messages) yield JSON.stringify(message)
}

async function sendAll(socket: WebSocket, cork: () => void, all: Iterable<string | Uint8Array>): Promise<void> {
  for (const data of all) {
    cork()
    if (socket.bufferedAmount < maxBuffered) socket.send(data)
    else {
      await new Promise<void>((resolve, reject) => {
        socket.send(data, (error) => (error ? reject(error) : resolve()))
      })
    }
  }
}

async function answerOf(socket: WebSocket): Promise<Message> {
  socket.send(end)
  const [data] = (await once(socket, 'message')) as [Buffer]
  socket.close()
  return parse(data)
}

function collect(socket: WebSocket, isBytes: boolean): void {
  const tally = new Tally()
  socket.on('message', (data: Buffer) => {
    if (data.length === 0) socket.send(JSON.stringify(tally.answer()))
    else if (isBytes) tally.addBytes(data)
    else tally.add(parse(data))
  })
}

function echo(socket: WebSocket, cork: () => void): void {
  socket.on('message', (data: Buffer) => {
    cork()
    if (data.length === 0) socket.send(end)
    else if (socket.bufferedAmount < maxBuffered) socket.send(JSON.stringify(parse(data)))
    else {
      socket.pause()
      socket.send(JSON.stringify(parse(data)), () => socket.resume())
    }
  })
}

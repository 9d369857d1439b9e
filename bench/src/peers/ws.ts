/**
 * `ws` with JSON: a connection for each channel, without compression. `wsCorked` collects the messages of one turn of
 * the event loop with the socket below. The documentation of `ws` does not ask for that, but users who need speed do
 * it.
 */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'

import type { Message } from '../message.ts'
import { greeting, Tally } from '../message.ts'
import { listen } from './listen.ts'
import type { Peer } from './peer.ts'

export const ws: Peer = peer(false)
export const wsCorked: Peer = peer(true)

/** How much may wait to be sent before the sender waits. Unit: bytes. */
const maxBuffered = 1024 * 1024
const end = ''

function peer(isCorked: boolean): Peer {
  const receivers = new Set<WebSocket>()
  return {
    serve(certificate) {
      const server = certificate === undefined ? createHttpServer() : createHttpsServer(certificate)
      const sockets = new WebSocketServer({ server, perMessageDeflate: false })
      sockets.on('connection', (socket, request) => {
        const cork = isCorked ? corker(request.socket) : () => {}
        if (request.url === '/echo') echo(socket, cork)
        else if (request.url === '/feed') feed(socket, receivers)
        else collect(socket, request.url === '/bytes')
      })
      return listen(server)
    },
    publish(message) {
      const data = Buffer.from(JSON.stringify(message))
      for (const socket of receivers) socket.send(data, { binary: false })
    },
    async connect(port, ca) {
      const start = (path: string): WebSocket => {
        const address = `${ca === undefined ? 'ws' : 'wss'}://127.0.0.1:${port}${path}`
        return new WebSocket(address, { perMessageDeflate: false, ...(ca !== undefined && { ca }) })
      }
      const open = async (path: string): Promise<[WebSocket, cork: () => void]> => {
        const socket = start(path)
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
        async exchange(message) {
          const socket = start('/echo')
          const closed = once(socket, 'close')
          await once(socket, 'open')
          socket.send(JSON.stringify(message))
          const [data] = (await once(socket, 'message')) as [Buffer]
          socket.close()
          await closed
          return parse(data)
        },
        async subscribe(_, take) {
          const socket = start('/feed')
          await new Promise<void>((resolve) => {
            socket.on('message', (data: Buffer) => {
              const message = parse(data)
              if (message.id === greeting.id) resolve()
              else take(message)
            })
          })
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

function feed(socket: WebSocket, receivers: Set<WebSocket>): void {
  receivers.add(socket)
  socket.on('close', () => receivers.delete(socket))
  socket.send(JSON.stringify(greeting))
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

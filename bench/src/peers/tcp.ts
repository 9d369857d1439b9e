/**
 * The limit: JSON lines over TCP, collected by hand to 64 KiB per write. It is the most that one channel of bytes can
 * do, without HTTP, other streams and limits.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'

import type { Message } from '../message.ts'
import { Tally } from '../message.ts'
import { eachLine, lineOf } from './lines.ts'
import { listen } from './listen.ts'
import type { Peer } from './peer.ts'

const batch = 64 * 1024

/** The first byte of a connection tells the server what to do. */
type Kind = 'c' | 'b' | 'e'

export const tcp: Peer = {
  serve() {
    return listen(
      createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        socket.once('readable', () => {
          const kind = String(socket.read(1)) as Kind
          if (kind === 'e') echo(socket)
          else collect(socket, kind)
        })
      }),
    )
  },
  async connect(port) {
    const open = async (kind: Kind): Promise<Socket> => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      await once(socket, 'connect')
      socket.write(kind)
      return socket
    }
    let asking: Promise<(message: Message) => Promise<Message>> | undefined
    return {
      async collect(messages) {
        const socket = await open('c')
        await sendAll(socket, messages)
        return answerOf(socket)
      },
      async collectBytes(pieces) {
        const socket = await open('b')
        for (const piece of pieces) if (!socket.write(piece)) await drained(socket)
        return answerOf(socket)
      },
      call: async (message) => {
        asking ??= open('e').then(caller)
        return (await asking)(message)
      },
      async echo() {
        const socket = await open('e')
        let take: (message: Message) => void = () => {}
        eachLine(socket, (message) => take(message))
        const ended = once(socket, 'end')
        return {
          send: (messages) => sendAll(socket, messages),
          async receive(each) {
            take = each
            await ended
          },
          ask: (message) =>
            new Promise((resolve) => {
              take = resolve
              socket.write(lineOf(message))
            }),
          async end() {
            socket.end()
          },
        }
      },
    }
  },
}

/** Questions on one connection, whose answers come in the same order. */
function caller(socket: Socket): (message: Message) => Promise<Message> {
  const waiting: ((answer: Message) => void)[] = []
  eachLine(socket, (answer) => waiting.shift()?.(answer))
  return (message) =>
    new Promise((resolve) => {
      waiting.push(resolve)
      socket.write(lineOf(message))
    })
}

async function sendAll(socket: Socket, messages: Iterable<Message>): Promise<void> {
  let lines = ''
  for (const message of messages) {
    lines += lineOf(message)
    if (lines.length < batch) continue
    if (!socket.write(lines)) await drained(socket)
    lines = ''
  }
  if (lines !== '') socket.write(lines)
}

async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.once('drain', resolve)
  })
}

async function answerOf(socket: Socket): Promise<Message> {
  const answer = new Promise<Message>((resolve) => {
    eachLine(socket, resolve)
  })
  socket.end()
  return answer
}

function collect(socket: Socket, kind: 'c' | 'b'): void {
  const tally = new Tally()
  if (kind === 'c') eachLine(socket, (message) => tally.add(message))
  else socket.on('data', (chunk: Buffer) => tally.addBytes(chunk))
  socket.on('end', () => socket.end(lineOf(tally.answer())))
}

function echo(socket: Socket): void {
  let lines = ''
  eachLine(socket, (message) => {
    // Messages that arrived in one chunk return in one.
    if (lines === '') process.nextTick(flush)
    lines += lineOf(message)
  })
  const flush = (): void => {
    if (!socket.write(lines)) socket.pause()
    lines = ''
  }
  socket.on('drain', () => socket.resume())
  socket.on('end', () => socket.end(lines))
}

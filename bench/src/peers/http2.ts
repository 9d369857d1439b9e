/** Bare `node:http2` as in a hand-written program: a stream, a JSON line for each message, and `drain` honoured. */
import { once } from 'node:events'
import type { ClientHttp2Stream, Http2Stream, ServerHttp2Stream } from 'node:http2'
import { connect, createServer } from 'node:http2'

import type { Message, Trade } from '../message.ts'
import { Tally } from '../message.ts'
import { eachLine, lineOf } from './lines.ts'
import { listen } from './listen.ts'
import type { Peer } from './peer.ts'
import { RecordReader, RecordWriter } from './records.ts'

export const http2: Peer = {
  serve() {
    const server = createServer()
    server.on('stream', (stream, headers) => {
      stream.respond()
      if (headers[':path'] === '/echo') echo(stream)
      else collect(stream, String(headers[':path']))
    })
    return listen(server)
  },
  async connect(port) {
    const session = connect(`http://127.0.0.1:${port}`)
    await once(session, 'connect')
    const open = async (path: string): Promise<ClientHttp2Stream> => {
      const stream = session.request({ ':method': 'POST', ':path': path }, { endStream: false })
      await once(stream, 'response')
      return stream
    }
    return {
      async collect(messages) {
        const stream = await open('/collect')
        for (const message of messages) if (!stream.write(lineOf(message))) await drained(stream)
        return answerOf(stream)
      },
      async collectBytes(pieces) {
        const stream = await open('/bytes')
        for (const piece of pieces) if (!stream.write(piece)) await drained(stream)
        return answerOf(stream)
      },
      async collectTrades(trades: Iterable<Trade>) {
        const stream = await open('/trades')
        const writer = new RecordWriter()
        for (const trade of trades) {
          const full = writer.add(trade)
          if (full !== undefined && !stream.write(full)) await drained(stream)
        }
        stream.write(writer.take())
        return answerOf(stream)
      },
      async echo() {
        const stream = await open('/echo')
        let take: (message: Message) => void = () => {}
        eachLine(stream, (message) => take(message))
        const ended = once(stream, 'end')
        return {
          async send(messages) {
            for (const message of messages) if (!stream.write(lineOf(message))) await drained(stream)
          },
          async receive(each) {
            take = each
            await ended
          },
          ask: (message) =>
            new Promise((resolve) => {
              take = resolve
              stream.write(lineOf(message))
            }),
          async end() {
            stream.end()
          },
        }
      },
    }
  },
}

async function drained(stream: Http2Stream): Promise<void> {
  await new Promise<void>((resolve) => {
    stream.once('drain', resolve)
  })
}

async function answerOf(stream: Http2Stream): Promise<Message> {
  const answer = new Promise<Message>((resolve) => {
    eachLine(stream, resolve)
  })
  stream.end()
  return answer
}

function collect(stream: ServerHttp2Stream, path: string): void {
  const tally = new Tally()
  if (path === '/collect') eachLine(stream, (message) => tally.add(message))
  else if (path === '/bytes') stream.on('data', (chunk: Buffer) => tally.addBytes(chunk))
  else {
    const reader = new RecordReader((trade) => tally.addTrade(trade))
    stream.on('data', (chunk: Buffer) => reader.read(chunk))
  }
  stream.on('end', () => stream.end(lineOf(tally.answer())))
}

function echo(stream: ServerHttp2Stream): void {
  eachLine(stream, (message) => {
    if (!stream.write(lineOf(message))) stream.pause()
  })
  stream.on('drain', () => stream.resume())
  stream.on('end', () => stream.end())
}

/** Bare `node:http2` as in a hand-written program: a stream, a JSON line for each message, and `drain` honoured. */
import { once } from 'node:events'
import type { ClientHttp2Session, ClientHttp2Stream, Http2Stream, ServerHttp2Stream } from 'node:http2'
import { connect, createSecureServer, createServer } from 'node:http2'

import type { Message, Trade } from '../message.ts'
import { greeting, Tally } from '../message.ts'
import { eachLine, lineOf } from './lines.ts'
import { listen } from './listen.ts'
import type { Peer } from './peer.ts'
import { shared } from './peer.ts'
import { RecordReader, RecordWriter } from './records.ts'

/** The streams that receive what is published. */
const receivers = new Set<ServerHttp2Stream>()

export const http2: Peer = {
  serve(certificate) {
    const server = certificate === undefined ? createServer() : createSecureServer(certificate)
    server.on('stream', (stream, headers) => {
      const path = String(headers[':path'])
      if (path === '/ask') {
        reply(stream)
        return
      }
      stream.respond()
      if (path === '/echo') echo(stream)
      else if (path === '/feed') feed(stream)
      else collect(stream, path)
    })
    return listen(server)
  },
  publish(message) {
    const line = Buffer.from(lineOf(message))
    for (const stream of receivers) stream.write(line)
  },
  async connect(port, ca) {
    const start = async (): Promise<ClientHttp2Session> => {
      const made = ca === undefined ? connect(`http://127.0.0.1:${port}`) : connect(`https://127.0.0.1:${port}`, { ca })
      await once(made, 'connect')
      return made
    }
    const session = await start()
    const groups = new Map<number, Promise<ClientHttp2Session>>()
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
      async call(message) {
        const stream = session.request({ ':method': 'POST', ':path': '/ask' })
        const answered = textOf(stream)
        stream.end(JSON.stringify(message))
        return JSON.parse(await answered) as Message
      },
      async exchange(message) {
        const stream = await open('/echo')
        const closed = once(stream, 'close')
        const answered = new Promise<Message>((resolve) => {
          eachLine(stream, resolve)
        })
        stream.write(lineOf(message))
        const back = await answered
        stream.end()
        await closed
        return back
      },
      async subscribe(group, take) {
        const own = await shared(groups, group, start)
        const stream = own.request({ ':method': 'POST', ':path': '/feed' }, { endStream: false })
        await new Promise<void>((resolve) => {
          eachLine(stream, (message) => (message.id === greeting.id ? resolve() : take(message)))
        })
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

/** Answers one JSON text with another. The headers leave with the answer. */
function reply(stream: ServerHttp2Stream): void {
  void textOf(stream).then((text) => {
    const message = JSON.parse(text) as Message
    stream.respond()
    stream.end(JSON.stringify(message))
  })
}

function textOf(stream: Http2Stream): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    stream.setEncoding('utf8')
    stream.on('data', (part: string) => {
      text += part
    })
    stream.on('end', () => resolve(text))
    stream.on('error', reject)
  })
}

function feed(stream: ServerHttp2Stream): void {
  receivers.add(stream)
  stream.on('close', () => receivers.delete(stream))
  stream.write(lineOf(greeting))
}

function echo(stream: ServerHttp2Stream): void {
  eachLine(stream, (message) => {
    if (!stream.write(lineOf(message))) stream.pause()
  })
  stream.on('drain', () => stream.resume())
  stream.on('end', () => stream.end())
}

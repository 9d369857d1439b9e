/**
 * Cap'n Web over one WebSocket of `ws`. One way, it uses a stream with its flow control; there and back, many calls of
 * a method at once. A channel is an object of the server.
 */
import { newWebSocketRpcSession, RpcTarget } from 'capnweb'
import type { RpcStub } from 'capnweb'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'

import type { Message } from '../message.ts'
import { Tally } from '../message.ts'
import { listen } from './listen.ts'
import type { Peer } from './peer.ts'

/** Calls that may be under way at once. */
const maxCalls = 1_000

class Collector extends RpcTarget {
  readonly #tally = new Tally()

  messages(): WritableStream<Message> {
    return new WritableStream({ write: (message) => this.#tally.add(message) })
  }

  bytes(): WritableStream<Uint8Array> {
    return new WritableStream({ write: (piece) => this.#tally.addBytes(piece) })
  }

  answer(): Message {
    return this.#tally.answer()
  }
}

class Reflector extends RpcTarget {
  echo(message: Message): Message {
    return message
  }
}

class Service extends RpcTarget {
  collector(): Collector {
    return new Collector()
  }

  reflector(): Reflector {
    return new Reflector()
  }
}

type Wanted = Parameters<typeof newWebSocketRpcSession>[0]

// The library needs the constants of the global WebSocket, which Node has from 22 on.
Object.assign(globalThis, { WebSocket })

export const capnweb: Peer = {
  serve() {
    const server = createServer()
    const sockets = new WebSocketServer({ server, perMessageDeflate: false })
    sockets.on('connection', (socket) => newWebSocketRpcSession(socket as unknown as Wanted, new Service()))
    return listen(server)
  },
  async connect(port) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
    await once(socket, 'open')
    const service: RpcStub<Service> = newWebSocketRpcSession<Service>(socket as unknown as Wanted)
    return {
      async collect(messages) {
        using collector = await service.collector()
        await writeAll(await collector.messages(), messages)
        return collector.answer()
      },
      async collectBytes(pieces) {
        using collector = await service.collector()
        await writeAll(await collector.bytes(), pieces)
        return collector.answer()
      },
      async echo() {
        const reflector = await service.reflector()
        let calls = 0
        let onReturn: () => void = () => {}
        let take: (message: Message) => void = () => {}
        let finish: (error?: unknown) => void = () => {}
        const finished = new Promise<void>((resolve, reject) => {
          finish = (error) => (error === undefined ? resolve() : reject(error))
        })
        const returned = (limit: number): Promise<void> =>
          new Promise((resolve) => {
            onReturn = () => calls <= limit && resolve()
            onReturn()
          })
        return {
          async send(messages) {
            for (const message of messages) {
              calls += 1
              reflector.echo(message).then((answer) => {
                calls -= 1
                take(answer)
                onReturn()
              }, finish)
              if (calls >= maxCalls) await returned(maxCalls / 2)
            }
          },
          async receive(each) {
            take = each
            await finished
          },
          ask: async (message) => reflector.echo(message),
          async end() {
            await returned(0)
            reflector[Symbol.dispose]()
            finish()
          },
        }
      },
    }
  },
}

async function writeAll<T>(stream: WritableStream<T>, all: Iterable<T>): Promise<void> {
  const writer = stream.getWriter()
  let failure: unknown
  for (const one of all) {
    await writer.ready
    writer.write(one).catch((error: unknown) => {
      failure ??= error
    })
  }
  await writer.close()
  if (failure !== undefined) throw failure
}

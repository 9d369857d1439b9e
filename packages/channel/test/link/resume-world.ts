/** A server with links, and a relay in front of it whose connections a test cuts, holds up or leads elsewhere. */
import { json } from '@h2channel/codecs'
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

import type { Client, ClientEvent, ClientOptions } from '../../src/client.ts'
import { createClient } from '../../src/client.ts'
import type { Channel } from '../../src/index.ts'
import { defineRoute } from '../../src/index.ts'
import type { HandlerContext, Router, RouterOptions } from '../../src/server.ts'
import type { Served } from '../support/server-support.ts'
import { serve } from '../support/server-support.ts'

export interface Numbered {
  readonly n: number
}

export const numbers = defineRoute('/numbers', { client: json<Numbered>(), server: json<Numbered>() })

export type Ours = Channel<Numbered, Numbered>

export const echo = async (channel: Ours): Promise<void> => {
  for await (const message of channel) await channel.send(message)
}

export class World implements AsyncDisposable {
  served: Served
  readonly events: ClientEvent[] = []
  readonly #server: Server
  readonly #clients: Client[] = []
  readonly #sockets = new Set<Socket>()
  /** Whether the relay accepts connections. */
  isReachable = true
  /** How many connections the relay has refused. */
  refused = 0

  private constructor(served: Served, server: Server) {
    this.served = served
    this.#server = server
  }

  static async start(
    handler: (channel: Ours, context: HandlerContext) => void | Promise<void> = echo,
    router: RouterOptions = {},
  ): Promise<World> {
    const served = await World.serve(handler, router)
    const server = createServer({ noDelay: true })
    const world = new World(served, server)
    server.on('connection', (near) => world.#join(near))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return world
  }

  static serve(
    handler: (channel: Ours, context: HandlerContext) => void | Promise<void> = echo,
    router: RouterOptions = {},
  ): Promise<Served> {
    const setUp = (made: Router): void => void made.handle(numbers, handler)
    return serve(setUp, { router: { resume: true, ...router } })
  }

  get router(): Router {
    return this.served.router
  }

  /** The address of the relay. */
  get origin(): string {
    const { port } = this.#server.address() as AddressInfo
    return `http://127.0.0.1:${port}`
  }

  client(options: ClientOptions = {}): Client {
    const client = createClient(this.origin, {
      resume: true,
      retry: { initialDelay: 2, maxDelay: 10 },
      onEvent: (event) => void this.events.push(event),
      ...options,
    })
    this.#clients.push(client)
    return client
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Cuts every connection, and accepts no more until `isReachable` is set. */
  cutOff(): void {
    this.isReachable = false
    this.cut()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close({ timeout: 1 })))
    this.cut()
    this.#server.close()
    await this.served[Symbol.asyncDispose]()
  }

  #join(near: Socket): void {
    if (!this.isReachable) {
      this.refused += 1
      near.resetAndDestroy()
      return
    }
    const far = connect({ port: Number(new URL(this.served.at.origin).port), host: '127.0.0.1', noDelay: true })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.pipe(other)
      one.once('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
    }
  }
}

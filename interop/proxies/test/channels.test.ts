/** Channels through each proxy. docs/operate/proxies.md has the results. */
import { once } from 'node:events'
import { createSecureServer, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'

import type { Channel, ChannelClosed } from '@h2channel/channel'
import { ChannelError, defineRoute } from '@h2channel/channel'
import type { Client } from '@h2channel/channel/client'
import { createClient } from '@h2channel/channel/client'
import type { Router } from '@h2channel/channel/server'
import { createRouter, Refusal } from '@h2channel/channel/server'
import { bytes, json } from '@h2channel/codecs'
import { SessionPool } from '@h2channel/conn'
import type { Certificate, TestServer } from '@h2channel/conn/testing'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { describeChannelEnd } from '../src/ends.ts'
import type { ProxyKind } from '../src/kinds.ts'
import { caddy, caddy26, envoy, haproxy, haproxyTcp, nghttpx, nginx, traefik } from '../src/kinds.ts'
import type { RunningProxy } from '../src/proxy.ts'
import { requireProxy, startProxy } from '../src/proxy.ts'

const number = { client: json<number>(), server: json<number>() }
/** Sends each message back, and ends when the client does. */
const echo = defineRoute('/echo', number)
/** Sends `busyMessages` while it receives as many. */
const busy = defineRoute('/busy', { client: bytes(), server: bytes() })
/** Waits for the client's end, then sends 1,000 messages. */
const after = defineRoute('/after', number)
/** Sends a message and ends its half, then reads all that the client sends. */
const before = defineRoute('/before', { client: bytes(), server: json<number>() })
/** Sends a message and closes the channel, whatever the client does. */
const leave = defineRoute('/leave', number)
/** Fails once the first message is there. */
const fail = defineRoute('/fail', number)
/** Resets the channel once the first message is there. */
const reset = defineRoute('/reset', number)
/** Refuses every client. */
const closed = defineRoute('/closed', number)

const busyMessages = 2_000
const busyMessage = new Uint8Array(16_000)

/**
 * More frequent than by default: Caddy and Traefik pass on the end of the server's half when the client sends the next
 * time.
 */
const limits = { heartbeatInterval: 500, heartbeatTimeout: 20_000 }

/** How each proxy passes on the events of the ends. docs/operate/proxies.md has the same in words. */
interface Behaviour {
  /** What the client's `send` reports when the server has ended its half, and the client continues. */
  readonly serverEndsFirst: string
  /** The server's end when the client aborts. */
  readonly clientAborts: string
  /** The client's end when the server aborts. */
  readonly serverAborts: string
}

const behaviours: readonly (readonly [ProxyKind, Behaviour])[] = [
  [haproxy, behaviour('sent', 'clean', 'PEER_ABORTED (RESET 8)')],
  [haproxyTcp, behaviour('sent', 'PEER_ABORTED (RESET 8)', 'PEER_ABORTED (RESET 8)')],
  [nginx, behaviour('PEER_STOPPED', 'CONN_LOST (CONNECTION_LOST)', 'INTERNAL (RESET 2)')],
  [nghttpx, behaviour('PEER_STOPPED', 'INTERNAL (RESET 2)', 'INTERNAL (RESET 2)')],
  // An answer that broke off looks as if it had ended.
  [caddy26, behaviour('PEER_STOPPED', 'PEER_ABORTED (RESET 8)', 'clean')],
  [caddy, behaviour('PEER_STOPPED', 'PEER_ABORTED (RESET 8)', 'INTERNAL (RESET 2)')],
  [traefik, behaviour('PEER_STOPPED', 'PEER_ABORTED (RESET 8)', 'INTERNAL (RESET 2)')],
  [envoy, behaviour('sent', 'INTERNAL (RESET 2)', 'INTERNAL (RESET 2)')],
]

function behaviour(serverEndsFirst: string, clientAborts: string, serverAborts: string): Behaviour {
  return { serverEndsFirst, clientAborts, serverAborts }
}

/** A service with a proxy in front, and a client of it. */
class Service implements AsyncDisposable {
  readonly router: Router
  readonly client: Client
  /** The end of the channel that was opened last, and how many messages the server received on it. */
  last: { readonly ended: Promise<ChannelClosed>; received: number } | undefined
  readonly #listening: TestServer
  readonly #proxy: RunningProxy
  // Pinged more often than by default: a proxy that stopped reading is detected within seconds.
  readonly #sessions = new SessionPool({ closeTimeout: 100, pingInterval: 1_000, pingTimeout: 3_000 })

  private constructor(router: Router, listening: TestServer, proxy: RunningProxy, certificate: Certificate) {
    this.router = router
    this.#listening = listening
    this.#proxy = proxy
    this.#serve()
    this.client = createClient(proxy.origin, {
      tls: { ca: certificate.cert },
      sessions: this.#sessions,
      retry: { maxAttempts: 1 },
      limits,
    })
  }

  static async start(kind: ProxyKind): Promise<Service> {
    requireProxy(kind)
    const certificate = await makeCertificate()
    const server = kind.endsTls ? createServer() : createSecureServer(certificate)
    const router = createRouter({
      limits,
      authorize: ({ route }) => {
        if (route === closed.path) throw new Refusal(403, 'members only', { 'x-reason': 'not today' })
      },
      onError: () => {},
    })
    router.attach(server)
    const listening = await listen(server, kind.endsTls ? undefined : certificate)
    const proxy = await startProxy(kind, (server.address() as AddressInfo).port, certificate)
    return new Service(router, listening, proxy, certificate)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions.close()
    await this.#proxy[Symbol.asyncDispose]()
    await this.#listening.close()
  }

  #serve(): void {
    const count = async (channel: Channel<never, unknown>): Promise<void> => {
      const last = { ended: channel.closed, received: 0 }
      this.last = last
      for await (const _ of channel) last.received += 1
    }
    const first = async (channel: Channel<never, unknown>): Promise<void> => {
      this.last = { ended: channel.closed, received: 0 }
      await channel.receive()
    }
    this.router
      .handle(echo, async (channel) => {
        this.last = { ended: channel.closed, received: 0 }
        for await (const message of channel) await channel.send(message)
      })
      .handle(busy, async (channel) => {
        const sent = sendBusily(channel)
        await count(channel)
        await sent
      })
      .handle(after, async (channel) => {
        await count(channel)
        for (let index = 0; index < 1_000; index++) await channel.send(index)
      })
      .handle(before, async (channel) => {
        await channel.send(1)
        await channel.end()
        await count(channel)
      })
      .handle(leave, async (channel) => {
        this.last = { ended: channel.closed, received: 0 }
        await channel.send(1)
      })
      .handle(fail, async (channel) => {
        await first(channel)
        throw new Error('it failed')
      })
      .handle(reset, async (channel) => {
        await first(channel)
        channel.abort()
      })
      .handle(closed, () => {})
  }
}

async function sendBusily(channel: Channel<Uint8Array, unknown>): Promise<void> {
  for (let index = 0; index < busyMessages; index++) await channel.send(busyMessage)
}

async function receiveAll(channel: Channel<never, unknown>): Promise<number> {
  let received = 0
  for await (const _ of channel) received += 1
  return received
}

const endOf = async (ended: Promise<ChannelClosed> | undefined): Promise<string> =>
  ended === undefined ? 'never opened' : describeChannelEnd(await ended)

for (const [kind, due] of behaviours) {
  describe(`a channel through ${kind.name}`, () => {
    let service: Service
    let client: Client

    beforeAll(async () => {
      service = await Service.start(kind)
      client = service.client
    })

    afterAll(async () => {
      await service[Symbol.asyncDispose]()
    })

    /** How the channel ended at the client and at the server. */
    const ends = async (channel: Channel<never, unknown>): Promise<readonly [string, string]> => [
      await endOf(channel.closed),
      await endOf(service.last?.ended),
    ]

    test('100 questions and answers, one after the other', async () => {
      const channel = await client.open(echo)
      for (let index = 0; index < 100; index++) {
        await channel.send(index)
        expect(await channel.receive()).toBe(index)
      }
      await channel.end()
      expect(await channel.receive()).toBeUndefined()
      expect(await ends(channel)).toEqual(['clean', 'clean'])
    })

    test('32 MB in both directions at once', async () => {
      const channel = await client.open(busy)
      const send = async (): Promise<void> => {
        await sendBusily(channel)
        await channel.end()
      }
      const [received] = await Promise.all([receiveAll(channel), send()])
      expect([received, service.last?.received]).toEqual([busyMessages, busyMessages])
      expect(await ends(channel)).toEqual(['clean', 'clean'])
    })

    test('the client ends its half first', async () => {
      const channel = await client.open(after)
      await channel.send(1)
      await channel.end()
      expect(await receiveAll(channel)).toBe(1_000)
      expect(await ends(channel)).toEqual(['clean', 'clean'])
    })

    test('the server ends its half first', async () => {
      const channel = await client.open(before)
      expect(await receiveAll(channel)).toBe(1)
      // More than the windows hold, so that it leaves only if the server reads it.
      const sent = sendBusily(channel).then(
        async () => {
          await channel.end()
          return 'sent'
        },
        (error: unknown) => (error instanceof ChannelError ? error.code : error),
      )
      expect(await sent).toBe(due.serverEndsFirst)
      expect(await endOf(channel.closed)).toBe('clean')
      if (due.serverEndsFirst !== 'sent') return
      expect(await endOf(service.last?.ended)).toBe('clean')
      expect(service.last?.received).toBe(busyMessages)
    })

    test('the server closes', async () => {
      const channel = await client.open(leave)
      expect(await receiveAll(channel)).toBe(1)
      await channel.end().catch(() => {})
      expect(await endOf(channel.closed)).toBe('clean')
    })

    test('an error of the handler arrives with its code', async () => {
      const channel = await client.open(fail)
      await channel.send(1)
      expect(await endOf(channel.closed)).toBe('INTERNAL')
    })

    test('the client aborts', async () => {
      const channel = await client.open(echo)
      await channel.send(1)
      await channel.receive()
      channel.abort()
      expect(await endOf(service.last?.ended)).toBe(due.clientAborts)
    })

    test('the server aborts', async () => {
      const channel = await client.open(reset)
      await channel.send(1)
      // It may look as if the server had ended its half, which does not end the channel.
      await channel.receive().catch(() => {})
      await channel.send(2).catch(() => {})
      expect(await endOf(channel.closed)).toBe(due.serverAborts)
    })

    test('a refusal arrives with its status, headers and body', async () => {
      await expect(client.open(closed)).rejects.toMatchObject({
        code: 'REFUSED',
        cause: { response: { status: 403, headers: { 'x-reason': 'not today' }, body: Buffer.from('members only\n') } },
      })
    })

    // The last one: afterwards the router opens no channels.
    test('a drain reaches the client, which ends its channel and is refused another', async () => {
      const channel = await client.open(echo)
      const draining = once(channel.draining, 'abort')
      const drained = service.router.drain({ timeout: 10_000 })
      await draining
      await channel.send(1)
      expect(await channel.receive()).toBe(1)
      await expect(client.open(echo)).rejects.toMatchObject({ code: 'REFUSED', retryable: true })
      await channel.end()
      await drained
      expect(await ends(channel)).toEqual(['clean', 'clean'])
    })
  })
}

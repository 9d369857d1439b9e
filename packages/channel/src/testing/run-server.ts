import { connLimits } from '@h2channel/conn'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import { createSecureServer, createServer } from 'node:http2'

import type { ClientOptions } from '../client/client-options.ts'
import type { Client } from '../client/create-client.ts'
import { createClient } from '../client/create-client.ts'
import type { RunningServer, StartServerOptions } from './test-server.ts'
import type { Router } from '../server/router.ts'

/** Implements `startServer`, in a file of its own because it needs Node. */
export async function run<Auth>(router: Router<Auth>, options: StartServerOptions): Promise<RunningServer> {
  const certificate = options.tls === true ? await makeCertificate() : undefined
  const memory = { maxSessionMemory: connLimits.sessionMemory }
  const server = certificate === undefined ? createServer(memory) : createSecureServer({ ...certificate, ...memory })
  const detach = router.attach(server)
  const listening = await listen(server, certificate)
  const clients: Client[] = []
  return {
    origin: listening.origin,
    tls: listening.tls,
    client(clientOptions: ClientOptions = {}): Client {
      const client = createClient(listening.origin, { tls: listening.tls, ...clientOptions })
      clients.push(client)
      return client
    },
    async [Symbol.asyncDispose]() {
      detach()
      await listening.close()
      await Promise.all(clients.map(async (client) => client.close()))
    },
  }
}

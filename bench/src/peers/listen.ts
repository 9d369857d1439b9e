import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/** Listens on a free port of 127.0.0.1, and returns it. */
export async function listen(server: Server): Promise<number> {
  // Room for ten thousand clients that connect at once.
  server.listen({ port: 0, host: '127.0.0.1', backlog: 10_000 })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
